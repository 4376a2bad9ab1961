#include "samebits/checkpoint/dcp_metadata.h"

#include <map>
#include <set>

#include "samebits/checkpoint/tree_view.h"

namespace samebits {
namespace {

using pickle::Tree;

std::optional<std::uint64_t> count_of(const Tree& tree, NodeId node) {
  const auto value = node == pickle::kNone ? std::nullopt : as_integer(tree, node);
  if (!value || *value < 0) return std::nullopt;
  return static_cast<std::uint64_t>(*value);
}

class MetadataReader {
 public:
  MetadataReader(const Tree& tree, std::string file) : tree_(tree), file_(std::move(file)) {}

  Result<DcpMetadata> read(NodeId root) {
    const NodeId tensors = attribute(tree_, root, "state_dict_metadata");
    const NodeId storage = attribute(tree_, root, "storage_data");
    if (tensors == pickle::kNone || storage == pickle::kNone || !is_mapping(tree_, tensors))
      return fail(malformed("it names no tensors and no places"));
    for (const KeyValue& item : mapping_items(tree_, tensors)) SAMEBITS_TRY_VOID(add(item));
    SAMEBITS_TRY_VOID(add_places(storage));
    add_paths(attribute(tree_, root, "planner_data"));
    return std::move(out_);
  }

 private:
  Error malformed(std::string what) const {
    return {.code = ErrorCode::malformed,
            .what = "this is no metadata of a distributed checkpoint: " + std::move(what),
            .file = file_,
            .hint = "Was it written by another version of torch?"};
  }

  Result<void> add(const KeyValue& item) {
    if (class_of(tree_, item.value).ends_with("BytesStorageMetadata")) {
      values_.insert(item.key);
      return {};
    }
    const NodeId size = attribute(tree_, item.value, "size");
    const auto shape = size == pickle::kNone ? std::nullopt : size_of(tree_, size);
    const auto dtype = type_of(attribute(tree_, item.value, "properties"));
    if (!shape || !dtype) return fail(malformed("the type or size of " + item.key + " is missing"));
    DcpTensor tensor{.name = item.key, .dtype = *dtype, .size = *shape, .pieces = {}};
    const NodeId chunks = attribute(tree_, item.value, "chunks");
    if (chunks != pickle::kNone) tensor.chunks = sequence_items(tree_, chunks).size();
    out_.tensors.push_back(std::move(tensor));
    return {};
  }

  /// The state of TensorProperties is a tuple, the type its first item.
  std::optional<DType> type_of(NodeId properties) const {
    if (properties == pickle::kNone) return std::nullopt;
    const std::span<const NodeId> states = tree_.states(properties);
    const std::span<const NodeId> items =
        states.empty() ? std::span<const NodeId>() : elements(tree_, states.front());
    if (items.empty()) return std::nullopt;
    const std::string name = class_of(tree_, items[0]);
    return name.starts_with("torch.") ? dtype_from_torch(name.substr(6)) : std::nullopt;
  }

  Result<void> add_places(NodeId storage) {
    std::map<std::string, DcpTensor*> tensors;
    for (DcpTensor& tensor : out_.tensors) tensors[tensor.name] = &tensor;
    for (const auto& [key, value] : tree_.pairs(storage)) {
      const NodeId name = attribute(tree_, key, "fqn");
      const auto text = name == pickle::kNone ? std::nullopt : as_string(tree_, name);
      if (!text) return fail(malformed("a place names no tensor"));
      SAMEBITS_TRY(DcpPiece piece, piece_of(key, value, *text));
      if (const auto tensor = tensors.find(*text); tensor != tensors.end()) {
        tensor->second->pieces.push_back(std::move(piece));
      } else if (values_.contains(*text)) {
        out_.values.push_back(std::move(piece));
        out_.value_names.push_back(*text);
      }
    }
    return {};
  }

  void add_paths(NodeId planner_data) {
    if (planner_data == pickle::kNone || !is_mapping(tree_, planner_data)) return;
    for (const KeyValue& item : mapping_items(tree_, planner_data)) {
      DcpPath path;
      for (const NodeId step : elements(tree_, item.value)) {
        const auto index = as_integer(tree_, step);
        path.push_back({.key = index ? std::to_string(*index) : as_string(tree_, step).value_or(""),
                        .is_index = index.has_value()});
      }
      if (!path.empty()) out_.paths[item.key] = std::move(path);
    }
  }

  Result<DcpPiece> piece_of(NodeId key, NodeId value, const std::string& name) const {
    const auto path = as_string(tree_, attribute(tree_, value, "relative_path"));
    const auto offset = count_of(tree_, attribute(tree_, value, "offset"));
    const auto length = count_of(tree_, attribute(tree_, value, "length"));
    const NodeId transforms = attribute(tree_, value, "transform_descriptors");
    if (!path || !offset || !length || path->find('/') != std::string::npos)
      return fail(malformed("the place of " + name + " is not complete"));
    if (transforms != pickle::kNone && tree_.kind(transforms) != pickle::Kind::none)
      return fail({.code = ErrorCode::unsupported,
                   .what = name + " is stored through transforms, such as a compression",
                   .file = file_,
                   .hint = "Save it without them, or load it with torch"});
    DcpPiece piece{.offsets = {}, .file = *path, .offset = *offset, .length = *length};
    const NodeId begin = attribute(tree_, key, "offset");
    if (begin != pickle::kNone)
      if (const auto offsets = size_of(tree_, begin)) piece.offsets = *offsets;
    return piece;
  }

  const Tree& tree_;
  std::string file_;
  DcpMetadata out_;
  std::set<std::string> values_;
};

}  // namespace

DcpPath DcpMetadata::path_of(const std::string& name) const {
  const auto found = paths.find(name);
  return found != paths.end() ? found->second : DcpPath{{.key = name}};
}

Result<DcpMetadata> read_dcp_metadata(const pickle::Tree& tree, pickle::NodeId root,
                                      const std::string& file) {
  return MetadataReader(tree, file).read(root);
}

}  // namespace samebits
