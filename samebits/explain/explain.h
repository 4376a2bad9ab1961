// samebits explain: why do these give other outputs?
#pragma once

#include "samebits/explain/forward_runs.h"
#include "samebits/explain/report.h"
#include "samebits/explain/subjects.h"
#include "samebits/explain/torch_runs.h"

namespace samebits {

struct ExplainOptions {
  int threads = 1;
  bool files_only = false;                           // run nothing
  InputRequest input{};                              // what the subjects are run on
  Json config{};                                     // for subjects that carry none
  std::string config_path{};                         // where it is from; "": none is given
  Json fields{};                                     // of the config of such subjects
  std::function<bool()> more = [] { return true; };  // false: search no further
  TorchRuns torch{};  // makes the runs, of two subjects; empty: the engine does
  /// Requires files_only where there is a filter: a run takes all weights.
  Scope scope{};
};

/// Every subject against A: what stands in the files is observed. Where the engine covers the
/// models they are run, and what makes the outputs differ is proved by exchanging it; where it does
/// not, what the model's definition implies is suspected, with what would prove it, and equal files
/// of a deterministic model give the verdict unknown. Requires at least two subjects.
Report explain(const std::vector<SubjectOptions>& subjects, const ExplainOptions& options);

}  // namespace samebits
