"""Checkpoint files by other projects: the readers' files to the last tensor, the hostile ones without harm.

SAMEBITS_CORPUS names the folder (default: shared/corpus beside the repository). The files are third-party and not in the
repository. Nothing in hostile/ is ever unpickled here.
"""

import json
import os
import pathlib
import subprocess
import sys

import conftest
import pytest
import report
import truth

CORPUS = pathlib.Path(os.environ.get("SAMEBITS_CORPUS", conftest.ROOT.parent / "shared" / "corpus"))
MEASURED = conftest.HERE.parent / "fixtures" / "measured.py"
ADDRESS_SPACE = 0 if os.environ.get("SAMEBITS_SANITIZED") else 1 << 30
CPU_SECONDS, WALL_SECONDS = 1.0, 10.0  # the second only against a hang: machines are shared


def expected(part):
    path = CORPUS / part / "expected.json"
    return json.loads(path.read_text()) if path.exists() else {}


READERS, HOSTILE = expected("readers"), expected("hostile")


def test_the_corpus_is_there():
    if not READERS or not HOSTILE:
        conftest.missing(f"no corpus in {CORPUS}: name its folder in SAMEBITS_CORPUS")
    assert len(READERS) >= 41 and len(HOSTILE) >= 73


def memory_allowed(path):
    """The program's own bound (64 MiB and 40 times the structure), the mapped file, and the program itself."""
    size = path.stat().st_size
    return (64 << 20) + 41 * size + (32 << 20)


def inspect(path, tmp_path):
    words = [str(conftest.PROGRAM), "inspect", str(path), "--json", "--sha256"]
    usage_path = tmp_path / "usage.json"
    done = subprocess.run(
        [sys.executable, "-S", str(MEASURED), str(ADDRESS_SPACE), str(usage_path), *words], capture_output=True, timeout=WALL_SECONDS
    )
    usage = json.loads(usage_path.read_text())
    assert usage["status"] in (0, 1, 2), f"status {usage['status']}: {done.stderr.decode(errors='replace')[-2000:]}"
    if ADDRESS_SPACE:
        assert usage["cpu_s"] < CPU_SECONDS, usage
        assert usage["peak_bytes"] < memory_allowed(path), usage
    return report.parse(done.stdout, "inspect", usage["status"])


def entries(found):
    return {e["name"]: truth.Tensor(e["dtype"], tuple(e["shape"]), e["sha256"]) for e in found.part("entries")}


@pytest.mark.parametrize("name", READERS)
def test_reader(tmp_path, name):
    found = inspect(CORPUS / "readers" / name, tmp_path)
    if READERS[name]["loads_in_torch"]:
        wanted = {n: truth.Tensor(t["dtype"], tuple(t["shape"]), t["sha256"]) for n, t in READERS[name]["tensors"].items()}
        assert found["verdict"] != "unknown", found["not_checked"]
        assert entries(found) == wanted
    else:
        assert found["not_checked"] or entries(found), "neither an error nor a tensor"


@pytest.mark.parametrize("name", READERS)
def test_truncated_reader_is_no_crash(tmp_path, name):
    whole = (CORPUS / "readers" / name).read_bytes()
    for share in (0, 0.1, 0.5, 0.9, 0.999):
        cut = tmp_path / "cut"
        cut.write_bytes(whole[: int(len(whole) * share)])
        found = inspect(cut, tmp_path)
        assert found["verdict"] != "clean" or READERS[name]["container"] == "torch-tar", f"clean at {share} of the file"


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile(tmp_path, name):
    truth_of_file = HOSTILE[name]
    found = inspect(CORPUS / "hostile" / name, tmp_path)
    unread = found["verdict"] == "unknown"
    named = set(found["subjects"][0].get("imports") or [])
    wanted = {text.replace(" ", ".", 1) for text in truth_of_file["globals"] or []}
    assert wanted <= named or (unread and not named), f"not named: {sorted(wanted - named)}"
    calls = [f for f in found.findings("file.calls")]
    if truth_of_file["malicious"]:
        assert calls or unread
        assert found["verdict"] != "clean"
    else:
        assert not calls


@pytest.mark.parametrize("name", [name for name, value in HOSTILE.items() if value["malicious"]])
def test_the_extension_changes_nothing(tmp_path, name):
    copy = tmp_path / "model.safetensors"
    copy.write_bytes((CORPUS / "hostile" / name).read_bytes())
    here, there = inspect(CORPUS / "hostile" / name, tmp_path), inspect(copy, tmp_path)
    assert here["verdict"] == there["verdict"]
    assert here["subjects"][0].get("imports") == there["subjects"][0].get("imports")
