#include "samebits/explain/load_ties.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "samebits/checkpoint/shards.h"
#include "samebits/explain/subjects.h"
#include "samebits/model/tied_names.h"

namespace samebits {
namespace {

using Tensors = std::map<std::string_view, const StoredTensor*>;

Tensors tensors_of(const Checkpoint& checkpoint) {
  Tensors tensors;
  for (const std::uint32_t index : checkpoint.weights().weights)
    tensors.emplace(checkpoint.entries[index].name, &checkpoint.entries[index]);
  return tensors;
}

/// A class without an output layer has nothing that it ties.
bool is_bare_model(const Json& config) {
  const auto classes = config.find("architectures");
  if (classes == config.end() || !classes->is_array() || classes->empty() ||
      !(*classes)[0].is_string())
    return true;
  const auto& name = (*classes)[0].get_ref<const std::string&>();
  return name.ends_with("Model") && !name.ends_with("LMHeadModel");
}

/// The name among `names` to which the config ties that one, of the same shape; "" without.
std::string tied_by(const Json& config, const Tensors& names, const std::string& name,
                    const Shape& shape) {
  if (!config.is_object() || is_bare_model(config)) return "";
  for (const auto& [other, tensor] : names) {
    if (!model::is_tied_to(name, other) || tensor->view.shape() != shape) continue;
    if (model::config_ties(config, {std::string(other), name})) return std::string(other);
  }
  return "";
}

/// Names of the checkpoint that the target's config ties to a name of its file.
void take_dropped(const Json& config, const Tensors& own, const Tensors& wanted, LoadReport& load) {
  std::erase_if(load.dropped, [&](const std::string& name) {
    const auto found = own.find(name);
    if (found == own.end()) return false;
    const std::string table = tied_by(config, wanted, name, found->second->view.shape());
    if (table.empty()) return false;
    load.tied.push_back({table, name});
    return true;
  });
}

void note_copies(const Json& config, const Tensors& own, const Tensors& wanted, LoadReport& load) {
  for (const std::string& name : load.random) {
    const auto found = wanted.find(name);
    if (found == wanted.end()) continue;
    const std::string table = tied_by(config, own, name, found->second->view.shape());
    if (!table.empty()) load.copies.push_back({table, name});
  }
}

/// "lm_head.weight", whose tie a config may undo. The shared table of T5's encoder and decoder is
/// one module in its class.
bool is_output_layer(const std::string& name) {
  return name.find("embed") == std::string::npos && name.find("shared") == std::string::npos;
}

std::string ties_remedy(const NamePairOfOne& pair) {
  const bool by_config =
      is_output_layer(pair.second) && pair.first.find("shared") == pair.first.npos;
  if (by_config)
    return fmt::format(
        "Build the target with tie_word_embeddings false, or take {} out of the checkpoint",
        pair.second);
  return fmt::format(
      "Take {} out of the checkpoint where the values of {} are meant, or the other way round; "
      "else "
      "load them into a class that keeps the two apart",
      pair.second, pair.first);
}

}  // namespace

void settle_load_ties(const Checkpoint& source, const LoadList& target, LoadReport& load) {
  if (!target.checkpoint || !target.checkpoint->has_weights()) return;
  const Tensors own = tensors_of(source);
  const Tensors wanted = tensors_of(*target.checkpoint);
  take_dropped(target.checkpoint->config, own, wanted, load);
  note_copies(source.config, own, wanted, load);
  std::map<std::size_t, std::vector<std::string>> groups;
  for (std::size_t i = 0; i < target.names.size(); ++i)
    if (own.contains(target.names[i].name)) groups[target.one[i]].push_back(target.names[i].name);
  for (const auto& [one, names] : groups)
    for (std::size_t i = 1; i < names.size(); ++i) load.tied.push_back({names[0], names[i]});
  std::erase_if(load.tied, [&](const NamePairOfOne& pair) {
    const auto left = own.find(pair.first);
    const auto right = own.find(pair.second);
    return left == own.end() || right == own.end() ||
           left->second->view.shape() != right->second->view.shape() ||
           have_equal_values(*left->second, *right->second);
  });
  load.silent = load.raises.empty() && (!load.random.empty() || !load.dropped.empty());
  load.dropped_silently = load.silent;
}

void find_load_ties(Report& report, const LoadReport& load) {
  if (load.tied.empty()) return;
  std::vector<std::string> names;
  for (const NamePairOfOne& pair : load.tied) names.push_back(pair.second);
  const NamePairOfOne& first = load.tied[0];
  Finding finding{
      .cause = "weights.tied", .role = Role::risk, .proof = Proof::observed, .subjects = {"A"}};
  finding.summary = fmt::format(
      "{} and {} are one tensor in the target and two in the checkpoint: what is loaded last stays "
      "under both names, and the loader says nothing",
      first.first, first.second);
  if (names.size() > 1) finding.details.push_back(fmt::format("so are {} more", names.size() - 1));
  finding.evidence = {{"count", names.size()},
                      {"tensors", name_list(names)},
                      {"target", load.target},
                      {"way", load.way}};
  finding.remedy = ties_remedy(first);
  add_finding(report, std::move(finding));
}

}  // namespace samebits
