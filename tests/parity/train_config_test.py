"""--config train.json: the options of a training in a file."""

import json
import subprocess

import conftest
import pytest

from train_test import made, train


def written(folder, **options):
    (folder / "train.json").write_text(json.dumps(options))
    return folder / "train.json"


@pytest.fixture
def folder(tmp_path):
    made("mae", tmp_path)
    return tmp_path


def test_a_file_says_what_the_command_line_could(folder):
    options = {"batch": 4, "lr": 2e-3, "no-decay": True, "schedule": "cosine", "warmup": 2, "seed": 9, "clip": 0.5, "mask_ratio": 0.5}
    line = [word for key, value in options.items() for word in (["--" + key.replace("_", "-")] + ([value] if value is not True else []))]
    wanted = train(folder / "mae", "--data", folder / "data.safetensors", "--out", folder / "line", "--steps", 6, *line)
    path = written(folder, model=str(folder / "mae"), data=str(folder / "data.safetensors"), out=str(folder / "file"), steps=6, export=["hf", "lightning"], resume=None, **options)
    found = train("--config", path)
    assert found["weights_sha256"] == wanted["weights_sha256"]
    assert found["exports"] == [str(folder / "file" / name) for name in ("hf-6", "step-6.ckpt")]


def test_the_command_line_goes_before_it(folder):
    path = written(folder, data=str(folder / "data.safetensors"), steps=6, seed=9, batch=4)
    found = train(folder / "mae", "--config", path, "--out", folder / "one", "--seed", 3, "--epochs", 1)
    wanted = train(folder / "mae", "--data", folder / "data.safetensors", "--out", folder / "two", "--seed", 3, "--epochs", 1, "--batch", 4)
    assert found["steps_asked"] == wanted["steps_asked"] == 6 and found["weights_sha256"] == wanted["weights_sha256"]


def test_both_kinds_of_files_are_told_apart(folder):
    (folder / "bare").mkdir()
    (folder / "mae" / "model.safetensors").rename(folder / "bare" / "model.safetensors")
    path = written(folder, data=str(folder / "data.safetensors"), steps=2)
    found = train(folder / "bare" / "model.safetensors", "--config", path, "--config", folder / "mae" / "config.json", "--out", folder / "run")
    assert found["steps"] == 2


@pytest.mark.parametrize(
    "text, said",
    [('{"speed": 3}', "speed is no option of samebits train"), ("[1]", "no JSON object"), ("{", "train.json"), ('{"batch": "many"}', "--batch"),
     ('{"config": "x"}', "config is no option"), ('{"steps": 3, "epochs": 2}', "excludes"), ('{"schedule": "steep"}', "--schedule")],
)
def test_what_is_no_option_is_named(folder, text, said):
    (folder / "train.json").write_text(text)
    words = [conftest.PROGRAM, "train", folder / "mae", "--data", folder / "data.safetensors", "--out", folder / "run", "--config", folder / "train.json"]
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and said in done.stderr, done.stderr
