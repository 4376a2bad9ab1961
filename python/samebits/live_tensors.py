"""Tensors as a recording sees them: where they stand in a value, their bytes, their digest, their statistics.

torch is imported inside functions: importing this module costs nothing and needs nothing.
"""

import collections.abc
import dataclasses
import math

from . import _native

MAX_DEPTH = 12  # of containers in one another; deeper ones are named as not recorded
DIGEST, KEY = "xxh3-128", "xxh3_128"  # how bytes become digests, and under which key a leaf has its own


def leaves(value):
    """Pairs (path, leaf) of a value in a fixed order: tensors, and numbers, texts and the like that stand beside them.

    Paths are those by which Python reaches the leaf: "" for a bare tensor, "[0]", ".logits", "['mask']". Tuples, lists, mappings
    (ModelOutput is one), dataclasses and plain objects (a cache of keys and values) are walked through. Nothing is computed.
    """
    found = []
    _walk(value, "", 0, found, set())
    return found


def _walk(value, path, depth, found, above):
    import torch

    if isinstance(value, torch.Tensor) or _is_plain(value):
        found.append((path, value))
        return
    if depth == MAX_DEPTH or id(value) in above or _is_code(value):
        found.append((path, Opaque(value)))
        return
    members = _members(value)
    if members is None:
        found.append((path, Opaque(value)))
        return
    for step, member in members:
        _walk(member, path + step, depth + 1, found, above | {id(value)})


def _members(value):
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return [(f".{name}", getattr(value, name)) for name in value._fields]
    if isinstance(value, (tuple, list)):
        return [(f"[{i}]", member) for i, member in enumerate(value)]
    if isinstance(value, collections.abc.Mapping):
        named = dataclasses.is_dataclass(value)
        return [(f".{key}" if named else f"[{key!r}]", value[key]) for key in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return [(f".{field.name}", getattr(value, field.name, None)) for field in dataclasses.fields(value)]
    if hasattr(value, "__dict__"):
        return [(f".{name}", member) for name, member in vars(value).items()]
    return None


def _is_plain(value):
    import torch

    return value is None or isinstance(value, (bool, int, float, complex, str, bytes, torch.dtype, torch.device, torch.Size))


def _is_code(value):
    import torch

    return callable(value) or isinstance(value, torch.nn.Module)


class Opaque:
    """An object that is neither a tensor nor a container of known members; or, with a `kind` of its own, a tensor that cannot be read."""

    def __init__(self, value, kind=None):
        self.kind = kind or f"{type(value).__module__}.{type(value).__qualname__}"


def unreadable(tensor):
    """Why the bytes of a tensor cannot be read, as what it is; "" where they can."""
    import torch

    if tensor.is_nested:
        return "a nested tensor"
    if tensor.layout != torch.strided:
        return f"a tensor of layout {str(tensor.layout).removeprefix('torch.')}"
    if isinstance(tensor, torch.nn.parameter.UninitializedTensorMixin):
        return "a tensor that has no shape yet"
    return "a tensor without data" if tensor.is_meta or type(tensor).__name__ == "FakeTensor" else ""


def dtype_name(tensor):
    return str(tensor.dtype).removeprefix("torch.")


def host_bytes(tensor):
    """The row-major bytes of a tensor's elements as a numpy array of uint8, without a copy where the tensor is contiguous on a CPU.

    Quantized tensors give their integers, sparse ones raise a TypeError with the layout, as do tensors without data (meta, fake).
    """
    import torch

    dense = tensor.detach()
    if dense.layout != torch.strided:
        raise TypeError(f"a tensor of layout {str(dense.layout).removeprefix('torch.')}")
    if dense.is_meta or type(dense).__name__ == "FakeTensor":
        raise TypeError("a tensor without data")
    if dense.is_quantized:
        dense = dense.int_repr()
    dense = dense.resolve_conj().resolve_neg().cpu().contiguous()
    if dense.numel() == 0:
        return torch.empty(0, dtype=torch.uint8).numpy()
    return dense.reshape(-1).view(torch.uint8).numpy()


def digest(tensor):
    """XXH3 128 of a tensor's row-major bytes, as 32 hexadecimal digits; raises TypeError as host_bytes does. It finds what differs, and is no
    defence against somebody who makes two contents collide."""
    return _native.xxh3_128_hex(host_bytes(tensor))


def sha256(tensor):
    """SHA-256 of the same bytes, for files that are kept, as 64 hexadecimal digits."""
    return _native.sha256_hex(host_bytes(tensor))


def described(tensor, with_statistics):
    """The digest of a tensor, and its statistics."""
    import torch

    data = host_bytes(tensor)
    if with_statistics and tensor.dtype == torch.float32:
        return {KEY: (summary := _native.summarize_float32(data))[0], **_of_summary(summary)}
    return {KEY: _native.xxh3_128_hex(data), **(statistics(tensor) if with_statistics else {})}


def statistics(tensor):
    """mean, norm, min, max of a tensor in its own precision (float32 at least) and how many elements are not finite.

    Where some are not, the others are over the finite ones. None of an empty tensor. Sums of float64 and of other devices are torch's: their
    last bits depend on its number of threads, which is why tensors are compared by their digests.
    """
    import torch

    values = _numbers(tensor.detach())
    if values.dtype == torch.float32 and values.device.type == "cpu":
        return _of_summary(_native.summarize_float32(host_bytes(values)))
    if values.numel() == 0:
        return {"mean": None, "norm": None, "min": None, "max": None, "not_finite": 0}
    low, high = (bound.item() for bound in torch.aminmax(values))
    if math.isfinite(low) and math.isfinite(high):
        return _of_finite(values, low, high, 0)
    finite = values[torch.isfinite(values)]
    missing = values.numel() - finite.numel()
    if finite.numel() == 0:
        return {"mean": None, "norm": None, "min": None, "max": None, "not_finite": missing}
    low, high = (bound.item() for bound in torch.aminmax(finite))
    return _of_finite(finite, low, high, missing)


def _of_summary(summary):
    _, elements, not_finite, mean, norm, least, greatest = summary
    if elements == not_finite:
        return {"mean": None, "norm": None, "min": None, "max": None, "not_finite": not_finite}
    return {"mean": mean, "norm": norm, "min": least, "max": greatest, "not_finite": not_finite}


def _of_finite(values, low, high, missing):
    import torch

    mean, norm = values.mean().item(), torch.linalg.vector_norm(values).item()
    if not (math.isfinite(mean) and math.isfinite(norm)):  # the sums of float32 overflowed, the elements did not
        wide = values.double()
        mean, norm = wide.mean().item(), torch.linalg.vector_norm(wide / max(abs(low), abs(high))).item() * max(abs(low), abs(high))
    return {"mean": mean, "norm": norm, "min": low, "max": high, "not_finite": missing}


def _numbers(tensor):
    """The elements as float32 or float64; a complex tensor as pairs."""
    import torch

    if tensor.is_quantized:
        return tensor.dequantize()
    if tensor.is_complex():
        tensor = torch.view_as_real(tensor.resolve_conj())
    if tensor.dtype in (torch.float32, torch.float64):
        return tensor
    return tensor.to(torch.float32 if tensor.is_floating_point() else torch.float64)


def same_bits(a, b):
    """Whether two tensors have one dtype, one shape and the same bytes. NaN equals itself, -0 is not 0."""
    import numpy

    if a.dtype != b.dtype or a.shape != b.shape:
        return False
    return numpy.array_equal(host_bytes(a), host_bytes(b))


def same_numbers(a, b):
    """Whether two tensors of one shape hold equal numbers, NaN where NaN is: -0 is 0. False where that cannot be asked."""
    import torch

    try:
        if a.shape != b.shape:
            return False
        if a.dtype == b.dtype and a.device == b.device:
            if torch.equal(a, b):
                return True
            if not (a.is_floating_point() or a.is_complex()) or not bool(a.isnan().any()):
                return False
        return not difference(a, b)["differing"]
    except (TypeError, RuntimeError, NotImplementedError):
        return False


def difference(a, b):
    """How two tensors of one shape differ, as numbers: elements, how many differ in value, the largest distance, of all or of the finite."""
    import torch

    x, y = (_numbers(side.detach().cpu()).double().reshape(-1) for side in (a, b))
    unlike = ~((x == y) | (x.isnan() & y.isnan()))
    distance = (x - y).abs()[unlike]
    finite = distance[torch.isfinite(distance)]
    return {
        "elements": x.numel(),
        "differing": int(unlike.sum()),
        "max_abs": finite.max().item() if finite.numel() else None,
    }
