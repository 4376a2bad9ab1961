"""What the benchmarks keep and say: the processor's name, the history of ratios, what has become slower."""

import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bench"))

import figures  # noqa: E402

X86 = "processor\t: 0\nvendor_id\t: AuthenticAMD\ncpu family\t: 25\nmodel\t\t: 17\nmodel name\t: AMD EPYC 9R14\n\nprocessor\t: 1\nmodel\t\t: 18\n"
ARM = "processor\t: 0\nBogoMIPS\t: 243.75\nCPU implementer\t: 0x41\nCPU part\t: 0xd40\n\nprocessor\t: 1\n"


def test_a_processor_is_named_by_what_tells_its_kind():
    assert figures.processor(X86) == "AMD EPYC 9R14 (family 25, model 17)"
    assert figures.processor(ARM) == "0x41 (part 0xd40)"
    assert figures.processor()  # of this machine


def table_of(**figures_of):
    table = figures.Table()
    for what, figure in figures_of.items():
        table.add(what, figure, 1, "s" if what == "start" else "")
    return table


@pytest.fixture
def history(tmp_path, monkeypatch):
    monkeypatch.setattr(figures, "HISTORY", tmp_path / "history")
    return tmp_path / "history"


def test_ratios_are_kept_by_processor_and_commit(history):
    assert figures.read_history("EPYC (1)") == {}
    table_of(first=0.5, start=0.3).conclude(record=True, name="EPYC (1)")
    table_of(first=0.25, second=0.125).conclude(record=True, name="EPYC (1)")
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    assert figures.read_history("EPYC (1)") == {"first": (commit, 0.25), "second": (commit, 0.125)}
    assert figures.read_history("EPYC (2)") == {}
    assert [file.name for file in history.iterdir()] == ["epyc-1.txt"]


def test_what_has_become_slower_is_said(history, capsys):
    table_of(first=0.5, second=0.5).conclude(record=True, name="EPYC")
    capsys.readouterr()
    assert table_of(first=0.54, second=0.56).conclude(name="EPYC") == 0
    shown = capsys.readouterr().out
    assert re.search(r"^second: 0.560, and 0.500 at \w+$", shown, re.MULTILINE) and "first: 0.5" not in shown


def test_what_does_not_hold_elsewhere_is_said_to_be_elsewhere(history, capsys):
    assert table_of(first=1.5).conclude(name="another") == 1
    assert "has no figures of this processor" in capsys.readouterr().out
    table_of(first=0.5).conclude(record=True, name="known")
    capsys.readouterr()
    assert table_of(first=1.5).conclude(name="known") == 1
    assert "has no figures" not in capsys.readouterr().out


def test_every_record_can_be_read():
    for file in sorted((ROOT / "bench" / "history").glob("*.txt")):
        for line in file.read_text().splitlines():
            assert re.fullmatch(r"[0-9a-f]{7,} \d{4}-\d\d-\d\d \d+\.\d+ \S.*", line), (file, line)
