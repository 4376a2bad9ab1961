"""Objects that torch can save, each made anew by a function; reading_test.py saves and compares them.

ZIP_ONLY names those that the legacy stream cannot hold (torch raises for dtypes without a storage class).
"""

import argparse
import collections
import dataclasses
import datetime
import decimal
import enum
import fractions
import pathlib
import uuid

import numpy
import torch
from torch import nn

OBJECTS = {}
ZIP_ONLY = set()


def saved(function=None, *, zip_only=False):
    def register(f):
        name = f.__name__.replace("_", "-")
        OBJECTS[name] = f
        if zip_only:
            ZIP_ONLY.add(name)
        return f

    return register(function) if function else register


def seeded(*shape, dtype=torch.float32):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(3)).to(dtype)


# Every dtype, all bit patterns of the small ones and random bits in the large ones.

OLD_DTYPES = """float64 float32 float16 bfloat16 complex128 complex64 int64 int32 int16 int8 uint8 bool""".split()
NEW_DTYPES = """complex32 float8_e4m3fn float8_e4m3fnuz float8_e5m2 float8_e5m2fnuz float8_e8m0fnu float4_e2m1fn_x2
    uint16 uint32 uint64 bits8 bits16 bits1x8 bits2x4 bits4x2""".split()


def bits(dtype):
    """Random bits seen as `dtype`; NaN, Inf and denormals included."""
    generator = numpy.random.default_rng(11)
    data = generator.integers(0, 2 if dtype == torch.bool else 256, 240, dtype=numpy.uint8)
    tensor = torch.from_numpy(data).view(dtype)
    return tensor if str(dtype).startswith(("torch.bits", "torch.float4")) else tensor.reshape(3, -1)


def register_dtype(name, zip_only):
    def make():
        return {"t": bits(getattr(torch, name)), "after": torch.arange(3)}

    make.__name__ = f"dtype_{name}"
    saved(make, zip_only=zip_only)


for dtype_name in OLD_DTYPES:
    register_dtype(dtype_name, False)
for dtype_name in NEW_DTYPES:
    register_dtype(dtype_name, True)


# Shapes, strides, storages.


@saved
def scalars():
    return {"float": torch.tensor(2.5), "int": torch.tensor(-3), "bool": torch.tensor(True), "double": torch.tensor(1e300).double()}


@saved
def empty_tensors():
    return {"0": torch.empty(0), "2x0": torch.empty(2, 0, 3), "sliced": seeded(4, 5)[2:2], "int": torch.empty(0, dtype=torch.int64)}


@saved
def one_element_dimensions():
    return {"1": seeded(1), "1x1x1x1x1": seeded(1, 1, 1, 1, 1), "strange stride": seeded(5, 6)[:, :1].t()}


@saved
def views():
    base = seeded(6, 8)
    return {
        "transposed": base.t(), "rows": base[2:5], "columns": base[:, 1:7:2], "steps": base[1::2, ::3],
        "expanded": seeded(3).expand(4, 3), "expanded middle": seeded(2, 1, 3).expand(2, 5, 3),
        "permuted": seeded(2, 3, 4).permute(2, 0, 1), "diagonal": base.diagonal(), "reshaped": base.view(3, 16),
        "as_strided overlapping": base.as_strided((5, 4), (2, 1), 3), "unfolded": torch.arange(10.0).unfold(0, 4, 3),
        "scalar of many": base[3, 4], "channels last": seeded(2, 3, 4, 5).contiguous(memory_format=torch.channels_last),
    }


@saved
def views_of_another_dtype():
    base = seeded(4, 6)
    return {"int32": base.view(torch.int32)[1:, ::2], "real": torch.view_as_real(torch.complex(base, base))[..., 1]}


@saved
def many_dimensions():
    return {"12d": seeded(*([1, 2] * 6)), "64d": seeded(3).reshape([1] * 63 + [3])}


@saved
def shared_storage():
    base = seeded(10)
    return {"all": base, "head": base[:4], "tail": base[4:], "again": base, "transposed": base.view(2, 5).t()}


@saved
def aliases_at_several_places():
    tensor = seeded(3, 3)
    return {"a": tensor, "nested": {"b": tensor, "list": [tensor, tensor]}, "detached": tensor.detach()}


@saved
def odd_sizes():
    return {str(n): bits(torch.uint8).reshape(-1)[:n].clone() for n in (1, 3, 7, 63, 64, 65, 127)}


@saved
def many_small_tensors():
    return {f"layer.{i}.weight": seeded(2, 2) + i for i in range(300)}


@saved
def nan_payloads():
    patterns = torch.tensor([0x7FC00001, 0x7F800001, -0x3FFFFF, 0x7F800000, -0x800000, 1, -0x80000000], dtype=torch.int32)
    return {"payloads": patterns.view(torch.float32), "negative zero": torch.tensor([-0.0, 0.0])}


# Kinds of tensors.


@saved
def parameters():
    return {"p": nn.Parameter(seeded(2, 3)), "frozen": nn.Parameter(seeded(2), requires_grad=False), "grad": seeded(2).requires_grad_()}


@saved
def parameter_with_attributes():
    parameter = nn.Parameter(seeded(2, 3))
    parameter.partition = (0, 1)
    parameter.tag = {"kind": "embedding"}
    return {"w": parameter, "shared": parameter}


@saved
def tensor_with_attributes():
    tensor = seeded(2, 3)
    tensor.tag = "kept"
    return {"w": tensor}


@saved
def buffers_alone():
    return {"persistent": nn.Buffer(seeded(3)), "transient": nn.Buffer(seeded(2), persistent=False)}


class Tagged(torch.Tensor):
    pass


@saved
def tensor_subclass():
    tagged = seeded(2, 3).as_subclass(Tagged)
    tagged.label = "x"
    return {"tagged": tagged, "plain subclass": seeded(3).as_subclass(Tagged)}


@saved
def conjugated_and_negated():
    def value():
        return torch.complex(seeded(4), seeded(4) + 1)

    shared = value()
    return {"conj": shared.conj(), "plain": shared, "conj view": shared.conj()[1:3], "neg": value().conj().imag}


@saved
def quantized_per_tensor():
    value = seeded(4, 6)
    return {str(d)[6:]: torch.quantize_per_tensor(value, 0.05, 3, d) for d in (torch.qint8, torch.quint8, torch.qint32)}


@saved
def quantized_per_channel():
    value, scales, zeros = seeded(4, 6), torch.linspace(0.1, 0.4, 4), torch.arange(4)
    return {"axis 0": torch.quantize_per_channel(value, scales, zeros, 0, torch.qint8)}


@saved
def legacy_typed_storages_beside():
    return {"a": torch.arange(4, dtype=torch.float16), "b": torch.arange(4, dtype=torch.float64), "c": torch.arange(4, dtype=torch.int16)}


# Containers and what lies in them.


@saved
def a_tensor_alone():
    return seeded(3, 4)


@saved
def a_parameter_alone():
    return nn.Parameter(seeded(3, 4))


@saved
def a_list():
    return [seeded(2), [seeded(3), 5, "x"], (seeded(1), None), []]


@saved
def a_tuple():
    return (seeded(2), {"k": seeded(3)})


Pair = collections.namedtuple("Pair", "left right")


class Settings(dict):
    pass


@saved
def nested_containers():
    default = collections.defaultdict(list)
    default["x"].append(seeded(2))
    return {
        "ordered": collections.OrderedDict([("z", seeded(1)), ("a", seeded(2))]), "default": default,
        "pair": Pair(seeded(3), 1), "own": Settings(w=seeded(4)), "deep": {"a": {"b": {"c": {"d": [[{"e": seeded(5)}]]}}}},
        "empty": {}, "size": torch.Size([1, 2]),
    }


@saved
def keys_of_other_types():
    return {1: seeded(1), "two": {0: seeded(2), -7: seeded(3)}, "": seeded(4), "dotted.key": seeded(5), "ünï ☃": seeded(6)}


@saved
def counter_and_sets():
    return {"count": collections.Counter("aab"), "set": {1, 2}, "frozen": frozenset("ab"), "w": seeded(2)}


class Mode(enum.Enum):
    MEAN = "mean"
    CLS = 1


class Level(enum.IntEnum):
    LOW = 1


@dataclasses.dataclass
class Options:
    lr: float = 0.1
    mode: Mode = Mode.CLS
    path: pathlib.Path = pathlib.Path("a/b")


class Node:
    """Like an omegaconf node: state set by __setstate__, parents that point back."""

    def __init__(self, content, parent=None):
        self._content, self._parent = content, parent

    def __getstate__(self):
        return self.__dict__

    def __setstate__(self, state):
        self.__dict__.update(state)


class Slotted:
    __slots__ = ("a", "b")

    def __init__(self):
        self.a, self.b = 1, [2]

    def __getstate__(self):
        return None, {"a": self.a, "b": self.b}


class Reducing:
    def __reduce__(self):
        return (Reducing, (), {"x": 1}, iter([]), iter([]))

    def __setstate__(self, state):
        self.state = state


@saved
def objects_beside_tensors():
    root = Node({})
    root._content["child"] = Node({"lr": 1e-3}, root)
    return {
        "w": seeded(2), "namespace": argparse.Namespace(lr=0.1, path=pathlib.Path("/x")), "path": pathlib.PurePosixPath("a"),
        "when": datetime.datetime(2024, 1, 2, tzinfo=datetime.timezone.utc), "delta": datetime.timedelta(1), "mode": Mode.MEAN,
        "level": Level.LOW, "options": Options(), "node": root, "slotted": Slotted(), "reducing": Reducing(), "uuid": uuid.UUID(int=5),
        "decimal": decimal.Decimal("1.5"), "fraction": fractions.Fraction(1, 3), "complex": 1 + 2j, "range": range(3), "slice": slice(1, 2),
        "bytes": b"\x00\xff", "bytearray": bytearray(b"ab"), "big": 1 << 300, "negative": -(1 << 70), "inf": float("-inf"), "ellipsis": ...,
        "type": nn.Linear, "function": torch.nn.functional.gelu, "builtin": len, "dtype": torch.bfloat16, "device": torch.device("cpu"),
        "layout": torch.strided, "after": seeded(3),
    }


@saved
def numpy_beside_tensors():
    return {
        "scalar": numpy.float64(0.5), "int": numpy.int64(3), "bool": numpy.bool_(True), "array": numpy.arange(6).reshape(2, 3),
        "fortran": numpy.asfortranarray(numpy.ones((2, 3))), "object": numpy.array([{"a": 1}, None], dtype=object), "dtype": numpy.dtype("f4"),
        "strings": numpy.array(["a", "bc"]), "rng": numpy.random.RandomState(0).get_state(), "generator": numpy.random.default_rng(0), "w": seeded(2),
    }


@saved
def cycles():
    value = {"w": seeded(2)}
    value["self"] = Node(value)
    return value


@saved
def no_tensors():
    return {"epoch": 3, "loss": 0.1}


@saved
def pickled_storages():
    return {"typed": seeded(3)._typed_storage(), "w": seeded(2)}
