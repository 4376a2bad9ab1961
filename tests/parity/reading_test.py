"""Whatever torch, safetensors and numpy can save, read tensor by tensor as they read it themselves."""

import hashlib
import io
import json
import pickle

import numpy
import pytest
import safetensors.torch
import torch
import truth
from saved_modules import fixed
from saved_objects import OBJECTS, ZIP_ONLY, bits, seeded
from torch import nn


def tensors_in(report):
    """entries by name; the buffers that state_dict() leaves out apart."""
    assert report["verdict"] != "unknown", report["not_checked"]
    stored, transient = {}, {}
    for entry in report.part("entries"):
        group = transient if entry["role"] == "non-persistent buffer" else stored
        assert entry["name"] not in group, f"two entries are called {entry['name']}"
        group[entry["name"]] = truth.Tensor(entry["dtype"], tuple(entry["shape"]), entry["sha256"])
    return stored, transient


def agree(report, expected, transient=None, attributes=None):
    stored, left_out = tensors_in(report)
    expected = expected | (attributes or {})
    assert stored.keys() == expected.keys()
    assert stored == expected
    assert left_out == (transient or {})
    roles = {entry["name"]: entry["role"] for entry in report.part("entries")}
    assert all(roles[name] == "other" for name in attributes or {})


def read_back(path):
    return torch.load(path, weights_only=False, map_location="cpu")


def compare(run, path):
    value = read_back(path)
    report = run("inspect", path, "--sha256")
    agree(report, truth.tensors_of(value), truth.transient_of(value), truth.attributes_of(value))
    return report


# They call a class of the tests, and getattr() for a method of an object.
LISTED = {"objects-beside-tensors", "module-compiled"}


@pytest.mark.parametrize("name", OBJECTS)
def test_zip(run, tmp_path, name):
    torch.save(OBJECTS[name](), tmp_path / "saved.pt")
    report = compare(run, tmp_path / "saved.pt")
    assert any(finding["role"] != "note" for finding in report.findings("file.calls")) == (name in LISTED)


@pytest.mark.parametrize("name", [name for name in OBJECTS if name not in ZIP_ONLY])
def test_legacy_stream(run, tmp_path, name):
    torch.save(OBJECTS[name](), tmp_path / "saved.pt", _use_new_zipfile_serialization=False)
    compare(run, tmp_path / "saved.pt")


PROTOCOL_OBJECTS = """views shared-storage parameter-with-attributes nested-containers keys-of-other-types objects-beside-tensors
    numpy-beside-tensors cycles module-net module-gru training-checkpoint a-tensor-alone""".split()


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
@pytest.mark.parametrize("protocol", [1, 3, 4, 5])
@pytest.mark.parametrize("name", PROTOCOL_OBJECTS)
def test_pickle_protocols(run, tmp_path, name, protocol, zipped):
    path = tmp_path / "saved.pt"
    torch.save(OBJECTS[name](), path, pickle_protocol=protocol, _use_new_zipfile_serialization=zipped)
    compare(run, path)


def test_name_and_folder_say_nothing(run, tmp_path):
    path = tmp_path / "config.json"
    torch.save({"w": seeded(2)}, path)
    compare(run, path)


def test_names_inside_the_weights(run, tmp_path):
    path = tmp_path / "checkpoint.pth"
    torch.save({"epoch": 1, "state_dict": nn.Linear(2, 3).state_dict(), "other": seeded(1)}, path)
    names = {entry["name"]: entry.get("state_dict_name") for entry in run("inspect", path).part("entries")}
    assert names["state_dict.weight"] == "weight" and names["state_dict.bias"] == "bias"
    assert not names["other"]


# Tensors that are no array of elements: their parts are listed with their bytes, or the report says that it did not read
# them. Silence is wrong.


def parts(tensor):
    if tensor.layout == torch.sparse_coo:
        return [tensor._indices(), tensor._values()]
    if tensor.layout in (torch.sparse_csr, torch.sparse_bsr):
        return [tensor.crow_indices(), tensor.col_indices(), tensor.values()]
    return [tensor.ccol_indices(), tensor.row_indices(), tensor.values()]


SPARSE = {
    "coo": lambda t: t.to_sparse(), "coo-uncoalesced": lambda t: torch.sparse_coo_tensor([[0, 0, 1]], seeded(3), (4,), check_invariants=True),
    "csr": lambda t: t.to_sparse_csr(), "csc": lambda t: t.to_sparse_csc(), "bsr": lambda t: t.to_sparse_bsr((2, 2)),
}


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
@pytest.mark.parametrize("layout", SPARSE)
def test_sparse(run, tmp_path, layout, zipped):
    path = tmp_path / "saved.pt"
    torch.save({"s": SPARSE[layout](seeded(4, 6).relu()), "w": seeded(2)}, path, _use_new_zipfile_serialization=zipped)
    value = read_back(path)
    report = run("inspect", path, "--sha256")
    entries = {e["name"]: truth.Tensor(e["dtype"], tuple(e["shape"]), e["sha256"]) for e in report.part("entries")}
    assert entries.pop("w") == truth.of_tensor(value["w"])
    if entries or report["verdict"] != "unknown":
        assert all(name.startswith("s") for name in entries)
        assert sorted(map(repr, entries.values())) == sorted(repr(truth.of_tensor(part)) for part in parts(value["s"]))
    assert report["verdict"] != "unknown" or report["not_checked"]


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_meta_has_no_bytes(run, tmp_path, zipped):
    path = tmp_path / "saved.pt"
    torch.save({"m": torch.empty(3, 2, device="meta"), "w": seeded(2)}, path, _use_new_zipfile_serialization=zipped)
    report = run("inspect", path, "--sha256")
    entries = {e["name"]: e for e in report.part("entries")}
    assert entries["w"]["sha256"] == truth.of_tensor(read_back(path)["w"]).sha256
    assert (entries["m"]["dtype"], entries["m"]["shape"], entries["m"].get("sha256")) == ("float32", [3, 2], None)
    assert report["verdict"] == "risk" and report.finding("weights.invalid")["evidence"]["tensors"] == ["m"]


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_four_bits_are_no_elements_of_bytes(run, tmp_path, zipped):
    path = tmp_path / "saved.pt"
    packed = torch.quantize_per_channel(seeded(4, 6), torch.ones(4), torch.zeros(4), 0, torch.quint4x2)
    torch.save({"q": packed, "w": seeded(2)}, path, _use_new_zipfile_serialization=zipped)
    report = run("inspect", path, "--sha256")
    assert report["verdict"] == "unknown" and any("quint4x2" in line for line in report["not_checked"])
    entries = {e["name"]: e for e in report.part("entries")}
    assert entries["w"]["sha256"] == truth.of_tensor(read_back(path)["w"]).sha256


def test_jagged_is_never_silent(run, tmp_path):
    nested = torch.nested.nested_tensor([seeded(2, 3), seeded(3, 3)], layout=torch.jagged)
    torch.save({"n": nested, "w": seeded(2)}, tmp_path / "saved.pt")
    report = run("inspect", tmp_path / "saved.pt", "--sha256")
    names = {entry["name"] for entry in report.part("entries")}
    assert "w" in names
    assert any(name.startswith("n") for name in names) or report["not_checked"]


def test_pickle_dump_of_tensors_is_read_or_reported(run, tmp_path):
    """Without torch.save each storage is a torch stream inside a bytes object."""
    value = {"w": seeded(2, 3), "b": seeded(3)}
    (tmp_path / "saved.pkl").write_bytes(pickle.dumps(value))
    report = run("inspect", tmp_path / "saved.pkl", "--sha256")
    if report["verdict"] != "unknown":
        agree(report, truth.tensors_of(value))


# TorchScript.


class Scripted(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
        self.register_buffer("shift", torch.arange(2.0))
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, x):
        return self.body(x) * self.scale + self.shift.view(1, 2, 1, 1)


@pytest.mark.parametrize("way", ["script", "trace"])
def test_torchscript(run, tmp_path, way):
    module = fixed(Scripted()).eval()
    archive = torch.jit.script(module) if way == "script" else torch.jit.trace(module, seeded(1, 1, 5, 5))
    torch.jit.save(archive, tmp_path / "archive.pt")
    report = run("inspect", tmp_path / "archive.pt", "--sha256")
    assert report.subject["kind"] == "torchscript"
    agree(report, truth.tensors_of(torch.jit.load(tmp_path / "archive.pt").state_dict()))


def test_torchscript_with_shared_weights(run, tmp_path):
    layer = fixed(nn.Linear(3, 3))
    torch.jit.save(torch.jit.script(nn.Sequential(layer, layer)), tmp_path / "archive.pt")
    agree(run("inspect", tmp_path / "archive.pt", "--sha256"), truth.tensors_of(torch.jit.load(tmp_path / "archive.pt").state_dict()))


# safetensors and directories.

SAFETENSORS = """float64 float32 float16 bfloat16 complex64 int64 int32 int16 int8 uint64 uint32 uint16 uint8 bool float8_e4m3fn
    float8_e4m3fnuz float8_e5m2 float8_e5m2fnuz float8_e8m0fnu float4_e2m1fn_x2""".split()


def compare_safetensors(run, path):
    agree(run("inspect", path, "--sha256"), truth.tensors_of(safetensors.torch.load_file(path)))


@pytest.mark.parametrize("name", SAFETENSORS)
def test_safetensors_dtype(run, tmp_path, name):
    path = tmp_path / "saved.safetensors"
    safetensors.torch.save_file({"t": bits(getattr(torch, name)), "after": torch.arange(3)}, path)
    compare_safetensors(run, path)


def test_safetensors_shapes_and_metadata(run, tmp_path):
    path = tmp_path / "saved.safetensors"
    value = {"scalar": torch.tensor(1.5), "empty": torch.empty(2, 0), "a.b.c": seeded(2, 3, 4), "ünï ☃": seeded(2), "": seeded(1)}
    safetensors.torch.save_file(value, path, metadata={"format": "pt", "note": 'quoted "text" \\ ☃'})
    compare_safetensors(run, path)


def test_safetensors_without_tensors(run, tmp_path):
    path = tmp_path / "saved.safetensors"
    safetensors.torch.save_file({}, path, metadata={"format": "pt"})
    report = run("inspect", path, "--deep")
    assert report.part("entries") == [] and "it holds no tensor" in json.dumps(report)


def test_safetensors_whole_module(run, tmp_path):
    path = tmp_path / "saved.safetensors"
    safetensors.torch.save_model(OBJECTS["module-tied"](), str(path))
    compare_safetensors(run, path)


def sharded(folder, pattern, save):
    """A directory of two shards as transformers writes it; the names are those of nn.TransformerEncoder."""
    weights = {f"vit.{name}": tensor for name, tensor in OBJECTS["module-transformer"]().state_dict().items()}
    folder.mkdir()
    shards = [dict(list(weights.items())[0::2]), dict(list(weights.items())[1::2])]
    weight_map = {}
    for number, shard in enumerate(shards, 1):
        name = pattern.format(number)
        save(shard, folder / name)
        weight_map |= dict.fromkeys(shard, name)
    index = {"metadata": {"total_size": sum(t.nbytes for t in weights.values())}, "weight_map": weight_map}
    (folder / (pattern.split("-")[0] + "." + pattern.split(".")[-1] + ".index.json")).write_text(json.dumps(index))
    (folder / "config.json").write_text(json.dumps({"model_type": "vit", "architectures": ["ViTModel"]}))
    return weights


SHARDS = {
    "safetensors": ("model-0000{}-of-00002.safetensors", lambda t, p: safetensors.torch.save_file(t, p, metadata={"format": "pt"})),
    "bin": ("pytorch_model-0000{}-of-00002.bin", torch.save),
}


@pytest.mark.parametrize("form", SHARDS)
def test_sharded_directory(run, tmp_path, form):
    weights = sharded(tmp_path / "model", *SHARDS[form])
    report = run("inspect", tmp_path / "model", "--sha256")
    assert report.subject["kind"] == "hf-directory" and report.subject["model_type"] == "vit"
    assert report.subject["tensors"] == len(weights)
    agree(report, truth.tensors_of(weights))


@pytest.mark.parametrize("form", SHARDS)
def test_missing_shard_is_unknown(run, tmp_path, form):
    sharded(tmp_path / "model", *SHARDS[form])
    lost = SHARDS[form][0].format(2)
    (tmp_path / "model" / lost).unlink()
    report = run("inspect", tmp_path / "model", "--sha256")
    assert report["verdict"] == "unknown" and any(lost in line for line in report["not_checked"])


# numpy.

ARRAYS = {
    "c": numpy.arange(12, dtype="f4").reshape(3, 4), "fortran": numpy.asfortranarray(numpy.arange(12, dtype="f8").reshape(3, 4)),
    "fortran3": numpy.asfortranarray(numpy.arange(24, dtype="i2").reshape(2, 3, 4)), "big-endian": numpy.arange(6, dtype=">f4").reshape(2, 3),
    "big-endian-int": numpy.asfortranarray(numpy.arange(6, dtype=">i8").reshape(2, 3)), "half": numpy.arange(4, dtype="f2"),
    "complex": numpy.arange(4).astype("c8"), "complex-double": (numpy.arange(4) * 1j).astype("c16"), "bool": numpy.array([True, False]),
    "uint": numpy.arange(5, dtype="u4"), "scalar": numpy.array(2.5), "empty": numpy.empty((0, 3), dtype="i1"),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_npy(run, tmp_path, name):
    numpy.save(tmp_path / "array.npy", ARRAYS[name])
    agree(run("inspect", tmp_path / "array.npy", "--sha256"), {"": truth.of_array(numpy.load(tmp_path / "array.npy"))})


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_npy_versions(run, tmp_path, version):
    buffer = io.BytesIO()
    numpy.lib.format.write_array(buffer, ARRAYS["c"], version=version)
    (tmp_path / "array.npy").write_bytes(buffer.getvalue())
    agree(run("inspect", tmp_path / "array.npy", "--sha256"), {"": truth.of_array(ARRAYS["c"])})


def test_npy_of_a_dict_of_arrays(run, tmp_path):
    arrays = {name: array for name, array in ARRAYS.items() if array.size}
    numpy.save(tmp_path / "dict.npy", arrays)
    found = numpy.load(tmp_path / "dict.npy", allow_pickle=True).item()
    agree(run("inspect", tmp_path / "dict.npy", "--sha256"), {name: truth.of_array(array) for name, array in found.items()})


@pytest.mark.parametrize("save", [numpy.savez, numpy.savez_compressed], ids=["stored", "deflated"])
def test_npz(run, tmp_path, save):
    save(tmp_path / "arrays.npz", **ARRAYS)
    expected = {name: truth.of_array(array) for name, array in numpy.load(tmp_path / "arrays.npz").items()}
    agree(run("inspect", tmp_path / "arrays.npz", "--sha256"), expected)


# The truth itself.


def test_the_truth_names_and_hashes_as_the_corpus_does():
    value = {"fc.weight": torch.tensor([[1.0, 2.0]]).t(), "epoch": 3, "list": [nn.Parameter(torch.tensor(True), requires_grad=False)]}
    assert truth.tensors_of(value) == {
        "fc.weight": truth.Tensor("float32", (2, 1), hashlib.sha256(bytes.fromhex("0000803f00000040")).hexdigest()),
        "list.0": truth.Tensor("bool", (), hashlib.sha256(b"\1").hexdigest()),
    }
    assert truth.tensors_of(torch.empty(0))[""].sha256 == hashlib.sha256(b"").hexdigest()
