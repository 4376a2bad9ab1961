#include "samebits/cli/train_records.h"

#include <chrono>

namespace samebits {
namespace {

double seconds_since_1970() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace

Result<TrainRecords> TrainRecords::open(const RunFolder& folder, const Trainer& trainer,
                                        bool tensorboard) {
  SAMEBITS_TRY(MetricsFile metrics, MetricsFile::open(folder.metrics_path(), trainer.steps_done(),
                                                      trainer.has_validation()));
  TrainRecords records(std::move(metrics));
  const bool wanted = tensorboard || has_event_files(folder.path());
  if (wanted && !trainer.finished()) {
    SAMEBITS_TRY(records.events_,
                 EventFile::open(folder.path(), trainer.steps_done(), seconds_since_1970()));
  }
  return records;
}

Result<void> TrainRecords::add(const StepDone& done, const std::optional<float>& validation) {
  const std::uint64_t step = done.step - 1;
  SAMEBITS_TRY_VOID(metrics_.add_loss(done.epoch, step, done.loss));
  if (validation) SAMEBITS_TRY_VOID(metrics_.add_validation(done.epoch, step, *validation));
  return events_ ? events_->add(done.epoch, step, done.loss, validation, seconds_since_1970())
                 : Result<void>();
}

}  // namespace samebits
