#include "samebits/explain/adapter_modules.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "samebits/compare/tensor_stats.h"
#include "samebits/explain/subjects.h"

namespace samebits {
namespace {

/// Whether adapter_config.json says that the module of this name is trained whole: modules_to_save,
/// which peft takes for the ends of modules' names.
bool is_saved_whole(const Json& config, const std::string& name) {
  if (!config.is_object()) return false;
  const auto modules = config.find("modules_to_save");
  if (modules == config.end() || !modules->is_array()) return false;
  return std::ranges::any_of(*modules, [&](const Json& module) {
    return module.is_string() &&
           ("." + name).find("." + module.get<std::string>() + ".") != std::string::npos;
  });
}

}  // namespace

std::set<std::string> own_modules(const Subject& plain, const Subject& adapted,
                                  std::set<std::string>* explained) {
  std::set<std::string> base;
  for (std::uint32_t i = 0; i < plain.checkpoint->weights().weights.size(); ++i)
    base.insert(weight_name(plain, i));
  std::set<std::string> whole;
  for (std::uint32_t i = 0; i < adapted.checkpoint->weights().weights.size(); ++i) {
    const std::string& name = weight_name(adapted, i);
    const std::string in_base = name_in_base(name);
    // A head that the base ties to its embeddings has no tensor there.
    const bool known = base.contains(in_base) || is_saved_whole(adapted.checkpoint->adapter, name);
    if (adapter_part(name) || in_base == name || !known) continue;
    whole.insert(in_base);
    explained->insert({name, in_base});
  }
  return whole;
}

std::set<std::string> whole_modules(const WeightPair& pair, const Subject& a, const Subject& b,
                                    const Subject& adapter, bool reversed) {
  std::map<std::string, std::uint32_t> own;
  for (std::uint32_t i = 0; i < adapter.checkpoint->weights().weights.size(); ++i) {
    const std::string& name = weight_name(adapter, i);
    if (!adapter_part(name)) own[name_in_base(name)] = i;
  }
  std::set<std::string> found;
  for (const TensorMatch& match : pair.comparison.matches) {
    if (match.kind != MatchKind::changed || match.a.size() != 1 || match.b.size() != 1) continue;
    const auto at = own.find(weight_name(reversed ? b : a, reversed ? match.b[0] : match.a[0]));
    if (at == own.end()) continue;
    const ValuePair values{
        weight_entry(adapter, at->second).view,
        reversed ? weight_entry(a, match.a[0]).view : weight_entry(b, match.b[0]).view};
    if (!have_numbers(values) || values.a.shape() != values.b.shape()) continue;
    const ValueRelation relation = relate_values({values}, 1)[0];
    if (relation.equal_numbers || relation.rounded_b) found.insert(weight_name(a, match.a[0]));
  }
  return found;
}

void note_uncomputed(Report& report, const WeightPair& pair, const Subject& a,
                     const Subject& adapter, const AdapterParts& parts) {
  const bool is_for_them = std::ranges::any_of(pair.comparison.matches, [&](const TensorMatch& m) {
    return m.kind == MatchKind::changed && m.a.size() == 1 &&
           std::ranges::any_of(parts.layers, [&](const auto& layer) {
             return weight_name(a, m.a[0]).starts_with(layer.first + ".");
           });
  });
  if (is_for_them)
    add_gap(report,
            fmt::format("{} and {}: the {} update of {} explains none of the changed weights of "
                        "its layers, as far as it can be computed",
                        pair.a, pair.b, parts.family(), adapter.label),
            Gap::aside);
}

}  // namespace samebits
