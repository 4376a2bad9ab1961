#include "samebits/checkpoint/torch_script.h"

#include <unordered_map>
#include <unordered_set>

#include <fmt/format.h>

#include "samebits/base/limits.h"
#include "samebits/checkpoint/module_tree.h"
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
      if (open) names.insert(*std::move(open));
      open = open ? std::nullopt : std::optional<std::string>("");
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
      : out_(checkpoint), tree_(object.tree), code_(code) {
    for (std::uint32_t i = 0; i < out_.entries.size(); ++i) {
      if (out_.entries[i].file == object.file) by_path_.emplace(out_.entries[i].path, i);
    }
  }

  bool is_script_module(NodeId node) {
    if (tree_.kind(node) != pickle::Kind::object) return false;
    const std::string name = class_of(tree_, node);
    if (!name.starts_with(kScriptRoot)) return false;
    const ScriptClass* found = code_.find(name);
    return found != nullptr ? found->is_module
                            : attribute(tree_, node, "training") != pickle::kNone;
  }

  void read(NodeId node, const std::string& path) {
    if (depth_ >= kLimits.tree_depth || out_.modules.size() >= kMostModules ||
        out_.entries.size() >= kLimits.tree_entries || !on_path_.insert(node).second)
      return note_limit(node);
    ++depth_;
    first_path_.emplace(node, path);
    const std::vector<KeyValue> state = attributes(tree_, node);
    out_.modules.push_back(record(node, path, state));
    const std::size_t index = out_.modules.size() - 1;
    add_tensors(node, path, state, index, TensorRole::parameter);
    add_tensors(node, path, state, index, TensorRole::buffer);
    for (const KeyValue& item : state) {
      if (is_script_module(item.value)) read(item.value, join_path(path, item.key));
    }
    --depth_;
    on_path_.erase(node);
  }

  Candidate take() { return std::move(candidate_); }

 private:
  static constexpr std::size_t kMostModules = 200'000;

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
    module.class_path = python_class(class_of(tree_, node));
    module.hyper = Json::object();
    for (const KeyValue& item : state) {
      const pickle::Kind kind = tree_.kind(item.value);
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
    const bool learns = arguments.size() > 4 && tree_.boolean(arguments[4]);
    return learns ? TensorRole::parameter : TensorRole::buffer;
  }

  void add_tensors(NodeId module, const std::string& path, const std::vector<KeyValue>& state,
                   std::size_t index, TensorRole role) {
    const ScriptClass* known = code_.find(class_of(tree_, module));
    for (const KeyValue& item : state) {
      if (!is_tensor(tree_, item.value) || role_of(known, item.key, item.value) != role) continue;
      ModuleRecord& record = out_.modules[index];
      (role == TensorRole::parameter ? record.parameters : record.buffers).push_back(item.key);
      take_entry(join_path(path, item.key), join_path(first_path_[module], item.key), role);
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
  Candidate candidate_;
  std::unordered_map<std::string, std::uint32_t> by_path_;
  std::unordered_map<NodeId, std::string> first_path_;
  std::unordered_set<NodeId> on_path_;
  std::uint32_t depth_ = 0;
  bool limited_ = false;
};

}  // namespace

std::map<std::string, ScriptClass> read_script_classes(std::string_view text) {
  std::map<std::string, ScriptClass> classes;
  ScriptClass* open = nullptr;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    if (line.starts_with("class ")) {
      const std::size_t base = line.find('(');
      open = &classes[std::string(line.substr(6, std::min(base, line.find(':')) - 6))];
      open->is_module = base != std::string_view::npos && line.substr(base).starts_with("(Module)");
    } else if (open != nullptr && line.starts_with("  __parameters__ = ")) {
      open->parameters = quoted_names(line);
    } else if (open != nullptr && line.starts_with("  __buffers__ = ")) {
      open->names_buffers = true;
      open->buffers = quoted_names(line);
    }
  }
  return classes;
}

const ScriptClass* ScriptCode::find(const std::string& qualified) {
  const std::size_t dot = qualified.rfind('.');
  if (dot == std::string::npos) return nullptr;
  std::string file = qualified.substr(0, dot);
  for (char& c : file) c = c == '.' ? '/' : c;
  auto known = files_.find(file);
  if (known == files_.end()) {
    const std::optional<std::string> text = source_(file + ".py");
    known =
        files_
            .emplace(file, text ? read_script_classes(*text) : std::map<std::string, ScriptClass>())
            .first;
  }
  const auto found = known->second.find(qualified.substr(dot + 1));
  return found == known->second.end() ? nullptr : &found->second;
}

std::string python_class(const std::string& qualified) {
  std::string path;
  std::size_t begin = 0;
  while (begin <= qualified.size()) {
    const std::size_t end = std::min(qualified.find('.', begin), qualified.size());
    const std::string part = qualified.substr(begin, end - begin);
    if (!(begin == 0 && part == kScriptRoot) && !part.starts_with(kMangled))
      path = join_path(path, part);
    begin = end + 1;
  }
  return path;
}

void read_script_module(Checkpoint& checkpoint, const TorchObject& object, ScriptCode& code) {
  read_side_object(checkpoint, object, TensorRole::other);
  ScriptModules modules(checkpoint, object, code);
  if (!modules.is_script_module(object.root)) return;
  modules.read(object.root, "");
  Candidate weights = modules.take();
  if (!checkpoint.modules.empty()) checkpoint.description = describe_module({checkpoint.modules});
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
