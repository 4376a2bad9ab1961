#include "samebits/train/lightning_loops.h"

#include <algorithm>

namespace samebits {
namespace {

using LoopItems = std::vector<std::pair<std::string, PickleValue>>;

PickleValue loop_dict(const LoopItems& items) {
  PickleValue::Items all;
  for (const auto& [key, value] : items) all.emplace_back(PickleValue::text(key), value);
  return PickleValue::dict(all);
}

PickleValue count_value(std::uint64_t n) {
  return PickleValue::integer(static_cast<std::int64_t>(n));
}

/// What was made ready and completed; with more, what was started and processed, too.
PickleValue tracker(std::uint64_t ready, std::uint64_t completed) {
  return loop_dict({{"ready", count_value(ready)}, {"completed", count_value(completed)}});
}
PickleValue started_tracker(std::uint64_t n) {
  return loop_dict(
      {{"ready", count_value(n)}, {"completed", count_value(n)}, {"started", count_value(n)}});
}
PickleValue processed_tracker(std::uint64_t started, std::uint64_t processed,
                              std::uint64_t completed) {
  return loop_dict({{"ready", count_value(started)},
                    {"completed", count_value(completed)},
                    {"started", count_value(started)},
                    {"processed", count_value(processed)}});
}

PickleValue progress(const PickleValue& total, const PickleValue& current) {
  return loop_dict({{"total", total}, {"current", current}});
}

PickleValue batch_progress(const PickleValue& total, const PickleValue& current, bool is_last) {
  return loop_dict(
      {{"total", total}, {"current", current}, {"is_last_batch", PickleValue::boolean(is_last)}});
}

PickleValue empty_loop() {
  const PickleValue none = processed_tracker(0, 0, 0);
  return loop_dict(
      {{"state_dict", loop_dict({})}, {"batch_progress", batch_progress(none, none, false)}});
}

}  // namespace

PickleValue lightning_loops(const LightningCounts& counts) {
  const bool whole = counts.is_last_batch;  // the epoch
  const auto before = [&](std::uint64_t n) {
    return whole ? n : n - std::min<std::uint64_t>(n, 1);
  };
  const std::uint64_t own = (counts.batches + counts.accumulate - 1) / counts.accumulate;
  const std::uint64_t batches =
      (counts.step - std::min(own, counts.step)) * counts.accumulate + counts.batches;
  const std::uint64_t epochs = counts.epoch + 1;
  const std::uint64_t schedule = counts.scheduled ? counts.step : 0;
  const PickleValue none = processed_tracker(0, 0, 0);
  const PickleValue optimizer =
      loop_dict({{"step", progress(tracker(counts.step, counts.step), tracker(own, own))},
                 {"zero_grad", progress(started_tracker(counts.step), started_tracker(own))}});
  const PickleValue epoch = processed_tracker(epochs, whole ? epochs : counts.epoch, counts.epoch);
  const std::string loop = "epoch_loop.";
  const PickleValue fit = loop_dict(
      {{"state_dict", loop_dict({})},
       {loop + "state_dict",
        loop_dict({{"_batches_that_stepped", count_value(before(counts.step))}})},
       {loop + "batch_progress",
        batch_progress(processed_tracker(batches, batches, before(batches)),
                       processed_tracker(counts.batches, counts.batches, before(counts.batches)),
                       counts.is_last_batch)},
       {loop + "scheduler_progress",
        progress(tracker(schedule, schedule),
                 tracker(counts.scheduled ? own : 0, counts.scheduled ? own : 0))},
       {loop + "automatic_optimization.state_dict", loop_dict({})},
       {loop + "automatic_optimization.optim_progress", loop_dict({{"optimizer", optimizer}})},
       {loop + "manual_optimization.state_dict", loop_dict({})},
       {loop + "manual_optimization.optim_step_progress", progress(tracker(0, 0), tracker(0, 0))},
       {loop + "val_loop.state_dict", loop_dict({})},
       {loop + "val_loop.batch_progress", batch_progress(none, none, false)},
       {"epoch_progress", progress(epoch, epoch)}});
  return loop_dict({{"fit_loop", fit},
                    {"validate_loop", empty_loop()},
                    {"test_loop", empty_loop()},
                    {"predict_loop", empty_loop()}});
}

}  // namespace samebits
