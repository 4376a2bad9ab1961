// Checkpoints that are written while the training goes on: of a copy, by a thread.
//
// The copy takes as much memory as the weights and both moments; it is made when first needed, and
// kept. One checkpoint is written at a time. A training that ends meanwhile leaves nothing that has
// the name of a checkpoint and is not whole (run_folder.h).
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <thread>

#include "samebits/train/run_folder.h"
#include "samebits/train/trainer.h"

namespace samebits {

class CheckpointWriter {
 public:
  /// Both outlive it. The trainer may make steps while a checkpoint is written.
  CheckpointWriter(const RunFolder& folder, Trainer& trainer)
      : folder_(folder), trainer_(trainer) {}
  CheckpointWriter(const CheckpointWriter&) = delete;
  CheckpointWriter& operator=(const CheckpointWriter&) = delete;
  ~CheckpointWriter();

  /// Begins to write the state of now, when the one before is written. Errors: of that one.
  Result<void> begin();
  /// Errors: of what is written, where it has failed already. Does not wait.
  Result<void> check();
  /// Writes the state of now without a copy, and returns when it is on the disk. Errors: also of
  /// the one before.
  Result<void> finish();
  /// Waits. Errors: of what was written.
  Result<void> wait();

 private:
  using WriteInto = std::function<Result<void>(const std::string& directory)>;
  Result<void> save(std::uint64_t step, const WriteInto& write);
  void write();

  const RunFolder& folder_;
  Trainer& trainer_;
  std::unique_ptr<TrainingCopy> copy_;
  std::thread thread_;
  Result<void> written_;             // by the thread, until it is joined
  std::atomic<bool> failed_{false};  // so it was
};

}  // namespace samebits
