"""samebits train --continue: PyTorch's AdamW goes on from a Lightning checkpoint, a Trainer's directory, a dict of torch.save.

The proof: samebits makes one step and records its gradient; the real library loads the same file, is given that gradient, and makes one
step. Weights and moments are the same bits.
"""

import copy
import json
import subprocess

import accelerate
import conftest
import pytest
import pytorch_lightning
import safetensors.torch
import torch
from torch.utils.data import DataLoader
from transformers import Trainer, TrainingArguments

from vit_test import DECODER, DINO, TINY

from train_test import freeze, loss_of, made, trace_of, train

STEPS = 3
DECAYS = {"lr": 2e-3, "weight_decay": 0.3, "betas": (0.8, 0.99), "eps": 1e-7, "fused": True}


def pairs(data):
    return list(zip(data["images"], data["labels"]))


class Lit(pytorch_lightning.LightningModule):
    def __init__(self, model, optimizer):
        super().__init__()
        self.model, self.optimizer = model, optimizer

    def training_step(self, batch, index):
        return loss_of(self.model, *batch)

    def configure_optimizers(self):
        return self.optimizer(self)


def fit(module, data, folder, **more):
    arguments = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False, "accelerator": "cpu", "default_root_dir": folder}
    trainer = pytorch_lightning.Trainer(**{"max_steps": STEPS, "enable_checkpointing": False, **arguments, **more})
    torch.manual_seed(4)
    trainer.fit(module, DataLoader(pairs(data), 7))
    return trainer


def steps(model, optimizer, data, count=STEPS):
    torch.manual_seed(4)
    for _, (images, labels) in zip(range(count), DataLoader(pairs(data), 7)):
        loss_of(model, images, labels).backward()
        optimizer.step()
        optimizer.zero_grad()


def everything(module):
    return torch.optim.AdamW(module.parameters(), **DECAYS)


def asking(module):
    return torch.optim.AdamW([each for each in module.parameters() if each.requires_grad], **DECAYS)


def named(module):
    return torch.optim.AdamW(list(module.named_parameters())[::-1], **DECAYS)


def timms(module):
    """As timm's param_groups_weight_decay(): vectors first, without decay."""
    vectors = [each for name, each in module.named_parameters() if each.ndim <= 1 or name.endswith(".bias")]
    rest = [each for name, each in module.named_parameters() if not (each.ndim <= 1 or name.endswith(".bias"))]
    return torch.optim.AdamW([{"params": vectors, "weight_decay": 0.0}, {"params": rest}], **DECAYS)


def head_apart(module):
    head = [each for name, each in module.named_parameters() if "classifier" in name]
    rest = [each for name, each in module.named_parameters() if "classifier" not in name]
    return torch.optim.AdamW([{"params": rest}, {"params": head, "lr": 5e-2}], **DECAYS)


def taken_with_config(path, folder, name):
    return taken(path, folder, name, "--config", folder / name / "config.json")


def taken(path, folder, name, *more, step=STEPS + 1):
    """One step of samebits from the file; what it says, and its recording."""
    config = [] if path.is_dir() else ["--config", folder / name / "config.json"]
    run = folder / "run"
    found = train(path, "--continue", *config, "--data", folder / "data.safetensors", "--out", run, "--steps", step, "--trace-step", step, "--adamw", "torch", *more)
    assert found["first_step"] == step and found["steps"] == step
    return run, found


def assert_same_step(model, optimizer, run, folder, name, step=STEPS + 1):
    """The library's step with the recorded gradient, held against the one that samebits made."""
    saved = run / f"step-{step}"
    gradients = renamed(model, trace_of(run, step), "gradient", folder / name)
    for key, parameter in model.named_parameters():
        parameter.grad = gradients.get(key)
    optimizer.step()
    weights = renamed(model, safetensors.torch.load_file(saved / "model.safetensors"), "", folder / name)
    moments = safetensors.torch.load_file(saved / "optimizer.safetensors")
    first, second = (renamed(model, moments, kind, folder / name) for kind in ("exp_avg", "exp_avg_sq"))
    moved = 0
    for key, parameter in model.named_parameters():
        assert torch.equal(weights[key], parameter.detach()), key
        state = optimizer.state.get(parameter, {})
        if "exp_avg" in state:
            assert torch.equal(first[key], state["exp_avg"]) and torch.equal(second[key], state["exp_avg_sq"]), key
            assert parameter.grad is not None
            moved += 1
    assert moved > 2 and moved == len(gradients) == len(first)


def renamed(model, tensors, kind, folder):
    """Those called KIND.NAME under the module's own names: its loader knows the names of files."""
    prefix = kind and kind + "."
    found = {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
    own = dict(model.named_parameters())
    if set(found) <= set(own):
        return found
    marks = {key: torch.full_like(value, float(i + 1)) for i, (key, value) in enumerate(found.items())}
    place = folder.parent / "marks"
    place.mkdir(exist_ok=True)
    state = safetensors.torch.load_file(folder / "model.safetensors")
    assert set(found) <= set(state)
    safetensors.torch.save_file({key: marks.get(key, torch.zeros_like(value)) for key, value in state.items()}, place / "model.safetensors", metadata={"format": "pt"})
    (place / "config.json").write_text((folder / "config.json").read_text())
    loaded = dict(type(model).from_pretrained(place).named_parameters())
    values = list(found.values())
    return {key: values[int(value.flatten()[0]) - 1] for key, value in loaded.items() if value.flatten()[0] > 0}


@pytest.mark.parametrize(
    "name, optimizer",
    [("vit", everything), ("vit", named), ("vit", timms), ("dinov2", head_apart), ("dinov2-registers", everything), ("deit", timms),
     ("mae", everything), ("mae", asking), ("mae-norm-pix", timms)],
)
def test_a_dict_of_torch_save_goes_on(name, optimizer, tmp_path):
    model, data = made(name, tmp_path)
    model = freeze(model)
    torchs = optimizer(model)
    steps(model, torchs, data)
    torch.save({"model": model.state_dict(), "optimizer": torchs.state_dict(), "step": STEPS}, tmp_path / "train.pt")
    run, found = taken(tmp_path / "train.pt", tmp_path, name)
    assert any("optimizer is taken over: AdamW at step 3" in note for note in found["notes"])
    assert_same_step(model, torchs, run, tmp_path, name)


@pytest.mark.parametrize("name, optimizer", [("vit", everything), ("mae", asking), ("dinov2", timms)])
def test_a_lightning_checkpoint_goes_on(name, optimizer, tmp_path):
    model, data = made(name, tmp_path)
    module = Lit(freeze(model), optimizer)
    fit(module, data, tmp_path).save_checkpoint(tmp_path / "last.ckpt")
    run, found = taken(tmp_path / "last.ckpt", tmp_path, name)
    assert any("optimizer_states.0 is taken over" in note for note in found["notes"])
    assert_same_step(model, module.trainer.optimizers[0], run, tmp_path, name)


def transformers_trainer(model, data, folder, **more):
    masked = "mae" in model.config.model_type
    samples = [{"pixel_values": image} | ({} if masked else {"labels": label}) for image, label in pairs(data)]
    usual = {"max_steps": STEPS, "save_steps": STEPS, "lr_scheduler_type": "constant", "learning_rate": 2e-3, "weight_decay": 0.3}
    arguments = TrainingArguments(
        str(folder / "trained"), per_device_train_batch_size=7, report_to=[], use_cpu=True, disable_tqdm=True, optim="adamw_torch_fused",
        **(usual | more))
    return Trainer(model, arguments, train_dataset=samples)


@pytest.mark.parametrize("name", ["vit", "mae", "deit", "dinov2", "dinov2-registers"])
def test_a_trainers_directory_goes_on(name, tmp_path):
    """Names of files are those of transformers 4, and the moments are numbered as modules of 5 hold their parameters. A ViT-MAE that
    from_pretrained() made learns its positions, too."""
    model, data = made(name, tmp_path)
    trainer = transformers_trainer(model, data, tmp_path)
    trainer.train()
    saved = tmp_path / "trained" / f"checkpoint-{STEPS}"
    run, _ = taken(saved, tmp_path, name, "--schedule", "constant")
    assert_same_step(model, trainer.optimizer.optimizer, run, tmp_path, name)


@pytest.mark.parametrize("name, optimizer", [("vit", everything), ("mae", asking), ("dinov2", timms)])
def test_a_directory_of_accelerate_goes_on(name, optimizer, tmp_path):
    model, data = made(name, tmp_path)
    model = freeze(model)
    accelerator = accelerate.Accelerator(cpu=True)
    model, torchs = accelerator.prepare(model, optimizer(model))
    steps(model, torchs, data)
    accelerator.save_state(tmp_path / "state")
    run, found = taken_with_config(tmp_path / "state", tmp_path, name)
    assert any("optimizer.bin is taken over: AdamW at step 3" in note for note in found["notes"]), found["notes"]
    assert_same_step(model, torchs.optimizer, run, tmp_path, name)


def test_a_module_saved_whole_goes_on(tmp_path):
    model, data = made("vit", tmp_path)
    torchs = everything(model)
    steps(model, torchs, data)
    torch.save({"model": model, "optimizer": torchs.state_dict()}, tmp_path / "train.pt")
    run, _ = taken(tmp_path / "train.pt", tmp_path, "vit")
    assert_same_step(model, torchs, run, tmp_path, "vit")


def test_a_schedule_goes_on_where_it_stands(tmp_path):
    model, data = made("vit", tmp_path)
    trainer = transformers_trainer(model, data, tmp_path, lr_scheduler_type="linear", max_steps=STEPS + 1, warmup_steps=1)
    trainer.train()
    saved = tmp_path / "trained" / f"checkpoint-{STEPS}"
    given = [saved, "--continue", "--data", tmp_path / "data.safetensors", "--out", tmp_path / "no"]
    assert "name it with --schedule" in refused(*given, "--steps", STEPS + 1)
    for length, warmup in ((STEPS + 2, 1), (STEPS + 1, 0)):
        assert "stands at a learning rate of" in refused(*given, "--schedule", "linear", "--warmup", warmup, "--steps", length)
    run, found = taken(saved, tmp_path, "vit", "--schedule", "linear", "--warmup", 1)
    fresh = type(model).from_pretrained(saved)
    again = transformers_trainer(fresh, data, tmp_path, lr_scheduler_type="linear", max_steps=STEPS + 1, warmup_steps=1)
    again.create_optimizer_and_scheduler(STEPS + 1)
    again.optimizer.load_state_dict(torch.load(saved / "optimizer.pt"))
    again.lr_scheduler.load_state_dict(torch.load(saved / "scheduler.pt"))
    assert again.optimizer.param_groups[0]["lr"] == pytest.approx(2e-3 / 3)
    assert_same_step(fresh, again.optimizer, run, tmp_path, "vit")


def test_a_head_alone_learns_on(tmp_path):
    model, data = made("vit", tmp_path)
    model.vit.requires_grad_(False)
    torchs = torch.optim.AdamW(model.classifier.parameters(), **DECAYS)
    steps(model, torchs, data)
    torch.save({"model": model.state_dict(), "optimizer": torchs.state_dict()}, tmp_path / "train.pt")
    run, found = taken(tmp_path / "train.pt", tmp_path, "vit")
    assert any(note.startswith(f"{len(list(model.vit.parameters()))} weights are frozen") for note in found["notes"]), found["notes"]
    saved = safetensors.torch.load_file(run / f"step-{STEPS + 1}" / "model.safetensors")
    for key, value in model.vit.state_dict().items():
        assert torch.equal(saved["vit." + key], value)
    trace = trace_of(run, STEPS + 1)
    for key in ("weight", "bias"):
        getattr(model.classifier, key).grad = trace[f"gradient.classifier.{key}"]
    torchs.step()
    assert torch.equal(saved["classifier.weight"], model.classifier.weight) and torch.equal(saved["classifier.bias"], model.classifier.bias)


def test_weights_at_other_steps_keep_their_own_counts(tmp_path):
    model, data = made("vit", tmp_path)
    torchs = everything(model)
    model.vit.requires_grad_(False)
    steps(model, torchs, data, 2)
    model.vit.requires_grad_(True)
    steps(model, torchs, data)
    torch.save({"model": model.state_dict(), "optimizer": torchs.state_dict()}, tmp_path / "train.pt")
    run, _ = taken(tmp_path / "train.pt", tmp_path, "vit", step=STEPS + 3)
    assert_same_step(model, torchs, run, tmp_path, "vit", STEPS + 3)


def test_what_was_taken_over_resumes_to_the_same_bits(tmp_path):
    model, data = made("mae", tmp_path)
    torchs = timms(model)  # its positions learn
    steps(model, torchs, data)
    torch.save({"model": model.state_dict(), "optimizer": torchs.state_dict()}, tmp_path / "train.pt")
    given = [tmp_path / "train.pt", "--continue", "--config", tmp_path / "mae" / "config.json", "--data", tmp_path / "data.safetensors"]
    whole = train(*given, "--out", tmp_path / "whole", "--steps", STEPS + 6)
    train(*given, "--out", tmp_path / "cut", "--steps", STEPS + 2)
    found = train("--resume", tmp_path / "cut", "--steps", STEPS + 6, "--threads", 1)
    assert found["weights_sha256"] == whole["weights_sha256"]


def test_an_optimizer_that_is_left_aside_is_said(tmp_path):
    model, data = made("vit", tmp_path)
    torchs = everything(model)
    steps(model, torchs, data)
    torch.save({"model": model.state_dict(), "optimizer": torchs.state_dict()}, tmp_path / "train.pt")
    given = ["--config", tmp_path / "vit" / "config.json", "--data", tmp_path / "data.safetensors", "--steps", 1]
    found = train(tmp_path / "train.pt", *given, "--out", tmp_path / "run")
    assert found["first_step"] == 1 and any("optimizer is left aside" in note for note in found["notes"])


def test_what_cannot_be_taken_over_is_named(tmp_path):
    model, data = made("vit", tmp_path)

    def said(optimizer, **changed):
        own = copy.deepcopy(model)
        torchs = optimizer(own)
        steps(own, torchs, data)
        state = torchs.state_dict()
        for group in state["param_groups"]:
            group.update(changed)
        torch.save({"model": own.state_dict(), "optimizer": state}, tmp_path / "train.pt")
        return refused(
            tmp_path / "train.pt", "--continue", "--config", tmp_path / "vit" / "config.json", "--data", tmp_path / "data.safetensors",
            "--out", tmp_path / "run", "--steps", STEPS + 1)

    def of(kind, **options):
        return lambda module: kind(module.parameters(), lr=1e-3, **options)

    assert "it is SGD, not AdamW" in said(of(torch.optim.SGD, momentum=0.9))
    assert "asks for amsgrad" in said(of(torch.optim.AdamW, amsgrad=True))
    assert "asks for maximize" in said(of(torch.optim.AdamW), maximize=True)
    assert "weight decay that is Adam's" in said(of(torch.optim.Adam, weight_decay=0.1))
    assert "cannot be told apart" in said(lambda module: torch.optim.AdamW(list(module.parameters())[::-1]))
    halves = lambda module: torch.optim.AdamW([{"params": [v for k, v in module.named_parameters() if ("q_proj" in k) == second]} for second in (False, True)])  # noqa: E731
    assert "cannot be told apart" in said(halves)
    assert "no optimizer's state" in refused(
        tmp_path / "vit", "--continue", "--data", tmp_path / "data.safetensors", "--out", tmp_path / "run", "--steps", STEPS + 1)
    torchs = everything(model)
    steps(model, torchs, data)
    torch.save({"model": model.state_dict(), "optimizer": torchs.state_dict()}, tmp_path / "train.pt")
    given = [tmp_path / "train.pt", "--continue", "--data", tmp_path / "data.safetensors", "--out", tmp_path / "run", "--steps"]
    assert "--config" in refused(*given, STEPS + 1)
    given[2:2] = ["--config", tmp_path / "vit" / "config.json"]
    assert "stands at step 3, and the training ends at 3" in refused(*given, STEPS)
    assert "--continue takes" in refused(*given, STEPS + 1, "--lr", 1)
    assert not list((tmp_path / "run").glob("step-*"))


def refused(*arguments):
    words = [str(conftest.PROGRAM), "train", *map(str, arguments), "--json"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and done.stderr
    return done.stderr


OF_FOUR = """
import json, sys, torch, transformers
name, settings, folder = json.loads(sys.argv[1])
model = getattr(transformers, name)(getattr(transformers, name.split("For")[0] + "Config")(**settings))
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)
marks = {}
for i, (key, parameter) in enumerate(model.named_parameters()):
    if parameter.requires_grad and (not key.endswith("mask_token") or "decoder" in key):
        parameter.grad = torch.full_like(parameter, i + 1.0)
        marks[key] = i + 1
optimizer.step()
model.save_pretrained(folder)
torch.save(optimizer.state_dict(), folder + "/optimizer.pt")
print(json.dumps(marks))
"""


@pytest.mark.parametrize("kind, settings", [
    ("ViTForImageClassification", TINY), ("DeiTForImageClassification", TINY), ("ViTMAEForPreTraining", TINY | DECODER),
    ("Dinov2ForImageClassification", DINO), ("Dinov2WithRegistersForImageClassification", DINO | {"num_register_tokens": 4})])
def test_directories_of_transformers_4_are_numbered_as_its_modules(kind, settings, python_t4, tmp_path):
    """The moments of each parameter hold a number of its own, by which it is known again under its name."""
    done = subprocess.run([python_t4, "-c", OF_FOUR, json.dumps([kind, settings, str(tmp_path / "four")])], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    marks = json.loads(done.stdout.splitlines()[-1])
    generator = torch.Generator().manual_seed(5)
    data = {"images": torch.randn(8, 3, 32, 32, generator=generator), "labels": torch.zeros(8, dtype=torch.int64)}
    safetensors.torch.save_file(data, tmp_path / "data.safetensors")
    run, _ = taken(tmp_path / "four", tmp_path, "four", step=2)
    moments = safetensors.torch.load_file(run / "step-2" / "optimizer.safetensors")
    trace = trace_of(run, 2)
    assert len(marks) > 30
    for name, mark in marks.items():
        wanted = 0.9 * 0.1 * mark + 0.1 * trace[f"gradient.{name}"]
        assert torch.allclose(moments[f"exp_avg.{name}"], wanted, atol=1e-4), name
