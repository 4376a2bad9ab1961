"""Two trainings held against one another: the step in which they part, and what in it is first, with causes that were planted."""

import json
import shutil
import subprocess

import conftest
import pytest
import safetensors.torch
import torch

from train_test import made, train


def compared(command, a, b):
    done = subprocess.run([conftest.PROGRAM, command, a, b, "--json"], capture_output=True, text=True, timeout=60)
    report = json.loads(done.stdout)
    assert done.returncode == {"same": 0, "different": 1, "unknown": 2}[report["verdict"]], done.stderr
    return report


def parting(command, a, b):
    report = compared(command, a, b)
    assert report["verdict"] == "different", report
    (finding,) = [each for each in report["findings"] if each["cause"] == "training.parted"]
    return finding


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("parting")
    made("mae", folder)
    made("vit", folder)
    run(folder, "first")
    return folder


def run(folder, name, *more, model="mae", save=1):
    given = [folder / model, "--data", folder / "data.safetensors", "--steps", 5, "--trace-step", 3]
    train(*given, "--out", folder / name, *(["--save-every", save] if save else []), *more)
    return folder / name


def test_the_same_training_is_the_same(folder):
    report = compared("diff", folder / "first", run(folder, "again", "--threads", 1))
    assert report["verdict"] == "same" and not report["findings"]
    assert report["assumed"][0] == "compared: the losses of 5 steps, the states of 5 saved steps, 1 recorded step"
    assert compared("explain", folder / "first" / "trace-step-3.safetensors", folder / "again" / "trace-step-3.safetensors")["verdict"] == "same"


@pytest.mark.parametrize(
    "name, more, step, part",
    [("seed", ["--seed", 43], 1, "batch"), ("lr", ["--lr", 2e-3], 1, "update"), ("decay", ["--weight-decay", 0.3], 1, "update"),
     ("beta1", ["--beta1", 0.8], 1, "gradient"), ("beta2", ["--beta2", 0.9], 1, "moment"), ("clip", ["--clip", 0.01], 1, "gradient"),
     ("schedule", ["--schedule", "linear"], 2, "update"), ("leaf", ["--leaf", 1], 1, "gradient"), ("mask", ["--mask-ratio", 0.5], 1, "gradient")],
)
def test_the_first_step_and_what_in_it_parts(folder, name, more, step, part):
    finding = parting("diff", folder / "first", run(folder, name, *more))
    assert (finding["evidence"]["step"], finding["evidence"]["part"]) == (step, part), finding
    option = {"decay": "weight_decay", "mask": "mask_ratio"}.get(name, name)
    assert any(each.startswith(option + ": ") for each in finding["evidence"]["options"])
    assert f"the trainings part in step {step}: " in finding["summary"]


def test_a_weight_that_was_changed_between_steps_is_a_forward_pass(folder):
    """Step 3 was recorded in both: batch and noise are the same, and the first layer behind the changed weight is not."""
    other = folder / "changed"
    other.mkdir(exist_ok=True)
    shutil.copytree(folder / "first" / "step-2", other / "step-2")
    path = other / "step-2" / "model.safetensors"
    tensors = safetensors.torch.load_file(path)
    name = next(key for key in tensors if "1.layernorm_before.weight" in key and "decoder" not in key)
    tensors[name][0] += 1
    safetensors.torch.save_file(tensors, path, metadata={"format": "pt"})
    shutil.copytree(other, folder / "begun")
    begun = [folder / "begun" / "step-2", "--data", folder / "data.safetensors", "--steps", 1, "--trace-step", 1]
    train(*begun, "--out", folder / "own")
    train(folder / "first" / "step-2", *begun[1:], "--out", folder / "own2")
    finding = parting("explain", folder / "own2" / "trace-step-1.safetensors", folder / "own" / "trace-step-1.safetensors")
    assert finding["evidence"]["part"] == "forward" and finding["evidence"]["array"] == "activation.vit.layers.1"
    assert finding["summary"].startswith("the two steps part in the forward pass: batch and noise are the same")
    finding = parting("diff", folder / "own2", folder / "own")
    assert finding["evidence"]["step"] == 1 and finding["evidence"]["array"] == "activation.vit.layers.1"


def test_what_was_not_saved_is_not_said(folder):
    """Saved at the end alone, and no recording: the step is known by its loss, and what in it is not."""
    given = [folder / "mae", "--data", folder / "data.safetensors", "--steps", 5]
    for name, lr in (("plain", 1e-3), ("faster", 2e-3)):
        train(*given, "--out", folder / name, "--lr", lr)
    finding = parting("diff", folder / "plain", folder / "faster")
    assert finding["summary"] == "the trainings differ in step 2" and "part" not in finding["evidence"]
    assert "--trace-step 2" in finding["remedy"]
    shutil.copytree(folder / "faster", folder / "silent")
    (folder / "silent" / "metrics.csv").unlink()
    finding = parting("diff", folder / "plain", folder / "silent")
    assert finding["summary"] == "the trainings differ no later than in step 5"


def test_other_data_and_models_are_said(folder):
    data = safetensors.torch.load_file(folder / "data.safetensors")
    data["images"][:, 0, 0, 0] += 1
    safetensors.torch.save_file(data, folder / "other.safetensors")
    train(folder / "mae", "--data", folder / "other.safetensors", "--steps", 5, "--out", folder / "data", "--save-every", 1)
    finding = parting("diff", folder / "first", folder / "data")
    assert finding["evidence"]["step"] == 1 and finding["evidence"]["part"] == "gradient"
    assert "they learn from other data" in finding["details"]
    report = compared("diff", folder / "first", run(folder, "class", model="vit"))
    assert report["verdict"] == "unknown" and "not hold the same arrays" in report["not_checked"][0]
    images = safetensors.torch.load_file(folder / "first" / "trace-step-3.safetensors")
    images["images"] = images["images"] + torch.ones(())
    safetensors.torch.save_file(images, folder / "images.safetensors")
    finding = parting("explain", folder / "first" / "trace-step-3.safetensors", folder / "images.safetensors")
    assert finding["evidence"]["part"] == "batch" and finding["evidence"]["array"] == "images"
