#include "samebits/checkpoint/torch_script.h"

#include <unordered_map>
#include <unordered_set>

#include <fmt/format.h>

#include "samebits/base/limits.h"
#include "samebits/checkpoint/module_attributes.h"
#include "samebits/checkpoint/module_tree.h"
#include "samebits/checkpoint/packed_params.h"
#include "samebits/checkpoint/plain_value.h"
#include "samebits/checkpoint/torch_tensor.h"

namespace samebits {
namespace {

constexpr std::string_view kScriptRoot = "__torch__";
constexpr std::string_view kMangled = "___torch_mangle_";

/// The texts in quotes of `["weight", "bias", ]`.
std::set<std::string> quoted_names(std::string_view line) {
  std::set<std::string> names;
  std::optional<std::string> open;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '"') {
      if (open) {
        names.insert(*open);
        open.reset();
      } else {
        open.emplace();
      }
    } else if (open) {
      if (line[i] == '\\' && i + 1 < line.size()) ++i;
      *open += line[i];
    }
  }
  return names;
}

/// Lists the tensors of a module by name, in state_dict()'s order.
class ScriptModules {
 public:
  ScriptModules(Checkpoint& checkpoint, const TorchObject& object, ScriptCode& code)
      : out_(checkpoint),
        tree_(object.tree),
        code_(code),
        file_(object.file),
        most_modules_(kLimits.tree_repeats + tree_.size()),
        most_characters_(kLimits.module_characters +
                         kLimits.module_characters_per_node * tree_.size()) {
    for (std::uint32_t i = 0; i < out_.entries.size(); ++i) {
      if (out_.entries[i].file == object.file) by_path_.emplace(out_.entries[i].path, i);
    }
  }

  bool is_script_module(NodeId node) {
    const ClassEntry& known = class_at(node);
    if (!known.is_script) return false;
    return known.code != nullptr ? known.code->is_module
                                 : attribute(tree_, node, "training") != pickle::kNone;
  }

  void read(NodeId node, const std::string& path) {
    if (on_path_.contains(node)) return;
    if (depth_ >= kLimits.tree_depth || result_.modules.size() >= most_modules_ ||
        out_.entries.size() >= kLimits.tree_entries || path.size() > kLimits.path_characters ||
        characters_ > most_characters_)
      return note_limit(node);
    on_path_.insert(node);
    ++depth_;
    first_path_.emplace(node, path);
    const std::vector<KeyValue> state = attributes(tree_, node);
    result_.modules.push_back(record(node, path, state));
    result_.module_nodes.push_back(node);
    const std::size_t index = result_.modules.size() - 1;
    add_tensors(node, path, state, index, TensorRole::parameter);
    add_tensors(node, path, state, index, TensorRole::buffer);
    add_packed(node, path, state, index);
    add_numbers(path, index);
    for (const KeyValue& item : state) {
      if (is_script_module(item.value)) read(item.value, join_path(path, item.key));
    }
    --depth_;
    on_path_.erase(node);
  }

  /// Their attributes, constants of their classes among them.
  void finish(const StorageTable& storages) {
    out_.modules = result_.modules;
    if (!out_.modules.empty()) out_.description = describe_module(result_);
    read_module_attributes(out_, tree_, storages, result_, pickle::kNone);
    for (std::size_t i = 0; i < out_.modules.size(); ++i) {
      const ScriptClass* known = class_at(result_.module_nodes[i]).code;
      if (known == nullptr) continue;
      for (const auto& [name, value] : known->constants)
        out_.modules[i].attributes[name] = out_.modules[i].hyper[name] = value;
    }
  }

  Candidate take() { return std::move(candidate_); }

 private:
  struct ClassEntry {
    bool is_script = false;
    std::string name;  // Python's
    const ScriptClass* code = nullptr;
  };

  /// Looked up once for each class: many objects may name one, at length.
  const ClassEntry& class_at(NodeId node) {
    static const ClassEntry kNoClass;
    if (tree_.kind(node) != pickle::Kind::object) return kNoClass;
    const NodeId callable = tree_.callable(node);
    if (callable == pickle::kNone || tree_.kind(callable) != pickle::Kind::global) return kNoClass;
    const auto [place, is_new] = classes_.try_emplace(callable);
    if (!is_new) return place->second;
    const std::string name = class_of(tree_, node);
    place->second.is_script = name.starts_with(kScriptRoot);
    if (place->second.is_script) {
      place->second.name = python_class(name);
      place->second.code = code_.find(name);
    }
    return place->second;
  }

  void note_limit(NodeId node) {
    if (std::exchange(limited_, true)) return;
    out_.unread.push_back({.code = ErrorCode::limit,
                           .what = "modules are nested too deeply, or too many",
                           .file = out_.path,
                           .offset = tree_.offset(node),
                           .hint = "Real models stay far below; the rest of it was not read"});
  }

  ModuleRecord record(NodeId node, const std::string& path, const std::vector<KeyValue>& state) {
    ModuleRecord module;
    module.path = path;
    module.class_path = class_at(node).name;
    module.hyper = Json::object();
    characters_ += path.size() + module.class_path.size();
    for (const KeyValue& item : state) {
      const pickle::Kind kind = tree_.kind(item.value);
      characters_ +=
          item.key.size() + (kind == pickle::Kind::text ? tree_.text(item.value).size() : 0);
      if (characters_ > most_characters_) break;
      if (item.key == "training") {
        module.training = kind == pickle::Kind::boolean && tree_.boolean(item.value);
      } else if (!item.key.starts_with('_') &&
                 (kind == pickle::Kind::boolean || kind == pickle::Kind::integer ||
                  kind == pickle::Kind::real || kind == pickle::Kind::text)) {
        module.hyper[item.key] = plain_value(tree_, item.value);
      }
    }
    return module;
  }

  /// What the class says of its attribute; of a class without code every tensor is one or the
  /// other.
  TensorRole role_of(const ScriptClass* known, const std::string& name, NodeId tensor) const {
    if (known != nullptr) {
      if (known->parameters.contains(name)) return TensorRole::parameter;
      return known->buffers.contains(name) || !known->names_buffers ? TensorRole::buffer
                                                                    : TensorRole::other;
    }
    const auto arguments = elements(tree_, tree_.args(tensor));
    const bool learns = arguments.size() > 4 && tree_.kind(arguments[4]) == pickle::Kind::boolean &&
                        tree_.boolean(arguments[4]);
    return learns ? TensorRole::parameter : TensorRole::buffer;
  }

  void add_tensors(NodeId module, const std::string& path, const std::vector<KeyValue>& state,
                   std::size_t index, TensorRole role) {
    const ScriptClass* known = class_at(module).code;
    for (const KeyValue& item : state) {
      if (!is_tensor(tree_, item.value) || role_of(known, item.key, item.value) != role) continue;
      characters_ += path.size() + item.key.size();
      if (out_.entries.size() >= kLimits.tree_entries || characters_ > most_characters_)
        return note_limit(item.value);
      ModuleRecord& record = result_.modules[index];
      (role == TensorRole::parameter ? record.parameters : record.buffers).push_back(item.key);
      const std::string name = join_path(path, item.key);
      result_.tensors.push_back({name, item.value, role});
      take_entry(name, join_path(first_path_[module], item.key), role);
    }
  }

  void add_packed(NodeId module, const std::string& path, const std::vector<KeyValue>& state,
                  std::size_t index) {
    for (const KeyValue& item : state) {
      for (const KeyValue& part : packed_tensors(tree_, item.value)) {
        const std::string own = join_path(item.key, part.key);
        characters_ += path.size() + own.size();
        if (out_.entries.size() >= kLimits.tree_entries || characters_ > most_characters_)
          return note_limit(item.value);
        result_.modules[index].buffers.push_back(own);
        const std::string name = join_path(path, own);
        result_.tensors.push_back({name, part.value, TensorRole::buffer});
        take_entry(name, join_path(first_path_[module], own), TensorRole::buffer);
      }
    }
  }

  void add_numbers(const std::string& path, std::size_t index) {
    for (StoredTensor& number : layer_numbers(out_, result_.modules[index], file_)) {
      if (out_.entries.size() >= kLimits.tree_entries) return;
      number.path = join_path(path, number.path);
      number.role = TensorRole::buffer;
      candidate_.weights.push_back(static_cast<std::uint32_t>(out_.entries.size()));
      out_.entries.push_back(std::move(number));
    }
  }

  /// A module that stands twice has one entry so far, under its first path.
  void take_entry(const std::string& path, const std::string& first, TensorRole role) {
    auto found = by_path_.find(path);
    if (found == by_path_.end()) {
      const auto original = by_path_.find(first);
      if (original == by_path_.end()) return;
      StoredTensor again = out_.entries[original->second];
      again.path = path;
      found = by_path_.emplace(path, static_cast<std::uint32_t>(out_.entries.size())).first;
      out_.entries.push_back(std::move(again));
    }
    out_.entries[found->second].role = role;
    candidate_.weights.push_back(found->second);
  }

  Checkpoint& out_;
  const pickle::Tree& tree_;
  ScriptCode& code_;
  std::uint32_t file_;
  ModuleTree result_;
  Candidate candidate_;
  std::unordered_map<std::string, std::uint32_t> by_path_;
  std::unordered_map<NodeId, ClassEntry> classes_;
  std::unordered_map<NodeId, std::string> first_path_;
  std::unordered_set<NodeId> on_path_;
  std::uint64_t most_modules_, most_characters_;
  std::uint64_t characters_ = 0;
  std::uint32_t depth_ = 0;
  bool limited_ = false;
};

/// `  eps : Final[float] = 1e-05` as a name and a value; nothing for other lines.
std::optional<std::pair<std::string, Json>> constant_of(std::string_view line) {
  constexpr std::string_view kFinal = " : Final[";
  const std::size_t type = line.find(kFinal);
  const std::size_t sign = line.find("] = ", type == std::string_view::npos ? line.size() : type);
  if (!line.starts_with("  ") || sign == std::string_view::npos) return std::nullopt;
  std::optional<Json> value = script_literal(line.substr(sign + 4));
  if (!value) return std::nullopt;
  return std::pair(std::string(line.substr(2, type - 2)), *std::move(value));
}

}  // namespace

std::map<std::string, ScriptClass> read_script_classes(std::string_view text) {
  std::map<std::string, ScriptClass> classes;
  ScriptClass* open = nullptr;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    const bool is_class = line.starts_with("class ");
    if (is_class || line.starts_with("def ")) {
      const std::size_t begin = is_class ? 6 : 4;
      const std::size_t base = line.find('(');
      open = &classes[std::string(line.substr(begin, std::min(base, line.find(':')) - begin))];
      open->is_module =
          is_class && base != std::string_view::npos && line.substr(base).starts_with("(Module)");
    } else if (open != nullptr && line.starts_with("  __parameters__ = ")) {
      open->parameters = quoted_names(line);
    } else if (open != nullptr && line.starts_with("  __buffers__ = ")) {
      open->names_buffers = true;
      open->buffers = quoted_names(line);
    } else if (open != nullptr && open->is_module) {
      if (auto constant = constant_of(line)) {
        open->constants.push_back(*std::move(constant));
        continue;
      }
    }
    if (open != nullptr) open->text.append(line).push_back('\n');
  }
  return classes;
}

const ScriptClass* ScriptCode::find(std::string_view qualified) {
  const std::size_t dot = qualified.rfind('.');
  if (dot == std::string_view::npos) return nullptr;
  std::string file(qualified.substr(0, dot));
  for (char& c : file) c = c == '.' ? '/' : c;
  auto known = files_.find(file);
  if (known == files_.end()) {
    const std::optional<std::string> text = source_(file + ".py");
    known =
        files_
            .emplace(file, text ? read_script_classes(*text) : std::map<std::string, ScriptClass>())
            .first;
  }
  const auto found = known->second.find(std::string(qualified.substr(dot + 1)));
  return found == known->second.end() ? nullptr : &found->second;
}

std::string python_class(std::string_view qualified) {
  std::string path;
  std::size_t begin = 0;
  while (begin <= qualified.size()) {
    const std::size_t end = std::min(qualified.find('.', begin), qualified.size());
    const std::string_view part = qualified.substr(begin, end - begin);
    if (!(begin == 0 && part == kScriptRoot) && !part.starts_with(kMangled))
      path.append(path.empty() ? "" : ".").append(part);
    begin = end + 1;
  }
  return path;
}

void read_script_module(Checkpoint& checkpoint, const TorchObject& object, ScriptCode& code) {
  read_side_object(checkpoint, object, TensorRole::other);
  ScriptModules modules(checkpoint, object, code);
  if (!modules.is_script_module(object.root)) return;
  modules.read(object.root, "");
  modules.finish(object.storages);
  Candidate weights = modules.take();
  if (!weights.weights.empty()) checkpoint.candidates.push_back(std::move(weights));
}

void read_script_constants(Checkpoint& checkpoint, const TorchObject& constants) {
  const std::size_t before = checkpoint.entries.size();
  read_side_object(checkpoint, constants, TensorRole::other);
  Candidate weights;
  weights.key = "constants";
  for (std::size_t i = before; i < checkpoint.entries.size(); ++i) {
    StoredTensor& entry = checkpoint.entries[i];
    entry.path = "constants.c" + entry.path;
    weights.weights.push_back(static_cast<std::uint32_t>(i));
  }
  if (checkpoint.has_weights() || weights.weights.empty()) return;
  for (const std::uint32_t i : weights.weights) checkpoint.entries[i].role = TensorRole::weight;
  checkpoint.oddities.push_back(
      {.kind = Oddity::Kind::other,
       .summary = "the module is frozen: its weights are constants of the code, without the names "
                  "of state_dict()",
       .file = constants.file});
  checkpoint.candidates.push_back(std::move(weights));
}

}  // namespace samebits
