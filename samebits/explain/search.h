// How explain proves a cause: run, repeat, share the randomness, exchange one thing at a time until
// the bits agree, and say where they part.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "samebits/explain/report.h"
#include "samebits/explain/runner.h"

namespace samebits {

struct SearchOptions {
  int threads = 1;
  /// False ends the exchange of smaller and smaller parts; asked before every such run.
  std::function<bool()> more = [] { return true; };
};

/// What the runs of subject i against the first showed.
struct PairOutcome {
  bool equal = false;      // with the same seeds on both sides
  bool explained = false;  // with A's factors in the place of its own it gives A's bits
  std::vector<Factor> differing;
  std::vector<Factor> minimal;     // of them, a smallest part that is enough
  bool is_minimal = true;          // false: it is not known whether less is enough
  bool by_group = false;           // no group of factors can be left out of it
  std::string parting;             // the first point where the two part
  std::vector<OutputPair> points;  // of both traces, in execution order; empty where equal
};

struct SearchOutcome {
  std::vector<VitOutputs> own;            // as each owner would run it: with seeds of its own
  std::vector<PairOutcome> pairs;         // of the subjects behind the first
  OutputPair noise_twice;                 // the first one that draws noise against itself
  std::vector<OutputPair> dropout_twice;  // each subject that draws dropout against itself
};

/// Errors: the runner's, where a subject cannot be run as it is.
Result<SearchOutcome> search(Runner& runner, const std::vector<std::string>& labels,
                             const SearchOptions& options);

/// Of the outputs that both give, at least one, equal shapes and bits; NaN equals NaN.
bool identical(const VitOutputs& x, const VitOutputs& y);

}  // namespace samebits
