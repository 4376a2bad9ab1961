#include "samebits/train/checkpoint_writer.h"

#include <utility>

#include <fmt/format.h>

#include "samebits/base/exceptions.h"
#include "samebits/base/thread_pool.h"

namespace samebits {

CheckpointWriter::~CheckpointWriter() {
  if (thread_.joinable()) thread_.join();
}

Result<void> CheckpointWriter::save(std::uint64_t step, const WriteInto& write) {
  const Result<void> saved =
      caught(folder_.path(), [&] { return folder_.save(step, trainer_.options().keep, write); });
  if (saved) return {};
  Error error = saved.error();
  error.what = fmt::format("the checkpoint of step {} cannot be saved: {}", step, error.what);
  error.file = folder_.path();  // not the temporary name in it
  return fail(std::move(error));
}

void CheckpointWriter::write() {
  written_ = save(copy_->state.step, [this](const std::string& directory) {
    return trainer_.write(directory, *copy_);
  });
  failed_ = !written_;
}

Result<void> CheckpointWriter::begin() {
  SAMEBITS_TRY_VOID(wait());
  if (!copy_) copy_ = std::make_unique<TrainingCopy>();
  trainer_.copy_to(copy_.get());
  thread_ = try_start([this] { write(); });
  if (!thread_.joinable()) write();
  return {};
}

Result<void> CheckpointWriter::check() { return failed_ ? wait() : Result<void>(); }

Result<void> CheckpointWriter::wait() {
  if (thread_.joinable()) thread_.join();
  failed_ = false;
  return std::exchange(written_, {});
}

Result<void> CheckpointWriter::finish() {
  SAMEBITS_TRY_VOID(wait());
  copy_.reset();
  return save(trainer_.steps_done(),
              [this](const std::string& directory) { return trainer_.write(directory); });
}

}  // namespace samebits
