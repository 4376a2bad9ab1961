"""Damaged files, held against the loaders themselves: what torch, numpy or safetensors refuse is never "clean" nor "same", what
they load otherwise is never "same", and of records with one name the one is read that they take.

SAMEBITS_TEST_LONG=1 tries every byte of every file instead of some.
"""

import io
import json
import os
import pathlib
import random
import re
import subprocess
import sys
import zipfile

import numpy
import pytest
import torch
from saved_containers import KINDS, SUFFIXES, saved, zip_archive

LONG = os.environ.get("SAMEBITS_TEST_LONG") == "1"
SAMPLE = 40
MASKS = (1, 16, 32, 255)
# What a pickle's names, opcodes and arguments come to is not looked at here: a class that does not exist, a call that fails.
OF_THE_PICKLE = re.compile(
    "Weights only load failed|UnpicklingError|AttributeError|ModuleNotFoundError|is not callable|unhashable|NoneType"
    "|expected string or bytes-like|has no attribute|not iterable|takes .* argument|missing .* argument|can only be"
    "|not subscriptable|object cannot be|must be|Expected (a |)|indices|persistent|KeyError"
)


class Loaders:
    """The worker, started anew where a file ends it."""

    def __init__(self):
        self.process = None

    def ask(self, kind, path):
        if self.process is None or self.process.poll() is not None:
            self.process = subprocess.Popen(
                [sys.executable, str(pathlib.Path(__file__).with_name("load_damaged.py"))], stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.process.stdin.write(f"{kind}\t{path}\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        return json.loads(line) if line else {"error": "the loader crashed"}


@pytest.fixture(scope="module")
def loaders():
    loaders = Loaders()
    yield loaders
    if loaders.process:
        loaders.process.stdin.close()
        loaders.process.wait()


def damaged(kind):
    """(what was done, bytes) of files that differ in one byte from what was saved, or are cut off."""
    whole = saved(kind)
    used = len(whole.rstrip(b"\0"))  # a tar archive ends in many zeros
    flips = [(at, mask) for at in range(used) for mask in MASKS]
    cuts = list(range(0, used, 16))
    if not LONG:
        chosen = random.Random(5)
        flips, cuts = chosen.sample(flips, SAMPLE), chosen.sample(cuts, 3)
    for at, mask in flips:
        yield f"byte {at} ^ {mask}", whole[:at] + bytes([whole[at] ^ mask]) + whole[at + 1:]
    for at in cuts:
        yield f"cut at {at}", whole[:at]


def arrays_in(answer):
    """Without names, which diff may call renamed."""
    return sorted(value for value in answer["arrays"].values() if value[0] != "object")


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_loader_refuses_is_not_clean_and_what_it_loads_otherwise_not_same(run, loaders, tmp_path, kind):
    whole = tmp_path / f"whole{SUFFIXES.get(kind, '.pt')}"
    whole.write_bytes(saved(kind))
    path = whole.with_stem("damaged")
    expected = arrays_in(loaders.ask(kind, whole))
    wrong = []
    for what, content in damaged(kind):
        path.write_bytes(content)
        loaded = loaders.ask(kind, path)
        if "error" in loaded and OF_THE_PICKLE.search(loaded["error"]):
            continue
        if "error" in loaded:
            if run("inspect", "--deep", path).status == 0 or run("diff", whole, path).status == 0:
                wrong.append(f"{what}: {loaded['error'][:200]}")
        elif arrays_in(loaded) != expected and run("diff", whole, path)["verdict"] == "same":
            wrong.append(f"{what}: other values are called the same")
    assert not wrong, f"{len(wrong)} files:\n" + "\n".join(wrong[:40])


def records_of(content):
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return [(info.filename, archive.read(info)) for info in archive.infolist()]


def sha256_by_name(report):
    return {entry["name"]: entry["sha256"] for entry in report.part("entries")}


def test_of_records_with_one_name_those_are_read_that_torch_takes(run, loaders, tmp_path):
    out = io.BytesIO()
    torch.save({"a": torch.full((4,), 1.0), "b": torch.full((4,), 2.0)}, out)
    base = records_of(out.getvalue())
    folder = base[0][0].split("/")[0]
    names = [f"{folder}/{name}" for name in "data/0 data/1 Data/0 DATA/1 data/00 data/_ x B a".split()]
    chosen = random.Random(1)
    path = tmp_path / "doubled.pt"
    for _ in range(500 if LONG else 40):
        records = list(base)
        for value in range(chosen.randint(1, 6)):
            data = torch.full((4,), 10.0 + value).numpy().tobytes()
            records.insert(chosen.randint(0, len(records)), (chosen.choice(names), data))
        order = chosen.sample(range(len(records)), len(records))
        path.write_bytes(zip_archive(records, order))
        expected = {name: value[2] for name, value in loaders.ask("zip", path)["arrays"].items()}
        report = run("inspect", "--sha256", path)
        assert sha256_by_name(report) == expected, [records[i][0] for i in order]
        doubled = len({name.lower() for name, _ in records}) < len(records)
        assert bool(report.findings("file.incomplete")) == doubled


def test_of_arrays_with_one_name_those_are_read_that_numpy_takes(run, loaders, tmp_path):
    def npy(value):
        out = io.BytesIO()
        numpy.save(out, numpy.full(3, value, numpy.float32))
        return out.getvalue()

    chosen = random.Random(2)
    path = tmp_path / "doubled.npz"
    for _ in range(20):
        names = chosen.choices(["a.npy", "b.npy", "A.npy", "a", "c.npy.npy"], k=5)
        path.write_bytes(zip_archive([(name, npy(value)) for value, name in enumerate(names)]))
        loaded = loaders.ask("npz", path)["arrays"]
        assert sha256_by_name(run("inspect", "--sha256", path)) == {name: value[2] for name, value in loaded.items()}, names


def test_a_folder_of_another_name_is_not_looked_into(run, loaders, tmp_path):
    records = records_of(saved("zip"))
    folder = records[0][0].split("/")[0]
    path = tmp_path / "moved.pt"
    for moved in range(len(records)):
        path.write_bytes(zip_archive([
            (name.replace(folder, "other"), data) if i == moved else (name, data) for i, (name, data) in enumerate(records)
        ]))
        assert "error" in loaders.ask("zip", path)
        assert run("inspect", path).status != 0


@pytest.mark.parametrize("name, data, refused", [
    ("version", b"3", False), ("version", b" +7 and more", False), ("version", b"11\n", True), ("version", b"x", True),
    ("version", b"", True), ("version", b"-1", True), ("version", b"0", True), ("byteorder", b"little\n", True),
    ("byteorder", b"Little", True), ("byteorder", b"", True), (".storage_alignment", b" 6_4 ", False),
    (".storage_alignment", b"6__4", True), (".storage_alignment", b"64.0", True), (".storage_alignment", b"", True),
    (".format_version", b"x", False), (".data/serialization_id", b"\xff", True),
])
def test_small_records(run, loaders, tmp_path, name, data, refused):
    path = tmp_path / "record.pt"
    path.write_bytes(zip_archive([(n, data if n.split("/", 1)[1] == name else d) for n, d in records_of(saved("zip"))]))
    assert ("error" in loaders.ask("zip", path)) == refused
    assert (run("inspect", path).status != 0) == refused


def test_a_record_that_is_marked_as_a_folder_is_not_read(run, tmp_path):
    """torch.load gives what its memory held: nothing to compare with."""
    whole, path = tmp_path / "whole.pt", tmp_path / "marked.pt"
    content = saved("zip")
    whole.write_bytes(content)
    names = [name for name, _ in records_of(content)]
    at = 0
    for name in names:
        at = content.index(b"PK\1\2", at) + 4
        path.write_bytes(content[:at + 34] + b"\x10" + content[at + 35:])
        expected = 2 if "/data/" in name else 1
        assert run("inspect", "--deep", path).status == run("diff", whole, path).status == expected, name


def test_what_the_system_information_says_of_bytes_is_of_the_writer(run, loaders, tmp_path):
    path = tmp_path / "legacy.pt"
    content = saved("legacy")
    at = content.index(b"little_endian") + len("little_endian")
    true = content.index(b"\x88", at)
    path.write_bytes(content[:true] + b"\x89" + content[true + 1:])
    expected = {name: value[2] for name, value in loaders.ask("legacy", path)["arrays"].items()}
    assert sha256_by_name(run("inspect", "--sha256", path)) == expected
