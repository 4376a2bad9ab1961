#include "samebits/checkpoint/numpy_objects.h"

#include <optional>

#include "samebits/base/limits.h"
#include "samebits/checkpoint/pickled_bytes.h"
#include "samebits/container/npy.h"

namespace samebits {
namespace {

using pickle::Kind;
using pickle::kNone;
using pickle::Tree;

enum class ArrayCall : std::uint8_t { none, reconstruct, frombuffer, scalar };

ArrayCall array_call(const Tree& tree, NodeId node) {
  if (tree.kind(node) != Kind::object) return ArrayCall::none;
  const NodeId callable = tree.callable(node);
  if (tree.kind(callable) != Kind::global || !tree.module(callable).starts_with("numpy"))
    return ArrayCall::none;
  const std::string name = tree.qualified_name(callable);
  const auto is = [&](const char* tail) {
    return name == std::string("numpy.core.") + tail || name == std::string("numpy._core.") + tail;
  };
  if (is("multiarray._reconstruct")) return ArrayCall::reconstruct;
  if (is("numeric._frombuffer")) return ArrayCall::frombuffer;
  return is("multiarray.scalar") ? ArrayCall::scalar : ArrayCall::none;
}

/// The four parts of an array.
struct ArrayParts {
  NodeId shape = kNone, dtype = kNone, data = kNone;
  bool fortran_order = false;
};

std::optional<ArrayParts> parts_of(const Tree& tree, NodeId node) {
  const auto args = elements(tree, tree.args(node));
  switch (array_call(tree, node)) {
    case ArrayCall::frombuffer:  // (data, dtype, shape, order)
      if (args.size() < 4) return std::nullopt;
      return ArrayParts{args[2], args[1], args[0], as_string(tree, args[3]) == "F"};
    case ArrayCall::scalar:  // (dtype, data)
      if (args.size() != 2) return std::nullopt;
      return ArrayParts{kNone, args[0], args[1], false};
    case ArrayCall::reconstruct: {  // BUILD: (version, shape, dtype, is Fortran's, data)
      const auto states = tree.states(node);
      if (states.empty()) return std::nullopt;
      auto state = elements(tree, states.back());
      if (state.size() == 5) state = state.subspan(1);
      if (state.size() != 4) return std::nullopt;
      return ArrayParts{state[0], state[1], state[3], as_integer(tree, state[2]).value_or(0) != 0};
    }
    case ArrayCall::none: break;
  }
  return std::nullopt;
}

/// "<f4" of numpy.dtype("f4", False, True) and the order of bytes that BUILD gives it.
std::optional<std::string> descr_of(const Tree& tree, NodeId dtype) {
  if (class_of(tree, dtype) != "numpy.dtype") return std::nullopt;
  const auto args = elements(tree, tree.args(dtype));
  if (args.empty()) return std::nullopt;
  const auto code = as_string(tree, args[0]);
  if (!code) return std::nullopt;
  std::string order = "|";
  if (!tree.states(dtype).empty()) {
    const auto state = elements(tree, tree.states(dtype).back());
    if (state.size() > 1) order = as_string(tree, state[1]).value_or(order);
  }
  return order + *code;
}

std::optional<Shape> shape_of(const Tree& tree, NodeId node) {
  if (node == kNone) return Shape();
  if (tree.kind(node) != Kind::tuple && tree.kind(node) != Kind::list) return std::nullopt;
  if (tree.items(node).size() > kLimits.dimensions) return std::nullopt;
  Shape shape;
  for (const NodeId item : tree.items(node)) {
    const auto size = as_integer(tree, item);
    if (!size || *size < 0) return std::nullopt;
    shape.push_back(*size);
  }
  return shape;
}

/// The data: bytes, bytearray(bytes), bytes() for none, or _codecs.encode(text, "latin1").
bool take_data(const Tree& tree, NodeId node, Bytes file, NumpyArray* array, Bytes* data) {
  if (tree.kind(node) == Kind::object) {
    const auto args = elements(tree, tree.args(node));
    const std::string name = class_of(tree, node);
    if (args.empty()) return name == "__builtin__.bytes" || name == "builtins.bytes";
    if (name == "_codecs.encode") {
      array->owned = latin1_bytes(tree.text(args[0]));
      if (array->owned) *data = *array->owned;
      return array->owned != nullptr;
    }
    const bool holds = name == "builtins.bytearray" || name == "__builtin__.bytearray";
    if (!holds || tree.kind(args[0]) != Kind::bytes) return false;
    node = args[0];
  }
  if (tree.kind(node) != Kind::bytes) return false;
  const std::string_view text = tree.text(node);
  if (stands_in(file, text)) {
    *data = {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
    array->offset = static_cast<std::uint64_t>(data->data() - file.data());
    return true;
  }
  array->owned = std::make_shared<std::vector<std::uint8_t>>(text.begin(), text.end());
  *data = *array->owned;
  return true;
}

}  // namespace

bool is_numpy_array(const Tree& tree, NodeId node) {
  return array_call(tree, node) != ArrayCall::none;
}

Result<NumpyArray> read_numpy_array(const Tree& tree, NodeId node, Bytes file,
                                    const std::string& path) {
  const auto error = [&](ErrorCode code, std::string what) {
    return fail({.code = code, .what = std::move(what), .file = path, .offset = tree.offset(node)});
  };
  const auto parts = parts_of(tree, node);
  const auto shape = parts ? shape_of(tree, parts->shape) : std::nullopt;
  if (!shape) return error(ErrorCode::malformed, "a numpy array lacks its shape or data");
  const auto descr = descr_of(tree, parts->dtype);
  if (!descr)
    return error(ErrorCode::unsupported, "a numpy array of a type of its own is not read");
  NumpyArray array;
  Bytes data;
  const NpyHeader header{
      .descr = *descr, .fortran_order = parts->fortran_order, .shape = *shape, .data_offset = 0};
  if (!take_data(tree, parts->data, file, &array, &data))
    return error(ErrorCode::unsupported, "a numpy array of Python objects is not read");
  SAMEBITS_TRY(array.view, npy_view(header, data, path, array.offset));
  return array;
}

}  // namespace samebits
