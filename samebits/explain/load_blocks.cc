#include "samebits/explain/load_blocks.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <set>

#include <fmt/format.h>

#include "samebits/explain/subjects.h"
#include "samebits/model/predict_load.h"

namespace samebits {
namespace {

struct BlockPlace {
  std::string list;  // "vit.encoder.layer."
  std::int64_t number = 0;
};

/// The first number that stands between two dots.
std::optional<BlockPlace> block_place(const std::string& name) {
  for (std::size_t dot = name.find('.'); dot != name.npos; dot = name.find('.', dot + 1)) {
    const std::size_t end = name.find('.', dot + 1);
    if (end == name.npos) return std::nullopt;
    const std::string part = name.substr(dot + 1, end - dot - 1);
    constexpr std::size_t kMostDigits = 6;
    if (part.empty() || part.size() > kMostDigits ||
        part.find_first_not_of("0123456789") != part.npos)
      continue;
    return BlockPlace{name.substr(0, dot + 1), std::stoll(part)};
  }
  return std::nullopt;
}

/// How many tensors each block of each list has.
using BlockLists = std::map<std::string, std::map<std::int64_t, std::size_t>>;

template <class Names>
BlockLists block_lists(const Names& names) {
  BlockLists lists;
  for (const std::string& name : names)
    if (const auto place = block_place(name)) ++lists[place->list][place->number];
  return lists;
}

std::vector<std::string> names_of_weights(const Checkpoint& checkpoint) {
  std::vector<std::string> names;
  for (const std::uint32_t index : checkpoint.weights().weights)
    names.push_back(checkpoint.entries[index].name);
  return names;
}

/// Lists of which some blocks are dropped whole, and others loaded.
std::vector<BlocksApart> dropped_blocks(const BlockLists& own, const BlockLists& dropped) {
  std::vector<BlocksApart> found;
  for (const auto& [list, blocks] : dropped) {
    const auto& all = own.at(list);
    BlocksApart apart{.list = list, .held = all.size(), .wanted = all.size() - blocks.size()};
    const bool whole = std::ranges::all_of(
        blocks, [&](const auto& block) { return all.at(block.first) == block.second; });
    if (!whole || apart.wanted == 0) continue;
    for (const auto& [number, tensors] : blocks) apart.tensors += tensors;
    found.push_back(std::move(apart));
  }
  return found;
}

bool counts_from_zero(const std::map<std::int64_t, std::size_t>& blocks) {
  return blocks.begin()->first == 0 &&
         blocks.rbegin()->first + 1 == static_cast<std::int64_t>(blocks.size());
}

/// Lists of the target whose last blocks have nothing, where a list of the checkpoint ends before
/// them. Other names of that list are the target's library's.
std::vector<BlocksApart> random_blocks(const BlockLists& own, const BlockLists& random) {
  std::vector<BlocksApart> found;
  for (const auto& [list, blocks] : random) {
    const auto first = static_cast<std::size_t>(blocks.begin()->first);
    const auto wanted = static_cast<std::size_t>(blocks.rbegin()->first) + 1;
    const bool at_the_end = first + blocks.size() == wanted;
    const bool ends_there = std::ranges::any_of(own, [&](const auto& each) {
      return each.second.size() == first && counts_from_zero(each.second);
    });
    if (first == 0 || !at_the_end || !ends_there) continue;
    BlocksApart apart{.list = list, .held = first, .wanted = wanted};
    for (const auto& [number, tensors] : blocks) apart.tensors += tensors;
    found.push_back(std::move(apart));
  }
  return found;
}

std::vector<std::string> dropped_biases(const std::vector<std::string>& own,
                                        const std::vector<std::string>& dropped) {
  constexpr std::string_view kBias = ".bias";
  const std::set<std::string> lost(dropped.begin(), dropped.end());
  const std::set<std::string> all(own.begin(), own.end());
  std::vector<std::string> found;
  for (const std::string& name : dropped) {
    if (!name.ends_with(kBias)) continue;
    const std::string weight = name.substr(0, name.size() - kBias.size()) + ".weight";
    if (all.contains(weight) && !lost.contains(weight)) found.push_back(name);
  }
  return found;
}

std::string apart_text(const BlocksApart& apart) {
  return fmt::format("of {}{{n}}. the checkpoint has {} and the target {}", apart.list,
                     counted(apart.held, "block"), apart.wanted);
}

std::vector<std::string> apart_texts(const std::vector<BlocksApart>& all) {
  std::vector<std::string> texts;
  for (const BlocksApart& each : all) texts.push_back(apart_text(each));
  return texts;
}

std::size_t tensors_in(const std::vector<BlocksApart>& all) {
  std::size_t tensors = 0;
  for (const BlocksApart& each : all) tensors += each.tensors;
  return tensors;
}

/// The config by which the load builds the target: the directory's own, or null.
const Json* loaded_config(const Report& report, const LoadReport& load) {
  const Checkpoint& checkpoint = *report.subjects[0].checkpoint;
  const bool own =
      load.way == model::way_name(model::Way::from_pretrained) && checkpoint.config.is_object();
  return own ? &checkpoint.config : nullptr;
}

/// The field that gives the target so many blocks: "num_hidden_layers"; "" where none is alone.
std::string count_field(const Json& config, const BlocksApart& apart) {
  const bool decodes = apart.list.find("decoder") != std::string::npos;
  std::vector<std::string> fields;
  for (const auto& [key, value] : config.items()) {
    const bool counts = key.find("layers") != key.npos || key == "depth" || key == "n_layer";
    const bool fits = value.is_number_integer() &&
                      value.get<std::int64_t>() == static_cast<std::int64_t>(apart.wanted);
    if (counts && fits && (key.find("decoder") != key.npos) == decodes) fields.push_back(key);
  }
  return fields.size() == 1 ? fields[0] : "";
}

std::string bias_field(const Json& config) {
  constexpr auto kFields = std::to_array<const char*>(
      {"qkv_bias", "attention_bias", "add_qkv_bias", "mlp_bias", "use_bias", "bias"});
  std::vector<std::string> fields;
  for (const char* field : kFields)
    if (const auto found = config.find(field);
        found != config.end() && found->is_boolean() && !found->get<bool>())
      fields.emplace_back(field);
  return fields.size() == 1 ? fields[0] : "";
}

std::string count_remedy(const Report& report, const LoadReport& load, const BlocksApart& apart) {
  const Json* config = loaded_config(report, load);
  const std::string field = config == nullptr ? "" : count_field(*config, apart);
  if (!field.empty())
    return fmt::format("Set {} to {} in config.json, as the weights have it: it says {}", field,
                       apart.held, apart.wanted);
  return fmt::format("Build the target with {} of {}{{n}}., as the checkpoint has",
                     counted(apart.held, "block"), apart.list);
}

}  // namespace

void note_blocks(const Checkpoint& source, LoadReport& load) {
  if (!load.repair.empty() || (!load.raises.empty() && !load.remedy.empty())) return;
  const std::vector<std::string> own = names_of_weights(source);
  const BlockLists lists = block_lists(own);
  const std::set<std::string> known(own.begin(), own.end());
  std::vector<std::string> dropped = load.dropped;
  std::erase_if(dropped, [&](const std::string& name) { return !known.contains(name); });
  load.dropped_blocks = dropped_blocks(lists, block_lists(dropped));
  load.dropped_biases = dropped_biases(own, dropped);
  if (load.loaded > 0) load.random_blocks = random_blocks(lists, block_lists(load.random));
}

std::vector<std::string> dropped_blocks_text(const LoadReport& load) {
  return apart_texts(load.dropped_blocks);
}

std::vector<std::string> random_blocks_text(const LoadReport& load) {
  return apart_texts(load.random_blocks);
}

std::string dropped_blocks_remedy(const Report& report, const LoadReport& load) {
  if (load.dropped_blocks.size() == 1 && tensors_in(load.dropped_blocks) == load.dropped.size())
    return count_remedy(report, load, load.dropped_blocks[0]);
  if (load.dropped_biases.empty() || load.dropped_biases.size() != load.dropped.size()) return "";
  const Json* config = loaded_config(report, load);
  const std::string field = config == nullptr ? "" : bias_field(*config);
  if (field.empty())
    return "Build the target with these biases: its layers compute otherwise without";
  return fmt::format("Set {} to true in config.json, as the weights have it", field);
}

std::string random_blocks_remedy(const Report& report, const LoadReport& load) {
  const bool all = load.random_blocks.size() == 1 && load.mismatched.empty() &&
                   tensors_in(load.random_blocks) == load.random.size();
  return all ? count_remedy(report, load, load.random_blocks[0]) : "";
}

}  // namespace samebits
