"""Directories of torch.distributed.checkpoint, whole and in shards of several processes, against torch's own reading."""

import dataclasses
import hashlib
import json
import pickle
import shutil
import subprocess
import sys
import textwrap

import pytest
import torch
import torch.distributed.checkpoint as dcp
from conftest import PROGRAM
from torch.distributed.checkpoint.format_utils import dcp_to_torch_save

SHARDED = '''
import os, sys, warnings
warnings.simplefilter("ignore")
import torch, torch.distributed as dist, torch.distributed.checkpoint as dcp, torch.multiprocessing as mp
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import Replicate, Shard, distribute_tensor

def work(rank, world, out, port, safetensors):
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port), RANK=str(rank), WORLD_SIZE=str(world))
    dist.init_process_group("gloo")
    mesh = init_device_mesh("cpu", (world,))
    torch.manual_seed(0)
    state = {
        "rows": distribute_tensor(torch.randn(7, 5), mesh, [Shard(0)]),
        "columns": distribute_tensor(torch.randn(4, 9), mesh, [Shard(1)]),
        "middle": distribute_tensor(torch.randn(2, 6, 3).bfloat16(), mesh, [Shard(1)]),
        "short": distribute_tensor(torch.randn(1, 4), mesh, [Shard(0)]),
        "vector": distribute_tensor(torch.arange(10), mesh, [Shard(0)]),
        "everywhere": distribute_tensor(torch.randn(3, 3), mesh, [Replicate()]),
        "plain": torch.randn(4),
    }
    if safetensors:
        dcp.save(state, storage_writer=dcp.HuggingFaceStorageWriter(out, save_distributed=True))
        whole = {name: value.full_tensor() if hasattr(value, "full_tensor") else value for name, value in state.items()}
        if rank == 0:
            torch.save(whole, out + ".pt")
    else:
        dcp.save({"model": state, "optimizer": {"state": {0: {"exp_avg": state["rows"]}}}, "step": 3}, checkpoint_id=out)
    dist.destroy_process_group()

if __name__ == "__main__":
    mp.spawn(work, (int(sys.argv[2]), sys.argv[1], int(sys.argv[3]), len(sys.argv) > 4), nprocs=int(sys.argv[2]))
'''


def whole(folder, out):
    dcp_to_torch_save(str(folder), str(out))
    return torch.load(out, weights_only=False)


def digests(state):
    return {name: hashlib.sha256(t.detach().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()).hexdigest() for name, t in state.items()}


def check_against_torch(run, folder, tmp_path):
    loaded = whole(folder, tmp_path / "whole.pt")
    report = run("inspect", folder, "--sha256")
    found = {entry["name"].removeprefix("model."): entry["sha256"] for entry in report.part("entries") if entry["name"].startswith("model.")}
    assert found == digests(loaded["model"])
    diff = run("diff", folder, tmp_path / "whole.pt")
    assert (diff["verdict"], diff["weights"][0]["matched"]) == ("same", len(loaded["model"]))
    return report


def test_a_checkpoint_of_one_process(run, tmp_path):
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Linear(4, 2), torch.nn.BatchNorm1d(2)).double()
    optimizer = torch.optim.AdamW(model.parameters())
    model(torch.ones(2, 3).double()).sum().backward()
    optimizer.step()
    dcp.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": 7}, checkpoint_id=str(tmp_path / "dcp"))
    report = check_against_torch(run, tmp_path / "dcp", tmp_path)
    assert report.subject["weights_from"] == "model"
    assert {entry["role"] for entry in report.part("entries") if entry["name"].startswith("optimizer.")} == {"optimizer"}


def save_in_shards(folder, world, *words):
    script = folder.parent / "shards.py"
    script.write_text(textwrap.dedent(SHARDED))
    port = 29500 + world + hash(str(folder)) % 1000
    for attempt in range(3):  # a process of torch.distributed is seldom aborted while it ends, its files written
        done = subprocess.run([sys.executable, str(script), str(folder), str(world), str(port + attempt), *words], capture_output=True, text=True, timeout=240)
        if done.returncode == 0 or "SIGABRT" not in done.stderr:
            break
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.parametrize("world", [2, 3])
def test_shards_are_put_together(world, run, tmp_path):
    save_in_shards(tmp_path / "dcp", world)
    assert len(list((tmp_path / "dcp").glob("*.distcp"))) == world
    check_against_torch(run, tmp_path / "dcp", tmp_path)


@pytest.fixture(scope="module")
def safetensors_shards(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hf") / "shards"
    save_in_shards(folder, 3, "safetensors")
    return folder


def test_safetensors_shards_are_put_together(run, safetensors_shards):
    names = sorted(path.name for path in safetensors_shards.iterdir())
    assert names == [f"shard-0000{rank}-model-00001-of-00001.safetensors" for rank in (1, 2, 3)]
    loaded = torch.load(f"{safetensors_shards}.pt")
    report = run("inspect", safetensors_shards, "--sha256")
    assert {entry["name"]: entry["sha256"] for entry in report.part("entries")} == digests(loaded)
    diff = run("diff", safetensors_shards, f"{safetensors_shards}.pt")
    assert (diff["verdict"], diff["weights"][0]["matched"]) == ("same", len(loaded))


def test_one_safetensors_shard_is_no_model(run, safetensors_shards):
    for rank in (1, 2):  # the first of them begins at index 0 everywhere
        report = run("inspect", safetensors_shards / f"shard-0000{rank}-model-00001-of-00001.safetensors")
        (finding,) = report.findings("file.incomplete")
        assert "one shard of a distributed checkpoint" in finding["summary"] and str(safetensors_shards) in finding["remedy"]


@pytest.mark.parametrize("lost", [1, 2])
def test_a_lost_safetensors_shard_leaves_a_hole(run, safetensors_shards, tmp_path, lost):
    shutil.copytree(safetensors_shards, tmp_path / "dcp")
    (tmp_path / "dcp" / f"shard-0000{lost}-model-00001-of-00001.safetensors").unlink()
    report = run("diff", tmp_path / "dcp", f"{safetensors_shards}.pt")
    assert report["verdict"] != "same" and "elements" in str(report["not_checked"])


def test_safetensors_shards_of_two_saves_overlap(run, safetensors_shards, tmp_path):
    """Two processes write where three had written before: the third file stays."""
    shutil.copytree(safetensors_shards, tmp_path / "dcp")
    save_in_shards(tmp_path / "dcp", 2, "safetensors")
    report = run("inspect", tmp_path / "dcp")
    assert report["verdict"] == "unknown" and "its parts overlap" in str(report["not_checked"])


def test_a_missing_file_is_said(run, tmp_path):
    dcp.save({"model": {"w": torch.ones(3)}}, checkpoint_id=str(tmp_path / "dcp"))
    (tmp_path / "dcp" / "__0_0.distcp").unlink()
    report = run("inspect", tmp_path / "dcp")
    assert report["verdict"] == "unknown" and "__0_0.distcp" in str(report["not_checked"])
    assert [entry["offset"] for entry in report.part("entries")] == [None]


def changed(folder, change):
    """The directory with other metadata."""
    path = folder / ".metadata"
    metadata = pickle.loads(path.read_bytes())
    change(metadata)
    path.write_bytes(pickle.dumps(metadata, protocol=4))


def move(**fields):
    def change(metadata):
        index, place = next(iter(metadata.storage_data.items()))
        metadata.storage_data[index] = dataclasses.replace(place, **fields)

    return change


def resize(metadata):
    metadata.state_dict_metadata["model.w"].size = torch.Size([3, 5])


def many_pieces(metadata):
    index, place = next(iter(metadata.storage_data.items()))
    for i in range(1000):
        metadata.storage_data[dataclasses.replace(index, offset=torch.Size([i, 0]))] = place


@pytest.mark.parametrize("change, says", [
    (move(offset=1 << 40), "ends before the piece"), (move(length=3), ""), (move(relative_path="../x"), "not complete"),
    (move(relative_path="nosuch"), "nosuch"), (move(transform_descriptors=["zstd"]), "transforms"), (resize, "another shape"),
    (many_pieces, ""), (lambda m: m.state_dict_metadata.clear(), ""), (lambda m: m.__dict__.pop("storage_data"), "no metadata"),
])
def test_metadata_that_does_not_fit_is_an_error(change, says, run, tmp_path):
    dcp.save({"model": {"w": torch.randn(3, 4)}}, checkpoint_id=str(tmp_path / "dcp"))
    changed(tmp_path / "dcp", change)
    report = run("inspect", tmp_path / "dcp")
    assert says in str(report["not_checked"])
    assert report["verdict"] == "unknown" or change.__name__ == "<lambda>"


def test_pieces_that_do_not_cover_a_tensor_are_an_error(run, tmp_path):
    dcp.save({"model": {"w": torch.randn(6, 4)}}, checkpoint_id=str(tmp_path / "dcp"))

    def shrink(metadata):
        metadata.state_dict_metadata["model.w"].size = torch.Size([9, 4])
        metadata.state_dict_metadata["model.w"].chunks *= 2

    changed(tmp_path / "dcp", shrink)
    report = run("inspect", tmp_path / "dcp")
    assert report["verdict"] == "unknown" and "cover 24 of 36 elements" in str(report["not_checked"])


def test_convert_writes_what_was_put_together(tmp_path):
    state = {"w": torch.randn(3, 4), "b": torch.randn(3)}
    dcp.save({"model": state}, checkpoint_id=str(tmp_path / "dcp"))
    done = subprocess.run([str(PROGRAM), "convert", str(tmp_path / "dcp"), str(tmp_path / "out.pth"), "--to", "torch", "--json"], capture_output=True, text=True)
    assert done.returncode == 0 and json.loads(done.stdout)["tensors"] == 2, done.stderr
    assert digests(torch.load(tmp_path / "out.pth", weights_only=True)) == digests(state)
