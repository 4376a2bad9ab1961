"""load.refused says what torch.load() as it is called by default does: which names it refuses, and what no list of names mends."""

import argparse
import collections
import copy
import datetime
import decimal
import enum
import fractions
import functools
import pathlib
import re
import types

import numpy as np
import pytest
import torch
from torch import nn

HEADER = pathlib.Path(__file__).resolve().parents[2] / "samebits" / "checkpoint" / "weights_only_names.h"

LOCATION = [None]  # where torch.save() says that storages lie
torch.serialization.register_package(0, lambda storage: LOCATION[0], lambda storage, where: None)


class Colour(enum.Enum):
    RED = 1


class Attributes(dict):
    pass


class Slots:
    __slots__ = ("a", "b")


class Plain:
    def __init__(self, **values):
        self.__dict__.update(values)


def state():
    torch.manual_seed(1)
    return nn.Linear(3, 2).state_dict()


def slotted():
    made = Slots()
    made.a, made.b = 1, 2
    return made


def cyclic():
    items = []
    items.append((items,))
    return items[0]


def optimizer_state():
    layer = nn.Linear(3, 2)
    optimizer = torch.optim.AdamW(layer.parameters())
    layer(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    return optimizer.state_dict()


def with_attribute():
    tensor = torch.ones(2)
    tensor.note = "kept"
    return tensor


VALUES = {
    "nothing": lambda: None,
    "plain": lambda: {"a": [1, 2.5, "x", True, None, 2**40, -(2**70), b"ab", (1, 2, 3, 4)]},
    "huge_integer": lambda: 1 << 4000,
    "set": lambda: {1, 2},
    "frozenset": lambda: frozenset({1}),
    "complex": lambda: 1 + 2j,
    "bytearray": lambda: bytearray(b"abc"),
    "range": lambda: range(3),
    "slice": lambda: slice(1, 2),
    "namespace": lambda: argparse.Namespace(lr=0.1),
    "simple_namespace": lambda: types.SimpleNamespace(lr=0.1),
    "path": lambda: pathlib.Path("/x/y"),
    "enum": lambda: Colour.RED,
    "dict_subclass": lambda: Attributes(a=1),
    "slots": slotted,
    "object": lambda: Plain(a=1, b=Plain(c=2)),
    "partial": lambda: functools.partial(max, 1),
    "function": lambda: max,
    "class": lambda: Plain,
    "type": lambda: int,
    "ordered": lambda: collections.OrderedDict(a=1),
    "counter": lambda: collections.Counter("aab"),
    "defaultdict": lambda: collections.defaultdict(list, a=[1]),
    "defaultdict_empty": lambda: collections.defaultdict(int),
    "deque": lambda: collections.deque([1, 2], maxlen=3),
    "datetime": lambda: datetime.datetime(2026, 1, 2),
    "decimal": lambda: decimal.Decimal("1.5"),
    "fraction": lambda: fractions.Fraction(1, 3),
    "numpy_scalar": lambda: np.float64(1.5),
    "numpy_integer": lambda: np.int32(7),
    "numpy_array": lambda: np.arange(6.0).reshape(2, 3),
    "numpy_half": lambda: np.arange(3, dtype=np.float16),
    "numpy_text": lambda: np.array(["ab", "c"]),
    "numpy_objects": lambda: np.array([1, "x"], dtype=object),
    "numpy_state": lambda: np.random.RandomState(0).get_state(),
    "numpy_generator": lambda: np.random.default_rng(0),
    "torch_types": lambda: [torch.float32, torch.Size([1]), torch.device("cuda:0"), torch.strided, torch.sparse_coo, torch.per_tensor_affine],
    "generator_state": torch.get_rng_state,
    "parameter": lambda: nn.Parameter(torch.ones(2)),
    "buffer": lambda: nn.Buffer(torch.ones(2)),
    "attribute": with_attribute,
    "sparse": lambda: torch.eye(3).to_sparse(),
    "csr": lambda: torch.eye(3).to_sparse_csr(),
    "quantized": lambda: torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8),
    "per_channel": lambda: torch.quantize_per_channel(torch.ones(2, 2), torch.ones(2), torch.zeros(2), 0, torch.qint8),
    "meta": lambda: torch.ones(2, device="meta"),
    "conjugated": lambda: torch.ones(2, dtype=torch.complex64).conj(),
    "float8": lambda: torch.ones(2).to(torch.float8_e4m3fn),
    "wide_unsigned": lambda: torch.ones(2).to(torch.uint32),
    "nested": lambda: torch.nested.nested_tensor([torch.ones(2), torch.ones(3)]),
    "storage": lambda: torch.ones(2).untyped_storage(),
    "typed_storage": lambda: torch.FloatStorage([1.0, 2.0]),
    "module": lambda: nn.Linear(3, 2),
    "modules": lambda: nn.Sequential(nn.Conv2d(1, 1, 1), nn.BatchNorm2d(1), nn.GELU()),
    "optimizer": lambda: torch.optim.SGD(nn.Linear(3, 2).parameters(), 0.1),
    "optimizer_state": optimizer_state,
    "cycle": cyclic,
}


def wrapped(value):
    return {"model": state(), "value": value, "epoch": 3}


def torch_says(path):
    """None where it loads, else the name that it refuses, or its words."""
    try:
        torch.load(path)
    except Exception as error:  # noqa: BLE001: whatever a user would see
        text = str(error)
        found = re.search(r"GLOBAL (\S+) was not an allowed|unsupported GLOBAL (\S+) whose", text)
        return (found[1] or found[2]) if found else text
    return None


def samebits_says(run, path):
    found = [f for f in run("inspect", path)["findings"] if f["cause"] == "load.refused" and "globals" in f["evidence"]]
    assert len(found) <= 1
    return found[0] if found else None


def held(run, path):
    says, finding = torch_says(path), samebits_says(run, path)
    assert (says is None) == (finding is None), (says, finding)
    if says is None:
        return
    names = finding["evidence"]["globals"] + [o.split(",")[0] for o in finding["evidence"]["obstacles"]]
    if re.fullmatch(r"[\w.]+", says):
        assert any(n in (says, "builtins." + says) for n in names), (says, names)
    try:
        unsafe = torch.serialization.get_unsafe_globals_in_checkpoint(path)
    except Exception:  # noqa: BLE001: it reads zip archives of protocol 2
        return
    assert set(unsafe) <= set(names), (unsafe, names)
    # What is beyond the names of the pickle are numpy's classes of types.
    assert all(n.startswith("numpy.dtypes.") for n in set(finding["evidence"]["globals"]) - set(unsafe))


def allowed(finding):
    """The names of the finding, as one would import them."""
    import importlib

    made = []
    for name in finding["evidence"]["globals"]:
        module, _, last = name.rpartition(".")
        made.append((getattr(importlib.import_module(module), last), name))
    return made


@pytest.mark.parametrize("name", VALUES)
def test_what_is_refused_is_what_torch_refuses(run, tmp_path, name):
    path = tmp_path / "x.pt"
    torch.save(wrapped(VALUES[name]()), path)
    held(run, path)
    finding = samebits_says(run, path)
    if finding is None:
        return
    with torch.serialization.safe_globals(allowed(finding)):
        says = torch_says(path)
    assert (says is None) == (not finding["evidence"]["obstacles"]), (says, finding["evidence"])


@pytest.mark.parametrize("name", ["plain", "namespace", "numpy_array", "optimizer_state", "defaultdict", "parameter"])
@pytest.mark.parametrize("form", ["legacy", "protocol 0", "protocol 1", "protocol 3", "protocol 4", "protocol 5"])
def test_other_forms_of_the_file(run, tmp_path, name, form):
    path = tmp_path / "x.pt"
    how = {"_use_new_zipfile_serialization": False} if form == "legacy" else {"pickle_protocol": int(form[-1])}
    torch.save(wrapped(VALUES[name]()), path, **how)
    assert samebits_says(run, path) or form in ("legacy", "protocol 3"), "torch's unpickler has hardly any of the others' instructions"
    held(run, path)


def test_roles(run, tmp_path):
    torch.save(nn.Linear(3, 2).eval(), tmp_path / "whole.pt")
    assert samebits_says(run, tmp_path / "whole.pt")["role"] == "note"
    torch.save(nn.Linear(3, 2).eval(), tmp_path / "legacy.pt", _use_new_zipfile_serialization=False)
    finding = samebits_says(run, tmp_path / "legacy.pt")
    assert finding["role"] == "note" and torch_says(tmp_path / "legacy.pt")
    torch.save(wrapped(argparse.Namespace()), tmp_path / "args.pt")
    assert samebits_says(run, tmp_path / "args.pt")["role"] == "risk"


@pytest.mark.filterwarnings("ignore")
def test_torchscript_is_refused_for_what_it_is(run, tmp_path):
    torch.jit.save(torch.jit.script(nn.Linear(3, 2).eval()), tmp_path / "script.pt")
    assert "TorchScript" in torch_says(tmp_path / "script.pt")
    finding = samebits_says(run, tmp_path / "script.pt")
    assert finding["role"] == "note" and "TorchScript" in finding["summary"] and finding["evidence"]["globals"] == []


def test_the_names_are_those_of_torch():
    from torch import _weights_only_unpickler as unpickler

    listed = set(re.findall(r'^    "(.*)",$', HEADER.read_text(), re.MULTILINE))
    assert set(unpickler._get_allowed_globals()) <= listed
    added = {"torch.distributed._mesh_layout._FlatLayout", "torch.distributed._mesh_layout._MeshLayout",
             "torch.nested._internal.nested_tensor.NestedTensor", "torch.nested._internal.nested_tensor._rebuild_njt"}
    assert listed - set(unpickler._get_allowed_globals()) == added


@pytest.mark.parametrize("device", ["cuda:0", "cuda:3", "mps", "xpu:0", "hpu"])
def test_devices_need_map_location(run, tmp_path, device):
    path = tmp_path / "x.pt"
    LOCATION[0] = device
    torch.save(state(), path)
    LOCATION[0] = None
    with pytest.raises(Exception, match="."):
        torch.load(path)
    torch.load(path, map_location="cpu")
    value = run("inspect", path)
    assert value["subjects"][0]["devices"] == [device]
    (finding,) = [f for f in value["findings"] if f["cause"] == "load.refused"]
    assert finding["evidence"]["devices"] == [device] and "map_location" in finding["summary"]


def test_a_matrix_at_an_odd_address_is_noted(run, tmp_path):
    from safetensors.torch import load_file

    weight = torch.randn(10, 64)
    for remainder in (0, 2, 8):
        path = tmp_path / f"{remainder}.safetensors"
        head = b'{"w":{"dtype":"F32","shape":[10,64],"data_offsets":[0,2560]}}'
        head += b" " * ((remainder - 8 - len(head)) % 16)
        path.write_bytes(len(head).to_bytes(8, "little") + head + weight.numpy().tobytes())
        loaded = load_file(path)["w"]
        assert loaded.data_ptr() % 16 == remainder and torch.equal(copy.deepcopy(loaded), weight)
        roles = [f["role"] for f in run("inspect", path)["findings"] if f["cause"] == "numerics.alignment"]
        assert roles == {0: [], 2: ["risk"], 8: ["note"]}[remainder]
