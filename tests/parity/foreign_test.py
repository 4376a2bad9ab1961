"""TorchScript archives and pickles of numpy arrays against torch and numpy themselves."""

import pickle

import numpy
import pytest
import torch
import truth
from torch import nn


class Part(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(3, 2)
        self.register_buffer("left_out", torch.ones(2), persistent=False)
        self.register_buffer("shift", torch.full((2,), 3.0))
        self.loose = torch.full((2,), 7.0)
        self.alias = self.linear.weight

    def forward(self, x):
        return self.linear(x) * self.left_out + self.shift + self.loose


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.part = Part()
        self.norm = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
        self.list = nn.ModuleList([nn.Linear(2, 2), nn.Linear(2, 2)])
        self.tied = nn.Linear(2, 2)
        self.tied.weight = self.list[0].weight
        self.scale = nn.Parameter(torch.ones(2))

    def forward(self, x):
        x = self.norm(self.part(x))
        for layer in self.list:
            x = layer(x)
        return self.tied(x) * self.scale


@pytest.mark.parametrize("way", ["script", "trace"])
def test_archive_has_the_names_of_state_dict(run, tmp_path, way):
    module = Net().eval()
    archive = torch.jit.script(module) if way == "script" else torch.jit.trace(module, torch.randn(2, 3))
    archive.save(str(tmp_path / "m.pt"))
    names = list(torch.jit.load(str(tmp_path / "m.pt")).state_dict())
    report = run("inspect", tmp_path / "m.pt")
    assert report["verdict"] == "clean"
    entries = [entry for entry in report.part("entries") if entry["role"] in ("parameter", "buffer")]
    assert {entry["name"] for entry in entries} == set(names)
    assert report.subject["tensors"] == len(names)


def test_frozen_archive_holds_constants(run, tmp_path):
    torch.jit.freeze(torch.jit.script(nn.Linear(3, 2).eval())).save(str(tmp_path / "m.pt"))
    assert run("inspect", tmp_path / "m.pt").subject["tensors"] == 2


ARRAYS = {
    "c": numpy.arange(6, dtype="f4").reshape(2, 3),
    "fortran": numpy.asfortranarray(numpy.arange(6, dtype="f8").reshape(2, 3)),
    "big": numpy.arange(4, dtype=">i4"),
    "high": numpy.arange(250, 256, dtype="u1"),
    "scalar": numpy.float32(2.5),
    "half": numpy.array(1.5, dtype="f2"),
    "empty": numpy.zeros((0, 3), dtype="?"),
}


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
@pytest.mark.parametrize("key", ["", "model"])
def test_pickled_arrays(run, tmp_path, protocol, key):
    (tmp_path / "w.pkl").write_bytes(pickle.dumps({key: ARRAYS, "author": "x"} if key else ARRAYS, protocol=protocol))
    report = run("inspect", tmp_path / "w.pkl", "--sha256")
    assert report["verdict"] == "clean" and report.subject["kind"] == "numpy"
    found = {entry["name"]: (tuple(entry["shape"]), entry["sha256"]) for entry in report.part("entries")}
    prefix = key + "." if key else ""
    assert found == {prefix + name: (array.shape, truth.of_array(numpy.asarray(array)).sha256) for name, array in ARRAYS.items()}


def test_arrays_of_objects_are_named(run, tmp_path):
    (tmp_path / "w.pkl").write_bytes(pickle.dumps({"w": numpy.ones(2), "odd": numpy.array([1, "a"], dtype=object)}))
    report = run("inspect", tmp_path / "w.pkl")
    assert report["verdict"] == "unknown"
    assert any("array odd" in line for line in report["not_checked"])


def unread(run, path):
    report = run("inspect", path)
    assert report["verdict"] == "unknown"
    return " ".join(report["not_checked"])


def test_files_of_torch_that_are_no_checkpoints_are_named(run, tmp_path):
    import torch.distributed.checkpoint as dcp

    module = nn.Linear(4, 4).eval()
    dcp.save({"model": module.state_dict()}, checkpoint_id=tmp_path / "dcp", no_dist=True)
    assert f"Name that directory: {tmp_path / 'dcp'}" in unread(run, tmp_path)
    assert "a shard of a distributed checkpoint" in unread(run, tmp_path / "dcp/__0_0.distcp")
    assert not run("inspect", tmp_path / "dcp/.metadata").findings("file.calls")
    (tmp_path / "dcp/.metadata").unlink()
    assert "without the .metadata" in unread(run, tmp_path / "dcp")


def test_many_absent_tensors_are_counted_and_not_listed(run, tmp_path):
    import json

    from safetensors.torch import save_file

    save_file({"w": torch.ones(2)}, tmp_path / "model-00001-of-00001.safetensors", metadata={"format": "pt"})
    names = {f"layers.{i}.weight": "model-00001-of-00001.safetensors" for i in range(30_000)} | {"w": "model-00001-of-00001.safetensors"}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": names}))
    report = run("diff", tmp_path, tmp_path)
    assert report["verdict"] == "unknown" and len(json.dumps(report["not_checked"])) < 100_000
    assert len(report["not_checked"]) < 10 and any("30000 tensors" in text for text in report["not_checked"])
