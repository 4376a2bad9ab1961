#include "samebits/checkpoint/training_values.h"

#include <algorithm>
#include <array>
#include <set>
#include <unordered_map>

#include "samebits/checkpoint/candidates.h"
#include "samebits/checkpoint/optimizer_state.h"
#include "samebits/checkpoint/plain_value.h"
#include "samebits/tensor/dtype.h"

namespace samebits {
namespace {

using pickle::Kind;
using pickle::kNone;
using pickle::Tree;

// Keys under which a file keeps how it was trained.
constexpr std::array kSettings = std::to_array<std::string_view>(
    {"args", "arguments", "config", "cfg", "conf", "hparams", "hyper_parameters", "hyperparameters",
     "hyper_params", "opt", "opts", "options", "params", "settings", "kwargs", "train_config",
     "training_args", "model_args", "arch"});
constexpr std::size_t kMaxText = 200;  // of a text beside the weights that is taken as a value

bool contains_name(std::span<const std::string_view> names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

/// numpy.dtype("f8") as torch's type.
std::optional<DType> numpy_dtype(const Tree& tree, NodeId node) {
  const auto args = elements(tree, tree.args(node));
  if (args.empty() || class_of(tree, tree.callable(node)) != "numpy.dtype") return std::nullopt;
  const std::string name = as_string(tree, args[0]).value_or("");
  constexpr std::array kNames = std::to_array<std::pair<std::string_view, DType>>({
      {"f2", DType::float16},
      {"f4", DType::float32},
      {"f8", DType::float64},
      {"i1", DType::int8},
      {"i2", DType::int16},
      {"i4", DType::int32},
      {"i8", DType::int64},
      {"u1", DType::uint8},
      {"b1", DType::boolean},
  });
  for (const auto& [spelling, dtype] : kNames) {
    if (spelling == name) return dtype;
  }
  return std::nullopt;
}

Json element_value(DType dtype, const std::uint8_t* bytes) {
  const double value = element_as_double(dtype, bytes);
  if (dtype == DType::boolean) return value != 0;
  const bool exact = value > -9e15 && value < 9e15;
  if (!is_floating(dtype) && exact) return static_cast<std::int64_t>(value);
  return json_number(value);
}

/// numpy.core.multiarray.scalar(dtype, bytes); the bytes are text of latin-1 in protocol 2, which
/// _codecs.encode would turn back.
std::optional<Json> numpy_scalar(const Tree& tree, NodeId node) {
  if (tree.kind(node) != Kind::object ||
      !class_of(tree, tree.callable(node)).ends_with(".multiarray.scalar"))
    return std::nullopt;
  const auto args = elements(tree, tree.args(node));
  const auto dtype = args.size() == 2 ? numpy_dtype(tree, args[0]) : std::nullopt;
  if (!dtype) return std::nullopt;
  NodeId data = args[1];
  const auto encoded = elements(tree, tree.args(data));
  const bool latin = tree.kind(data) == Kind::object && !encoded.empty() &&
                     class_of(tree, tree.callable(data)) == "_codecs.encode";
  if (latin) data = encoded[0];
  std::string bytes;
  const std::string_view text = tree.text(data);
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto first = static_cast<unsigned char>(text[i]);
    if (latin && first >= 0xc0 && i + 1 < text.size()) {
      bytes += static_cast<char>((first & 0x03) << 6 | (text[++i] & 0x3f));
    } else {
      bytes += text[i];
    }
  }
  if (bytes.size() != itemsize(*dtype)) return std::nullopt;
  return element_value(*dtype, reinterpret_cast<const std::uint8_t*>(bytes.data()));
}

/// omegaconf keeps values in nodes (`_val`) inside containers (`_content`).
NodeId omegaconf_value(const Tree& tree, NodeId node) {
  if (!class_of(tree, node).starts_with("omegaconf.")) return kNone;
  const NodeId value = attribute(tree, node, "_val");
  return value != kNone ? value : attribute(tree, node, "_content");
}

class SettingsReader {
 public:
  SettingsReader(const Checkpoint& checkpoint, const Tree& tree, std::string prefix)
      : tree_(tree), prefix_(std::move(prefix)), in_(checkpoint) {
    for (std::size_t i = 0; i < checkpoint.entries.size(); ++i) {
      const StoredTensor& tensor = checkpoint.entries[i];
      const bool single = tensor.readable && tensor.view.numel() == 1 &&
                          tensor.role != TensorRole::weight &&
                          has_element_values(tensor.view.dtype());
      if (single) singles_.emplace(tensor.path, i);
    }
  }

  /// One value without parts, or nothing.
  std::optional<Json> scalar(NodeId node, const std::string& path) const {
    switch (tree_.kind(node)) {
      case Kind::boolean:
      case Kind::integer:
      case Kind::real: return plain_value(tree_, node);
      case Kind::text:
        if (tree_.text(node).size() > kMaxText) return std::nullopt;
        return plain_value(tree_, node);
      case Kind::object: break;
      default: return std::nullopt;
    }
    if (std::optional<Json> value = numpy_scalar(tree_, node)) return value;
    const auto tensor = singles_.find(prefix_ + path);
    if (tensor == singles_.end()) return std::nullopt;
    const StoredTensor& entry = in_.entries[tensor->second];
    std::vector<std::uint8_t> buffer;
    return element_value(entry.view.dtype(), entry.view.row_major_range(0, 1, buffer).data());
  }

  /// Settings: plain values, namespaces and omegaconf's nodes, to a depth that real ones have.
  Json settings(NodeId node, const std::string& path, int depth) {
    constexpr int kDeepest = 8;
    constexpr int kMost = 5'000;
    if (depth > kDeepest || ++values_ > kMost) return "...";
    if (auto value = scalar(node, path)) return *value;
    if (const NodeId inner = omegaconf_value(tree_, node); inner != kNone)
      return settings(inner, path, depth + 1);
    const bool fields = tree_.kind(node) == Kind::object && !attributes(tree_, node).empty();
    if (!is_mapping(tree_, node) && !fields) return plain_list(node, path, depth);
    Json json = Json::object();
    for (const KeyValue& item :
         is_mapping(tree_, node) ? mapping_items(tree_, node) : attributes(tree_, node)) {
      if (values_ > kMost) break;
      json[item.key] = settings(item.value, join_path(path, item.key), depth + 1);
    }
    return json;
  }

 protected:
  const Tree& tree_;
  std::string prefix_;

 private:
  Json plain_list(NodeId node, const std::string& path, int depth) {
    if (!is_sequence(tree_, node)) return plain_value(tree_, node);
    Json list = Json::array();
    std::size_t i = 0;
    for (const NodeId item : sequence_items(tree_, node)) {
      if (list.size() == 1'000) break;
      list.push_back(settings(item, join_path(path, std::to_string(i++)), depth + 1));
    }
    return list;
  }

  const Checkpoint& in_;
  std::unordered_map<std::string, std::size_t> singles_;  // entries of one element, by path
  int values_ = 0;
};

class ValueReader : public SettingsReader {
 public:
  ValueReader(Checkpoint& checkpoint, const Tree& tree, std::string prefix)
      : SettingsReader(checkpoint, tree, std::move(prefix)), out_(checkpoint) {}

  void read_optimizer(NodeId node, const std::string& path) {
    OptimizerFacts facts;
    facts.place = prefix_.empty() ? path : prefix_.substr(0, prefix_.size() - 1);
    facts.prefix = prefix_ + join_path(path, "state") + ".";
    std::set<std::string> listed;
    const NodeId groups = tree_.get(node, "param_groups");
    for (const NodeId group : sequence_items(tree_, groups)) read_group(group, &facts, &listed);
    facts.listed = listed.size();
    for (const KeyValue& item : mapping_items(tree_, tree_.get(node, "state")))
      read_state(item, join_path(join_path(path, "state"), item.key), listed, &facts);
    out_.training.optimizers.push_back(std::move(facts));
  }

 private:
  /// A key as Python prints it: 0 and '0' are two.
  std::string printed(NodeId key) const {
    if (tree_.kind(key) == Kind::integer) return std::to_string(tree_.integer(key));
    return "'" + as_string(tree_, key).value_or("?") + "'";
  }

  void read_group(NodeId group, OptimizerFacts* facts, std::set<std::string>* listed) {
    Json json = Json::object();
    for (const KeyValue& item : mapping_items(tree_, group)) {
      if (item.key == "params") {
        const auto params = sequence_items(tree_, item.value);
        json["params"] = params.size();
        for (const NodeId param : params) {
          listed->insert(printed(param));
          facts->listed_by_number = facts->listed_by_number || tree_.kind(param) == Kind::integer;
        }
        continue;
      }
      if (tree_.kind(item.value) == Kind::none) continue;
      json[item.key] = settings(item.value, item.key, 0);
      if (says_state(item.key, json[item.key])) facts->keeps_moments = true;
    }
    Json& groups = out_.training.values["param_groups"];
    if (groups.size() < 1'000) groups.push_back(std::move(json));
  }

  void read_state(const KeyValue& item, const std::string& path,
                  const std::set<std::string>& listed, OptimizerFacts* facts) {
    ++facts->held;
    const std::string key = printed(item.key_node);
    if (listed.count(key) == 0 && ++facts->unlisted == 1) facts->unlisted_key = key;
    if (!is_mapping(tree_, item.value)) return;
    const NodeId step = tree_.get(item.value, "step");
    const auto value = step == kNone ? std::nullopt : scalar(step, join_path(path, "step"));
    if (value && value->is_number())
      facts->step = std::max(facts->step.value_or(0), value->get<double>());
  }

  Checkpoint& out_;
};

bool holds_only_scalars(const ValueReader& reader, const Tree& tree, NodeId node,
                        const std::string& path) {
  const auto items = is_mapping(tree, node) ? mapping_items(tree, node) : attributes(tree, node);
  return !items.empty() && std::all_of(items.begin(), items.end(), [&](const KeyValue& item) {
    return tree.kind(item.value) == Kind::none ||
           reader.scalar(item.value, join_path(path, item.key)).has_value();
  });
}

void read_item(Checkpoint& checkpoint, ValueReader& reader, const Tree& tree,
               const KeyValue& item) {
  Json& values = checkpoint.training.values;
  if (is_optimizer_state(tree, item.value)) return reader.read_optimizer(item.value, item.key);
  if (is_sequence(tree, item.value)) {
    std::size_t i = 0;
    for (const NodeId each : sequence_items(tree, item.value)) {
      if (is_optimizer_state(tree, each))
        reader.read_optimizer(each, item.key + "." + std::to_string(i));
      ++i;
    }
  }
  if (is_rng_key(item.key)) return;
  if (auto value = reader.scalar(item.value, item.key)) {
    values[item.key] = std::move(*value);
  } else if (contains_name(kSettings, item.key) || item.key.find("sched") != std::string::npos ||
             holds_only_scalars(reader, tree, item.value, item.key)) {
    values[item.key] = reader.settings(item.value, item.key, 0);
  }
}

}  // namespace

void read_training_values(Checkpoint& checkpoint, const Tree& tree, NodeId root) {
  if (is_optimizer_state(tree, root)) {
    ValueReader(checkpoint, tree, "").read_optimizer(root, "");
    checkpoint.training.optimizers.back().place = "the whole file";
    return;
  }
  if (!is_mapping(tree, root)) return;
  ValueReader reader(checkpoint, tree, "");
  for (const KeyValue& item : mapping_items(tree, root)) {
    const bool weights = std::any_of(checkpoint.candidates.begin(), checkpoint.candidates.end(),
                                     [&](const Candidate& c) { return c.key == item.key; });
    if (!weights) read_item(checkpoint, reader, tree, item);
  }
}

void read_side_values(Checkpoint& checkpoint, const Tree& tree, NodeId root,
                      const std::string& prefix) {
  if (prefix.find(':') == std::string::npos) return;
  if (is_optimizer_state(tree, root)) {
    ValueReader(checkpoint, tree, prefix).read_optimizer(root, "");
  } else if (prefix.starts_with("scheduler.")) {
    checkpoint.training.values["scheduler"] =
        ValueReader(checkpoint, tree, prefix).settings(root, "", 0);
  }
}

Json training_settings(const Checkpoint& checkpoint, const Tree& tree, NodeId node,
                       const std::string& path, const std::string& prefix) {
  return SettingsReader(checkpoint, tree, prefix).settings(node, path, 0);
}

void read_trainer_values(Checkpoint& checkpoint, const Json& state) {
  Json& values = checkpoint.training.values;
  for (const auto& [field, value] : state.items()) {
    const bool plain = value.is_number() || value.is_boolean() || value.is_string();
    if (plain) values[field] = value;
  }
  const auto log = state.find("log_history");
  if (log != state.end() && log->is_array() && !log->empty() && log->back().is_object())
    values["last_log"] = log->back();
}

}  // namespace samebits
