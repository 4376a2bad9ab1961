#include "samebits/family/points.h"

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <limits>
#include <optional>
#include <string_view>
#include <tuple>
#include <utility>

#include "samebits/family/name_table.h"

namespace samebits {
namespace {

constexpr long kAll = std::numeric_limits<long>::max();  // behind every block

// In the order of the pass, by the beginnings of canonical names.
constexpr std::pair<std::string_view, int> kStages[] = {{"pixel_values", 0},
                                                        {"noise", 0},
                                                        {"embeddings", 1},
                                                        {"layers.", 2},
                                                        {"layernorm", 3},
                                                        {"pooler", 4},
                                                        {"last_hidden_state", 4},
                                                        {"classifier", 5},
                                                        {"cls_classifier", 5},
                                                        {"distillation_classifier", 5},
                                                        {"decoder.decoder_embed", 6},
                                                        {"decoder.decoder_layers.", 7},
                                                        {"decoder.decoder_norm", 8},
                                                        {"decoder.decoder_pred", 9},
                                                        {"logits", 9}};
constexpr std::pair<std::string_view, int> kParts[] = {
    {"layernorm_before", 0}, {"norm1", 0},        {"attention", 1}, {"layer_scale1", 2},
    {"layernorm_after", 3},  {"norm2", 3},        {"mlp", 4},       {"intermediate", 4},
    {"output", 5},           {"layer_scale2", 6}, {"dropout", 7},   {"drop_path", 7}};

// Of the modules inside a part, which run first.
constexpr std::pair<std::string_view, char> kSteps[] = {{"patch_embeddings", '0'},
                                                        {"projection", '0'},
                                                        {"query", '0'},
                                                        {"q_proj", '0'},
                                                        {"dense", '0'},
                                                        {"fc1", '0'},
                                                        {"weights_in", '0'},
                                                        {"gate_proj", '0'},
                                                        {"key", '1'},
                                                        {"k_proj", '1'},
                                                        {"up_proj", '1'},
                                                        {"activation", '1'},
                                                        {"activation_fn", '1'},
                                                        {"intermediate_act_fn", '1'},
                                                        {"value", '2'},
                                                        {"v_proj", '2'},
                                                        {"fc2", '2'},
                                                        {"weights_out", '2'},
                                                        {"down_proj", '2'},
                                                        {"attention", '3'},
                                                        {"output", '4'},
                                                        {"o_proj", '4'},
                                                        {"dropout", '8'}};

/// A name whose alphabetical order is that of the modules' ends: children before their parent.
std::string in_order(std::string_view name) {
  std::string text;
  while (!name.empty()) {
    const std::string_view step = name.substr(0, name.find('.'));
    const auto known = std::ranges::find(kSteps, step, &std::pair<std::string_view, char>::first);
    text += known == std::end(kSteps) ? '5' : known->second;
    text += step;
    if (step.size() == name.size()) break;
    text += '.';
    name.remove_prefix(step.size() + 1);
  }
  return text + "~";
}

/// Of a module that holds a whole stage, the stage and the block behind which it ends.
std::optional<std::pair<int, long>> whole_stage(std::string_view name) {
  if (name == "encoder") return std::pair(2, kAll);
  if (name == "decoder") return std::pair(9, 1L);
  for (const model::ModelType& type : model::model_types()) {
    if (name == type.base) return std::pair(4, 1L);
  }
  return std::nullopt;
}

}  // namespace

PointNames point_names(const model::ModelClass& model_class) {
  const bool own = !model_class.base.empty();
  const model::BlockNames block = model::block_names(
      own ? model::column_of(model::Library::transformers5, model_class) : model::Column::vit5);
  const std::string base(own ? model_class.base : "vit");
  PointNames names;
  names.embeddings = base + ".embeddings";
  names.layers = base + "." + std::string(block.path);
  names.norm1 = block.norm1;
  names.norm2 = block.norm2;
  names.norm = base + ".layernorm";
  return names;
}

std::string canonical_point(std::string name) {
  const auto strip = [&name](std::string_view prefix) {
    if (name.size() > prefix.size() && name[prefix.size()] == '.' && name.starts_with(prefix))
      name.erase(0, prefix.size() + 1);
  };
  strip("module");
  strip("model");
  std::string_view last;
  for (const model::ModelType& type : model::model_types()) {
    if (type.base != last) strip(type.base);
    last = type.base;
  }
  constexpr std::string_view kBlocks = "encoder.layer.";
  if (name.starts_with(kBlocks)) name.replace(0, kBlocks.size(), "layers.");
  return name;
}

PointPlace place_of_point(const std::string& point) {
  const std::string name = canonical_point(point);
  PointPlace place{.name = in_order(name)};
  if (const auto whole = whole_stage(name)) {
    std::tie(place.stage, place.block) = *whole;
    return place;
  }
  for (const auto& [beginning, stage] : kStages) {
    if (!name.starts_with(beginning)) continue;
    place.stage = stage;
    if (!beginning.ends_with('.')) return place;
    const std::string rest = name.substr(beginning.size());
    place.block = std::strtol(rest.c_str(), nullptr, 10);
    const std::size_t dot = rest.find('.');
    place.part = 8;  // the block itself
    for (const auto& [part, number] : kParts) {
      if (dot != std::string::npos && rest.compare(dot + 1, part.size(), part) == 0)
        place.part = number;
    }
    return place;
  }
  return place;
}

}  // namespace samebits
