"""samebits train --export: Lightning, transformers' Trainer and from_pretrained() load what it writes, and go on.

The proof: the library loads the export into a model with other weights and makes one step, whose gradient is recorded. torch's fused AdamW
makes the same step from samebits' own checkpoint. Weights and moments are the same bits.
"""

import copy
import subprocess

import conftest
import pytest
import pytorch_lightning
import safetensors.torch
import torch
from transformers import TrainerCallback, get_linear_schedule_with_warmup
from torch.utils.data import DataLoader

from train_from_test import Lit, asking, everything, named, pairs, renamed, steps, timms, transformers_trainer
from train_test import MODELS, freeze, made, train

STEPS = 4


def fused(module):
    return torch.optim.AdamW([each for each in module.parameters() if each.requires_grad], lr=1e-3, fused=True)


def own_state(model, optimizer, run, folder, step):
    """The optimizer of `model`, which from_pretrained() made of RUN/step-N, with the moments of that checkpoint."""
    moments = safetensors.torch.load_file(run / f"step-{step}" / "optimizer.safetensors")
    first, second = (renamed(model, moments, kind, folder) for kind in ("exp_avg", "exp_avg_sq"))
    for key, parameter in model.named_parameters():
        if key in first:
            optimizer.state[parameter] = {"step": torch.tensor(float(step)), "exp_avg": first[key], "exp_avg_sq": second[key]}


def assert_went_on(model, theirs, gradients, run, folder, rate=1e-3, step=STEPS, decays=0.01):
    """`model` and its optimizer after the library's step, against torch's step from samebits' own files."""
    own = freeze(type(model).from_pretrained(run / f"step-{step}"))
    optimizer = torch.optim.AdamW([{"params": [value]} for value in own.parameters() if value.requires_grad], lr=rate, fused=True, weight_decay=decays)
    own_state(own, optimizer, run, folder, step)
    for key, parameter in own.named_parameters():
        parameter.grad = gradients.get(key)
    optimizer.step()
    found, count = dict(model.named_parameters()), 0
    for key, parameter in own.named_parameters():
        assert torch.equal(parameter, found[key]), key
        if parameter in optimizer.state and "exp_avg" in optimizer.state[parameter]:
            for name in ("step", "exp_avg", "exp_avg_sq"):
                assert torch.equal(optimizer.state[parameter][name], theirs.state[found[key]][name]), (key, name)
            count += 1
    assert count == len(gradients) > 30


class Recorder(Lit):
    def on_before_optimizer_step(self, optimizer):
        self.gradients = {key: value.grad.clone() for key, value in self.model.named_parameters() if value.grad is not None}


def fitted(module, data, folder, path, **more):
    trainer = pytorch_lightning.Trainer(
        **({"max_steps": STEPS + 1, "logger": False, "enable_progress_bar": False, "enable_model_summary": False, "accelerator": "cpu",
            "default_root_dir": folder, "enable_checkpointing": False} | more))
    trainer.fit(module, DataLoader(pairs(data), 7), ckpt_path=path)
    return trainer


def other(name):
    """The same class with other weights."""
    torch.manual_seed(77)
    return freeze(MODELS[name]())


@pytest.mark.parametrize("name", ["vit", "mae", "dinov2-registers"])
def test_lightning_goes_on(name, tmp_path):
    _, data = made(name, tmp_path)
    run = tmp_path / "run"
    found = train(tmp_path / name, "--data", tmp_path / "data.safetensors", "--batch", 7, "--out", run, "--steps", STEPS, "--export", "lightning")
    assert found["exports"] == [str(run / f"step-{STEPS}.ckpt")]
    module = Recorder(other(name), fused)
    trainer = fitted(module, data, tmp_path, found["exports"][0])
    whole = fitted(Recorder(other(name), fused), data, tmp_path, None)  # Lightning's own, that nothing stopped
    assert trainer.global_step == whole.global_step == STEPS + 1
    assert trainer.fit_loop.state_dict() == whole.fit_loop.state_dict()
    assert_went_on(module.model, trainer.optimizers[0], module.gradients, run, tmp_path / name)


def test_lightning_goes_on_behind_an_epoch(tmp_path):
    _, data = made("vit", tmp_path)
    run = tmp_path / "run"
    found = train(tmp_path / "vit", "--data", tmp_path / "data.safetensors", "--batch", 7, "--out", run, "--epochs", 2, "--export", "lightning")
    module = Recorder(other("vit"), fused)
    trainer = fitted(module, data, tmp_path, found["exports"][0], max_steps=-1, max_epochs=3)
    whole = fitted(Recorder(other("vit"), fused), data, tmp_path, None, max_steps=-1, max_epochs=3)
    assert trainer.global_step == whole.global_step == 9 and trainer.current_epoch == whole.current_epoch == 3
    assert trainer.fit_loop.state_dict() == whole.fit_loop.state_dict()


def test_lightning_goes_on_with_a_schedule(tmp_path):
    _, data = made("vit", tmp_path)
    run = tmp_path / "run"
    class Scheduled(Recorder):
        def configure_optimizers(self):
            optimizer = fused(self)
            return [optimizer], [{"scheduler": get_linear_schedule_with_warmup(optimizer, 2, 10), "interval": "step"}]

    given = [tmp_path / "vit", "--data", tmp_path / "data.safetensors", "--batch", 7, "--out", run, "--steps", 10]
    found = train(*given, "--schedule", "linear", "--warmup", 2, "--export", "lightning")
    module = Scheduled(other("vit"), fused)
    trainer = fitted(module, data, tmp_path, found["exports"][0], max_steps=11)
    whole = fitted(Scheduled(other("vit"), fused), data, tmp_path, None, max_steps=11)
    assert trainer.fit_loop.state_dict() == whole.fit_loop.state_dict()
    assert trainer.lr_scheduler_configs[0].scheduler.state_dict() == whole.lr_scheduler_configs[0].scheduler.state_dict()
    groups = [each.optimizers[0].param_groups[0] for each in (trainer, whole)]
    assert all(groups[0][key] == groups[1][key] for key in ("lr", "initial_lr", "betas", "eps", "weight_decay"))


def test_rates_of_layers_are_those_of_their_groups(tmp_path):
    """As facebookresearch/mae computes them, each in a group of its own."""
    _, data = made("vit", tmp_path)
    given = [tmp_path / "vit", "--data", tmp_path / "data.safetensors", "--out", tmp_path / "run", "--steps", 2]
    found = train(*given, "--layer-decay", 0.7, "--export", "lightning")
    groups = torch.load(found["exports"][0], weights_only=True)["optimizer_states"][0]["param_groups"]
    assert [group["lr"] for group in groups] == [1e-3 * 0.7 ** (4 - layer) for layer in range(5)]
    assert [len(group["params"]) for group in groups] == [4, 16, 16, 16, 4]
    done = subprocess.run([conftest.PROGRAM, "train", "--resume", tmp_path / "run", "--export", "trainer"], capture_output=True, text=True)
    assert done.returncode == 2 and "different settings" in done.stderr  # its two groups have no place for them
    assert train("--resume", tmp_path / "run", "--steps", 4)["weights_sha256"] == train(*given[:-3], tmp_path / "whole", "--steps", 4, "--layer-decay", 0.7)["weights_sha256"]


class Keeper(TrainerCallback):
    def on_pre_optimizer_step(self, args, state, control, model=None, **more):
        self.gradients = {key: value.grad.clone() for key, value in model.named_parameters() if value.grad is not None}


@pytest.mark.parametrize("name", ["vit", "mae", "deit", "dinov2"])
def test_transformers_trainer_goes_on(name, tmp_path):
    """Its resumed load takes names of live modules alone: with the names of save_pretrained() most weights would stay the other model's."""
    _, data = made(name, tmp_path)
    run = tmp_path / "run"
    found = train(tmp_path / name, "--data", tmp_path / "data.safetensors", "--batch", 7, "--out", run, "--steps", STEPS, "--export", "trainer")
    model, keeper = other(name), Keeper()
    trainer = transformers_trainer(model, data, tmp_path, max_steps=STEPS + 1, max_grad_norm=0)
    trainer.add_callback(keeper)
    trainer.train(resume_from_checkpoint=found["exports"][0])
    assert trainer.state.global_step == STEPS + 1 and trainer.state.epoch == pytest.approx(5 / 3)
    assert_went_on(model, trainer.optimizer.optimizer, keeper.gradients, run, tmp_path / name)


def test_from_pretrained_loads_the_same_bits(tmp_path):
    for name in ("vit", "mae", "dinov2"):
        _, _ = made(name, tmp_path)
        run = tmp_path / f"run-{name}"
        found = train(tmp_path / name, "--data", tmp_path / "data.safetensors", "--out", run, "--steps", 2, "--export", "hf")
        kind = type(other(name))
        loaded, information = kind.from_pretrained(found["exports"][0], output_loading_info=True)
        assert not information["missing_keys"] and not information["unexpected_keys"]
        own = kind.from_pretrained(run / "step-2").state_dict()
        assert own.keys() == loaded.state_dict().keys()
        assert all(torch.equal(own[key], value) for key, value in loaded.state_dict().items())


@pytest.mark.parametrize("optimizer", [everything, named, timms, asking])
def test_what_was_taken_over_goes_back(optimizer, tmp_path):
    """The groups of the optimizer are those that it had, in its order."""
    model, data = made("mae", tmp_path)
    model = freeze(model)
    module = Recorder(model, optimizer)
    torchs = optimizer(module)
    steps(model, torchs, data, 3)
    saved = {"state_dict": module.state_dict(), "optimizer_states": [torchs.state_dict()], "lr_schedulers": [], "epoch": 0, "global_step": 3, "pytorch-lightning_version": "2.6.6"}
    torch.save(saved, tmp_path / "last.ckpt")
    run = tmp_path / "run"
    found = train(
        tmp_path / "last.ckpt", "--continue", "--config", tmp_path / "mae" / "config.json", "--data", tmp_path / "data.safetensors", "--batch", 7,
        "--out", run, "--steps", STEPS, "--export", "lightning", "--adamw", "torch")
    again = Recorder(other("mae"), optimizer)
    trainer = fitted(again, data, tmp_path, found["exports"][0])
    states = [copy.deepcopy(each.state_dict()) for each in (torchs, trainer.optimizers[0])]
    assert [len(group["params"]) for group in states[0]["param_groups"]] == [len(group["params"]) for group in states[1]["param_groups"]]
    for before, after in zip(states[0]["param_groups"], states[1]["param_groups"]):
        assert {key: before[key] for key in ("lr", "betas", "eps", "weight_decay", "params")} == {key: after[key] for key in ("lr", "betas", "eps", "weight_decay", "params")}
    assert states[0]["state"].keys() == states[1]["state"].keys()
    assert {float(each["step"]) for each in states[1]["state"].values()} == {float(STEPS + 1)}
    for key, parameter in again.model.named_parameters():
        assert (parameter.grad is None) == (key not in again.gradients)
