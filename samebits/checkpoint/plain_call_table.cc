#include "samebits/checkpoint/plain_call_table.h"

#include <algorithm>
#include <span>
#include <unordered_map>

#include "samebits/tensor/dtype.h"

namespace samebits {
namespace plain_call_table {

using enum Arg;  // NOLINT: the words of the table

constexpr auto kPlainCalls = std::to_array<PlainCall>({
    // Python's values. What iterates its argument gets a container of the pickle's own.
    {"__builtin__.bytearray", {items, data, data}},
    {"__builtin__.bytes", {items, data, data}},
    {"__builtin__.complex", {data, data}},
    {"__builtin__.dict", {pairs}, Takes::items},
    {"__builtin__.frozenset", {items}},
    {"__builtin__.list", {items}, Takes::elements},
    {"__builtin__.object", {}},
    {"__builtin__.set", {items}, Takes::members},
    {"__builtin__.slice", {data, data, data}},
    {"__builtin__.tuple", {items}},
    {"__builtin__.xrange", {data, data, data}},
    {"_codecs.encode", {data, data, data}},
    {"argparse.Namespace", {}},
    {"builtins.bytearray", {items, data, data}},
    {"builtins.bytes", {items, data, data}},
    {"builtins.complex", {data, data}},
    {"builtins.dict", {pairs}, Takes::items},
    {"builtins.frozenset", {items}},
    {"builtins.list", {items}, Takes::elements},
    {"builtins.object", {}},
    {"builtins.range", {data, data, data}},
    {"builtins.set", {items}, Takes::members},
    {"builtins.slice", {data, data, data}},
    {"builtins.tuple", {items}},
    {"collections.Counter", {pairs}, Takes::items},
    {"collections.OrderedDict", {pairs}, Takes::items},
    {"collections.UserDict", {}},
    {"collections.UserList", {}},
    {"collections.defaultdict", {factory, pairs}, Takes::items},
    {"collections.deque", {items, data}, Takes::elements},
    {"contextlib.nullcontext", {}},
    {"dataclasses.Field", {}},
    {"dataclasses._MISSING_TYPE", {}},
    {"datetime.date", {many}},
    {"datetime.datetime", {data, kept, many}},
    {"datetime.time", {data, kept, many}},
    {"datetime.timedelta", {many}},
    {"datetime.timezone", {many}},
    {"decimal.Decimal", {data}},
    {"fractions.Fraction", {data, data}},
    {"pathlib.Path", {many}},
    {"pathlib.PosixPath", {many}},
    {"pathlib.PurePath", {many}},
    {"pathlib.PurePosixPath", {many}},
    {"pathlib.PureWindowsPath", {many}},
    {"pathlib.WindowsPath", {many}},
    {"pathlib._local.Path", {many}},
    {"pathlib._local.PosixPath", {many}},
    {"pathlib._local.PurePosixPath", {many}},
    {"pathlib._local.PureWindowsPath", {many}},
    {"pathlib._local.WindowsPath", {many}},
    {"random.Random", {}},
    {"re._compile", {data, data}},
    {"string.Formatter", {}},
    {"string.Template", {}},
    {"types.SimpleNamespace", {}},
    {"uuid.UUID", {many}},
    // numpy
    {"numpy._core.multiarray._reconstruct", {type, data, data}},
    {"numpy._core.multiarray.scalar", {data, data}},
    {"numpy._core.numeric._frombuffer", {many}},
    {"numpy.core.multiarray._reconstruct", {type, data, data}},
    {"numpy.core.multiarray.scalar", {data, data}},
    {"numpy.core.numeric._frombuffer", {many}},
    {"numpy.dtype", {many}},
    {"numpy.ma.core._mareconstruct", {type, type, data, data}},
    {"numpy.ndarray", {many}},
    // These call their second argument, and a class given as the first.
    {"numpy.random._pickle.__bit_generator_ctor", {bit_generator}},
    {"numpy.random._pickle.__generator_ctor", {bit_generator, bit_generator_maker}},
    {"numpy.random._pickle.__randomstate_ctor", {bit_generator, bit_generator_maker}},
    {"numpy.random.bit_generator.__pyx_unpickle_SeedSequence", {type, data, data}},
    // Enumerations, which look their value up; training_args.bin holds them.
    {"transformers.debug_utils.DebugOption", {data}},
    {"transformers.tokenization_utils_base.TruncationStrategy", {data}},
    {"transformers.trainer_utils.EvaluationStrategy", {data}},
    {"transformers.trainer_utils.FSDPOption", {data}},
    {"transformers.trainer_utils.HPSearchBackend", {data}},
    {"transformers.trainer_utils.HubStrategy", {data}},
    {"transformers.trainer_utils.IntervalStrategy", {data}},
    {"transformers.trainer_utils.SaveStrategy", {data}},
    {"transformers.trainer_utils.SchedulerType", {data}},
    {"transformers.trainer_utils.ShardedDDPOption", {data}},
    {"transformers.training_args.OptimizerNames", {data}},
    {"transformers.training_args.ParallelMode", {data}},
    {"transformers.utils.generic.PaddingStrategy", {data}},
    {"transformers.utils.generic.TensorType", {data}},
    {"transformers.utils.quantization_config.AWQLinearVersion", {data}},
    {"transformers.utils.quantization_config.AwqBackend", {data}},
    {"transformers.utils.quantization_config.AwqBackendPackingMethod", {data}},
    {"transformers.utils.quantization_config.AwqFormat", {data}},
    {"transformers.utils.quantization_config.ExllamaVersion", {data}},
    {"transformers.utils.quantization_config.QuantizationMethod", {data}},
    {"accelerate.utils.dataclasses.AutocastKwargs", {}},
    {"accelerate.utils.dataclasses.DistributedType", {data}},
    {"accelerate.utils.dataclasses.DynamoBackend", {data}},
    {"accelerate.utils.dataclasses.LoggerType", {data}},
    {"accelerate.utils.dataclasses.PrecisionType", {data}},
    {"accelerate.utils.dataclasses.RNGType", {data}},
    // torch
    {"torch.Size", {data}},
    {"torch.Tensor", {many}, Takes::nothing, true},
    {"torch.device", {data, data}},
    {"torch.nn.Parameter", {tensor, data}, Takes::nothing, true},
    {"torch.nn.parameter.Buffer", {tensor, data, data}, Takes::nothing, true},
    {"torch.nn.parameter.Parameter", {tensor, data}, Takes::nothing, true},
    {"torch.nn.parameter.UninitializedBuffer", {data, data, data, data}},
    {"torch.nn.parameter.UninitializedParameter", {data, data, data}},
    {"torch.serialization._get_layout", {data}},
    {"torch._tensor._rebuild_from_type",
     {rebuild, type, rebuild_arguments, state},
     Takes::nothing,
     true},
    {"torch._tensor._rebuild_from_type_v2",
     {rebuild, type, rebuild_arguments, state},
     Takes::nothing,
     true},
    {"torch._utils._rebuild_device_tensor_from_cpu_tensor",
     {tensor, data, data, data},
     Takes::nothing,
     true},
    {"torch._utils._rebuild_device_tensor_from_numpy",
     {data, data, data, data},
     Takes::nothing,
     true},
    {"torch._utils._rebuild_meta_tensor_no_storage",
     {data, data, data, data},
     Takes::nothing,
     true},
    {"torch._utils._rebuild_nested_tensor", {tensor, data, data, data}, Takes::nothing, true},
    {"torch._utils._rebuild_parameter", {tensor, data, hooks}, Takes::nothing, true},
    {"torch._utils._rebuild_parameter_with_state",
     {tensor, data, hooks, state},
     Takes::nothing,
     true},
    {"torch._utils._rebuild_qtensor",
     {storage, data, data, data, data, data, hooks},
     Takes::nothing,
     true},
    {"torch._utils._rebuild_sparse_csr_tensor", {data, data}, Takes::nothing, true},
    {"torch._utils._rebuild_sparse_tensor", {data, data}, Takes::nothing, true},
    {"torch._utils._rebuild_tensor", {storage, data, data, data}, Takes::nothing, true},
    {"torch._utils._rebuild_tensor_v2",
     {storage, data, data, data, data, hooks, data},
     Takes::nothing,
     true},
    {"torch._utils._rebuild_tensor_v3",
     {storage, data, data, data, data, hooks, data, data},
     Takes::nothing,
     true},
    {"torch._utils._rebuild_wrapper_subclass",
     {type, data, data, data, data, data, data, data},
     Takes::nothing,
     true},
    {"torch._utils._rebuild_xla_tensor", {data, data, data, data}, Takes::nothing, true},
    // These return what they are given.
    {"torch.jit._pickle.build_boollist", {items}},
    {"torch.jit._pickle.build_doublelist", {items}},
    {"torch.jit._pickle.build_intlist", {items}},
    {"torch.jit._pickle.build_tensor_from_id", {data}},
    {"torch.jit._pickle.build_tensorlist", {items}},
    {"torch.jit._pickle.restore_type_tag", {items, data}},
});

constexpr PlainCall kTypedStorage{"torch.*Storage", {many}};
constexpr PlainCall kTypedTensor{"torch.*Tensor", {many}, Takes::nothing, true};

}  // namespace plain_call_table

namespace {

constexpr auto kTorchValues = std::to_array<std::string_view>({
    "contiguous_format",
    "channels_last",
    "channels_last_3d",
    "preserve_format",
    "jagged",
    "per_channel_affine",
    "per_channel_affine_float_qparams",
    "per_channel_symmetric",
    "per_tensor_affine",
    "per_tensor_symmetric",
    "sparse_bsc",
    "sparse_bsr",
    "sparse_coo",
    "sparse_csc",
    "sparse_csr",
    "strided",
    "Size",
    "Tensor",
    "device",
    "dtype",
});

// torch's own names for dtypes that this program has under another name, or does not read.
constexpr auto kOtherDTypes = std::to_array<std::string_view>({
    "bit",
    "cdouble",
    "cfloat",
    "chalf",
    "double",
    "float",
    "half",
    "int",
    "long",
    "qint32",
    "qint8",
    "quint2x4",
    "quint4x2",
    "quint8",
    "short",
});

constexpr auto kNumpyValues = std::to_array<std::string_view>({
    "numpy.bool",       "numpy.bool_",   "numpy.bytes_",  "numpy.complex128",  "numpy.complex64",
    "numpy.datetime64", "numpy.float16", "numpy.float32", "numpy.float64",     "numpy.int16",
    "numpy.int32",      "numpy.int64",   "numpy.int8",    "numpy.longdouble",  "numpy.object_",
    "numpy.rec.record", "numpy.record",  "numpy.str_",    "numpy.timedelta64", "numpy.uint16",
    "numpy.uint32",     "numpy.uint64",  "numpy.uint8",   "numpy.void",
});

constexpr auto kTypes = std::to_array<std::string_view>({
    "numpy.core.records.recarray",
    "numpy.ma.MaskedArray",
    "numpy.ma.core.MaskedArray",
    "numpy.matrix",
    "numpy.matrixlib.defmatrix.matrix",
    "numpy.ndarray",
    "numpy.random.bit_generator.SeedSequence",
    "numpy.rec.recarray",
    "numpy.recarray",
    "torch.Tensor",
    "torch.nn.Parameter",
    "torch.nn.parameter.Buffer",
    "torch.nn.parameter.Parameter",
    "torch.nn.parameter.UninitializedBuffer",
    "torch.nn.parameter.UninitializedParameter",
});

constexpr auto kFactories = std::to_array<std::string_view>({
    "__builtin__.bool",
    "__builtin__.dict",
    "__builtin__.float",
    "__builtin__.int",
    "__builtin__.list",
    "__builtin__.set",
    "__builtin__.str",
    "__builtin__.tuple",
    "builtins.bool",
    "builtins.dict",
    "builtins.float",
    "builtins.int",
    "builtins.list",
    "builtins.set",
    "builtins.str",
    "builtins.tuple",
    "collections.Counter",
    "collections.OrderedDict",
    "collections.defaultdict",
    "collections.deque",
    "torch.amp.grad_scaler._refresh_per_optimizer_state",
    "torch.cuda.amp.grad_scaler._refresh_per_optimizer_state",
});

constexpr auto kBitGenerators = std::to_array<std::string_view>({
    "numpy.random._mt19937.MT19937",
    "numpy.random._pcg64.PCG64",
    "numpy.random._pcg64.PCG64DXSM",
    "numpy.random._philox.Philox",
    "numpy.random._sfc64.SFC64",
});

bool is_one_of(std::span<const std::string_view> names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

/// "FloatStorage" of "torch.FloatStorage"; "" for names of other modules.
std::string_view name_in_torch(std::string_view global) {
  if (!global.starts_with("torch.")) return {};
  const std::string_view name = global.substr(6);
  return name.find('.') == name.npos ? name : std::string_view();
}

}  // namespace

const PlainCall* find_plain_call(std::string_view global) {
  static const auto kByName = [] {
    std::unordered_map<std::string_view, const PlainCall*> all;
    for (const PlainCall& call : plain_call_table::kPlainCalls) all.emplace(call.name, &call);
    return all;
  }();
  if (const auto known = kByName.find(global); known != kByName.end()) return known->second;
  const std::string_view name = name_in_torch(global);
  if (name.ends_with("Storage")) return &plain_call_table::kTypedStorage;
  return name.ends_with("Tensor") ? &plain_call_table::kTypedTensor : nullptr;
}

bool is_data_global(std::string_view global) {
  if (is_one_of(kNumpyValues, global)) return true;
  const std::string_view name = name_in_torch(global);
  if (name.empty()) return global == "torch.storage.UntypedStorage";
  return name.ends_with("Storage") || is_one_of(kTorchValues, name) ||
         is_one_of(kOtherDTypes, name) || dtype_from_torch(name).has_value();
}

bool is_plain_type(std::string_view global) {
  return is_one_of(kTypes, global) ||
         (global.ends_with("Tensor") && !name_in_torch(global).empty());
}

bool is_plain_factory(std::string_view global) { return is_one_of(kFactories, global); }

bool is_bit_generator(std::string_view global) { return is_one_of(kBitGenerators, global); }

}  // namespace samebits
