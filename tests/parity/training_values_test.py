"""What a training's file holds by value, and optimizers that are fresh or whose state no parameter gets."""

import argparse
import copy
import sys
import types

import numpy as np
import pytest
import torch
from torch import nn


def training(make, steps=2):
    torch.manual_seed(3)
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    optimizer = make(model.parameters())
    for _ in range(steps):
        optimizer.zero_grad()
        model(torch.ones(2, 4)).sum().backward()
        optimizer.step()
    return model, optimizer


def resume(value):
    return [f for f in value["findings"] if f["cause"] == "resume.missing"]


def values(run, path):
    return run("inspect", path)["subjects"][0]["training"]["values"]


def test_values_of_every_kind(run, tmp_path):
    model, optimizer = training(lambda p: torch.optim.AdamW(p, 0.00137))
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 10)
    torch.save(
        {
            "state_dict": model.state_dict(), "optimizer": optimizer.state_dict(), "lr_scheduler": schedule.state_dict(),
            "epoch": 3, "step": torch.tensor(30), "loss": np.float32(0.25), "best_acc": np.float64(-0.9), "seen": np.int64(200),
            "done": np.bool_(True), "arch": "vit", "args": argparse.Namespace(lr=0.1, layers=[1, 2], name=None),
            "meta": {"seed": 1, "host": "x"}, "rng_state": torch.get_rng_state(),
        },
        tmp_path / "x.pt",
    )
    found = values(run, tmp_path / "x.pt")
    assert found["epoch"] == 3 and found["step"] == 30 and found["loss"] == 0.25 and found["best_acc"] == -0.9
    assert found["seen"] == 200 and found["done"] is True and found["arch"] == "vit"
    assert found["args"] == {"lr": 0.1, "layers": [1, 2], "name": None} and found["meta"] == {"seed": 1, "host": "x"}
    assert found["param_groups"][0]["lr"] == 0.00137 and found["param_groups"][0]["params"] == 4
    assert found["lr_scheduler"]["_last_lr"] == [0.00137]


@pytest.mark.parametrize("letter", ["e", "f", "d", "b", "h", "i", "l", "B", "?"])
def test_numpy_scalars_to_the_bit(run, tmp_path, letter):
    numbers = [np.array(x).astype(letter)[()] for x in (0, 1, 100, -1 if letter not in "B?" else 1, 0.1, 1e-3)]
    torch.save({"model": nn.Linear(2, 2).state_dict(), "epoch": 1, **{f"v{i}": x for i, x in enumerate(numbers)}}, tmp_path / "x.pt")
    found = values(run, tmp_path / "x.pt")
    assert [found[f"v{i}"] for i in range(len(numbers))] == [x.item() for x in numbers]


def test_values_of_omegaconf(run, tmp_path, monkeypatch):
    """Its attributes as omegaconf 2.3 pickles them; the library is not needed."""
    modules = {name: types.ModuleType(name) for name in ("omegaconf", "omegaconf.dictconfig", "omegaconf.nodes", "omegaconf.listconfig")}
    made = {}
    for module, name in (("dictconfig", "DictConfig"), ("nodes", "AnyNode"), ("listconfig", "ListConfig")):
        made[name] = type(name, (), {"__module__": f"omegaconf.{module}"})
        setattr(modules[f"omegaconf.{module}"], name, made[name])
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)

    def node(kind, **fields):
        value = made[kind]()
        value.__dict__.update(_metadata=None, _parent=None, **fields)
        return value

    config = node("DictConfig", _content={"lr": node("AnyNode", _val=0.5), "sizes": node("ListConfig", _content=[node("AnyNode", _val=3)])})
    torch.save({"state_dict": nn.Linear(2, 2).state_dict(), "hyper_parameters": config, "epoch": 1}, tmp_path / "x.ckpt")
    assert values(run, tmp_path / "x.ckpt")["hyper_parameters"] == {"lr": 0.5, "sizes": [3]}


OPTIMIZERS = {
    "AdamW": torch.optim.AdamW, "SGD with momentum": lambda p: torch.optim.SGD(p, 0.1, momentum=0.9), "RMSprop": torch.optim.RMSprop,
    "Adadelta": torch.optim.Adadelta, "NAdam": torch.optim.NAdam, "Adamax": torch.optim.Adamax,
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_fresh_optimizer_is_said_to_be_fresh(run, tmp_path, name):
    for steps in (0, 2):
        model, optimizer = training(OPTIMIZERS[name], steps)
        torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 3}, tmp_path / "x.pt")
        assert [f["role"] for f in resume(run("inspect", tmp_path / "x.pt"))] == (["risk"] if steps == 0 else [])


def test_an_optimizer_without_state_of_its_own_is_not_fresh(run, tmp_path):
    model, optimizer = training(lambda p: torch.optim.SGD(p, 0.1))
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 3}, tmp_path / "x.pt")
    assert not resume(run("inspect", tmp_path / "x.pt"))


def test_zero_moments_and_step_0(run, tmp_path):
    model, optimizer = training(torch.optim.AdamW)
    for zeros in (True, False):
        state = copy.deepcopy(optimizer.state_dict())
        for each in state["state"].values():
            each["step"] = torch.tensor(0.0)
            if zeros:
                each["exp_avg"].zero_(), each["exp_avg_sq"].zero_()
        torch.save({"model": model.state_dict(), "optimizer": state, "global_step": 30}, tmp_path / "x.pt")
        (finding,) = resume(run("inspect", tmp_path / "x.pt"))
        assert finding["role"] == "risk" and ("all zero" if zeros else "step 0") in finding["summary"]


def test_an_average_among_the_weights_is_found(run, tmp_path):
    model, optimizer = training(torch.optim.AdamW)
    average = torch.optim.swa_utils.AveragedModel(model)
    both = {f"net.{k}": v for k, v in model.state_dict().items()} | {f"ema.{k}": v for k, v in average.state_dict().items()}
    torch.save({"state_dict": both, "optimizer": optimizer.state_dict(), "epoch": 3}, tmp_path / "x.pt")
    assert run("inspect", tmp_path / "x.pt").subject["training"]["ema"] == "state_dict.ema"


def test_string_keys_reach_no_parameter(run, tmp_path):
    model, optimizer = training(torch.optim.AdamW)
    state = optimizer.state_dict()
    state["state"] = {str(k): v for k, v in state["state"].items()}
    torch.save({"model": model.state_dict(), "optimizer": state, "epoch": 3}, tmp_path / "x.pt")
    (finding,) = resume(run("inspect", tmp_path / "x.pt"))
    assert "string" in " ".join(finding["details"]) and finding["evidence"]["unlisted"] == 4
    other = torch.optim.AdamW(copy.deepcopy(model).parameters())
    other.load_state_dict(state)
    assert not any(p in other.state for p in other.param_groups[0]["params"])
    state["state"] = {int(k): v for k, v in state["state"].items()}
    other.load_state_dict(state)
    assert all(p in other.state for p in other.param_groups[0]["params"])


def test_a_directory_of_a_trainer(run, tmp_path):
    import json

    model, optimizer = training(torch.optim.AdamW)
    from safetensors.torch import save_file

    save_file(model.state_dict(), tmp_path / "model.safetensors")
    torch.save(optimizer.state_dict(), tmp_path / "optimizer.pt")
    torch.save(torch.optim.lr_scheduler.StepLR(optimizer, 10).state_dict(), tmp_path / "scheduler.pt")
    (tmp_path / "trainer_state.json").write_text(json.dumps({"epoch": 2.0, "global_step": 30, "log_history": [{"loss": 0.5, "step": 30}]}))
    found = values(run, tmp_path)
    assert found["global_step"] == 30 and found["last_log"]["loss"] == 0.5
    assert found["param_groups"][0]["lr"] == 0.001 and found["scheduler"]["_last_lr"] == [0.001]
    assert not resume(run("inspect", tmp_path))


@pytest.mark.parametrize("key", ["epoch", "current_epoch", "global_step", "num_updates", "iter_num", "n_iter", "iterations", "steps_done"])
def test_what_inspect_prints_of_progress_resume_knows(run, tmp_path, key):
    torch.save({"model": {"w": torch.ones(3)}, key: 7}, tmp_path / "a")
    assert f"{key} 7" in run("inspect", tmp_path / "a")["answers"]["trained"]
    part = next(row for row in run("resume", tmp_path / "a")["resume"] if row["part"] == "step")
    assert part["state"] == "present" and key in str(part)
