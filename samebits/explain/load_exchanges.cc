#include "samebits/explain/load_exchanges.h"

#include <fmt/format.h>

#include "samebits/compare/alignment.h"
#include "samebits/explain/subjects.h"

namespace samebits {

void note_exchanges(const Checkpoint& source, const LoadList& target, int threads,
                    LoadReport& load) {
  const bool complete =
      load.raises.empty() && load.random.empty() && load.dropped.empty() && load.mismatched.empty();
  if (!complete || !target.checkpoint || !target.checkpoint->has_weights()) return;
  WeightSet a = weight_set(source, source.weights());
  WeightSet b = weight_set(*target.checkpoint, target.checkpoint->weights());
  for (const Exchange& exchange : compare_weights(a, b, {.threads = threads}).exchanges) {
    if (!exchange.how.empty()) continue;
    load.exchanges.push_back(exchange.summary);
    load.exchanged.insert(load.exchanged.end(), exchange.names_a.begin(), exchange.names_a.end());
  }
}

void find_exchanged_by_load(Report& report, const LoadReport& load) {
  if (load.exchanges.empty()) return;
  Finding finding{.cause = "weights.rearranged",
                  .role = Role::risk,
                  .proof = Proof::observed,
                  .subjects = {"A"}};
  finding.summary =
      fmt::format("{} loaded under names where the target's file has the values of others: {}",
                  counted(load.exchanged.size(), "tensor", "is", "are"), load.exchanges[0]);
  constexpr std::size_t kShown = 5;
  for (std::size_t i = 1; i < std::min(load.exchanges.size(), kShown); ++i)
    finding.details.push_back(load.exchanges[i]);
  finding.evidence = {{"count", load.exchanged.size()},
                      {"tensors", name_list(load.exchanged)},
                      {"in_place", name_list(load.exchanged)},
                      {"target", load.target},
                      {"way", load.way}};
  finding.remedy =
      "Find out which of the two files has the order of the model that was trained, before "
      "anything is loaded";
  add_finding(report, std::move(finding));
}

}  // namespace samebits
