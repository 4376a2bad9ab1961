// The processes that an mpirun started, as the group of a training.
//
// MPI is no part of the program: a shared library beside it (mpi/shim.c), one for each
// implementation, is opened where the environment says that an mpirun is at work.
#pragma once

#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "samebits/cli/mpi_shim.h"
#include "samebits/train/process_group.h"

namespace samebits {

/// What the environment says of the mpirun that started this process.
struct MpiLaunch {
  std::string library;  // "openmpi": of samebits-mpi-openmpi.so
  std::string name;     // "Open MPI"
  std::size_t rank = 0, size = 1;
  bool first_here = false;  // of its processes on this machine
};

/// Nothing where it started one process, or there was none.
std::optional<MpiLaunch> mpi_launch();

class MpiGroup : public ProcessGroup {
 public:
  /// Errors: io where the library is missing or MPI does not start.
  static Result<std::unique_ptr<MpiGroup>> open(const MpiLaunch& launch);

  std::size_t rank() const override { return rank_; }
  std::size_t size() const override { return size_; }
  Result<void> exchange(std::size_t to, Bytes out, std::size_t from,
                        std::span<std::uint8_t> in) override;
  Result<void> meet() override;

  /// Ranks of this machine that run on the processors of this one; itself is one.
  std::size_t sharing() const { return sharing_; }
  /// Seconds in which bytes went from rank to rank, and in which this rank waited for others.
  double communication_s() const { return communication_s_; }
  double waiting_s() const { return waiting_s_; }

  /// An exchange failed: nothing can be agreed on any more.
  bool failed() const { return failed_; }
  /// Whether this is the lowest rank that is not known to have ended.
  bool lowest_alive() const;

  /// Returns when all ranks have called it; then MPI has ended.
  void finish();
  /// Ends all processes.
  [[noreturn]] void abort(int status);

 private:
  struct Peer {
    pid_t process = 0;  // 0: not one that this machine shows
    std::string machine, processors;
  };

  explicit MpiGroup(const samebits_mpi* functions) : functions_(functions) {}
  Result<void> get_acquainted();
  std::vector<std::size_t> ended_ranks() const;
  Error error_of(int code) const;
  static int give_up(void* group);

  const samebits_mpi* functions_;
  std::size_t rank_ = 0, size_ = 1, sharing_ = 1;
  std::vector<Peer> peers_;
  double communication_s_ = 0, waiting_s_ = 0;
  bool failed_ = false, finishing_ = false;
};

}  // namespace samebits
