#include "samebits/explain/run_facts.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "samebits/base/error.h"
#include "samebits/explain/subjects.h"

namespace samebits {

bool PairRuns::needs(Factor::Kind kind) const {
  switch (kind) {
    case Factor::Kind::config: return !config.empty();
    case Factor::Kind::mode: return mode;
    case Factor::Kind::weights: return !parts.empty();
  }
  SAMEBITS_CHECK(false);
  return false;
}

Factor::Kind PairRuns::first_needed() const {
  SAMEBITS_CHECK(needed() > 0);
  if (!config.empty()) return Factor::Kind::config;
  return mode ? Factor::Kind::mode : Factor::Kind::weights;
}

std::string exchanged_text(const PairRuns& pair) {
  std::vector<std::string> what;
  if (!pair.config.empty()) what.push_back("config (" + some_of(pair.config) + ")");
  if (pair.mode) what.emplace_back("mode");
  if (!pair.parts.empty())
    what.push_back(pair.parts.size() == pair.differing_parts
                       ? "weights"
                       : fmt::format("weights in {} of the {} tensors that differ{}",
                                     pair.parts.size(), pair.differing_parts,
                                     pair.parts_are_used ? " and are used" : ""));
  return fmt::format("{}", fmt::join(what, " and "));
}

}  // namespace samebits
