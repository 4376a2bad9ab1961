#include "samebits/checkpoint/object_reader.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <unordered_map>
#include <unordered_set>

#include <fmt/format.h>

#include "samebits/base/limits.h"
#include "samebits/checkpoint/bookkeeping.h"
#include "samebits/checkpoint/candidates.h"
#include "samebits/checkpoint/choice.h"
#include "samebits/checkpoint/described_bytes.h"
#include "samebits/checkpoint/generator_state.h"
#include "samebits/checkpoint/module_attributes.h"
#include "samebits/checkpoint/module_tree.h"
#include "samebits/checkpoint/numpy_objects.h"
#include "samebits/checkpoint/packed_params.h"
#include "samebits/checkpoint/plain_value.h"
#include "samebits/checkpoint/stored_values.h"
#include "samebits/checkpoint/torch_files.h"
#include "samebits/checkpoint/torch_tensor.h"
#include "samebits/checkpoint/training_state.h"
#include "samebits/checkpoint/training_values.h"

namespace samebits {
namespace {

using pickle::Kind;
using pickle::kNone;
using pickle::Tree;

/// What its tensors lie in.
std::uint64_t bytes_behind(const Checkpoint& checkpoint, const TorchObject& object) {
  if (!object.in_memory) return checkpoint.files[object.file].map->size();
  std::uint64_t bytes = object.in_memory->size();
  for (const auto& [key, storage] : object.storages.by_key) bytes += storage.bytes.size();
  return bytes;
}

/// Walks an object as Python would iterate it, and turns every tensor on the way into an entry.
class Walk {
 public:
  Walk(Checkpoint& checkpoint, const TorchObject& object)
      : out_(checkpoint),
        object_(object),
        tree_(object.tree),
        file_name_(checkpoint.files[object.file].path),
        most_entries_(checkpoint.entries.size() +
                      std::min(kLimits.tree_entries, kLimits.tree_repeats + tree_.size())),
        described_(bytes_behind(checkpoint, object)) {}

  /// Tensors below `places` are collected as that candidate's weights.
  void set_places(const std::vector<Place>& places) {
    for (const Place& place : places) {
      candidates_at_[place.node].push_back(out_.candidates.size());
      Candidate candidate;
      candidate.key = place.key;
      candidate.is_module = place.is_module;
      out_.candidates.push_back(std::move(candidate));
    }
  }

  /// From now on numpy arrays are tensors, too: those of an object without any others.
  void read_arrays() { reads_arrays_ = true; }

  void visit(NodeId node, const std::string& path, TensorRole role) {
    if (!may_enter(node, path)) return;
    ++depth_;
    const std::optional<std::size_t> candidate = candidate_at(node, path);
    const bool opens = candidate.has_value();
    if (opens) open_.push_back(*candidate);
    descend(node, path, opens && role == TensorRole::other ? TensorRole::weight : role);
    if (opens) open_.pop_back();
    --depth_;
  }

  using PlacedModules = std::pair<std::string, std::shared_ptr<const ModuleTree>>;
  const std::vector<PlacedModules>& module_trees() const { return module_trees_; }

 private:
  /// One object may stand under several keys: {"model": s, "ema": s}.
  std::optional<std::size_t> candidate_at(NodeId node, const std::string& path) const {
    const auto found = candidates_at_.find(node);
    if (found == candidates_at_.end()) return std::nullopt;
    for (const std::size_t i : found->second)
      if (out_.candidates[i].key == path) return i;
    return std::nullopt;
  }

  bool may_enter(NodeId node, const std::string& path) {
    if (tree_.kind(node) == Kind::none || stopped_) return false;
    ++visits_;
    stopped_ = visits_ > kLimits.tree_visits || out_.entries.size() >= most_entries_;
    if (!stopped_ && depth_ < kLimits.tree_depth && path.size() <= kLimits.path_characters)
      return true;
    note_limit(node);
    return false;
  }

  void note_limit(NodeId node) {
    add_unread({.code = ErrorCode::limit,
                .what = "the object is nested too deeply or too large to be walked",
                .file = file_name_,
                .offset = tree_.offset(node),
                .hint = "Real checkpoints stay far below; the rest of it was not read"});
  }

  /// Copying a long name costs as much as visiting many short ones.
  void charge(std::size_t characters) {
    constexpr std::size_t kShort = 256;
    if (characters > kShort) visits_ += characters / 16;
  }

  void descend(NodeId node, const std::string& path, TensorRole role) {
    if (is_tensor(tree_, node)) return add_tensor(node, path, role);
    if (is_module(tree_, node)) return add_module(node, path, role);
    if (reads_arrays_ && is_numpy_array(tree_, node)) return add_array(node, path, role);
    if (!on_path_.insert(node).second) return;  // a cycle
    if (is_mapping(tree_, node)) {
      const bool optimizer = is_optimizer_state(tree_, node);
      for (const KeyValue& item : mapping_items(tree_, node)) {
        charge(item.key.size());
        visit(item.value, join_path(path, item.key), child_role(role, item, optimizer));
      }
    } else if (is_sequence(tree_, node)) {
      std::size_t i = 0;
      for (const NodeId item : sequence_items(tree_, node))
        visit(item, join_path(path, std::to_string(i++)), role);
    } else if (tree_.kind(node) == Kind::object && seen_objects_.insert(node).second) {
      descend_object(node, path, role);
    }
    on_path_.erase(node);
  }

  TensorRole child_role(TensorRole role, const KeyValue& item, bool optimizer) const {
    if (optimizer) return TensorRole::optimizer;
    const bool top = role == TensorRole::other || role == TensorRole::weight;
    return top && holds_generators(tree_, item) ? TensorRole::rng : role;
  }

  /// Any other object: its attributes, and the arguments of the call that would make it.
  void descend_object(NodeId node, const std::string& path, TensorRole role) {
    const TensorRole inner =
        role == TensorRole::weight && tree_.callable(node) != kNone ? TensorRole::other : role;
    for (const KeyValue& item : attributes(tree_, node))
      visit(item.value, join_path(path, item.key), inner);
    for (const KeyValue& item : packed_tensors(tree_, node))
      visit(item.value, join_path(path, item.key), inner);
    std::size_t i = 0;
    for (const NodeId item : elements(tree_, tree_.args(node)))
      visit(item, join_path(path, std::to_string(i++)), inner);
  }

  void add_module(NodeId node, const std::string& path, TensorRole role) {
    const bool unregistered = in_attributes_;
    if (unregistered && registered_modules_.contains(node)) return;
    if (!on_path_.insert(node).second) return;
    const std::shared_ptr<const ModuleTree> read = modules_of(node);
    const ModuleTree& modules = *read;
    registered_modules_.insert(modules.module_nodes.begin(), modules.module_nodes.end());
    if (unregistered && !modules.tensors.empty()) note_unregistered(path, modules.tensors.size());
    for (const RegisteredTensor& tensor : modules.tensors) {
      if (out_.entries.size() >= most_entries_) break;
      add_tensor(tensor.node, join_path(path, tensor.name),
                 role == TensorRole::weight ? tensor.role : TensorRole::other);
    }
    for (const ModuleRecord& module : modules.modules) {
      for (StoredTensor& number : layer_numbers(out_, module, object_.file)) {
        if (out_.entries.size() >= most_entries_) break;
        number.path =
            object_.prefix +
            join_path(module.path.empty() ? path : join_path(path, module.path), number.path);
        number.role = role == TensorRole::weight ? TensorRole::buffer : TensorRole::other;
        push(std::move(number));
      }
    }
    // Tensors that are plain attributes, not registered: they are in the file, but state_dict()
    // does not hold them.
    const std::vector<std::size_t> suspended = std::exchange(open_, {});
    const bool was_in_attributes = std::exchange(in_attributes_, true);
    for (std::size_t i = 0; i < modules.modules.size(); ++i) {
      if (!seen_objects_.insert(modules.module_nodes[i]).second) continue;
      const std::string& own = modules.modules[i].path;
      add_attributes(modules.module_nodes[i], own.empty() ? path : join_path(path, own));
    }
    open_ = suspended;
    in_attributes_ = was_in_attributes;
    on_path_.erase(node);
    module_trees_.emplace_back(path, read);
  }

  /// Read once, however often the module stands in the object.
  std::shared_ptr<const ModuleTree> modules_of(NodeId node) {
    std::shared_ptr<const ModuleTree>& known = modules_[node];
    if (!known) {
      known = std::make_shared<const ModuleTree>(read_module_tree(tree_, node));
      if (!known->complete) note_limit(node);
    }
    // A tree takes as much room as this many visits; those inside each other are read again.
    visits_ += 10 * known->modules.size() + known->tensors.size();
    return known;
  }

  /// A module in a plain list, a dict or another object: state_dict() and to() pass it over.
  void note_unregistered(const std::string& path, std::size_t tensors) {
    out_.oddities.push_back(
        {.kind = Oddity::Kind::incomplete,
         .summary = fmt::format("{} is a module that its owner does not register: state_dict() "
                                "does not hold its {} tensor{}",
                                path, tensors, tensors == 1 ? "" : "s"),
         .file = object_.file,
         .remedy = "Keep modules in torch.nn.ModuleList or ModuleDict, and save anew"});
  }

  void add_attributes(NodeId module, const std::string& path) {
    for (const KeyValue& item : attributes(tree_, module)) {
      const bool registered =
          item.key == "_parameters" || item.key == "_buffers" || item.key == "_modules";
      if (registered || seen_tensors_.count(item.value) != 0) continue;
      if (!packed_tensors(tree_, item.value).empty()) continue;
      visit_unseen(item.value, join_path(path, item.key));
    }
  }

  /// Like visit(), but a tensor that stands elsewhere as a registered one (a GRU's _flat_weights)
  /// is not listed again.
  void visit_unseen(NodeId node, const std::string& path) {
    if (is_sequence(tree_, node)) {
      std::size_t i = 0;
      for (const NodeId item : sequence_items(tree_, node)) {
        const std::string place = join_path(path, std::to_string(i++));
        if (seen_tensors_.count(item) == 0) visit(item, place, TensorRole::other);
      }
      return;
    }
    visit(node, path, TensorRole::other);
  }

  void add_tensor(NodeId node, const std::string& path, TensorRole role) {
    seen_tensors_.insert(node);
    Result<TorchTensor> tensor = read_tensor(tree_, node, object_.storages, file_name_);
    if (!tensor) {
      Error error = std::move(tensor).error();
      error.what = "tensor " + path + ": " + error.what;
      StoredTensor entry;
      entry.path = object_.prefix + path;
      entry.role = role;
      entry.file = object_.file;
      entry.readable = false;
      entry.note = error.what;
      push(std::move(entry));
      return add_unread(std::move(error));
    }
    for (TensorPart& part : tensor->parts) add_part(std::move(part), *tensor, path, role);
  }

  /// One that was met before is the same tensor under another name.
  void add_array(NodeId node, const std::string& path, TensorRole role) {
    if (const auto known = arrays_.find(node); known != arrays_.end()) {
      StoredTensor again = out_.entries[known->second];
      again.path = object_.prefix + path;
      again.role = role;
      return push(std::move(again));
    }
    const Bytes file =
        object_.in_memory ? *object_.in_memory : out_.files[object_.file].map->bytes();
    Result<NumpyArray> array = copied_ > 2 * file.size()
                                   ? fail(too_many_copies(node))
                                   : read_numpy_array(tree_, node, file, file_name_);
    if (!array) {
      Error error = std::move(array).error();
      error.what = "array " + path + ": " + error.what;
      return add_unread(std::move(error));
    }
    StoredTensor entry;
    entry.path = object_.prefix + path;
    entry.role = role;
    entry.file = object_.file;
    entry.offset = array->offset;
    entry.storage = next_storage_id(out_);
    entry.storage_bytes = array->view.nbytes();
    entry.view = std::move(array->view);
    if (array->owned) {
      copied_ += array->owned->size();
      out_.owned.push_back(std::move(array->owned));
    }
    arrays_.emplace(node, out_.entries.size());
    push(std::move(entry));
  }

  /// Arrays of old protocols are copied out of their text, which many may share.
  Error too_many_copies(NodeId node) const {
    return {.code = ErrorCode::limit,
            .what = "the arrays of the file hold more than the file does",
            .file = file_name_,
            .offset = tree_.offset(node)};
  }

  void add_part(TensorPart part, const TorchTensor& tensor, const std::string& path,
                TensorRole role) {
    StoredTensor entry;
    entry.path = object_.prefix + (part.suffix.empty() ? path : join_path(path, part.suffix));
    entry.role = role == TensorRole::weight && tensor.is_parameter ? TensorRole::parameter : role;
    entry.file = object_.file;
    entry.requires_grad = tensor.requires_grad;
    entry.device = std::move(part.device);
    entry.note = std::move(part.note);
    entry.sparse = std::move(part.sparse);
    entry.identity = std::move(part.identity);
    entry.view = std::move(part.view);
    entry.readable = part.storage != nullptr && describe(&entry);
    const bool may_be_state = entry.role == TensorRole::weight || entry.role == TensorRole::other;
    if (may_be_state && entry.readable && holds_generator(entry.view)) entry.role = TensorRole::rng;
    if (part.storage != nullptr) {
      entry.file = part.storage->file;
      entry.offset = part.offset;
      entry.storage = part.storage->id;
      entry.storage_bytes = part.storage->bytes.size();
    }
    push(std::move(entry));
  }

  /// False where the values of `entry` are more than the file may describe: said, and not read.
  bool describe(StoredTensor* entry) {
    Result<void> described = described_.add(entry->view);
    if (described) return true;
    Error error = std::move(described).error();
    error.what = "tensor " + entry->path + ": " + error.what;
    error.file = file_name_;
    entry->note = error.what;
    add_unread(std::move(error));
    return false;
  }

  void push(StoredTensor entry) {
    charge(entry.path.size());
    const bool transient = entry.role == TensorRole::transient;
    const bool counts = transient || entry.role == TensorRole::weight ||
                        entry.role == TensorRole::parameter || entry.role == TensorRole::buffer;
    const auto index = static_cast<std::uint32_t>(out_.entries.size());
    out_.entries.push_back(std::move(entry));
    if (!counts) return;
    for (const std::size_t candidate : open_) {
      Candidate& place = out_.candidates[candidate];
      (transient ? place.buffers : place.weights).push_back(index);
    }
  }

  void add_unread(Error error) {
    constexpr std::size_t kMaxErrors = 100;
    if (out_.unread.size() < kMaxErrors) out_.unread.push_back(std::move(error));
  }

  Checkpoint& out_;
  const TorchObject& object_;
  const Tree& tree_;
  std::string file_name_;
  std::uint64_t most_entries_;
  DescribedBytes described_;
  std::unordered_map<NodeId, std::vector<std::size_t>> candidates_at_;
  std::vector<std::size_t> open_;  // candidates that the walk is inside of
  std::unordered_set<NodeId> on_path_, seen_objects_, seen_tensors_, registered_modules_;
  bool in_attributes_ = false;  // of a module, below what it registers
  std::vector<PlacedModules> module_trees_;
  std::unordered_map<NodeId, std::shared_ptr<const ModuleTree>> modules_;
  std::uint64_t visits_ = 0;
  std::uint32_t depth_ = 0;
  bool stopped_ = false;
  bool reads_arrays_ = false;
  std::unordered_map<NodeId, std::size_t> arrays_;  // their entries
  std::uint64_t copied_ = 0;                        // bytes of arrays that stand in no file
};

/// The module whose config object is the model's: the outermost one of transformers, else the
/// outermost of any library that has one.
std::optional<std::size_t> owner_of_config(const Tree& tree, const ModuleTree& modules) {
  std::optional<std::size_t> any;
  for (std::size_t i = 0; i < modules.modules.size(); ++i) {
    if (!is_config_object(tree, attribute(tree, modules.module_nodes[i], "config"))) continue;
    if (!model_type_of_class(modules.modules[i].class_path).empty()) return i;
    if (!any) any = i;
  }
  return any;
}

/// Takes the model's config; what other modules' config objects of its class say otherwise becomes
/// their hyper-parameter "config". Gives the node of the model's config, or kNone.
NodeId find_config(Checkpoint& checkpoint, const TorchObject& object, const std::string& path,
                   const ModuleTree& modules) {
  constexpr int kMostOthers = 64;
  const Tree& tree = object.tree;
  const auto owner = owner_of_config(tree, modules);
  if (!owner) return kNone;
  const auto config_of = [&](std::size_t i) {
    return attribute(tree, modules.module_nodes[i], "config");
  };
  const NodeId own = config_of(*owner);
  checkpoint.config = *config_object(tree, own);
  const std::string& module = modules.modules[*owner].path;
  checkpoint.config_from = join_path(module.empty() ? path : join_path(path, module), "config");
  int others = 0;
  for (std::size_t i = 0; i < modules.modules.size(); ++i) {
    const NodeId other = config_of(i);
    if (other == own || !is_config_object(tree, other) ||
        class_of(tree, other) != class_of(tree, own))
      continue;
    if (++others > kMostOthers) break;
    Json differing = Json::object();
    const Json config = *config_object(tree, other);
    for (const auto& [field, value] : config.items()) {
      if (!checkpoint.config.contains(field) || checkpoint.config[field] != value)
        differing[field] = value;
    }
    if (!differing.empty()) checkpoint.modules[i].hyper["config"] = std::move(differing);
  }
  return own;
}

void take_config_beside(Checkpoint& checkpoint, const TorchObject& object) {
  if (!checkpoint.config.is_null() || !is_mapping(object.tree, object.root)) return;
  for (const KeyValue& item : mapping_items(object.tree, object.root)) {
    std::optional<Json> config = config_object(object.tree, item.value);
    const bool names_model = is_mapping(object.tree, item.value) &&
                             object.tree.kind(item.value) == Kind::dict &&
                             object.tree.get(item.value, "model_type") != kNone;
    if (!config && names_model) config = plain_value(object.tree, item.value);
    if (!config) continue;
    checkpoint.config = *config;
    checkpoint.config_from = item.key;
    return;
  }
}

CheckpointKind kind_of(const Checkpoint& checkpoint, const TorchObject& object) {
  const bool mapping = is_mapping(object.tree, object.root);
  if (mapping && !checkpoint.producer.is_null() && checkpoint.producer.contains("lightning"))
    return CheckpointKind::lightning;
  if (checkpoint.has_weights() && checkpoint.weights().is_module)
    return CheckpointKind::whole_module;
  if (checkpoint.entries.empty()) return CheckpointKind::pickle;
  if (!mapping) return CheckpointKind::tensors;
  if (has_training_state(checkpoint.training)) return CheckpointKind::training_checkpoint;
  if (!checkpoint.has_weights()) return CheckpointKind::tensors;
  const auto& weights = checkpoint.weights().weights;
  const bool direct = std::any_of(weights.begin(), weights.end(), [&](std::uint32_t index) {
    return checkpoint.weights().key.empty()
               ? object.tree.get(object.root, checkpoint.entries[index].path) != kNone
               : true;
  });
  return direct || object.tree.kind(object.root) == Kind::object ? CheckpointKind::state_dict
                                                                 : CheckpointKind::tensors;
}

void take_modules(Checkpoint& checkpoint, const TorchObject& object, const Walk& walk) {
  for (const auto& [path, modules] : walk.module_trees()) {
    const bool is_weights = checkpoint.has_weights() && checkpoint.weights().is_module &&
                            checkpoint.weights().key == path;
    if (!is_weights) continue;
    checkpoint.modules = modules->modules;
    const NodeId config = find_config(checkpoint, object, path, *modules);
    read_module_attributes(checkpoint, object.tree, object.storages, *modules, config);
    checkpoint.description = describe_module(*modules);
  }
}

}  // namespace

Result<void> read_main_object(Checkpoint& checkpoint, const TorchObject& object,
                              const std::string& key) {
  Walk walk(checkpoint, object);
  std::vector<Place> places = find_weights(object.tree, object.root);
  const bool holds_tensors = !places.empty();
  if (!holds_tensors) places = find_array_weights(object.tree, object.root);
  if (!holds_tensors && !places.empty()) walk.read_arrays();
  walk.set_places(places);
  walk.visit(object.root, "", TensorRole::other);
  std::erase_if(checkpoint.candidates,
                [](const Candidate& c) { return c.weights.empty() && !c.is_module; });
  set_aside_bookkeeping(checkpoint);
  SAMEBITS_TRY_VOID(choose_weights(checkpoint, key));
  take_modules(checkpoint, object, walk);
  take_config_beside(checkpoint, object);
  read_training_state(checkpoint, object.tree, object.root);
  read_training_values(checkpoint, object.tree, object.root);
  checkpoint.kind = kind_of(checkpoint, object);
  collect_values(checkpoint, object.tree, object.root, !holds_tensors);
  mark_placeholders(checkpoint, object.tree, object.root);
  mark_flat_parameters(checkpoint);
  const bool are_arrays = !holds_tensors && checkpoint.has_weights();
  if (are_arrays && checkpoint.kind != CheckpointKind::training_checkpoint)
    checkpoint.kind = CheckpointKind::numpy;
  return {};
}

void read_side_object(Checkpoint& checkpoint, const TorchObject& object, TensorRole role) {
  Walk walk(checkpoint, object);
  walk.visit(object.root, "", role);
  read_side_values(checkpoint, object.tree, object.root, object.prefix);
}

void read_companion_object(Checkpoint& checkpoint, const TorchObject& object,
                           const FilePart& part) {
  read_side_object(checkpoint, object, part.role);
  if (part.then) part.then(checkpoint, object);
}

}  // namespace samebits
