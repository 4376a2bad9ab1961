#include "samebits/checkpoint/torch_tensor.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "samebits/base/limits.h"
#include "samebits/checkpoint/torch_rebuilds.h"
#include "samebits/checkpoint/tree_digest.h"

namespace samebits {
namespace {

using pickle::Kind;
using pickle::kNone;
using pickle::Tree;

std::optional<DType> dtype_of_node(const Tree& tree, NodeId node) {
  if (tree.kind(node) != Kind::global || tree.module(node) != "torch") return std::nullopt;
  return dtype_from_torch(tree.name(node));
}

/// A shape or stride: tuple or list of non-negative integers, or torch.Size of one (never of
/// another torch.Size: a file can hold a chain of a million).
std::optional<std::vector<std::int64_t>> int_list(const Tree& tree, NodeId node) {
  if (tree.kind(node) == Kind::object && class_of(tree, node) == "torch.Size") {
    const auto args = elements(tree, tree.args(node));
    if (args.empty()) return std::vector<std::int64_t>{};
    node = args[0];
  }
  if (tree.kind(node) != Kind::tuple && tree.kind(node) != Kind::list) return std::nullopt;
  const auto items = tree.items(node);
  if (items.size() > kLimits.dimensions) return std::nullopt;
  std::vector<std::int64_t> values;
  for (const NodeId item : items) {
    const auto value = as_integer(tree, item);
    if (!value) return std::nullopt;
    values.push_back(*value);
  }
  return values;
}

class TensorReader {
 public:
  TensorReader(const Tree& tree, const StorageTable& storages, const std::string& file)
      : tree_(tree), storages_(storages), file_(file) {}

  Result<TorchTensor> read(NodeId node, int depth) const {
    if (tree_.kind(node) == Kind::persistent) return by_id(node);
    const auto how = rebuild_of(tree_, node);
    if (!how || depth > 8) return fail(error(node, "a tensor is wrapped in something unknown"));
    const auto args = elements(tree_, tree_.args(node));
    switch (*how) {
      case Rebuild::tensor_v1: return strided(node, args, 4, kNone);
      case Rebuild::tensor_v2: return strided(node, args, 6, args.size() > 6 ? args[6] : kNone);
      case Rebuild::tensor_v3: return strided(node, args, 7, args.size() > 7 ? args[7] : kNone);
      case Rebuild::qtensor: return quantized(node, args);
      case Rebuild::parameter: return parameter(node, args, depth);
      case Rebuild::sparse: return sparse(node, args, depth);
      case Rebuild::nested:
        return composed(node, args, {"buffer", "sizes", "strides", "offsets"}, "nested", depth);
      case Rebuild::meta: return meta(node, args);
      case Rebuild::from_type: return from_type(node, args, depth);
      case Rebuild::wrapped:
        if (args.empty()) break;
        return read(args[0], depth + 1);
      case Rebuild::numpy:
        return fail(
            unsupported(node, "a tensor that was saved through numpy (XLA and other devices)"));
    }
    return fail(error(node, "a tensor's arguments are missing"));
  }

 private:
  using Args = std::span<const NodeId>;

  Error error(NodeId node, std::string what) const {
    return {.code = ErrorCode::malformed,
            .what = std::move(what),
            .file = file_,
            .offset = tree_.offset(node)};
  }
  Error unsupported(NodeId node, std::string what) const {
    Error e = error(node, std::move(what) + " is not read");
    e.code = ErrorCode::unsupported;
    e.hint = "Save it again from PyTorch as a plain CPU tensor";
    return e;
  }

  /// The view, or its error with file and byte.
  Result<TensorView> placed(NodeId node, Result<TensorView> view) const {
    if (view) return view;
    Error e = std::move(view).error();
    e.file = file_;
    e.offset = tree_.offset(node);
    return fail(std::move(e));
  }

  Result<TorchTensor> by_id(NodeId node) const {
    const auto key = key_of_id(tree_, tree_.args(node));
    const auto found = key ? storages_.tensors.find(*key) : storages_.tensors.end();
    if (found == storages_.tensors.end())
      return fail(error(node, "the file describes no tensor " + key.value_or("?")));
    TensorPart part;
    part.view = found->second.view;
    part.storage = &found->second.storage;
    part.offset = found->second.storage.offset + part.view.byte_offset();
    TorchTensor tensor;
    tensor.parts.push_back(std::move(part));
    return tensor;
  }

  /// Size of the storage in the file against the numel that the pickle claims.
  Result<void> check_storage_size(NodeId node, const StorageId& id,
                                  const StorageRecord& record) const {
    std::uint64_t nbytes = 0;
    if (!checked_mul(id.numel, itemsize(id.dtype), &nbytes)) {
      return fail(error(node, "the size of storage " + id.key + " overflows"));
    }
    if (nbytes == record.bytes.size()) return {};
    Error e = error(node, "storage " + id.key + " has another size than its record");
    e.code = nbytes > record.bytes.size() ? ErrorCode::truncated : ErrorCode::inconsistent;
    e.expected = std::to_string(nbytes) + " bytes";
    e.found = std::to_string(record.bytes.size());
    e.hint = "The file is damaged or was edited; get it again from its source";
    return fail(std::move(e));
  }

  Result<TorchTensor> strided(NodeId node, Args args, std::size_t least, NodeId metadata) const {
    if (args.size() < std::min<std::size_t>(least, 4))
      return fail(error(node, "a tensor lacks arguments"));
    const auto id = storages_.id_of(tree_, args[0]);
    if (!id) return fail(error(node, "a tensor's storage is no storage"));
    DType dtype = id->dtype;
    if (least == 7) {
      const auto given = args.size() > 6 ? dtype_of_node(tree_, args[6]) : std::nullopt;
      if (!given) return fail(error(node, "a tensor's dtype is unknown"));
      dtype = *given;
    }
    SAMEBITS_TRY(TensorPart part, make_part(node, *id, dtype, args));
    SAMEBITS_TRY_VOID(read_metadata(node, metadata, &part));
    TorchTensor tensor;
    tensor.parts.push_back(std::move(part));
    tensor.requires_grad =
        args.size() > 4 && tree_.kind(args[4]) == Kind::boolean && tree_.boolean(args[4]);
    return tensor;
  }

  /// args: storage, offset in elements, size, stride.
  Result<TensorPart> make_part(NodeId node, const StorageId& id, DType dtype, Args args) const {
    const auto offset = as_integer(tree_, args[1]);
    auto shape = int_list(tree_, args[2]);
    auto strides = int_list(tree_, args[3]);
    if (!offset || *offset < 0 || !shape || !strides) {
      return fail(error(node, "a tensor's offset, size or stride is no list of integers"));
    }
    TensorPart part;
    part.device = id.device;
    if (id.device == "meta") return meta_part(node, dtype, std::move(*shape));
    const StorageRecord* record = storages_.find(id.key);
    if (record == nullptr) {
      Error e = error(node, "the file has no record for storage " + id.key);
      e.code = ErrorCode::truncated;
      return fail(std::move(e));
    }
    if (record->error) return fail(*record->error);
    if (is_packed(dtype)) {
      return fail(unsupported(node, fmt::format("a tensor of {}, which packs several elements into "
                                                "a byte,",
                                                info(dtype).torch)));
    }
    SAMEBITS_TRY_VOID(check_storage_size(node, id, *record));
    std::uint64_t first = static_cast<std::uint64_t>(*offset);
    if (id.view && !checked_add(first, id.view->first, &first))
      return fail(error(node, "a tensor's offset overflows"));
    SAMEBITS_TRY(part.view,
                 placed(node, TensorView::make(dtype, std::move(*shape), std::move(*strides), first,
                                               record->bytes, storages_.big_endian)));
    part.storage = record;
    part.offset = record->offset + (record->inflated ? 0 : part.view.byte_offset());
    return part;
  }

  /// quint4x2 and quint2x4 alone have fewer bytes than elements.
  static bool is_packed(DType dtype) {
    return dtype == DType::quint4x2 || dtype == DType::quint2x4;
  }

  Result<TensorPart> meta_part(NodeId node, DType dtype, Shape shape) const {
    TensorPart part;
    part.device = "meta";
    part.note = "meta: the file has no values for it";
    Result<TensorView> view = TensorView::valueless(dtype, std::move(shape));
    if (!view) return fail(error(node, "a meta tensor's size is invalid"));
    part.view = std::move(*view);
    return part;
  }

  /// {"conj": True}, {"neg": True}: views that torch resolves when they are read.
  Result<void> read_metadata(NodeId node, NodeId metadata, TensorPart* part) const {
    if (tree_.kind(metadata) != Kind::dict) return {};
    const auto is_set = [&](const char* bit) {
      const NodeId value = tree_.get(metadata, bit);
      return tree_.kind(value) == Kind::boolean && tree_.boolean(value);
    };
    const bool conjugated = is_set("conj");
    const bool negated = is_set("neg");
    if (!conjugated && !negated) return {};
    SAMEBITS_TRY(part->view, placed(node, part->view.with_signs(conjugated, negated)));
    if (conjugated) part->note = "conjugate of what is stored";
    if (negated) part->note += part->note.empty() ? "negative of what is stored" : ", negated";
    return {};
  }

  Result<TorchTensor> quantized(NodeId node, Args args) const {
    SAMEBITS_TRY(TorchTensor tensor, strided(node, args, 6, kNone));
    tensor.requires_grad = false;
    const auto parameters = args.size() > 4 ? elements(tree_, args[4]) : Args{};
    if (parameters.empty()) return tensor;
    std::string& note = tensor.parts[0].note;
    note = "quantized " +
           std::string(tree_.kind(parameters[0]) == Kind::global ? tree_.name(parameters[0]) : "?");
    if (parameters.size() == 3 && tree_.kind(parameters[1]) == Kind::real) {
      note += fmt::format(", scale {}, zero point {}", tree_.real(parameters[1]),
                          as_integer(tree_, parameters[2]).value_or(0));
    }
    if (parameters.size() > 3) {
      if (const auto axis = as_integer(tree_, parameters[3]))
        note += fmt::format(", axis {}", *axis);
    }
    tensor.parts[0].identity = note;
    constexpr std::array kParts = {"scales", "zero_points"};
    for (std::size_t i = 0; i < kParts.size() && i + 1 < parameters.size(); ++i) {
      if (!is_tensor(tree_, parameters[i + 1])) continue;
      SAMEBITS_TRY_VOID(append(tensor, parameters[i + 1], kParts[i], 1));
    }
    return tensor;
  }

  Result<TorchTensor> parameter(NodeId node, Args args, int depth) const {
    if (args.empty() || !is_tensor(tree_, args[0]))
      return fail(error(node, "a Parameter holds no tensor"));
    SAMEBITS_TRY(TorchTensor tensor, read(args[0], depth + 1));
    tensor.is_parameter = class_of(tree_, node) != "torch.nn.parameter.Buffer";
    tensor.requires_grad =
        args.size() < 2 || tree_.kind(args[1]) != Kind::boolean || tree_.boolean(args[1]);
    return tensor;
  }

  Result<void> append(TorchTensor& whole, NodeId node, const std::string& suffix, int depth) const {
    SAMEBITS_TRY(TorchTensor part, read(node, depth + 1));
    for (TensorPart& piece : part.parts) {
      piece.suffix = piece.suffix.empty() ? suffix : suffix + "." + piece.suffix;
      whole.parts.push_back(std::move(piece));
    }
    return {};
  }

  Result<TorchTensor> composed(NodeId node, Args args, std::initializer_list<const char*> names,
                               const std::string& layout, int depth) const {
    TorchTensor tensor;
    auto argument = args.begin();
    for (const char* name : names) {
      if (argument == args.end()) break;
      if (is_tensor(tree_, *argument)) SAMEBITS_TRY_VOID(append(tensor, *argument, name, depth));
      ++argument;
    }
    if (tensor.parts.empty()) return fail(error(node, "a " + layout + " tensor has no parts"));
    for (TensorPart& part : tensor.parts) part.note = layout + " " + part.suffix;
    return tensor;
  }

  Result<TorchTensor> sparse(NodeId node, Args args, int depth) const {
    if (args.size() != 2) return fail(error(node, "a sparse tensor lacks arguments"));
    std::string layout = "sparse";
    if (tree_.kind(args[0]) == Kind::object) {
      const auto name = elements(tree_, tree_.args(args[0]));
      if (!name.empty()) layout = as_string(tree_, name[0]).value_or(layout);
      if (layout.starts_with("torch.")) layout = layout.substr(6);
    }
    const auto data = elements(tree_, args[1]);
    const bool coordinates = layout == "sparse_coo" || data.size() < 4;
    const bool columns = layout == "sparse_csc" || layout == "sparse_bsc";
    Result<TorchTensor> tensor =
        coordinates ? composed(node, data, {"indices", "values"}, layout, depth)
        : columns   ? composed(node, data, {"ccol_indices", "row_indices", "values"}, layout, depth)
                  : composed(node, data, {"crow_indices", "col_indices", "values"}, layout, depth);
    const std::size_t size_at = coordinates ? 2 : 3;
    const auto size = data.size() > size_at ? int_list(tree_, data[size_at]) : std::nullopt;
    if (!tensor) return tensor;
    if (size) tensor->parts[0].identity = layout + " of size " + shape_text(*size);
    if (!layout.starts_with("sparse_")) return tensor;
    for (TensorPart& part : tensor->parts)
      part.sparse = {layout, part.suffix, size.value_or(Shape())};
    return tensor;
  }

  /// _rebuild_meta_tensor_no_storage(dtype, size, stride, requires_grad);
  /// _rebuild_wrapper_subclass(cls, dtype, size, ...).
  Result<TorchTensor> meta(NodeId node, Args args) const {
    const std::size_t first = !args.empty() && dtype_of_node(tree_, args[0]) ? 0 : 1;
    if (args.size() < first + 2) return fail(error(node, "a meta tensor lacks arguments"));
    const auto dtype = dtype_of_node(tree_, args[first]);
    auto shape = int_list(tree_, args[first + 1]);
    if (!dtype || !shape) return fail(error(node, "a meta tensor's dtype or size is invalid"));
    SAMEBITS_TRY(TensorPart part, meta_part(node, *dtype, std::move(*shape)));
    TorchTensor tensor;
    tensor.parts.push_back(std::move(part));
    return tensor;
  }

  /// (function, type, args, state): a subclass; its data is what `function` rebuilds from `args`.
  Result<TorchTensor> from_type(NodeId node, Args args, int depth) const {
    if (args.size() < 3) return fail(error(node, "a tensor subclass lacks arguments"));
    const std::string function = class_of(tree_, args[0]);
    const auto inner = elements(tree_, args[2]);
    const std::string type = class_of(tree_, args[1]);
    Result<TorchTensor> tensor =
        fail(unsupported(node, "a tensor subclass rebuilt by " + function));
    if (function == "torch._utils._rebuild_tensor_v2") {
      tensor = strided(node, inner, 6, inner.size() > 6 ? inner[6] : kNone);
    } else if (function == "torch._utils._rebuild_tensor_v3") {
      tensor = strided(node, inner, 7, inner.size() > 7 ? inner[7] : kNone);
    } else if (function == "torch._utils._rebuild_parameter") {
      tensor = parameter(node, inner, depth);
    } else if (function == "torch._utils._rebuild_qtensor") {
      tensor = quantized(node, inner);
    } else if (function == "torch._utils._rebuild_sparse_tensor") {
      tensor = sparse(node, inner, depth);
    } else if (function == "torch._utils._rebuild_wrapper_subclass") {
      tensor = TorchTensor();
    }
    if (tensor && args.size() > 3) SAMEBITS_TRY_VOID(add_state(*tensor, args[3], type, depth));
    if (tensor && tensor->parts.empty()) return meta(node, inner);
    if (tensor && !type.empty() && type != "torch.Tensor" && tensor->parts[0].note.empty()) {
      tensor->parts[0].note = "class " + type;
      const auto dtype = inner.size() > 1 ? dtype_of_node(tree_, inner[1]) : std::nullopt;
      if (function == "torch._utils._rebuild_wrapper_subclass" && dtype)
        tensor->parts[0].note += " of " + std::string(info(*dtype).torch);
    }
    return tensor;
  }

  /// A subclass keeps in its state what its elements mean: scales, the table of a quantization, the
  /// tensors that it wraps.
  Result<void> add_state(TorchTensor& tensor, NodeId state, const std::string& type,
                         int depth) const {
    const TreeDigest digest = digest_of_tree(tree_, state);
    if (digest.tensors.empty()) return {};
    for (const auto& [path, part] : digest.tensors)
      SAMEBITS_TRY_VOID(append(tensor, part, path, depth + 1));
    tensor.parts[0].identity = fmt::format("class {}, state {}", type, digest.digest);
    return {};
  }

  const Tree& tree_;
  const StorageTable& storages_;
  const std::string& file_;
};

}  // namespace

bool is_tensor(const Tree& tree, NodeId node) {
  if (tree.kind(node) == Kind::persistent) return key_of_id(tree, tree.args(node)).has_value();
  return rebuild_of(tree, node).has_value();
}

bool may_be_generator_state(const Tree& tree, NodeId node) {
  const std::optional<Rebuild> rebuild = rebuild_of(tree, node);
  if (!rebuild) return true;
  if (*rebuild != Rebuild::tensor_v1 && *rebuild != Rebuild::tensor_v2) return false;
  const auto args = elements(tree, tree.args(node));
  if (args.size() < 3) return true;
  const std::optional<StorageId> storage = read_storage_id(tree, args[0]);
  return elements(tree, args[2]).size() == 1 && (!storage || storage->dtype == DType::uint8);
}

Result<TorchTensor> read_tensor(const Tree& tree, NodeId node, const StorageTable& storages,
                                const std::string& file) {
  return TensorReader(tree, storages, file).read(node, 0);
}

}  // namespace samebits
