#include "samebits/explain/left_random.h"

#include <algorithm>
#include <array>
#include <set>
#include <string_view>

#include "samebits/compare/constant_tensor.h"
#include "samebits/model/tied_names.h"

namespace samebits {
namespace {

/// Of adapters, of what quantizing layers keep, of tables that classes compute, and of scales and
/// tokens that they fill with constants.
bool is_set_by_its_class(std::string_view name) {
  constexpr auto kParts = std::to_array<std::string_view>(
      {"lora_", "adapter", "prompt_", "quant", "scale", "zero_point", "absmax", "inv_freq",
       "position", "pos_", "running_", "mask", "index", "logit_", "gamma", "lambda"});
  return std::ranges::any_of(
      kParts, [&](std::string_view part) { return name.find(part) != std::string_view::npos; });
}

bool is_learnt(const StoredTensor& tensor) {
  return is_floating(tensor.view.dtype()) && tensor.identity.empty() && tensor.readable &&
         !is_constant(tensor.view) && !is_set_by_its_class(tensor.name);
}

}  // namespace

std::string left_random_words(const WeightPair& pair, const Subject& holder,
                              const std::vector<std::string>& names) {
  // The base model has its own.
  if (holder.checkpoint->adapter.is_object())
    return names.size() == 1 ? "; without it the base model keeps its own"
                             : "; without them the base model keeps its own";
  const WeightComparison& comparison = pair.comparison;
  const auto& others = holder.label == pair.a ? comparison.only_b : comparison.only_a;
  if (comparison.matched == 0 || comparison.renamed > 0 || !others.empty()) return "";
  const std::set<std::string> alone(names.begin(), names.end());
  // A class may fill it from the table of embeddings.
  if (std::ranges::any_of(names, [](const std::string& name) {
        return model::is_tied_to(name, "model.embed_tokens.weight") ||
               model::is_tied_to(name, "transformer.wte.weight") ||
               model::is_tied_to(name, "embeddings.word_embeddings.weight");
      }))
    return "";
  for (const std::uint32_t index : holder.checkpoint->weights().weights) {
    const StoredTensor& tensor = holder.checkpoint->entries[index];
    if (alone.contains(tensor.name) && !is_learnt(tensor)) return "";
  }
  return names.size() == 1 ? "; a loader leaves it at random values"
                           : "; a loader leaves them at random values";
}

}  // namespace samebits
