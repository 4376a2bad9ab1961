"""Trainings whose checkpoints are directories of parts: DeepSpeed's ZeRO, FSDP by accelerate, DCP. Weights and what resume says."""

import enum
import random
import shutil
import sys
import types

import numpy as np
import pytest
import torch
import torch.distributed.checkpoint as dcp
from torch import nn
from torch.distributed.checkpoint.state_dict import get_state_dict, set_state_dict

RNG = {"rng.torch", "rng.numpy", "rng.python"}


def missing(report):
    return {piece for f in report.findings("resume.missing") if f["role"] == "risk" for piece in f["evidence"]["missing"]}


def states(report):
    return {part["part"]: part for part in report["resume"]}


# ---- DeepSpeed: files of the layout of 0.19.6 (runtime/engine.py, zero/stage_1_and_2.py, zero/stage3.py)
class ZeroStageEnum(enum.IntEnum):
    optimizer_states, gradients, weights = 1, 2, 3


class LossScaler:
    def __init__(self):
        self.cur_scale, self.dynamic = 1.0, False


@pytest.fixture(autouse=True)
def deepspeeds_classes(monkeypatch):
    """Pickled under the names that DeepSpeed's have, which is not installed."""
    for kind, module in ((ZeroStageEnum, "deepspeed.runtime.zero.config"), (LossScaler, "deepspeed.runtime.fp16.loss_scaler")):
        for end in range(1, module.count(".") + 2):
            name = ".".join(module.split(".")[:end])
            monkeypatch.setitem(sys.modules, name, sys.modules.get(name) or types.ModuleType(name))
        monkeypatch.setattr(sys.modules[module], kind.__name__, kind, raising=False)
        monkeypatch.setattr(kind, "__module__", module)


def weights():
    torch.manual_seed(3)
    return {"a.weight": torch.randn(7, 5), "n.weight": torch.randn(7), "b.weight": torch.randn(3, 7), "a.bias": torch.randn(7), "b.bias": torch.randn(3)}


GROUPS = [["a.weight", "n.weight", "b.weight"], ["a.bias", "b.bias"]]
FROZEN = {"frozen": torch.arange(25.0).reshape(5, 5).bfloat16()}
BUFFERS = {"count": torch.tensor([3, 70000]), "mean": torch.tensor([0.5, 0.25]).half()}


def expected():
    """What zero_to_fp32 gives."""
    return {**{k: v.float() for k, v in BUFFERS.items()}, **FROZEN, **weights(), "tied.weight": weights()["b.weight"]}


def slices(tensors, stage, world):
    """Each rank's flat part of a group."""
    if stage < 3:
        flat = torch.cat([t.reshape(-1) for t in tensors])
        length = -(-flat.numel() // world)
        return [flat[r * length : (r + 1) * length].clone() for r in range(world)]
    ranks = [[] for _ in range(world)]
    for tensor in tensors:
        length = -(-tensor.numel() // world)
        padded = torch.cat([tensor.reshape(-1), torch.zeros(length * world - tensor.numel(), dtype=tensor.dtype)])
        for r in range(world):
            ranks[r].append(padded[r * length : (r + 1) * length])
    return [torch.cat(parts) for parts in ranks]


def flat_optimizer(flats, step):
    state = {i: {"step": torch.tensor(float(step)), "exp_avg": flat + 1, "exp_avg_sq": flat**2 + 1} for i, flat in enumerate(flats)}
    groups = [{"lr": 1e-3, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.0, "amsgrad": False, "params": [i]} for i in range(len(flats))]
    return {"state": state, "param_groups": groups}


def write_zero(folder, stage, world=2, step=6, client=None):
    made, tag = weights(), folder / f"global_step{step}"
    tag.mkdir(parents=True)
    (folder / "latest").write_text(tag.name)
    flats = list(zip(*(slices([made[name] for name in group], stage, world) for group in GROUPS)))
    fragments = slices(list(FROZEN.values()), 3, world)
    for rank in range(world):
        optimizer = {"loss_scaler": LossScaler(), "zero_stage": ZeroStageEnum(stage), "dynamic_loss_scale": False}
        state = flat_optimizer(flats[rank], step)
        if stage < 3:
            optimizer |= {"base_optimizer_state": state, "single_partition_of_fp32_groups": list(flats[rank]), "partition_count": [world] * 2}
        else:
            optimizer |= {"optimizer_state_dict": state, "fp32_flat_groups": list(flats[rank]), "partition_count": world}
        torch.save({"optimizer_state_dict": optimizer, "ds_config": {}, "ds_version": "0.19.6"}, tag / f"bf16_zero_pp_rank_{rank}_mp_rank_00_optim_states.pt")
        if rank > 0 and stage < 3:
            continue
        live = {k: v.bfloat16() if stage < 3 else torch.empty(0) for k, v in {**made, **FROZEN}.items()}
        model = {
            "module": {**BUFFERS, **live}, "buffer_names": list(BUFFERS), "optimizer": None,
            "param_shapes": [{name: made[name].shape for name in group} for group in GROUPS],
            "frozen_param_shapes": {k: v.shape for k, v in FROZEN.items()}, "shared_params": {"tied.weight": "b.weight"},
            "frozen_param_fragments": FROZEN if stage < 3 else {"frozen": fragments[rank]},
            "lr_scheduler": torch.optim.lr_scheduler.StepLR(torch.optim.SGD([nn.Parameter(torch.ones(1))], 1e-3), 4).state_dict() | {"last_epoch": step, "_last_lr": [1e-3, 1e-3]},
            "skipped_steps": 0, "global_steps": step, "global_samples": 8 * step, "dp_world_size": world, "mp_world_size": 1, "ds_config": {}, "ds_version": "0.19.6",
        }
        name = "mp_rank_00_model_states.pt" if stage < 3 else f"zero_pp_rank_{rank}_mp_rank_00_model_states.pt"
        torch.save(model | (client or {}), tag / name)
    return folder


@pytest.mark.parametrize("world", [1, 2, 3])
@pytest.mark.parametrize("stage", [1, 2, 3])
def test_zeros_partitions_are_the_weights(run, tmp_path, stage, world):
    folder = write_zero(tmp_path / "zero", stage, world)
    torch.save(expected(), tmp_path / "whole.pt")
    for path in (folder, folder / "global_step6"):
        diff = run("diff", path, tmp_path / "whole.pt")
        assert diff["weights"][0]["verdict"] == "identical" and diff["weights"][0]["matched"] == len(expected()), diff["weights"]
    if stage < 3:
        report = run("diff", folder, tmp_path / "whole.pt", "--key", "A=mp_rank_00_model_states.pt:module")
        assert report["weights"][0]["verdict"] in ("rounded", "different")


@pytest.mark.parametrize("stage", [1, 2, 3])
def test_what_resume_says_of_zero(run, tmp_path, stage):
    report = run("resume", write_zero(tmp_path / "zero", stage))
    parts = states(report)
    assert parts["optimizer moments"]["state"] == "present" and f"ZeRO stage {stage}: 2 of 2 partitions" in parts["optimizer moments"]["detail"]
    assert parts["scheduler"]["state"] == "present" and "global_steps 6" in parts["step"]["detail"]
    assert missing(report) == RNG | {"sampler position"} and report["verdict"] == "risk"
    assert all("client_state" in f["remedy"] for f in report.findings("resume.missing") if f["role"] == "risk")


def test_a_zero_partition_that_is_absent(run, tmp_path):
    folder = write_zero(tmp_path / "zero", 2, world=3)
    (folder / "global_step6" / "bf16_zero_pp_rank_1_mp_rank_00_optim_states.pt").unlink()
    report = run("resume", folder)
    assert "optimizer moments" in missing(report) and report["verdict"] == "unknown"
    assert any("partitions" in text for text in report["not_checked"])
    issue = next(f for f in report.findings("resume.missing") if "not there" in f["summary"])
    assert issue["evidence"]["ranks"] == ["1"]
    third = write_zero(tmp_path / "third", 3)
    (third / "global_step6" / "bf16_zero_pp_rank_0_mp_rank_00_optim_states.pt").unlink()
    assert run("inspect", third)["verdict"] == "unknown"


def test_zero_partitions_of_two_saves(run, tmp_path):
    folder, older = write_zero(tmp_path / "zero", 1), write_zero(tmp_path / "older", 1, step=4)
    name = "bf16_zero_pp_rank_1_mp_rank_00_optim_states.pt"
    shutil.copy(older / "global_step4" / name, folder / "global_step6" / name)
    assert any("unlike steps" in f["summary"] for f in run("resume", folder).findings("resume.missing"))


def test_zero_files_that_do_not_fit(run, tmp_path):
    folder = write_zero(tmp_path / "zero", 2)
    path = folder / "global_step6" / "mp_rank_00_model_states.pt"
    model = torch.load(path, weights_only=False)
    for change in ({"param_shapes": [{"a.weight": torch.Size([700, 5])}, {}]}, {"param_shapes": None}, {"param_shapes": [{"a.weight": torch.Size([2])}]}):
        torch.save(model | change, path)
        assert run("inspect", folder)["verdict"] == "unknown"
    torch.save(model, path)
    path.rename(path.with_name("mp_rank_01_model_states.pt"))
    assert "parallel" in str(run("inspect", folder)["not_checked"])


# ---- distributed checkpoints
def training(steps=3):
    torch.manual_seed(5), random.random(), np.random.rand()
    model = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2))
    optimizer = torch.optim.AdamW(model.parameters(), 1e-2)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 2)
    for _ in range(steps):
        optimizer.zero_grad()
        model(torch.randn(5, 4)).pow(2).mean().backward()
        optimizer.step(), schedule.step()
    return model, optimizer, schedule


def rest(schedule, steps=3):
    generators = {"python": random.getstate(), "numpy": np.random.get_state(), "torch": torch.get_rng_state()}
    return {"scheduler": schedule.state_dict(), "epoch": 1, "global_step": steps, "batch_idx": 0, "rng": generators}


def save(value, folder):
    dcp.save(value, checkpoint_id=str(folder), no_dist=True)
    return folder


@pytest.mark.parametrize("way", ["numbers", "names"])
def test_a_complete_dcp_directory(run, tmp_path, way):
    model, optimizer, schedule = training()
    first, second = (model.state_dict(), optimizer.state_dict()) if way == "numbers" else get_state_dict(model, optimizer)
    report = run("resume", save({"model": first, "optim": second, **rest(schedule)}, tmp_path / "dcp"))
    assert report["verdict"] == "clean" and {part["state"] for part in report["resume"]} == {"present"}, report["resume"]
    parts = states(report)
    assert "state of 4 of 4 parameters" in parts["optimizer moments"]["detail"] and "step 3" in parts["optimizer moments"]["detail"]
    assert "at 3, learning rate" in parts["scheduler"]["detail"] and parts["rng.torch"]["detail"] == "advanced, seed 5"
    assert "set_state_dict" in next(f for f in report.findings("resume.missing") if f["role"] == "note")["remedy"]


@pytest.mark.parametrize("key, pieces", [
    ("optim", {"optimizer moments"}), ("scheduler", {"scheduler"}), ("rng", RNG), ("batch_idx", {"sampler position"}),
])
def test_a_dcp_directory_without_a_part(run, tmp_path, key, pieces):
    model, optimizer, schedule = training()
    value = {"model": model.state_dict(), "optim": optimizer.state_dict(), **rest(schedule)}
    value.pop(key)
    report = run("resume", save(value, tmp_path / "dcp"))
    assert missing(report) == pieces and report["verdict"] == "risk"


def test_dcp_moments_that_are_fresh_or_lost(run, tmp_path):
    model, optimizer, schedule = training()
    made = optimizer.state_dict()
    zero = {**made, "state": {k: {n: torch.zeros_like(t) for n, t in v.items()} for k, v in made["state"].items()}}
    lost = {**made, "state": {k: v for k, v in made["state"].items() if k != 2}}
    for i, state in enumerate((zero, lost)):
        report = run("resume", save({"model": model.state_dict(), "optim": state, **rest(schedule)}, tmp_path / f"{i}"))
        assert "optimizer moments" in missing(report)


def test_dcp_load_gives_a_new_optimizer_no_moments(tmp_path):
    """What the note of a DCP directory says, and its remedy."""
    model, optimizer, _ = training()
    optimizer.zero_grad()  # with gradients there get_state_dict() makes no state
    save({"model": model.state_dict(), "optim": optimizer.state_dict()}, tmp_path / "numbers")
    fresh = torch.optim.AdamW(model.parameters(), 1e-2)
    state = {"model": model.state_dict(), "optim": fresh.state_dict()}
    dcp.load(state, checkpoint_id=str(tmp_path / "numbers"), no_dist=True)
    fresh.load_state_dict(state["optim"])
    assert not fresh.state
    first, second = get_state_dict(model, optimizer)
    save({"model": first, "optim": second}, tmp_path / "names")
    first, second = get_state_dict(model, fresh)
    state = {"model": first, "optim": second}
    dcp.load(state, checkpoint_id=str(tmp_path / "names"), no_dist=True)
    set_state_dict(model, fresh, model_state_dict=state["model"], optim_state_dict=state["optim"])
    moments = [optimizer.state[p]["exp_avg"] for p in model.parameters()], [fresh.state[p]["exp_avg"] for p in model.parameters()]
    assert all(torch.equal(a, b) for a, b in zip(*moments))


# ---- FSDP, as accelerate 1.15.0 lays it out (utils/fsdp_utils.py)
def accelerate_files(folder, schedule):
    torch.save(schedule.state_dict(), folder / "scheduler.bin")
    value = {"step": 0, "random_state": random.getstate(), "numpy_random_seed": np.random.get_state(), "torch_manual_seed": torch.get_rng_state()}
    torch.save(value, folder / "random_states_0.pkl")


def test_fsdps_sharded_state_dicts(run, tmp_path):
    model, optimizer, schedule = training()
    first, second = get_state_dict(model, optimizer)
    folder = tmp_path / "state"
    save({"model": first}, folder / "pytorch_model_fsdp_0")
    save({"optimizer": second}, folder / "optimizer_0")
    accelerate_files(folder, schedule)
    report = run("resume", folder)
    parts = states(report)
    assert parts["weights"]["state"] == parts["optimizer moments"]["state"] == parts["scheduler"]["state"] == "present"
    assert "state of 4 of 4 parameters" in parts["optimizer moments"]["detail"] and missing(report) == {"step", "sampler position"}
    torch.save(model.state_dict(), tmp_path / "whole.pt")
    diff = run("diff", folder, tmp_path / "whole.pt")
    assert diff["weights"][0]["verdict"] == "identical" and diff["weights"][0]["matched"] == 4
    shutil.rmtree(folder / "optimizer_0")
    assert "optimizer moments" in missing(run("resume", folder))
    torch.save({}, folder / "optimizer_0_rank0.bin")
    report = run("resume", folder)
    assert report["verdict"] == "unknown" and "optimizer moments" not in missing(report)


def test_fsdps_full_state_dict(run, tmp_path):
    model, optimizer, schedule = training()
    first, second = get_state_dict(model, optimizer)
    torch.save(first, tmp_path / "pytorch_model_fsdp.bin")
    torch.save(second, tmp_path / "optimizer.bin")
    accelerate_files(tmp_path, schedule)
    report = run("resume", tmp_path)
    assert states(report)["weights"]["state"] == "present" and missing(report) == {"step", "sampler position"}


def test_a_second_model_of_fsdp_is_compared(run, tmp_path):
    model, _, _ = training()
    other = {k: v + 1 for k, v in model.state_dict().items()}
    for name, second in (("a", model.state_dict()), ("b", other)):
        save({"model": model.state_dict()}, tmp_path / name / "pytorch_model_fsdp_0")
        save({"model": second}, tmp_path / name / "pytorch_model_fsdp_1")
    assert run("diff", tmp_path / "a", tmp_path / "b")["verdict"] == "different"
    assert run("diff", tmp_path / "a", tmp_path / "a")["verdict"] == "same"


def test_accelerates_further_models_and_objects(run, tmp_path):
    model, optimizer, schedule = training()
    for name, value in (("pytorch_model.bin", model.state_dict()), ("pytorch_model_1.bin", nn.Linear(2, 3).state_dict()), ("pytorch_model_2.bin", nn.Linear(2, 2).state_dict()), ("optimizer.bin", optimizer.state_dict())):
        torch.save(value, tmp_path / name)
    for i in range(2):
        torch.save({"count": i}, tmp_path / f"custom_checkpoint_{i}.pkl")
    accelerate_files(tmp_path, schedule)
    report = run("resume", tmp_path)
    assert "2 tensors of pytorch_model_1.bin" in states(report)["weights"]["detail"] and missing(report) == {"step", "sampler position"}
    (tmp_path / "pytorch_model_1.bin").unlink(), (tmp_path / "custom_checkpoint_0.pkl").unlink()
    assert missing(run("resume", tmp_path)) == {"step", "sampler position", "pytorch_model_1.bin", "custom_checkpoint_0.pkl"}
