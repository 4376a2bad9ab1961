"""Tensors of numpy and torch as samebits reads them: by their address, without a copy."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import numpy as np

from . import _native
from ._errors import Error

# name, dtype, shape, strides and offset in elements, address and bytes of the storage, flags
Described = tuple[str, str, tuple[int, ...], tuple[int, ...], int, int, int, str]

# Types that numpy has only by ml_dtypes, by torch's names, which are the same.
ML_DTYPES = ("bfloat16", "float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz", "float8_e8m0fnu")
NUMPY_TYPES = (
    "float64", "float32", "float16", "complex128", "complex64", "int64", "int32", "int16", "int8",
    "uint64", "uint32", "uint16", "uint8", "bool",
)  # fmt: skip


def torch_module() -> Any:
    """torch where somebody imported it: nothing here does."""
    return sys.modules.get("torch")


def is_module(x: object) -> bool:
    torch = torch_module()
    return torch is not None and isinstance(x, torch.nn.Module)


def is_torch_tensor(x: object) -> bool:
    torch = torch_module()
    return torch is not None and isinstance(x, torch.Tensor)


def is_tensor(x: object) -> bool:
    return is_torch_tensor(x) or hasattr(x, "__array__") or hasattr(x, "__dlpack__")


def unusable(name: str, what: str, found: str, remedy: str | None = None) -> Error:
    text = f"{name}: {what} (found {found})" + (f". {remedy}" if remedy else "")
    return Error(text, code="unsupported", what=f"{name}: {what}", found=found, remedy=remedy)


def described_array(name: str, array: np.ndarray, flags: str = "") -> tuple[Described, Any]:
    if array.dtype.name not in NUMPY_TYPES + ML_DTYPES:
        raise unusable(name, "arrays of this type cannot be compared", str(array.dtype))
    if not array.dtype.isnative and array.dtype.itemsize > 1:
        array = array.astype(array.dtype.newbyteorder("="))
    size = array.dtype.itemsize
    if any(stride < 0 or stride % size for stride in array.strides):
        array = np.ascontiguousarray(array)
    strides = tuple(stride // size for stride in array.strides)
    last = sum((n - 1) * stride for n, stride in zip(array.shape, strides)) if array.size else -1
    address = array.__array_interface__["data"][0]
    return (name, array.dtype.name, array.shape, strides, 0, address, (last + 1) * size, flags), array


def described_tensor(name: str, tensor: Any, flags: str = "") -> tuple[Described, Any]:
    torch = torch_module()
    kind = str(tensor.dtype).removeprefix("torch.")
    if hasattr(tensor, "__tensor_flatten__") or tensor.is_quantized:
        raise unusable(name, "tensors of this class keep their values in others", type(tensor).__name__)
    if isinstance(tensor, torch.nn.parameter.UninitializedTensorMixin):
        raise unusable(name, "it has no shape yet", type(tensor).__name__, "Run the model once")
    if tensor.layout != torch.strided:
        raise unusable(name, "its values lie in several tensors", str(tensor.layout), "Compare tensor.to_dense()")
    if tensor.device.type == "meta":
        return (name, kind, tuple(tensor.shape), tuple(tensor.stride()), 0, 0, 0, flags + "m"), None
    tensor = tensor.detach()
    if tensor.device.type != "cpu":
        tensor = tensor.cpu()
    flags += ("c" if tensor.is_conj() else "") + ("n" if tensor.is_neg() else "")
    storage = tensor.untyped_storage()
    place = (tensor.storage_offset(), storage.data_ptr(), storage.nbytes())
    return (name, kind, tuple(tensor.shape), tuple(tensor.stride()), *place, flags), tensor


def described(name: str, value: Any, flags: str = "") -> tuple[Described, Any]:
    """What the library is told of a tensor, and what keeps its bytes."""
    if is_torch_tensor(value):
        return described_tensor(name, value, flags)
    if hasattr(value, "__array__"):  # arrays and numbers of numpy, and of others that have its interface
        return described_array(name, np.asarray(value), flags)
    if hasattr(value, "__dlpack__"):
        return described_array(name, np.from_dlpack(value), flags)
    raise unusable(name, "that is no tensor", type(value).__name__)


def hold(name: str, tensors: list[tuple[str, Any, str]]) -> _native.Checkpoint:
    """Tensors with their names and flags as a checkpoint, which keeps them."""
    pairs = [described(*tensor) for tensor in tensors]
    return _native.hold_tensors(name.encode(), [pair[0] for pair in pairs], [pair[1] for pair in pairs])


def hold_state_dict(state: Mapping[str, Any]) -> _native.Checkpoint:
    tensors = []
    for name, value in state.items():
        if not isinstance(name, str):
            raise Error(f"a state_dict's names are strings, and this is {name!r}", found=repr(name))
        if isinstance(value, Mapping):
            what = f"{name} is a dict of its own, and no tensor"
            remedy = f"Pass what is in it: x[{name!r}]"
            raise Error(f"{what}. {remedy}", what=what, remedy=remedy)
        tensors.append((name, value, ""))
    return hold("a state_dict in memory", tensors)
