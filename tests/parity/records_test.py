"""Zip records that are damaged, without checksums or without values, written by torch and numpy."""

import pathlib
import zipfile

import numpy
import pytest
import torch
from torch import nn


def flip(path, record, byte=5):
    """One bit of a record's data."""
    with zipfile.ZipFile(path) as archive:
        header = next(i.header_offset for i in archive.infolist() if i.filename.endswith(record))
    data = bytearray(pathlib.Path(path).read_bytes())
    names = int.from_bytes(data[header + 26:header + 28], "little") + int.from_bytes(data[header + 28:header + 30], "little")
    data[header + 30 + names + byte] ^= 8
    pathlib.Path(path).write_bytes(data)


def model():
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 2)).eval()


SAVED = {
    "state dict": lambda path: torch.save(model().state_dict(), path),
    "whole module": lambda path: torch.save(model(), path),
    "training": lambda path: torch.save({"model": model().state_dict(), "epoch": 3}, path),
    "script": lambda path: torch.jit.save(torch.jit.script(model()), str(path)),
    "half": lambda path: torch.save({k: v.half() for k, v in model().state_dict().items()}, path),
}


@pytest.mark.parametrize("what", SAVED)
def test_a_flipped_bit_is_damage_and_no_other_training(what, run, tmp_path):
    for name in ("a.pt", "b.pt"):
        SAVED[what](tmp_path / name)
    flip(tmp_path / "b.pt", "data/0")
    for a, b, side in (("a.pt", "b.pt", "B"), ("b.pt", "a.pt", "A")):
        report = run("diff", tmp_path / a, tmp_path / b)
        assert report["verdict"] == "different"
        assert {f["cause"] for f in report["findings"] if f["role"] != "note"} == {"weights.invalid"}
        evidence = report.finding("weights.invalid")["evidence"]
        assert evidence["side"] == side and evidence["count"] == 1
        with zipfile.ZipFile(tmp_path / "b.pt") as archive:
            info = archive.getinfo(evidence["records"][0]["record"])
        assert evidence["records"][0]["stored"] == f"{info.CRC:08x}"


def test_damage_in_an_npz_and_in_a_shared_storage(run, tmp_path):
    state = {k: v.numpy() for k, v in model().state_dict().items()}
    for name in ("a.npz", "b.npz"):
        numpy.savez(tmp_path / name, **state)
    flip(tmp_path / "b.npz", "0.weight.npy", 140)
    with pytest.raises(zipfile.BadZipFile):
        numpy.load(tmp_path / "b.npz")["0.weight"]
    report = run("diff", tmp_path / "a.npz", tmp_path / "b.npz")
    assert report.causes("cause", "contributes", "risk") == {"weights.invalid"} and len(report["findings"]) == 1
    flat = torch.randn(64)
    for name in ("a.pt", "b.pt"):
        torch.save({"x": flat[:16], "y": flat[16:48].view(4, 8), "z": flat[48:]}, tmp_path / name)
    flip(tmp_path / "b.pt", "data/0", 16 * 4 + 5)
    assert run("diff", tmp_path / "a.pt", tmp_path / "b.pt").finding("weights.invalid")["evidence"]["tensors"] == ["y"]


def test_a_checksum_of_zero_in_an_npz_is_refused_by_numpy(run, tmp_path):
    for name in ("a.npz", "b.npz"):
        numpy.savez(tmp_path / name, w=numpy.arange(4.0) + (name == "b.npz"))
    with zipfile.ZipFile(tmp_path / "b.npz") as archive:
        crc = archive.getinfo("w.npy").CRC
    data = (tmp_path / "b.npz").read_bytes()
    (tmp_path / "b.npz").write_bytes(data.replace(crc.to_bytes(4, "little"), bytes(4)))
    with pytest.raises(zipfile.BadZipFile):
        numpy.load(tmp_path / "b.npz")["w"]
    assert run("diff", tmp_path / "a.npz", tmp_path / "b.npz").finding("weights.invalid")["role"] == "cause"


def test_damage_is_told_from_what_is_changed_beside_it(run, tmp_path):
    state = model().state_dict()
    torch.save(state, tmp_path / "a.pt")
    torch.save({k: v if k == "0.weight" else v + 1 for k, v in state.items()}, tmp_path / "b.pt")
    flip(tmp_path / "b.pt", "data/0")
    report = run("diff", tmp_path / "a.pt", tmp_path / "b.pt")
    assert report.finding("weights.invalid")["evidence"]["tensors"] == ["0.weight"]
    assert report.finding("weights.changed")["evidence"]["count"] == 3
    assert not report.findings("file.mixup")


@pytest.fixture
def without_checksums():
    torch.serialization.set_crc32_options(False)
    yield
    torch.serialization.set_crc32_options(True)


def test_an_archive_without_checksums_is_not_damaged(run, tmp_path, without_checksums):
    torch.save(model().state_dict(), tmp_path / "off.pt")
    torch.save(model(), tmp_path / "module.pt")
    torch.serialization.set_crc32_options(True)
    torch.save(model().state_dict(), tmp_path / "on.pt")
    for name in ("off.pt", "module.pt"):
        report = run("diff", tmp_path / "on.pt", tmp_path / name)
        assert (report["verdict"], report.status) == ("same", 0)
        deep = run("inspect", tmp_path / name, "--deep")
        assert deep["verdict"] == "clean" and "written without" in " ".join(deep["not_checked"])
        assert not deep.findings("weights.invalid")


def test_skipped_data_are_no_values(run, tmp_path):
    torch.save(model().state_dict(), tmp_path / "a.pt")
    with torch.serialization.skip_data():
        torch.save(model().state_dict(), tmp_path / "b.pt")
        torch.save(model(), tmp_path / "module.pt")
    assert not any(v.any() for v in torch.load(tmp_path / "b.pt").values())
    for name in ("b.pt", "module.pt"):
        report = run("diff", tmp_path / "a.pt", tmp_path / name)
        assert report["verdict"] == "different" and len(report["findings"]) == 1
        assert "never written" in report.finding("weights.invalid")["summary"]
    report = run("diff", tmp_path / "b.pt", tmp_path / "b.pt")
    assert report["verdict"] == "unknown" and "never written" in report["not_checked"][0]
    for options in ((), ("--deep",)):
        report = run("inspect", tmp_path / "b.pt", *options)
        assert report["verdict"] == "risk" and "the values of 4 records were never written" in report.finding("weights.invalid")["summary"]
        assert set(report.finding("weights.invalid")["evidence"]["tensors"]) == set(model().state_dict())
        assert "skip_data leaves them: room" not in str(report.subject["oddities"])


def test_room_that_was_filled_holds_values(run, tmp_path):
    """What skip_data is for: something else writes the values into the file afterwards."""
    state = model().state_dict()
    torch.save(state, tmp_path / "a.pt")
    with torch.serialization.skip_data():
        torch.save(state, tmp_path / "b.pt")
    data = bytearray((tmp_path / "b.pt").read_bytes())
    for entry in run("inspect", tmp_path / "b.pt").part("entries"):
        raw = state[entry["name"]].numpy().tobytes()
        data[entry["offset"]:entry["offset"] + len(raw)] = raw
    (tmp_path / "b.pt").write_bytes(data)
    assert torch.equal(torch.load(tmp_path / "b.pt")["0.weight"], state["0.weight"])
    assert run("diff", tmp_path / "a.pt", tmp_path / "b.pt")["verdict"] == "same"
    assert run("inspect", tmp_path / "b.pt", "--deep")["verdict"] == "clean"
