#include "samebits/explain/load_list.h"

#include <filesystem>
#include <map>
#include <set>
#include <tuple>

#include "samebits/checkpoint/open.h"
#include "samebits/compare/computed_table.h"
#include "samebits/compare/name_pieces.h"
#include "samebits/explain/running_statistics.h"
#include "samebits/explain/subjects.h"
#include "samebits/model/find_renaming.h"
#include "samebits/model/name_rules.h"
#include "samebits/model/tied_names.h"

namespace samebits {
namespace {

Error wrong_form(const std::string& file) {
  return {
      .code = ErrorCode::malformed,
      .what = "the list of names and shapes has another form",
      .file = file,
      .expected =
          R"([["fc.weight", [10, 32]], ...], [{"name": ..., "shape": [...]}, ...] or {"fc.weight": [10, 32], ...})"};
}

Result<Shape> read_shape(const Json& json, const std::string& file) {
  if (!json.is_array()) return fail(wrong_form(file));
  Shape shape;
  for (const Json& size : json) {
    if (!size.is_number_integer() || size.get<std::int64_t>() < 0) return fail(wrong_form(file));
    shape.push_back(size.get<std::int64_t>());
  }
  return shape;
}

Result<model::StoredShape> read_row(const Json& row, const std::string& file) {
  const bool pair = row.is_array() && row.size() == 2 && row[0].is_string();
  const bool object =
      row.is_object() && row.contains("name") && row["name"].is_string() && row.contains("shape");
  if (!pair && !object) return fail(wrong_form(file));
  SAMEBITS_TRY(Shape shape, read_shape(pair ? row[1] : row["shape"], file));
  return model::StoredShape{pair ? row[0].get<std::string>() : row["name"].get<std::string>(),
                            std::move(shape)};
}

Result<std::vector<model::StoredShape>> read_json_list(const Json& json, const std::string& file) {
  std::vector<model::StoredShape> shapes;
  if (json.is_array()) {
    for (const Json& row : json) {
      SAMEBITS_TRY(model::StoredShape shape, read_row(row, file));
      shapes.push_back(std::move(shape));
    }
    return shapes;
  }
  if (!json.is_object()) return fail(wrong_form(file));
  for (const auto& [name, sizes] : json.items()) {
    SAMEBITS_TRY(Shape shape, read_shape(sizes, file));
    shapes.push_back({name, std::move(shape)});
  }
  return shapes;
}

/// Blocks of one list that stand in one storage, as where a model was made deeper by repeating
/// some: a model built for them has a tensor for each.
bool are_two_blocks(const std::string& x, const std::string& y) {
  return x != y && template_of(x) == template_of(y) && !model::are_in_a_tied_list({x, y});
}

/// Names of one storage, place and shape are one tensor, but for blocks; so are aliases.
LoadList list_of(const Checkpoint& checkpoint) {
  LoadList list;
  std::map<std::tuple<std::uint32_t, std::uint32_t, std::uint64_t, Shape>, std::size_t> places;
  std::map<std::string, std::size_t> by_name;
  for (const std::uint32_t index : checkpoint.weights().weights) {
    const StoredTensor& tensor = checkpoint.entries[index];
    const std::size_t i = list.names.size();
    list.names.push_back({tensor.name, tensor.view.shape()});
    const bool real = tensor.readable && tensor.view.numel() > 0;
    const auto place = std::tuple(tensor.file, tensor.storage, tensor.offset, tensor.view.shape());
    const std::size_t first = real ? places.emplace(place, i).first->second : i;
    list.one.push_back(are_two_blocks(list.names[first].name, tensor.name) ? i : first);
    by_name.emplace(tensor.name, i);
  }
  if (!checkpoint.producer.is_object() || !checkpoint.producer.contains("metadata")) return list;
  for (const auto& [alias, name] : checkpoint.producer["metadata"].items()) {
    const auto found = name.is_string() ? by_name.find(name.get<std::string>()) : by_name.end();
    if (found == by_name.end() || by_name.contains(alias)) continue;
    list.names.push_back({alias, list.names[found->second].shape});
    list.one.push_back(list.one[found->second]);
  }
  return list;
}

/// The target's class computes it when it is built, whatever is loaded afterwards. The names of a
/// checkpoint's list are those of its weights, and then aliases.
bool is_computed(const LoadList& target, std::size_t i) {
  if (!target.checkpoint || !target.checkpoint->has_weights()) return false;
  const std::vector<std::uint32_t>& weights = target.checkpoint->weights().weights;
  if (i >= weights.size()) return false;
  const StoredTensor& tensor = target.checkpoint->entries[weights[i]];
  return tensor.readable && tensor.identity.empty() &&
         computed_table(tensor.name, tensor.view).has_value();
}

/// What torch.nn.utils.parametrizations.weight_norm does when it is loaded: a hook of its module
/// takes NAME_g and NAME_v of the older weight_norm for its own two.
std::set<std::string> offer_older_weight_norm(const LoadList& target,
                                              std::map<std::string, const Shape*>* offered) {
  constexpr std::string_view kOwn = "parametrizations.";
  constexpr std::string_view kFirst = ".original0";
  std::set<std::string> taken;
  for (const model::StoredShape& tensor : target.names) {
    const std::size_t at = tensor.name.rfind(kOwn);
    if (at == std::string::npos || !tensor.name.ends_with(kFirst)) continue;
    const std::string front = tensor.name.substr(0, tensor.name.size() - kFirst.size());
    const std::string older = tensor.name.substr(0, at) + front.substr(at + kOwn.size());
    const auto magnitudes = offered->find(older + "_g");
    const auto directions = offered->find(older + "_v");
    if (magnitudes == offered->end() || directions == offered->end()) continue;
    (*offered)[front + ".original0"] = magnitudes->second;
    (*offered)[front + ".original1"] = directions->second;
    taken.insert({older + "_g", older + "_v"});
  }
  return taken;
}

bool is_json(Bytes bytes) {
  const std::string_view text = as_text(bytes);
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  return first != std::string_view::npos && (text[first] == '[' || text[first] == '{');
}

}  // namespace

bool is_load_list(const std::string& target) {
  std::error_code error;
  return std::filesystem::exists(target, error);
}

Result<LoadList> read_load_list(const std::string& target) {
  std::error_code error;
  if (!std::filesystem::is_directory(target, error)) {
    SAMEBITS_TRY(const auto file, MappedFile::open(target));
    if (is_json(file->bytes())) {
      SAMEBITS_TRY(const Json json, parse_json(file->bytes(), target));
      LoadList list;
      SAMEBITS_TRY(list.names, read_json_list(json, target));
      for (std::size_t i = 0; i < list.names.size(); ++i) list.one.push_back(i);
      return list;
    }
  }
  SAMEBITS_TRY(Checkpoint checkpoint, open_checkpoint(target));
  return load_list_of(std::move(checkpoint));
}

LoadList load_list_of(Checkpoint target) {
  LoadList list = target.has_weights() ? list_of(target) : LoadList{};
  list.checkpoint = std::make_shared<Checkpoint>(std::move(target));
  return list;
}

LoadReport load_into_list(const LoadList& target, const std::vector<model::StoredShape>& tensors,
                          const std::string& target_name) {
  LoadReport load;
  load.target = target_name;
  load.way = "load_state_dict(strict=False)";
  load.target_tensors = target.names.size();
  std::map<std::string, const Shape*> offered;
  for (const model::StoredShape& tensor : tensors) offered.emplace(tensor.name, &tensor.shape);
  const std::set<std::string> taken = offer_older_weight_norm(target, &offered);
  const auto offer = [&](std::size_t i) -> const Shape* {
    const auto found = offered.find(target.names[i].name);
    return found == offered.end() ? nullptr : found->second;
  };
  std::set<std::size_t> filled;
  for (std::size_t i = 0; i < target.names.size(); ++i)
    if (const Shape* found = offer(i); found && *found == target.names[i].shape)
      filled.insert(target.one[i]);
  std::vector<bool> unfilled;
  for (std::size_t i = 0; i < target.names.size(); ++i) {
    const auto& [name, wanted] = target.names[i];
    const Shape* found = offer(i);
    const bool other = found && *found != wanted;
    const bool absent = !found && !filled.contains(target.one[i]);
    const bool counter =
        absent && wanted.size() <= 1 && is_lone_counter(name, [&](const std::string& statistic) {
          return offered.contains(statistic);
        });
    const bool table = absent && !counter && is_computed(target, i);
    const bool random = absent && !counter && !table;
    if (counter) load.counters.push_back(name);
    if (table) load.tables.push_back(name);
    unfilled.push_back(random || other);
    if (random) load.random.push_back(name);
    if (!absent && !other) ++load.loaded;
    if (!other) continue;
    load.mismatched.push_back(name);
    load.mismatches.push_back({*found, wanted});
  }
  std::set<std::string_view> wanted;
  for (const model::StoredShape& tensor : target.names) wanted.insert(tensor.name);
  for (const model::StoredShape& tensor : tensors)
    if (!wanted.contains(tensor.name) && !taken.contains(tensor.name))
      load.dropped.push_back(tensor.name);
  if (!load.mismatched.empty())
    load.raises = "RuntimeError: " + counted(load.mismatched.size(), "tensor", "has", "have") +
                  " another shape, which strict=False does not pass over";
  load.silent = load.raises.empty() && (!load.random.empty() || !load.dropped.empty());
  load.dropped_silently = load.silent;
  search_repair(target, unfilled, tensors, load);
  return load;
}

void search_repair(const LoadList& target, const std::vector<bool>& unfilled,
                   const std::vector<model::StoredShape>& tensors, LoadReport& load) {
  if (load.random.empty() && load.mismatched.empty()) return;
  const model::Renaming found = model::find_renaming(target.names, unfilled, tensors);
  load.searched = found.searched;
  load.ambiguous = found.ambiguous;
  for (const model::RenameRule& rule : found.repair.rules)
    load.repair.push_back({rule.from, rule.to, rule.count});
  for (const model::Refit& refit : found.repair.refits)
    load.refits.push_back({refit.from, refit.to, refit.count});
  // What fills one name of a tensor fills the others.
  std::set<std::size_t> filled;
  const std::set<std::string> names(found.repair.restored.begin(), found.repair.restored.end());
  for (std::size_t i = 0; i < target.names.size(); ++i)
    if (names.contains(target.names[i].name)) filled.insert(target.one[i]);
  for (std::size_t i = 0; i < target.names.size(); ++i)
    if (unfilled[i] && filled.contains(target.one[i])) load.restored.insert(target.names[i].name);
}

}  // namespace samebits
