"""Names of the local Hugging Face cache, in the program and in Python; where that cache is."""

import json
import os
import pathlib
import shutil
import subprocess
import sys

import pytest
from huggingface_hub import constants

import samebits
from samebits import _paths

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def cache(tmp_path, example, monkeypatch):
    """As huggingface_hub lays it out: files are links to blobs."""
    folder = tmp_path / "hub" / "models--someone--vit-mae"
    snapshot = folder / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    (folder / "blobs").mkdir()
    for number, file in enumerate(sorted((example / "hf").iterdir())):
        shutil.copy(file, folder / "blobs" / str(number))
        (snapshot / file.name).symlink_to(pathlib.Path("../../blobs") / str(number))
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text(COMMIT)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.chdir(tmp_path)
    return snapshot


def test_huggingface_hub_finds_the_same_snapshot(cache, tmp_path):
    from huggingface_hub import snapshot_download

    assert snapshot_download("someone/vit-mae", cache_dir=tmp_path / "hub", local_files_only=True) == str(cache)


def test_a_name_is_a_path_everywhere(cache, example, program, tmp_path):
    name = "someone/vit-mae"
    words = {
        "inspect": ["inspect", name],
        "diff": ["diff", name, example / "whole.pth"],
        "explain": ["explain", name, f"{name}@{COMMIT}"],
        "check": ["check", name, "--for", name],
        "resume": ["resume", name],
        "run": ["run", name],
        "lock": ["lock", name],
        "convert": ["convert", name, tmp_path / "out.npz", "--to", "npz"],
    }
    for command, line in words.items():
        done = subprocess.run([program, *map(str, line)], capture_output=True, text=True)
        assert "no such" not in done.stderr.lower() and not done.stderr, command
        if command not in ("run", "resume"):
            assert done.returncode in (0, 1), command
    assert samebits.open(name).path == str(cache)
    assert samebits.diff(name, example / "hf").verdict == "same"
    assert samebits.check(name, name).verdict == "clean"
    assert list(samebits.run(name))


def test_what_lies_here_comes_first(cache, example, tmp_path, program):
    shutil.copytree(example / "hf", tmp_path / "someone" / "vit-mae")
    assert samebits.open("someone/vit-mae").path == "someone/vit-mae"
    done = subprocess.run([program, "inspect", "someone/vit-mae", "--json"], capture_output=True, text=True)
    assert json.loads(done.stdout)["subjects"][0]["path"] == "someone/vit-mae"


def test_a_revision_that_is_not_there_is_an_error(cache, program):
    done = subprocess.run([program, "inspect", "someone/vit-mae@v2"], capture_output=True, text=True)
    assert done.returncode == 2 and f"someone/vit-mae@{COMMIT}" in done.stderr
    with pytest.raises(samebits.Error) as caught:
        samebits.open("someone/vit-mae@v2")
    assert f"someone/vit-mae@{COMMIT}" in caught.value.remedy


PLACES = [
    {},
    {"HF_HUB_CACHE": "/a/b"},
    {"HUGGINGFACE_HUB_CACHE": "/c"},
    {"HF_HOME": "/d"},
    {"HF_HOME": "~/e", "HUGGINGFACE_HUB_CACHE": "/c"},
    {"XDG_CACHE_HOME": "/f"},
    {"XDG_CACHE_HOME": "/f", "HF_HOME": "/d", "HF_HUB_CACHE": "~/g"},
]


@pytest.mark.parametrize("given", PLACES, ids=str)
def test_the_cache_is_where_huggingface_hub_has_it(given, tmp_path, monkeypatch):
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in ({"HOME": str(tmp_path)} | given).items():
        monkeypatch.setenv(name, value)
    script = "from huggingface_hub import constants; print(constants.HF_HUB_CACHE)"
    truth = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.strip()
    assert os.path.normpath(_paths.hub_cache_folder()) == os.path.normpath(truth)
    assert constants.HF_HUB_CACHE


def test_the_program_looks_there_too(cache, example, program, tmp_path):
    home = tmp_path / "home"
    (home / ".cache" / "huggingface").mkdir(parents=True)
    (home / ".cache" / "huggingface" / "hub").symlink_to(tmp_path / "hub")
    (tmp_path / "hf").mkdir()
    (tmp_path / "hf" / "hub").symlink_to(tmp_path / "hub")
    (tmp_path / "xdg").mkdir()
    (tmp_path / "xdg" / "huggingface").symlink_to(tmp_path / "hf")
    for environment in ({"HOME": str(home)}, {"HF_HOME": str(tmp_path / "hf")}, {"XDG_CACHE_HOME": str(tmp_path / "xdg")},
                        {"HUGGINGFACE_HUB_CACHE": str(tmp_path / "hub")}, {"HOME": str(tmp_path), "HF_HUB_CACHE": "~/hub"}):
        done = subprocess.run([program, "inspect", "someone/vit-mae"], capture_output=True, text=True, env=environment)
        assert done.returncode == 0, environment
    assert subprocess.run([program, "inspect", "someone/vit-mae"], capture_output=True, env={"HF_HUB_CACHE": "/nowhere"}).returncode == 2
