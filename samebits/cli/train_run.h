// A training from its options to its report, on one of the ranks that make it. Rank 0 alone has the
// directory, and writes into it.
#pragma once

#include <memory>
#include <optional>

#include "samebits/base/thread_pool.h"
#include "samebits/cli/train_options.h"
#include "samebits/cli/train_progress.h"
#include "samebits/cli/train_records.h"
#include "samebits/cli/train_report.h"
#include "samebits/kernels/kernel_choice.h"
#include "samebits/train/checkpoint_writer.h"
#include "samebits/train/process_group.h"
#include "samebits/train/run_folder.h"

namespace samebits {

class TrainRun {
 public:
  /// Both outlive it.
  TrainRun(const TrainChoices& chosen, ProcessGroup& group) : chosen_(chosen), group_(group) {}

  /// What rank 0 says of it; other ranks have a part of that. Errors: usage, those of Trainer and
  /// RunFolder: an error of one rank is that of all.
  Result<TrainReport> run();

 private:
  Result<std::string> choose_checkpoint();
  Result<std::string> newest_or_none();
  Result<void> open(const std::string& checkpoint);
  Result<std::string> open_here(const std::string& checkpoint);
  Result<void> loop();
  Result<bool> goes_on(const Result<void>& before);
  Result<StepDone> one_step();
  Result<void> open_files();
  Result<void> write(const StepDone& done, const std::optional<float>& validation, bool saves);
  Result<void> timed_save(Result<void> (CheckpointWriter::*save)());
  Result<void> conclude();

  const TrainChoices& chosen_;
  ProcessGroup& group_;
  std::optional<RunFolder> folder_;
  std::optional<TrainRecords> records_;
  std::optional<Trainer> trainer_;
  std::optional<CheckpointWriter> checkpoints_;
  const KernelTable* kernels_ = nullptr;
  std::unique_ptr<ThreadPool> pool_;
  TrainingLine line_;
  TrainReport made_;
};

}  // namespace samebits
