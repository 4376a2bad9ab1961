"""Event files of samebits train, read by TensorBoard.

SAMEBITS_PYTHON_TENSORBOARD  an interpreter with tests/requirements-tensorboard.txt
"""

import csv
import json
import os
import shutil
import subprocess

import conftest
import pytest

from train_test import made, train

STEPS = 9
# The scalars of a directory as TensorBoard shows them, and the events of each file; a file's checksums are looked at.
READ = """
import json, pathlib, sys
from tensorboard.backend.event_processing import event_accumulator, event_file_loader
folder = pathlib.Path(sys.argv[1])
shown = event_accumulator.EventAccumulator(str(folder), size_guidance={"scalars": 0}).Reload()
scalars = {tag: [[each.step, each.value, each.wall_time] for each in shown.Scalars(tag)] for tag in shown.Tags()["scalars"]}
files = {}
for path in sorted(folder.glob("*tfevents*")):
    events = event_file_loader.LegacyEventFileLoader(str(path)).Load()
    files[path.name] = [[each.WhichOneof("what"), each.step] for each in events]
print(json.dumps([scalars, files]))
"""


@pytest.fixture(scope="module")
def read():
    python = os.environ.get("SAMEBITS_PYTHON_TENSORBOARD")
    if not python:
        conftest.missing("SAMEBITS_PYTHON_TENSORBOARD names no interpreter with tests/requirements-tensorboard.txt")

    def read(run):
        done = subprocess.run([python, "-c", READ, run], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return *json.loads(done.stdout), done.stderr

    return read


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("events")
    made("mae", folder)
    return folder


def command(folder, run, *more):
    data = folder / "data.safetensors"
    return [folder / "mae", "--data", data, "--val", data, "--out", run, "--steps", STEPS, "--batch", 8, "--save-every", 4, *more]


def rows(run, column):
    """Step and value of a column of metrics.csv, rounded to float32 as a scalar is."""
    import numpy

    with open(run / "metrics.csv", newline="") as file:
        return [[int(row["step"]), float(numpy.float32(row[column]))] for row in csv.DictReader(file) if row[column]]


def assert_shown(scalars, run):
    for tag in ("train_loss", "val_loss"):
        assert [each[:2] for each in scalars[tag]] == rows(run, tag)
    epochs = dict(rows(run, "epoch"))
    assert [each[:2] for each in scalars["epoch"]] == [[step, epochs[step]] for step in range(STEPS)]
    times = [each[2] for each in scalars["train_loss"]]
    assert times == sorted(times) and times[0] > 1.7e9
    assert set(scalars) == {"train_loss", "val_loss", "epoch"}


def test_tensorboard_shows_the_numbers_of_metrics_csv(read, folder, tmp_path):
    train(*command(folder, tmp_path / "run", "--tensorboard"))
    scalars, files, error = read(tmp_path / "run")
    assert_shown(scalars, tmp_path / "run")
    (events,) = files.values()
    assert events == [["file_version", 0], *(["summary", step] for step in range(STEPS))] and not error


def test_a_run_that_goes_on_shows_no_step_twice(read, folder, tmp_path):
    run = tmp_path / "run"
    train(*command(folder, run, "--tensorboard"))
    for i, left in enumerate([4, 8]):
        for path in run.glob("step-*"):
            if int(path.name[5:]) > left:
                shutil.rmtree(path)
        train("--resume", run)
        scalars, files, _ = read(run)
        assert_shown(scalars, run)
        assert len(files) == i + 2
        assert list(files.values())[-1][:3] == [["file_version", 0], ["session_log", left], ["summary", left]]
    train("--resume", run)  # nothing is left to do, and nothing to show
    assert len(read(run)[1]) == 3
    last = max(run.glob("*tfevents*"))
    last.write_bytes(last.read_bytes()[:-7])  # as a kill may leave it
    assert read(run)[0]["train_loss"][-1][0] == STEPS - 2


def test_a_changed_byte_is_seen_by_its_checksum(read, folder, tmp_path):
    train(*command(folder, tmp_path / "run", "--tensorboard"))
    (path,) = (tmp_path / "run").glob("*tfevents*")
    good = path.read_bytes()
    for place in (3, len(good) // 2):
        path.write_bytes(good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :])
        scalars, _, _ = read(tmp_path / "run")
        assert len(scalars.get("train_loss", [])) < STEPS


def test_it_moves_no_byte_of_the_rest(folder, tmp_path):
    runs = [tmp_path / "plain", tmp_path / "shown"]
    train(*command(folder, runs[0]))
    train(*command(folder, runs[1], "--tensorboard"))
    files = [{path.relative_to(run): path.read_bytes() for path in run.rglob("*") if path.is_file()} for run in runs]
    more = set(files[1]) - set(files[0])
    assert len(more) == 1 and more.pop().name.startswith("events.out.tfevents.")
    assert all(files[1][path] == files[0][path] for path in files[0])
