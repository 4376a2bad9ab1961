// What explain calls to run a subject, with some things of another subject in the place of its own.
//
// The search (explain/search.h) knows nothing of models: it sees factors by name, and outputs. The
// native engine is one Runner; tests have another, whose behaviour is planted.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "samebits/explain/factor.h"
#include "samebits/run/vit_forward.h"

namespace samebits {

/// Where the random numbers of a run come from: equal numbers, equal draws.
struct Seeds {
  std::uint64_t noise = 42, dropout = 42;
};

struct RunSpec {
  std::size_t subject = 0;  // whose run
  std::size_t donor = 0;    // whose are the exchanged factors
  std::set<Factor> exchanged{};
  Seeds seeds{};
  bool own_input = false;  // what the subject's own processor makes of the images
};

class Runner {
 public:
  virtual ~Runner() = default;

  /// What the subject's forward pass draws.
  virtual bool draws_noise(std::size_t subject) const = 0;
  virtual bool draws_dropout(std::size_t subject) const = 0;

  /// In what the two differ, config first, then mode, then weights.
  virtual std::vector<Factor> differing(std::size_t a, std::size_t b) = 0;

  /// What the factor is a part of, by name: a block of layers. Factors of one group are exchanged
  /// together where there are many.
  virtual std::string group_of(const Factor& factor) const { return factor.name; }

  /// Outputs, and with `trace` every point before them, in execution order. Errors where these
  /// factors cannot stand together.
  virtual Result<VitOutputs> run(const RunSpec& spec, const TracePoint& trace = {}) = 0;
};

}  // namespace samebits
