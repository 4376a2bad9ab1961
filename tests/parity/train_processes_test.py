"""samebits train on several processes of Open MPI and of MPICH: the bits of one process, and how it ends where a rank does."""

import json
import os
import pathlib
import re
import shutil
import signal
import time

import conftest
import mpi
import pytest
import safetensors.torch

from train_test import made, train

STEPS = 9  # two epochs and a bit
OPTIONS = ["--steps", STEPS, "--batch", 6, "--leaf", 2, "--clip", 1, "--schedule", "cosine", "--adamw", "torch", "--save-every", 4]


@pytest.fixture(params=mpi.NAMES)
def name(request):
    if why := mpi.missing(request.param):
        conftest.missing(why)
    return request.param


def several(name, ranks, *arguments, status=0):
    words = ["-n", ranks, conftest.PROGRAM, "train", *arguments, "--threads", 1, "--json"]
    code, out, error = mpi.run(name, words)
    assert code == status, error
    return json.loads(out)


def command(folder, run, *more):
    data = folder / "data.safetensors"
    return [folder / "mae-dropout", "--data", data, "--val", data, "--out", run, *OPTIONS, *more]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A training of one process: its folder, and what it says."""
    folder = tmp_path_factory.mktemp("whole")
    made("mae-dropout", folder)
    return folder, train(*command(folder, folder / "run"))


def assert_same(found, run, wanted, wanted_run, step=STEPS):
    assert found["loss"] == wanted["loss"][found["first_step"] - 1 :] and found["weights_sha256"] == wanted["weights_sha256"]
    for file in (f"step-{step}/model.safetensors", f"step-{step}/optimizer.safetensors", f"step-{step}/training.json", "metrics.csv"):
        assert (run / file).read_bytes() == (wanted_run / file).read_bytes(), file


@pytest.mark.parametrize("ranks", [1, 2, 3, 4])
def test_any_number_of_processes_gives_the_bits_of_one(ranks, name, whole, tmp_path):
    folder, wanted = whole
    found = several(name, ranks, *command(folder, tmp_path / "run"))
    assert found["processes"] == ranks and found["validation"] == wanted["validation"]
    assert_same(found, tmp_path / "run", wanted, folder / "run")
    timing = found["timing"]
    assert (timing["communication_s"] > 0) == (timing["waiting_s"] > 0) == (ranks > 1)


def test_so_does_any_split_into_passes(name, tmp_path):
    made("vit", tmp_path)
    given = [tmp_path / "vit", "--data", tmp_path / "data.safetensors", "--steps", 5, "--leaf", 2]
    wanted = train(*given, "--out", tmp_path / "run", "--batch", 12)
    for i, (ranks, batch) in enumerate([(2, 6), (3, 4), (4, 2), (2, 12)]):
        found = several(name, ranks, *given, "--out", tmp_path / str(i), "--batch", batch, "--accumulate", 12 // batch)
        assert found["loss"] == wanted["loss"] and found["weights_sha256"] == wanted["weights_sha256"]


def test_dropout_of_accumulated_passes_is_that_of_one_process(name, tmp_path):
    """More ranks than leaves in the last step of an epoch, passes that a rank has no image of."""
    made("vit-dropout", tmp_path)
    given = [tmp_path / "vit-dropout", "--data", tmp_path / "data.safetensors", "--steps", 5, "--leaf", 2, "--batch", 6, "--accumulate", 3]
    wanted = train(*given, "--out", tmp_path / "run")
    found = several(name, 4, *given, "--out", tmp_path / "ranks")
    assert found["loss"] == wanted["loss"] and found["weights_sha256"] == wanted["weights_sha256"]


def test_a_training_goes_on_with_another_number_of_processes(name, whole, tmp_path):
    folder, wanted = whole
    for i, (before, after) in enumerate([(4, 1), (1, 3)]):
        run = tmp_path / str(i)
        several(name, before, *command(folder, run))
        shutil.rmtree(run / f"step-{STEPS}")
        shutil.rmtree(run / "step-8")
        found = several(name, after, "--resume", run)
        assert found["first_step"] == 5
        assert_same(found, run, wanted, folder / "run")


def rank_process(name, rank, run):
    """The process that is this rank of the training in `run`."""
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
            variables = (folder / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if words[1:2] == [b"train"] and str(run).encode() in words and f"{mpi.RANK[name]}={rank}".encode() in variables:
            return int(folder.name)
    raise AssertionError(f"no rank {rank}")


def long_training(name, folder, run, ranks=3):
    words = ["-n", ranks, conftest.PROGRAM, "train", folder / "mae-dropout", "--data", folder / "data.safetensors", "--out", run]
    process = mpi.start(name, [*words, "--steps", 10**6, "--batch", 6, "--save-every", 20, "--keep", 2, "--threads", 1])
    deadline = time.monotonic() + 60
    while not list(run.glob("step-*")):
        assert process.poll() is None and time.monotonic() < deadline, process.communicate()
        time.sleep(0.01)
    return process


@pytest.mark.parametrize("rank", [0, 2])
def test_a_rank_that_is_killed_ends_the_training_and_loses_nothing(rank, name, whole, tmp_path):
    folder, _ = whole
    run = tmp_path / "run"
    process = long_training(name, folder, run)
    os.kill(rank_process(name, rank, run), signal.SIGKILL)
    out, error = process.communicate(timeout=30)
    assert process.returncode not in (0, 1)
    said = [line for line in error.splitlines() if line.startswith("samebits: rank")]
    # mpirun ends the others at once: which rank another one misses first, and whether it has the time to say so, is a race.
    assert all(re.search(r"ranks? .*\d.* of 3 ha(s|ve) ended", line) for line in said) and len(said) <= 2, error
    assert said or "BAD TERMINATION" in out + error or "exited on signal" in out + error, out + error
    saved = max(int(path.name[5:]) for path in run.glob("step-*"))
    again = train("--resume", run, "--steps", saved + 2)
    data = folder / "data.safetensors"
    fresh = train(folder / "mae-dropout", "--data", data, "--out", tmp_path / "fresh", "--steps", saved + 2, "--batch", 6)
    assert again["first_step"] == saved + 1 and again["weights_sha256"] == fresh["weights_sha256"]


def test_ctrl_c_ends_it_after_its_step_and_saved(name, whole, tmp_path):
    folder, _ = whole
    run = tmp_path / "run"
    process = long_training(name, folder, run)
    process.send_signal(signal.SIGINT)
    out, error = process.communicate(timeout=30)
    assert process.returncode == 1, error
    step = re.search("stopped and saved: step ([0-9]+) of", out).group(1)
    assert (run / f"step-{step}" / "training.json").exists()


def refused(name, words, run):
    """What is said, once, where a training of several processes does not begin."""
    code, out, error = mpi.run(name, words)
    assert code == 2 and not list(run.glob("*")), error
    said = lines_of(error)
    assert len(said) == 1, error
    return said[0]


def lines_of(error):
    """What samebits says. A rank that mpirun ends when another one has ended may say that, too."""
    return [line for line in error.splitlines() if line.startswith("samebits:") and line != "samebits: terminated"]


def test_without_its_library_it_refuses(name, whole, tmp_path):
    folder, _ = whole
    program = tmp_path / "bin" / "samebits"
    program.parent.mkdir()
    shutil.copy(conftest.PROGRAM, program)
    words = [program, "train", *command(folder, tmp_path / "run")]
    said = refused(name, ["-n", 3, *words], tmp_path / "run")
    assert f"{program.parent}/samebits-mpi-{name}.so" in said and "started 3 processes" in said and "No such file" in said
    assert not (tmp_path / "run").exists()
    code, _, error = mpi.run(name, ["-n", 1, *words])  # one process asks MPI for nothing
    assert code == 0, error
    (tmp_path / "lib" / "samebits").mkdir(parents=True)  # where an installation has it
    shutil.copy(conftest.PROGRAM.parent / f"samebits-mpi-{name}.so", tmp_path / "lib" / "samebits")
    code, _, error = mpi.run(name, ["-n", 2, program, "train", *command(folder, tmp_path / "installed")])
    assert code == 0, error
    (program.parent / f"samebits-mpi-{name}.so").write_text("no library" * 100)
    shutil.rmtree(tmp_path / "lib")
    assert "invalid ELF header" in refused(name, ["-n", 2, program, "train", *command(folder, tmp_path / "odd")], tmp_path / "odd")


def test_an_error_of_one_rank_is_said_once_with_its_rank(name, whole, tmp_path):
    folder, _ = whole
    data = safetensors.torch.load_file(folder / "data.safetensors")
    data["images"][3, 1, 2, 2] += 1
    safetensors.torch.save_file(data, tmp_path / "other.safetensors")
    run = tmp_path / "run"

    def apart(other):
        given = ["train", folder / "mae-dropout", "--out", run, "--steps", 2, "--data"]
        return ["-n", 1, conftest.PROGRAM, *given, folder / "data.safetensors", ":", "-n", 1, conftest.PROGRAM, *given, other]

    assert "rank 1 of 2: " in refused(name, apart(tmp_path / "gone"), run)
    assert "rank 1 of 2 reads another model, other data" in refused(name, apart(tmp_path / "other.safetensors"), run)
    both = ["-n", 2, conftest.PROGRAM, "train", folder / "mae-dropout", "--out", run, "--data", tmp_path / "gone", "--steps", 2]
    assert " of 2" not in refused(name, both, run)
    traced = ["-n", 2, conftest.PROGRAM, "train", *command(folder, run, "--trace-step", 1)]
    assert "--trace-step is for one process" in refused(name, traced, run)


def test_a_number_that_is_not_finite_on_one_rank_ends_all(name, whole, tmp_path):
    folder, _ = whole
    data = safetensors.torch.load_file(folder / "data.safetensors")
    data["images"][7, 0, 0, 0] = float("nan")
    safetensors.torch.save_file(data, tmp_path / "data.safetensors")
    words = ["-n", 3, conftest.PROGRAM, "train", folder / "mae-dropout", "--data", tmp_path / "data.safetensors", "--out", tmp_path / "run"]
    code, _, error = mpi.run(name, [*words, "--steps", 4, "--batch", 6, "--threads", 1])
    assert code == 2 and len(lines_of(error)) == 1, error
    assert " of 3: step " in error and "the loss is not finite" in error and "in the images" in error
