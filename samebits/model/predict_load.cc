#include "samebits/model/predict_load.h"

#include <algorithm>
#include <unordered_map>

#include "samebits/model/find_renaming.h"
#include "samebits/model/loading_rules.h"
#include "samebits/model/natural_order.h"

namespace samebits::model {
namespace {

using Places = std::unordered_map<std::string, std::size_t>;  // target name: index

/// The checkpoint's shape where it fits the target's, sizes that are not known fitting anything.
bool same_shape(const Shape& wanted, const Shape& found) {
  return wanted.size() == found.size() &&
         std::equal(wanted.begin(), wanted.end(), found.begin(),
                    [](std::int64_t a, std::int64_t b) { return a < 0 || a == b; });
}

/// A piece as torch.chunk cuts it: the last one may be smaller.
Shape piece_shape(Shape shape, std::int64_t part, std::int64_t parts) {
  if (parts == 1 || shape.empty()) return shape;
  const std::int64_t rows = shape[0] / parts + (shape[0] % parts != 0);
  shape[0] = std::clamp<std::int64_t>(shape[0] - part * rows, 0, rows);
  return shape;
}

void offer(TargetTensor& target, const StoredShape& tensor, std::int64_t part, std::int64_t parts) {
  target.from = tensor.name;
  target.part = part;
  target.parts = parts;
  target.found = piece_shape(tensor.shape, part, parts);
  target.state =
      same_shape(target.spec.shape, target.found) ? TargetState::loaded : TargetState::mismatched;
}

/// One load in progress.
struct Load {
  const LoadTarget& target;
  const std::vector<StoredShape>& tensors;
  Places places;
  LoadOutcome outcome;

  Load(const LoadTarget& to, const std::vector<StoredShape>& from) : target(to), tensors(from) {
    for (const TensorSpec& spec : to.tensors) {
      places.emplace(spec.name, outcome.targets.size());
      outcome.targets.push_back({.spec = spec});
    }
  }
  bool known(const std::string& name) const { return places.contains(name); }
  TargetTensor* find(const std::string& name) {
    const auto at = places.find(name);
    return at == places.end() ? nullptr : &outcome.targets[at->second];
  }
  void drop(const StoredShape& tensor, std::vector<std::string> reported) {
    outcome.dropped.push_back({.name = tensor.name, .reported = std::move(reported)});
  }
};

/// As torchvision's MLPBlock renames what it loads.
std::string modern_torchvision(const Load& load, const std::string& name) {
  for (const auto& [old, modern] : old_parts_torchvision()) {
    const std::size_t at = name.find(old);
    if (at == std::string::npos) continue;
    std::string renamed = name;
    renamed.replace(at, old.size(), modern);
    if (load.known(renamed)) return renamed;
  }
  return name;
}

void load_state_dict(Load& load) {
  const bool torchvision = load.target.library == Library::torchvision;
  for (const StoredShape& tensor : load.tensors) {
    TargetTensor* target =
        load.find(torchvision ? modern_torchvision(load, tensor.name) : tensor.name);
    if (target)
      offer(*target, tensor, 0, 1);
    else
      load.drop(tensor, {tensor.name});
  }
}

/// 4.57.6: one decision for the whole file whether the base model's prefix is added or removed.
void load_4(Load& load) {
  const ModelClass& model_class = *load.target.model_class;
  const std::string base(model_class.base);
  const std::string dotted = base + ".";
  const bool has_prefix = std::ranges::any_of(
      load.tensors, [&](const StoredShape& tensor) { return tensor.name.starts_with(base); });
  const bool add = !has_prefix && model_class.nested;
  const bool strip = has_prefix && !model_class.nested;
  for (const StoredShape& tensor : load.tensors) {
    std::string name = modern_name_4(tensor.name);
    if (strip && !name.starts_with(dotted)) {
      load.drop(tensor, {tensor.name});
      continue;
    }
    if (add && load.known(name) && !load.known(dotted + name))
      load.outcome.raises = "ValueError: the state dictionary is corrupted: " + name +
                            " stands beside tensors without the prefix \"" + dotted + "\"";
    const std::string fitted = add ? dotted + name : strip ? name.substr(dotted.size()) : name;
    if (TargetTensor* target = load.find(fitted))
      offer(*target, tensor, 0, 1);
    else
      load.drop(tensor, {add ? name : fitted});
  }
}

/// 5.24.0: each name on its own, through the rules; of two tensors for one target, the first in
/// natural order wins.
void load_5(Load& load) {
  std::vector<std::size_t> order(load.tensors.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::ranges::stable_sort(order, [&](std::size_t a, std::size_t b) {
    return natural_less(load.tensors[a].name, load.tensors[b].name);
  });
  const auto known = [&](const std::string& name) { return load.known(name); };
  std::vector<std::vector<std::string>> dropped(load.tensors.size());
  for (const std::size_t i : order) {
    const StoredShape& tensor = load.tensors[i];
    const ReadName names = read_name_5(*load.target.model_class, tensor.name, known);
    if (!load.known(names.front())) {
      dropped[i] = names;
      continue;
    }
    for (std::size_t part = 0; part < names.size(); ++part)
      if (TargetTensor* target = load.find(names[part]); target && target->from.empty())
        offer(*target, tensor, static_cast<std::int64_t>(part),
              static_cast<std::int64_t>(names.size()));
  }
  for (std::size_t i = 0; i < dropped.size(); ++i)
    if (!dropped[i].empty()) load.drop(load.tensors[i], std::move(dropped[i]));
}

void set_notices(const LoadTarget& target, LoadOutcome& outcome) {
  const bool announced = outcome.way == Way::from_pretrained;
  // 4.57.6 warns of unused tensors only where the config names the class that is loaded.
  const bool named = target.library == Library::transformers5 ||
                     std::ranges::find(target.architectures, target.model_class->name) !=
                         target.architectures.end();
  if (outcome.count(TargetState::missing))
    outcome.missing_notice = announced ? Notice::warning : Notice::silent;
  if (!outcome.dropped.empty())
    outcome.dropped_notice = announced && named ? Notice::warning : Notice::silent;
}

void set_raises(LoadOutcome& outcome) {
  const std::size_t mismatched = outcome.count(TargetState::mismatched);
  if (mismatched == 0 || !outcome.raises.empty()) return;
  outcome.raises = "RuntimeError: " + std::to_string(mismatched) +
                   (mismatched == 1 ? " tensor has" : " tensors have") + " another shape";
  if (outcome.way == Way::from_pretrained)
    outcome.raises += " (with ignore_mismatched_sizes=True: random values and a warning)";
  else
    outcome.raises += ", which strict=False does not pass over";
}

/// True where the names are 5.24.0's for this class, and 4.x knows them no more.
bool is_written_for_5_only(const LoadTarget& target, const std::vector<StoredShape>& tensors) {
  if (!target.recognition || !target.recognition->by_rules) return false;
  const ModelClass& model_class = *target.recognition->model_class;
  auto specs =
      tensors_of(Library::transformers5, model_class, fit(target.recognition->fields, model_class));
  if (!specs) return false;
  std::unordered_map<std::string, bool> written;
  for (const TensorSpec& spec : *specs)
    written.emplace(target.recognition->prefix + saved_name_5(model_class, spec.name), true);
  return std::ranges::all_of(
      tensors, [&](const StoredShape& tensor) { return written.contains(tensor.name); });
}

/// The names of files of 5.24.0, which its from_pretrained reads as well as those of its modules.
Renaming find_renaming_to_files(const LoadTarget& target, const std::vector<bool>& unfilled,
                                std::vector<StoredShape> names,
                                const std::vector<StoredShape>& tensors) {
  std::unordered_map<std::string, std::string> of_module;
  for (StoredShape& tensor : names) {
    std::string saved = saved_name_5(*target.model_class, tensor.name);
    of_module.emplace(saved, tensor.name);
    tensor.name = std::move(saved);
  }
  Renaming found = find_renaming(names, unfilled, tensors);
  for (std::string& name : found.repair.restored) name = of_module.at(name);
  return found;
}

/// By the tables of the family, or by names and shapes alone where that restores more.
void find_repair(const LoadTarget& target, const std::vector<StoredShape>& tensors,
                 LoadOutcome& outcome) {
  std::vector<bool> unfilled;
  std::vector<StoredShape> names;
  for (const TargetTensor& tensor : outcome.targets) {
    unfilled.push_back(tensor.state != TargetState::loaded);
    names.push_back({tensor.spec.name, tensor.spec.shape});
  }
  if (std::ranges::find(unfilled, true) == unfilled.end()) {
    outcome.searched = true;
    return;
  }
  if (target.recognition)
    outcome.repair = suggest_repair(target.tensors, unfilled, *target.recognition, tensors);
  Renaming found = find_renaming(names, unfilled, tensors);
  outcome.searched = found.searched;
  if (target.library == Library::transformers5 && outcome.way == Way::from_pretrained) {
    Renaming other = find_renaming_to_files(target, unfilled, names, tensors);
    if (other.repair.restored.size() > found.repair.restored.size()) found = std::move(other);
  }
  if (found.repair.restored.size() <= outcome.repair.restored.size()) return;
  outcome.repair = std::move(found.repair);
  outcome.ambiguous = std::move(found.ambiguous);
}

}  // namespace

const char* way_name(Way way) {
  return way == Way::from_pretrained ? "from_pretrained" : "load_state_dict(strict=False)";
}

std::size_t LoadOutcome::count(TargetState state) const {
  return static_cast<std::size_t>(std::ranges::count_if(
      targets, [&](const TargetTensor& target) { return target.state == state; }));
}

LoadOutcome predict_load(const LoadTarget& target, const std::vector<StoredShape>& tensors,
                         Way way) {
  Load load(target, tensors);
  const bool four = target.library == Library::transformers4;
  const bool five = target.library == Library::transformers5;
  load.outcome.way = four || five ? way : Way::state_dict;
  if (load.outcome.way == Way::state_dict)
    load_state_dict(load);
  else if (four)
    load_4(load);
  else
    load_5(load);
  set_notices(target, load.outcome);
  set_raises(load.outcome);
  load.outcome.written_for_5_only = is_written_for_5_only(target, tensors);
  find_repair(target, tensors, load.outcome);
  return load.outcome;
}

}  // namespace samebits::model
