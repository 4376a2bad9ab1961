"""The callbacks make checkpoints of Lightning and of transformers' Trainer complete: held by real trainings."""

import json
import logging

import live_lightning
import live_trainer
import pytest
import pytorch_lightning
import safetensors.torch
import torch

from samebits.callbacks import ResumeRefused, lightning_callback, trainer_callback
from samebits.resume_check import ResumeCheckError, resume_check

logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)


def checked(train):
    return resume_check(train, start_method="forkserver")


def test_lightning_alone_does_not_go_on_exactly():
    report = checked(live_lightning.plain)
    assert report.verdict == "different" and report.first["step"] == 5 and not report.restored["rng.torch"], str(report)
    assert any("samebits.callbacks.lightning_callback()" in hint for hint in report.hints), str(report)


def test_with_the_callback_it_does_between_epochs():
    report = checked(live_lightning.complete)
    assert report.verdict == "same" and report.steps == {"uninterrupted": 12, "saved": 4}, str(report)


def test_inside_an_epoch_a_plain_loader_is_refused():
    with pytest.raises(ResumeCheckError, match="saved behind batch 2 of an epoch, and the training's data loader has no load_state_dict"):
        checked(live_lightning.inside)


def test_inside_an_epoch_a_loader_that_takes_up_its_place_is_exact():
    assert checked(live_lightning.inside_with_place).verdict == "same"


def test_accumulated_gradients_are_kept():
    assert checked(live_lightning.inside_accumulation).verdict == "same"
    assert checked(live_lightning.inside_accumulation_without).verdict == "different"


class Session:
    """Stands in for resume_check()'s where only files matter."""

    def __init__(self, folder, checkpoint=None):
        self.folder, self.checkpoint = folder, checkpoint

    def begin(self, *_):
        pass

    step = begin
    saved = begin


def test_a_checkpoint_is_read_with_weights_only_and_holds_what_it_says(tmp_path):
    live_lightning.complete(Session(tmp_path))
    state = torch.load(tmp_path / "last.ckpt", weights_only=True)["samebits"]
    assert state["schema"] == "samebits.callback/1" and {"cpu", "python", "numpy"} <= set(state["rng"])
    assert state["inside"] is False and state["gradients"] is None and len(state["weights"]) == 4 and len(state["optimizers"]) == 1


def test_what_was_changed_or_is_missing_is_refused_by_name(tmp_path):
    live_lightning.run(Session(tmp_path), [])
    with pytest.raises(ResumeRefused, match="written without this callback: it lacks the states of the generators"):
        live_lightning.complete(Session(tmp_path, tmp_path / "last.ckpt"))
    live_lightning.complete(Session(tmp_path))
    checkpoint = torch.load(tmp_path / "last.ckpt", weights_only=True)
    checkpoint["state_dict"]["net.2.bias"] += 1e-7
    torch.save(checkpoint, tmp_path / "other.ckpt")
    with pytest.raises(ResumeRefused) as refused:
        live_lightning.complete(Session(tmp_path, tmp_path / "other.ckpt"))
    assert refused.value.missing == ["net.2.bias"]
    with pytest.warns(UserWarning, match="does not hold what was saved in it: net.2.bias"):
        callback = lightning_callback(strict=False)
        callback.on_load_checkpoint(None, None, checkpoint)


def test_the_class_is_the_frameworks():
    assert isinstance(lightning_callback(), pytorch_lightning.Callback)


# transformers' Trainer.


def unlike(a, b):
    return [name for name in a if not torch.equal(a[name], b[name])]


@pytest.fixture
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def test_the_trainer_alone_loses_weights_of_a_vit(tmp_path, one_thread):
    whole = live_trainer.trained(tmp_path, [])
    resumed = live_trainer.trained(tmp_path, [], tmp_path / "checkpoint-2", seed=1)
    assert len(unlike(whole, resumed)) > 30


def test_with_the_callback_they_come_back(tmp_path, one_thread):
    whole = live_trainer.trained(tmp_path, [trainer_callback()])
    resumed = live_trainer.trained(tmp_path, [trainer_callback()], tmp_path / "checkpoint-2", seed=1)
    assert unlike(whole, resumed) == []
    with safetensors.safe_open(tmp_path / "checkpoint-2" / "samebits_resume.safetensors", "pt") as file:
        lost, document = set(file.keys()), json.loads(file.metadata()["samebits.callback"])
    assert len(document["weights"]) == len(whole) and len(lost) == len(whole) - 8  # 8 have one name in both


def test_a_trainers_checkpoint_that_was_changed_is_refused_by_name(tmp_path, one_thread):
    live_trainer.trained(tmp_path, [trainer_callback()])
    folder = tmp_path / "checkpoint-4"
    weights = safetensors.torch.load_file(folder / "model.safetensors")
    weights["classifier.bias"] += 1e-6
    safetensors.torch.save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ResumeRefused, match="this was not restored: classifier.bias") as refused:
        live_trainer.trained(tmp_path, [trainer_callback()], folder)
    assert refused.value.missing == ["classifier.bias"]
    (folder / "samebits_resume.safetensors").unlink()
    with pytest.raises(ResumeRefused, match="checkpoint-4 was written without this callback"):
        live_trainer.trained(tmp_path, [trainer_callback()], folder)
