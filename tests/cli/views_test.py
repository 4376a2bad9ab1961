"""Views that cost a file nothing and their reader everything: lazily conjugated and negated ones, expanded and overlapping
ones, many names of one storage. Whatever a small file says, reading it takes little memory, and not long."""

import json
import resource
import subprocess

import pytest
import torch
import transcript

MEBIBYTES = 300  # of address space: the program and its libraries take 100
SECONDS = 120  # generous: each takes one or two


def ask(*arguments):
    """The report, and the exit status."""
    done = subprocess.run(
        [transcript.PROGRAM, *map(str, arguments), "--json", "--threads", "2"], capture_output=True, timeout=SECONDS,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (MEBIBYTES << 20, MEBIBYTES << 20)),
    )
    assert done.stderr == b""
    return json.loads(done.stdout), done.returncode


def saved(folder, name, tensors):
    torch.save(tensors, folder / name)
    return folder / name


ONE = torch.ones(1)
FLOATS = torch.arange(20_000.0)
FITS = 1 << 24  # 64 MiB of float32
TOO_LARGE = {
    "conjugated": torch.ones(1, dtype=torch.complex64).expand(1 << 40).conj(),
    "negated": torch._neg_view(ONE).expand(1 << 40),
    "expanded": ONE.expand(1 << 20, 1 << 20, 1 << 20),
    "overlapping": FLOATS.as_strided((10_000, 10_000), (1, 1)),
}


@pytest.mark.parametrize("name", TOO_LARGE)
def test_a_view_larger_than_its_file_may_describe_is_named_and_not_read(tmp_path, name):
    path = saved(tmp_path, "x.pth", {"view": TOO_LARGE[name], "w": ONE})
    for command in (["inspect", path], ["inspect", "--sha256", path], ["diff", path, path]):
        report, status = ask(*command)
        assert status == 2 and report["verdict"] == "unknown"
        assert any("tensor view" in text and "repeats a storage" in text for text in report["not_checked"])
    entries = {entry["name"]: entry for entry in ask("inspect", "--sha256", path)[0]["subjects"][0]["entries"]}
    assert entries["view"]["shape"] == list(TOO_LARGE[name].shape) and not entries["view"].get("sha256")
    assert entries["w"]["sha256"]


def test_what_views_describe_together_is_bounded(tmp_path):
    path = saved(tmp_path, "x.pth", {f"w{i}": FLOATS.as_strided((1000, 1000), (1, 1), i) for i in range(100)})
    report, status = ask("inspect", "--sha256", path)
    read = sum(entry["nbytes"] for entry in report["subjects"][0]["entries"] if entry.get("sha256"))
    assert status == 2 and 64 << 20 < read + 4_000_000 and read < (64 << 20) + 40 * path.stat().st_size


def test_views_at_the_bound_are_compared_in_pieces(tmp_path):
    a = saved(tmp_path, "a.pth", {"w": torch._neg_view(torch.tensor([-1.0])).expand(FITS)})
    b = saved(tmp_path, "b.pth", {"w": ONE.expand(FITS)})
    c = saved(tmp_path, "c.pth", {"w": torch._neg_view(ONE).expand(FITS)})
    assert ask("diff", a, b)[0]["weights"][0]["verdict"] == "identical"
    report, status = ask("diff", b, c)
    assert status == 1 and report["verdict"] == "different"


def test_many_names_of_one_storage_are_one_tensor(tmp_path):
    names = [f"w{i}" for i in range(2000)]
    a = saved(tmp_path, "a.pth", dict.fromkeys(names, FLOATS))  # 160 MB if each were read
    b = saved(tmp_path, "b.pth", dict.fromkeys(names, FLOATS + 1))
    report, status = ask("inspect", "--sha256", a)
    assert status == 0 and len({entry["sha256"] for entry in report["subjects"][0]["entries"]}) == 1
    assert ask("diff", a, a)[1] == 0
    report, status = ask("diff", a, b)
    assert status == 1 and report["weights"][0]["changed"] == len(names)
