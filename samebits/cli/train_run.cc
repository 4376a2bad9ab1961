#include "samebits/cli/train_run.h"

#include <unistd.h>

#include <algorithm>
#include <csignal>

#include <fmt/format.h>

#include "samebits/base/exceptions.h"
#include "samebits/checkpoint/open.h"
#include "samebits/cli/isa_option.h"
#include "samebits/cli/process.h"
#include "samebits/container/safetensors_writer.h"
#include "samebits/lock/lock.h"

namespace samebits {
namespace {

Result<void> write_step_trace(const std::string& path, const StepTrace& trace) {
  std::vector<TensorToWrite> tensors;
  for (const NamedArray& array : trace.arrays) {
    Shape shape(array.shape.begin(), array.shape.end());
    tensors.push_back({array.name, DType::float32, std::move(shape),
                       Bytes(reinterpret_cast<const std::uint8_t*>(array.values.data()),
                             array.values.size() * sizeof(float))});
  }
  return write_safetensors(path, tensors, {{"format", "pt"}});
}

/// The first word of those that are alike on all ranks, or an error.
Result<void> agree_on_text(ProcessGroup& group, const Result<std::string>& mine) {
  const auto bytes = mine.map(
      [](const std::string& text) { return std::vector<std::uint8_t>(text.begin(), text.end()); });
  SAMEBITS_TRY(const auto all, share(group, bytes));
  for (std::size_t rank = 1; rank < all.size(); ++rank) {
    if (all[rank] == all[0]) continue;
    return fail({.code = ErrorCode::inconsistent,
                 .what = fmt::format("rank {} of {} reads another model, other data or options "
                                     "than rank 0",
                                     rank, all.size()),
                 .hint = "Every machine needs the same files under the same names"});
  }
  return {};
}

}  // namespace

Result<TrainReport> TrainRun::run() {
  const TrainClock::time_point start = TrainClock::now();
  SAMEBITS_TRY(const std::string checkpoint, choose_checkpoint());
  SAMEBITS_TRY_VOID(open(checkpoint));
  made_ = {.model = chosen_.resume.empty() ? chosen_.request.model : chosen_.resume,
           .run = chosen_.folder(),
           .first_step = trainer_->steps_done() + 1,
           .last_step = trainer_->steps_done(),
           .steps = trainer_->options().steps,
           .load_s = seconds_from(start),
           .notes = trainer_->notes(),
           .isa = isa_name(kernels_->isa),
           .threads = pool_->threads(),
           .processes = group_.size()};
  SAMEBITS_TRY_VOID(loop());
  const Result<void> concluded =
      group_.first() ? caught("", [this] { return conclude(); }) : Result<void>();
  SAMEBITS_TRY_VOID(agree(group_, concluded));
  return made_;
}

/// The checkpoint to go on from; "" for a new training.
Result<std::string> TrainRun::newest_or_none() {
  const std::string& resume = chosen_.resume;
  if (!resume.empty() && ::access(resume.c_str(), F_OK) != 0)
    return fail({.code = ErrorCode::io, .what = "there is no such directory", .file = resume});
  SAMEBITS_TRY(RunFolder folder, RunFolder::open(chosen_.folder()));
  folder_.emplace(std::move(folder));
  SAMEBITS_TRY(const std::vector<std::uint64_t> saved, folder_->steps());
  if (resume.empty()) {
    if (saved.empty()) return "";
    return fail({.code = ErrorCode::usage,
                 .what = "it holds a training already",
                 .file = chosen_.out,
                 .hint = "Go on with --resume, or name another directory"});
  }
  if (!saved.empty()) return folder_->step_path(saved.back());
  return fail({.code = ErrorCode::usage,
               .what = "it holds no checkpoint of a training",
               .file = resume,
               .expected = "directories step-N"});
}

/// Rank 0 looks, and tells the others.
Result<std::string> TrainRun::choose_checkpoint() {
  Result<std::string> found;
  if (group_.first()) found = caught(chosen_.folder(), [this] { return newest_or_none(); });
  const auto bytes = found.map(
      [](const std::string& text) { return std::vector<std::uint8_t>(text.begin(), text.end()); });
  SAMEBITS_TRY(const auto all, share(group_, bytes));
  return std::string(all[0].begin(), all[0].end());
}

/// Trainer::beginning().
Result<std::string> TrainRun::open_here(const std::string& checkpoint) {
  SAMEBITS_TRY(const KernelChoice choice, chosen_kernels(chosen_.isa));
  kernels_ = choice.kernels;
  Result<Trainer> opened = checkpoint.empty() ? Trainer::start(chosen_.request)
                                              : Trainer::resume(checkpoint, chosen_.again);
  if (!opened) return fail(opened.error());
  trainer_.emplace(std::move(*opened));
  pool_ = std::make_unique<ThreadPool>(chosen_.request.threads);
  return trainer_->beginning();
}

Result<void> TrainRun::open(const std::string& checkpoint) {
  return agree_on_text(group_, caught(chosen_.folder(), [&] { return open_here(checkpoint); }));
}

/// Whether there is another step, for all. `before`: what this rank did after the last one.
Result<bool> TrainRun::goes_on(const Result<void>& before) {
  const auto asked = before.map([] { return std::vector<int>{stop_asked()}; });
  SAMEBITS_TRY(const auto signals, share_numbers<int>(group_, asked));
  for (const std::vector<int>& each : signals) {
    if (each[0] != 0 && !trainer_->finished() && made_.stopped.empty())
      made_.stopped = each[0] == SIGINT ? "SIGINT" : "SIGTERM";
  }
  return made_.stopped.empty() && !trainer_->finished();
}

Result<void> TrainRun::loop() {
  ask_before_stopping();
  bool saved = !chosen_.resume.empty();
  Result<void> before;
  if (group_.first()) before = open_files();
  for (;;) {
    SAMEBITS_TRY(const bool more, goes_on(before));
    if (!more) break;
    SAMEBITS_TRY(const StepDone done, one_step());
    std::optional<float> validation;
    if (done.ends_epoch && trainer_->has_validation()) {
      SAMEBITS_TRY(validation, trainer_->validate({*kernels_, *pool_}));
    }
    const std::uint64_t every = trainer_->options().save_every;
    saved = every > 0 && done.step % every == 0;
    if (saved) SAMEBITS_TRY_VOID(trainer_->collect());
    if (group_.first())
      before = caught(folder_->path(), [&] { return write(done, validation, saved); });
  }
  if (!saved) SAMEBITS_TRY_VOID(trainer_->collect());
  if (group_.first())
    before = caught(folder_->path(), [&] {
      return saved ? checkpoints_->wait() : timed_save(&CheckpointWriter::finish);
    });
  return agree(group_, before);
}

Result<void> TrainRun::open_files() {
  SAMEBITS_TRY(records_, TrainRecords::open(*folder_, *trainer_, chosen_.tensorboard));
  checkpoints_.emplace(*folder_, *trainer_);
  return {};
}

Result<StepDone> TrainRun::one_step() {
  StepTrace trace;
  const bool traced = trainer_->steps_done() + 1 == chosen_.trace_step;
  const TrainClock::time_point start = TrainClock::now();
  SAMEBITS_TRY(const StepDone done, trainer_->step({*kernels_, *pool_}, traced ? &trace : nullptr));
  made_.step_s.push_back(seconds_from(start));
  made_.loss.push_back(done.loss);
  made_.last_step = done.step;
  made_.images += done.images;
  if (traced)
    SAMEBITS_TRY_VOID(write_step_trace(
        fmt::format("{}/trace-step-{}.safetensors", folder_->path(), done.step), trace));
  return done;
}

/// What rank 0 does after a step.
Result<void> TrainRun::write(const StepDone& done, const std::optional<float>& validation,
                             bool saves) {
  if (validation) made_.validation.emplace_back(done.step, *validation);
  SAMEBITS_TRY_VOID(records_->add(done, validation));
  line_.show(made_);
  if (!saves) return checkpoints_->check();
  return timed_save(trainer_->finished() ? &CheckpointWriter::finish : &CheckpointWriter::begin);
}

Result<void> TrainRun::timed_save(Result<void> (CheckpointWriter::*save)()) {
  const TrainClock::time_point start = TrainClock::now();
  const Result<void> saved = ((*checkpoints_).*save)();
  made_.save_s.push_back(seconds_from(start));
  return saved;
}

/// What rank 0 does when all is saved.
Result<void> TrainRun::conclude() {
  made_.checkpoint = folder_->step_path(trainer_->steps_done());
  for (const std::string& name : chosen_.exports) {
    const ExportFormat format = *export_format_from_name(name);
    made_.exports.push_back(folder_->path() + "/" + export_name(format, trainer_->steps_done()));
    SAMEBITS_TRY_VOID(trainer_->write_export(format, made_.exports.back()));
  }
  checkpoints_.reset();
  trainer_.reset();  // its memory
  SAMEBITS_TRY(const Checkpoint last, open_checkpoint(made_.checkpoint));
  SAMEBITS_TRY(const Lock lock, make_lock(last, LockAlgorithm::sha256, made_.threads));
  made_.weights_sha256 = named_digest(lock);
  return {};
}

}  // namespace samebits
