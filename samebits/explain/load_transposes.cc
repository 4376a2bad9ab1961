#include "samebits/explain/load_transposes.h"

#include <algorithm>
#include <map>
#include <set>

#include <fmt/format.h>

#include "samebits/compare/equal_bytes.h"
#include "samebits/explain/subjects.h"

namespace samebits {
namespace {

bool is_transpose(const StoredTensor& a, const StoredTensor& b, int threads) {
  const bool may_be = a.readable && b.readable && a.view.dtype() == b.view.dtype() &&
                      a.view.numel() > 1 && a.view.shape().size() == 2 &&
                      b.view.shape().size() == 2 && a.view.shape()[0] == b.view.shape()[1] &&
                      a.view.shape()[1] == b.view.shape()[0];
  if (!may_be || a.view.shape()[0] == 1 || a.view.shape()[1] == 1) return false;
  const TensorView turned = a.view.transposed(0, 1);
  if (!equal_bytes_at_last(turned, b.view, threads)) return false;
  return a.view.shape() != b.view.shape() || !equal_bytes_at_last(a.view, b.view, threads);
}

std::string transpose_text(const std::vector<std::string>& names) {
  constexpr std::size_t kNamed = 3;
  if (names.size() <= kNamed) return "state[name] = state[name].T for " + some_of(names);
  return fmt::format("state[name] = state[name].T for the {} of them", names.size());
}

}  // namespace

void note_transposes(const Checkpoint& source, const LoadList& target, int threads,
                     LoadReport& load) {
  if (!target.checkpoint || !target.checkpoint->has_weights()) return;
  std::map<std::string_view, const StoredTensor*> own;
  for (const std::uint32_t index : source.weights().weights)
    own.emplace(source.entries[index].name, &source.entries[index]);
  for (const std::uint32_t index : target.checkpoint->weights().weights) {
    const StoredTensor& wanted = target.checkpoint->entries[index];
    const auto found = own.find(wanted.name);
    if (found != own.end() && is_transpose(*found->second, wanted, threads))
      load.transposed.push_back(wanted.name);
  }
}

bool are_turned_sizes(const Shape& a, const Shape& b) {
  return a.size() == 2 && b.size() == 2 && a != b && a[0] == b[1] && a[1] == b[0];
}

void find_transposed(Report& report, const LoadReport& load) {
  if (load.transposed.empty()) return;
  const std::set<std::string> refused(load.mismatched.begin(), load.mismatched.end());
  std::vector<std::string> taken;
  for (const std::string& name : load.transposed)
    if (!refused.contains(name)) taken.push_back(name);
  Finding finding{.cause = "weights.rearranged",
                  .role = Role::risk,
                  .proof = Proof::observed,
                  .subjects = {"A"}};
  finding.summary =
      load.transposed.size() == 1
          ? "1 tensor holds the target's values, transposed"
          : fmt::format("{} tensors hold the target's values, transposed", load.transposed.size());
  if (!taken.empty())
    finding.summary += fmt::format(
        "; {} square, and would be loaded as {} without a word",
        taken.size() == load.transposed.size()
            ? (taken.size() == 1 ? "it is" : "they are")
            : (taken.size() == 1 ? "1 of them is" : fmt::format("{} of them are", taken.size())),
        taken.size() == 1 ? "it stands" : "they stand");
  finding.details.emplace_back(
      "so do layers that keep [in, out] (Conv1D of GPT-2) against nn.Linear, which keeps [out, "
      "in]");
  finding.evidence = {{"count", load.transposed.size()},
                      {"tensors", name_list(load.transposed)},
                      {"in_place", name_list(taken)},
                      {"target", load.target},
                      {"way", load.way}};
  finding.remedy = "Transpose before loading: " + transpose_text(load.transposed);
  add_finding(report, std::move(finding));
}

}  // namespace samebits
