"""One model by every route of transformers 4.57.6 and 5.24.0: other names in memory and on disk, other fields, other buffers, the same model."""

import pathlib
import subprocess
import sys

import pytest
import version_zoo
from sampling import sample

FRESH = ["beit-relative", "beit-shared", "beit-segmentation", "yolos", "swin", "videomae", "segformer", "llava", "swin-decoder", "upernet-beit", "clip"]
NAMES = sample(sorted([*version_zoo.PLAIN, *version_zoo.BUILT, *(f"{name}-FRESH" for name in FRESH)]), 6)
# What is one program in both versions but for the kernel of attention, by the config of the whole module.
OTHER_KERNEL = {"blip2", "owlvit", "segformer", "swin", "t5", "llava", "segformer-FRESH", "swin-FRESH", "swin-decoder", "swin-decoder-FRESH"}


@pytest.fixture(scope="module")
def zoo(tmp_path_factory, python_t4):
    folder = tmp_path_factory.mktemp("zoo")
    script = str(pathlib.Path(version_zoo.__file__))
    for python in (python_t4, sys.executable):
        done = subprocess.run([str(python), script, str(folder), *NAMES], capture_output=True, text=True, timeout=900)
        assert done.returncode == 0, done.stderr[-2000:]
    return folder


def pair(report):
    found = report.pair("B")
    assert found["verdict"] in ("identical", "same-values"), (found["only_a"], found["only_b"])
    return found


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("a, b", [("hf5", "state5.pth"), ("hf5", "whole5.pth"), ("hf4", "state4.pth"), ("hf4", "whole4.pth"), ("hf4", "hf5"), ("state4.pth", "state5.pth")])
def test_one_model_by_two_routes_is_the_same(run, zoo, name, a, b):
    folder = zoo / name
    if not (folder / b).exists():  # a module that torch.save refuses
        assert b == "whole5.pth" and (folder / "hf5").exists()
        return
    report = run("diff", folder / a, folder / b)
    pair(report)
    assert report["verdict"] == "same" and report.status == 0, [f for f in report["findings"] if f["role"] != "note"]
    assert not report.findings("file.calls")
    words = " ".join(finding["remedy"] + finding["summary"] for finding in report["findings"])
    assert "random" not in words


@pytest.mark.parametrize("name", NAMES)
def test_whole_modules_of_two_versions_are_the_same(run, zoo, name):
    folder = zoo / name
    if not (folder / "whole5.pth").exists():  # torch.save refuses it
        assert (folder / "hf5").exists()
        return
    report = run("diff", folder / "whole4.pth", folder / "whole5.pth")
    pair(report)
    assert report["verdict"] == "same", [f for f in report["findings"] if f["role"] != "note"]
    kernels = {field.rpartition(".")[2] for finding in report["findings"] if finding["role"] == "risk" for field in finding["evidence"]["fields"]}
    assert kernels <= {"attn_implementation"} and (report.status == 0 or name in OTHER_KERNEL)
