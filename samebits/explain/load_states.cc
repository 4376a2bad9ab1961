#include "samebits/explain/load_states.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "samebits/explain/subjects.h"

namespace samebits {
namespace {

using StateNames = std::set<std::string>;

/// Whether its container can hold values beside tensors under the names of a state dict.
bool can_hold_states(const Checkpoint& checkpoint) {
  return checkpoint.has_weights() && !checkpoint.weights().is_module &&
         std::ranges::any_of(checkpoint.files, [](const SourceFile& file) {
           return file.container.starts_with("torch-");
         });
}

StateNames states_of(const Checkpoint& checkpoint) {
  constexpr std::string_view kKey = "_extra_state";
  StateNames names;
  for (const StoredValue& value : checkpoint.values)
    if (value.loaded && value.path.ends_with(kKey)) names.insert(value.path);
  return names;
}

std::vector<std::string> on_one_side(const StateNames& names, const StateNames& others) {
  std::vector<std::string> left;
  std::ranges::set_difference(names, others, std::back_inserter(left));
  return left;
}

void add_states(Report& report, const LoadReport& load, const std::vector<std::string>& names,
                std::string summary, std::string error, std::string remedy) {
  if (names.empty()) return;
  Finding finding{
      .cause = "state.buffers", .role = Role::risk, .proof = Proof::observed, .subjects = {"A"}};
  finding.summary = std::move(summary);
  finding.details.push_back(std::move(error));
  finding.evidence = {{"count", names.size()},
                      {"tensors", name_list(names)},
                      {"target", load.target},
                      {"way", load.way}};
  finding.remedy = std::move(remedy);
  add_finding(report, std::move(finding));
}

}  // namespace

void note_extra_states(const Checkpoint& source, const LoadList& target, LoadReport& load) {
  if (!target.checkpoint || (!load.raises.empty() && !load.remedy.empty())) return;
  if (source.weights().is_module || !target.checkpoint->has_weights()) return;
  if (target.checkpoint->weights().is_module) return;
  const StateNames own = states_of(source), wanted = states_of(*target.checkpoint);
  if (can_hold_states(*target.checkpoint)) load.states_dropped = on_one_side(own, wanted);
  load.states_kept = on_one_side(wanted, own);
}

void find_states(Report& report, const LoadReport& load) {
  constexpr const char* kStrict = "strict=True ends with a RuntimeError: {} key {}";
  const auto is = [](const std::vector<std::string>& names) {
    return names.size() == 1 ? "is" : "are";
  };
  if (const auto& names = load.states_dropped; !names.empty())
    add_states(report, load, names,
               fmt::format("{} of the checkpoint {} handed to no module: the target has no such "
                           "state, and strict=False says nothing",
                           some_of(names), is(names)),
               fmt::format(kStrict, "unexpected", names[0]),
               "Build the target of the class that was saved; where it is meant to have no such "
               "state, take the key out of the checkpoint");
  if (const auto& names = load.states_kept; !names.empty())
    add_states(report, load, names,
               fmt::format("{} of the target {} not in the checkpoint: its module keeps the state "
                           "that it was built with, and strict=False says nothing",
                           some_of(names), is(names)),
               fmt::format(kStrict, "missing", names[0]),
               "Save state_dict() of the class that the target is of, or set the state by "
               "set_extra_state() after loading");
}

}  // namespace samebits
