// How far long work is, for whoever shows it. The one state that all of the program shares: it
// changes no result, and nothing in the library reads it.
#pragma once

#include <cstdint>
#include <string>

namespace samebits {

/// A part of the work whose size is known. Steps that overlap, in several threads or one in
/// another, count as one, which has the name of the first.
class WorkStep {
 public:
  /// `what` is a literal ("reading values"); `total` in any unit.
  WorkStep(const char* what, std::uint64_t total);
  ~WorkStep();
  WorkStep(const WorkStep&) = delete;
  WorkStep& operator=(const WorkStep&) = delete;

  /// From any thread.
  void add(std::uint64_t done);
};

struct WorkSeen {
  std::string what;        // "" where nothing of known size is under way
  std::uint64_t step = 0;  // of all that have begun; another number is another step
  std::uint64_t done = 0, total = 0;
};
WorkSeen seen_work();

}  // namespace samebits
