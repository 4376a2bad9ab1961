#include "samebits/convert/base_names.h"

#include <algorithm>

#include <fmt/format.h>

#include "samebits/explain/directory_load.h"
#include "samebits/explain/subjects.h"
#include "samebits/model/predict_load.h"

namespace samebits {
namespace {

BaseNames names_of(const Checkpoint& base) {
  BaseNames names;
  for (const std::uint32_t index : base.weights().weights)
    names.emplace(base.entries[index].name, index);
  return names;
}

bool has_all(const BaseNames& names, const std::set<std::string>& wanted) {
  return std::ranges::all_of(wanted, [&](const auto& name) { return names.contains(name); });
}

/// The base's names with a beginning of whole words more or less, as a wrapper or a head makes it.
std::optional<BaseNames> with_other_beginning(const BaseNames& names,
                                              const std::set<std::string>& wanted) {
  const std::string& first = *wanted.begin();
  for (std::size_t dot = first.find('.'); dot != std::string::npos;
       dot = first.find('.', dot + 1)) {
    BaseNames longer;
    for (const auto& [name, index] : names) longer.emplace(first.substr(0, dot + 1) + name, index);
    if (has_all(longer, wanted)) return longer;
  }
  for (const auto& [name, index] : names) {
    if (!name.ends_with("." + first)) continue;
    const std::string beginning = name.substr(0, name.size() - first.size());
    BaseNames shorter;
    for (const auto& [each, at] : names)
      if (each.starts_with(beginning)) shorter.emplace(each.substr(beginning.size()), at);
    if (has_all(shorter, wanted)) return shorter;
  }
  return std::nullopt;
}

/// The base's tensors under the names that a library gives them, where it knows the model.
std::optional<BaseNames> in_library(const Checkpoint& base, model::Library library) {
  const StoredWeights weights = stored_weights(base);
  const Json* config = base.config.is_object() ? &base.config : nullptr;
  const auto target = model::make_target({library, ""}, config, weights.shapes);
  if (!target || !target->recognition) return std::nullopt;
  const auto sources = sources_of(target->tensors, *target->recognition, weights.shapes);
  BaseNames names;
  for (std::size_t i = 0; i < sources.size(); ++i)
    if (sources[i].size() == 1 && sources[i][0].parts == 1)
      names.emplace(target->tensors[i].name, base.weights().weights[sources[i][0].tensor]);
  return names;
}

std::optional<BaseNames> by_library(const Checkpoint& base, const std::set<std::string>& wanted) {
  for (const model::Library library :
       {model::Library::transformers5, model::Library::transformers4, model::Library::timm,
        model::Library::mae, model::Library::torchvision}) {
    const auto names = in_library(base, library);
    if (!names || names->empty()) continue;
    if (has_all(*names, wanted)) return names;
    if (auto other = with_other_beginning(*names, wanted)) return other;
  }
  return std::nullopt;
}

}  // namespace

Result<BaseNames> find_in_base(const Checkpoint& base, const std::set<std::string>& wanted) {
  BaseNames names = names_of(base);
  if (wanted.empty() || has_all(names, wanted)) return names;
  if (auto other = with_other_beginning(names, wanted)) return *std::move(other);
  if (auto library = by_library(base, wanted)) return *std::move(library);
  std::vector<std::string> absent;
  for (const std::string& name : wanted)
    if (!names.contains(name)) absent.push_back(name);
  return fail({.code = ErrorCode::inconsistent,
               .what = fmt::format("the adapter changes {} that the base lacks: {}",
                                   counted(absent.size(), "weight"), some_of(absent)),
               .file = base.path,
               .hint = "Give the base that the adapter was trained on"});
}

}  // namespace samebits
