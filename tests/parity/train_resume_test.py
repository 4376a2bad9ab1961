"""samebits train, stopped and killed and resumed: the bits of the training that never stopped; and what it refuses."""

import json
import pathlib
import random
import shutil
import signal
import subprocess
import time

import conftest
import pytest
import safetensors.torch
import torch
from transformers import ViTForImageClassification, ViTImageProcessor
from vit_test import isas

from train_test import MODELS, SAMPLES, made, train

STEPS = 14  # four epochs and a half
OPTIONS = ["--batch", 6, "--clip", 1]
SCHEDULE = ["--schedule", "cosine", "--warmup", 2]


def command(folder, run, *more, steps=STEPS, schedule=SCHEDULE, every=3):
    given = [folder / "mae-dropout", "--data", folder / "data.safetensors", "--out", run]
    return [*given, "--steps", steps, "--save-every", every, *OPTIONS, *schedule, *more]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A training that nothing stops: its folder, and what it says."""
    folder = tmp_path_factory.mktemp("whole")
    made("mae-dropout", folder)
    return folder, train(*command(folder, folder / "run"))


def test_threads_and_instruction_sets_move_no_bit(whole, tmp_path):
    folder, wanted = whole
    for i, more in enumerate([["--threads", n] for n in range(1, 8)] + [["--isa", isa] for isa in isas()]):
        found = train(*command(folder, tmp_path / str(i), *more))
        assert found["loss"] == wanted["loss"] and found["weights_sha256"] == wanted["weights_sha256"]
    other = train(*command(folder, tmp_path / "other", "--seed", 1))
    assert other["weights_sha256"] != wanted["weights_sha256"]


def test_it_resumes_from_every_step_to_the_same_bits(whole, tmp_path):
    folder, wanted = whole
    every = tmp_path / "every"
    train(*command(folder, every, every=1))
    for step in range(1, STEPS):
        run = tmp_path / str(step)
        run.mkdir()
        shutil.copytree(every / f"step-{step}", run / f"step-{step}")
        shutil.copy(every / "metrics.csv", run)
        found = train("--resume", run, "--threads", 1 + step % 3)
        assert found["first_step"] == step + 1 and found["loss"] == wanted["loss"][step:]
        assert found["weights_sha256"] == wanted["weights_sha256"]
        for name in ("model.safetensors", "optimizer.safetensors"):
            assert (run / f"step-{STEPS}" / name).read_bytes() == (folder / "run" / f"step-{STEPS}" / name).read_bytes()
        assert (run / "metrics.csv").read_bytes() == (folder / "run" / "metrics.csv").read_bytes()


def test_accumulated_passes_give_the_bits_of_one(whole, tmp_path):
    made("mae", tmp_path)
    given = [tmp_path / "mae", "--data", tmp_path / "data.safetensors", "--steps", 7, "--leaf", 2]
    for whole_batch, parts in ((12, (2, 4, 6)), (8, (2, 4))):
        wanted = train(*given, "--out", tmp_path / str(whole_batch), "--batch", whole_batch)
        for batch in parts:
            out = tmp_path / f"{whole_batch}-{batch}"
            found = train(*given, "--out", out, "--batch", batch, "--accumulate", whole_batch // batch)
            assert found["loss"] == wanted["loss"] and found["weights_sha256"] == wanted["weights_sha256"]
    other = train(*given[:-1], 4, "--out", tmp_path / "other", "--batch", 8)
    assert other["weights_sha256"] != wanted["weights_sha256"]  # the leaf is part of the definition


def test_a_longer_training_goes_on(whole, tmp_path):
    made("vit", tmp_path)
    given = [tmp_path / "vit", "--data", tmp_path / "data.safetensors"]
    wanted = train(*given, "--out", tmp_path / "long", "--steps", 9)
    train(*given, "--out", tmp_path / "short", "--steps", 4)
    found = train("--resume", tmp_path / "short", "--steps", 9)
    assert found["weights_sha256"] == wanted["weights_sha256"]
    again = train("--resume", tmp_path / "short")
    assert again["loss"] == [] and again["weights_sha256"] == wanted["weights_sha256"]  # nothing was left to do


def start(words):
    words = [str(conftest.PROGRAM), "train", *map(str, words), "--json"]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for(path, process):
    for _ in range(2000):
        if path.exists() or process.poll() is not None:
            return
        time.sleep(0.005)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_after_its_step_and_saved(number, whole, tmp_path):
    folder, _ = whole
    run = tmp_path / "run"
    process = start(command(folder, run, steps=100000, schedule=[], every=1000))
    wait_for(run / "metrics.csv", process)
    time.sleep(0.1)
    process.send_signal(number)
    out, error = process.communicate(timeout=60)
    assert process.returncode == 1, error
    found = json.loads(out)
    assert found["stopped"] == number.name and found["checkpoint"] == str(run / f"step-{found['steps']}")
    assert not [path for path in run.iterdir() if path.name.startswith(".")]
    again = train("--resume", run, "--steps", found["steps"] + 2)
    fresh = train(*command(folder, tmp_path / "fresh", steps=found["steps"] + 2, schedule=[]))
    assert again["weights_sha256"] == fresh["weights_sha256"]


def killed_and_resumed(folder, run, rng, wanted):
    """Kills at random moments until one training reaches the end."""
    kills, longest = 0, 0.5
    while True:
        words = ["--resume", run] if list(run.glob("step-*")) else command(folder, run, "--keep", 2)
        if not list(run.glob("step-*")) and run.exists():
            shutil.rmtree(run)
        process = start(words)
        try:
            out, error = process.communicate(timeout=rng.uniform(0, longest))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.communicate()
            kills += 1
            longest *= 1.3  # a busy machine must come to an end, too
            for state in run.glob("step-*"):
                assert (state / "training.json").exists()  # whatever has the name is whole
            continue
        assert process.returncode == 0, error
        assert json.loads(out)["weights_sha256"] == wanted["weights_sha256"]
        return kills


@pytest.mark.parametrize("seed", range(3))
def test_killed_at_random_moments_it_ends_with_the_same_bits(seed, whole, tmp_path):
    folder, wanted = whole
    killed_and_resumed(folder, tmp_path / "run", random.Random(seed), wanted)
    assert len(list((tmp_path / "run").glob("step-*"))) <= 2
    assert not [path for path in (tmp_path / "run").iterdir() if path.name.startswith(".")]


@pytest.mark.long
def test_two_hundred_kills(whole, tmp_path):
    folder, wanted = whole
    kills, rng = 0, random.Random(1)
    while kills < 200:
        kills += killed_and_resumed(folder, tmp_path / "run", rng, wanted)
        shutil.rmtree(tmp_path / "run")


def refused(*arguments):
    words = [str(conftest.PROGRAM), "train", *map(str, arguments), "--json"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and done.stderr
    assert json.loads(done.stdout)["not_checked"]
    return done.stderr


@pytest.fixture
def trained(whole, tmp_path):
    folder, _ = whole
    shutil.copytree(folder / "run", tmp_path / "run")
    return folder, tmp_path / "run"


def test_damage_is_found_before_a_step(trained):
    _, run = trained
    for name in ("model.safetensors", "optimizer.safetensors"):
        path = run / f"step-{STEPS}" / name
        good = path.read_bytes()
        path.write_bytes(good[:-3] + b"abc")
        assert "is not what was written" in refused("--resume", run, "--threads", 1)
        path.write_bytes(good)
    state = run / f"step-{STEPS}" / "training.json"
    good = state.read_text()
    state.write_text(good.replace('"contract": 1', '"contract": 2'))
    assert "another version of the numeric contract" in refused("--resume", run)
    state.write_text(good.replace('"position"', '"place"'))
    assert "no number called position" in refused("--resume", run)
    state.write_text(good[: len(good) // 2])
    assert "training.json" in refused("--resume", run)
    shutil.rmtree(run / f"step-{STEPS}")  # the one before it goes on
    assert train("--resume", run)["first_step"] == 13


def test_other_data_are_refused(trained, tmp_path):
    folder, run = trained
    data = safetensors.torch.load_file(folder / "data.safetensors")
    data["images"][3, 1, 2, 2] += 1
    safetensors.torch.save_file(data, tmp_path / "other.safetensors")
    assert "not the data" in refused("--resume", run, "--data", tmp_path / "other.safetensors")
    data["images"][3, 1, 2, 2] -= 1
    data = safetensors.torch.load_file(folder / "data.safetensors")
    safetensors.torch.save_file({"labels": data["labels"], "images": data["images"], "more": torch.zeros(3)}, tmp_path / "moved.safetensors")
    train("--resume", run, "--data", tmp_path / "moved.safetensors")  # the same samples elsewhere


def test_a_loss_that_is_not_finite_ends_it_and_names_the_layer(tmp_path):
    model, data = made("vit", tmp_path)
    with torch.no_grad():
        model.vit.layers[1].mlp.fc1.weight[0, 0] = float("inf")
    model.save_pretrained(tmp_path / "vit")
    given = ["--data", tmp_path / "data.safetensors", "--steps", 2]
    error = refused(tmp_path / "vit", "--out", tmp_path / "run", *given)
    assert "step 1: the loss is not finite" in error and "vit.layers.1" in error
    assert not list((tmp_path / "run").glob("step-*"))
    made("vit", tmp_path)
    data["images"][:, 0, 0, 0] = float("nan")
    safetensors.torch.save_file(data, tmp_path / "data.safetensors")
    assert "in the images" in refused(tmp_path / "vit", "--out", tmp_path / "run", *given)


def test_a_rate_that_spoils_the_weights_ends_it_before_a_checkpoint(tmp_path):
    made("vit", tmp_path)
    error = refused(tmp_path / "vit", "--out", tmp_path / "run", "--data", tmp_path / "data.safetensors", "--steps", 50, "--lr", "1e38")
    assert "not finite" in error and not list((tmp_path / "run").glob("step-*"))


def test_what_cannot_be_trained_is_said(whole, tmp_path):
    made("vit", tmp_path)
    data = tmp_path / "data.safetensors"
    given = ["--out", tmp_path / "run", "--steps", 1]
    tensors = safetensors.torch.load_file(data)

    def write(**changed):
        kept = {key: value for key, value in (tensors | changed).items() if value is not None}
        safetensors.torch.save_file(kept, tmp_path / "changed.safetensors")
        return refused(tmp_path / "vit", "--data", tmp_path / "changed.safetensors", *given)

    assert "no tensor called images" in write(images=None)
    assert "learns from labels" in write(labels=None)
    assert "none of the model's classes" in write(labels=torch.full((SAMPLES,), 7))
    assert "none of these images" in write(labels=torch.zeros(3, dtype=torch.int64))
    assert "another shape than the model takes" in write(images=torch.zeros(4, 3, 16, 32))
    assert "another shape" in write(images=torch.zeros(SAMPLES, 3, 32, 32, dtype=torch.float64))
    assert "no such file" in refused(tmp_path / "vit", "--data", tmp_path / "nosuch", *given).lower()
    half = ViTForImageClassification.from_pretrained(tmp_path / "vit").half()
    half.save_pretrained(tmp_path / "half")
    assert "expected float32" in refused(tmp_path / "half", "--data", data, *given)
    dino = MODELS["dinov2"]()
    dino.config.drop_path_rate = 0.1
    dino.save_pretrained(tmp_path / "dino")
    assert "cannot be trained" in refused(tmp_path / "dino", "--data", data, *given)
    assert "are for masked autoencoders" in refused(tmp_path / "vit", "--data", data, *given, "--mask-ratio", 0.5)
    assert "MODEL, --data and --out" in refused(tmp_path / "vit", "--data", data)
    assert "--steps or --epochs" in refused(tmp_path / "vit", "--data", data, "--out", tmp_path / "run")
    assert "no power of two" in refused(tmp_path / "vit", "--data", data, *given, "--leaf", 3)
    assert "cannot be accumulated" in refused(tmp_path / "vit", "--data", data, *given, "--batch", 6, "--accumulate", 2, "--leaf", 4)
    assert "longer than the training" in refused(tmp_path / "vit", "--data", data, *given, "--schedule", "linear", "--warmup", 2)


def test_a_directory_holds_one_training(trained, tmp_path):
    folder, run = trained
    assert "holds a training already" in refused(*command(folder, run))
    assert "no checkpoint of a training" in refused("--resume", folder)
    assert "no such directory" in refused("--resume", tmp_path / "nosuch")
    assert "takes the model from its checkpoint" in refused(folder / "mae-dropout", "--resume", run)
    assert "another length is another training" in refused("--resume", run, "--steps", 20)
    process = start(command(folder, tmp_path / "busy", steps=100000, schedule=[]))
    wait_for(tmp_path / "busy" / "metrics.csv", process)
    assert "another training writes" in refused(*command(folder, tmp_path / "busy"))
    process.kill()
    process.communicate()


def test_a_full_disk_leaves_the_last_good_checkpoint(trained, tmp_path):
    """Files may not grow beyond a limit, which the system says as it says that a disk is full."""
    folder, run = trained
    shutil.rmtree(run / f"step-{STEPS}")
    before = {path.name for path in run.glob("step-*")}
    words = f"ulimit -f 40; exec {conftest.PROGRAM} train --resume {run} --json"
    done = subprocess.run(["bash", "-c", words], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and done.stderr
    assert {path.name for path in run.glob("step-*")} == before
    assert train("--resume", run)["steps"] == STEPS


def test_a_write_that_fails_while_the_training_goes_on_ends_it(whole, tmp_path):
    folder, _ = whole
    words = command(folder, tmp_path / "run", steps=10**9, schedule=[], every=1)
    done = subprocess.run(["bash", "-c", 'ulimit -f 40; exec "$@"', "-", conftest.PROGRAM, "train", *map(str, words)],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and done.stderr.count("samebits:") == 1 and "the checkpoint of step 1 cannot be saved" in done.stderr
    assert {path.name for path in (tmp_path / "run").iterdir()} == {"metrics.csv"}


def test_what_is_written_while_the_training_goes_on_is_the_state_of_its_step(whole, tmp_path):
    folder, _ = whole
    train(*command(folder, tmp_path / "every", steps=6, schedule=[], every=1))
    for step in (1, 2, 5):
        train(*command(folder, tmp_path / str(step), steps=step, schedule=[], every=100))
        for name in ("model.safetensors", "optimizer.safetensors"):
            file = pathlib.Path(f"step-{step}") / name
            assert (tmp_path / "every" / file).read_bytes() == (tmp_path / str(step) / file).read_bytes()


def test_pictures_in_folders_are_the_tensors_of_their_processor(tmp_path):
    from PIL import Image

    made("vit", tmp_path)
    generator = torch.Generator().manual_seed(1)
    processor = ViTImageProcessor(size={"height": 32, "width": 32})
    processor.save_pretrained(tmp_path / "vit")
    images, labels = [], []
    for label, folder in enumerate(["cat", "dog", "eel"]):
        (tmp_path / "pictures" / folder).mkdir(parents=True)
        for i in range(3):
            pixels = torch.randint(0, 256, (40 + i, 50, 3), generator=generator, dtype=torch.uint8).numpy()
            picture = Image.fromarray(pixels)
            picture.save(tmp_path / "pictures" / folder / f"{i}.png")
            images.append(torch.from_numpy(processor(picture, return_tensors="np")["pixel_values"][0]))
            labels.append(label)
    safetensors.torch.save_file({"images": torch.stack(images), "labels": torch.tensor(labels)}, tmp_path / "tensors.safetensors")
    runs = [train(tmp_path / "vit", "--data", tmp_path / name, "--out", tmp_path / f"run-{name}", "--steps", 3, "--batch", 4) for name in ("pictures", "tensors.safetensors")]
    assert runs[0]["loss"] == runs[1]["loss"] and runs[0]["weights_sha256"] == runs[1]["weights_sha256"]
    (tmp_path / "empty").mkdir()
    assert "no pictures" in refused(tmp_path / "vit", "--data", tmp_path / "empty", "--out", tmp_path / "run", "--steps", 1)
    shutil.copy(tmp_path / "pictures" / "cat" / "0.png", tmp_path / "empty")
    assert "learns from labels" in refused(tmp_path / "vit", "--data", tmp_path / "empty", "--out", tmp_path / "run", "--steps", 1)
    (tmp_path / "vit" / "preprocessor_config.json").unlink()
    assert "preprocessor_config.json" in refused(tmp_path / "vit", "--data", tmp_path / "pictures", "--out", tmp_path / "run", "--steps", 1)


def test_samebits_resume_says_that_all_is_there(trained):
    _, run = trained

    def said(path):
        done = subprocess.run([conftest.PROGRAM, "resume", path, "--json"], capture_output=True, text=True, timeout=60)
        return json.loads(done.stdout)

    for path in (run, run / "step-9"):
        found = said(path)
        assert found["verdict"] == "clean" and not found["findings"] and not found["not_checked"]
        assert {part["state"] for part in found["resume"]} == {"present", "not needed"}
    assert said(run)["subjects"][0]["path"] == str(run / f"step-{STEPS}")
    moments = run / "step-9" / "optimizer.safetensors"
    moments.write_bytes(moments.read_bytes()[:-1] + b"!")
    found = said(run / "step-9")
    assert found["verdict"] == "unknown" and "is not what was written" in found["not_checked"][0]


def test_inspect_says_how_far_it_was(trained, run):
    _, folder = trained
    report = run("inspect", folder / "step-9")
    epoch = json.loads((folder / "step-9" / "training.json").read_text())["epoch"]
    assert report["answers"]["trained"] == f"epoch {epoch}, step 9"
    assert report["subjects"][0]["training"]["step"] == "training.json"
    (folder / "step-9" / "training.json").write_text("[")  # another program's: nothing is said of it
    assert run("inspect", folder / "step-9")["answers"]["trained"] == "the file does not say"
