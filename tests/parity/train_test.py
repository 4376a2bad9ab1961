"""samebits train against PyTorch: gradients with float64 as truth, AdamW to the bit, torch's order and draws, and files that
the libraries load. SAMEBITS_ADAMW_STEPS names the program adamw_steps (default: beside the program under test).
"""

import copy
import csv
import json
import os
import pathlib
import re
import subprocess

import conftest
import numpy
import pytest
import pytorch_lightning
import safetensors.torch
import torch
from torch.utils.data import DataLoader
from transformers import (
    AutoModelForImageClassification, DeiTConfig, DeiTForImageClassification, Dinov2Config, Dinov2ForImageClassification,
    Dinov2WithRegistersConfig, Dinov2WithRegistersForImageClassification, ViTConfig, ViTForImageClassification, ViTMAEConfig,
    ViTMAEForPreTraining, get_cosine_schedule_with_warmup, get_linear_schedule_with_warmup,
)
from vit_test import DECODER, DINO, TINY, isas, spread

ADAMW = pathlib.Path(os.environ.get("SAMEBITS_ADAMW_STEPS", conftest.PROGRAM.parent / "adamw_steps"))
torch.set_num_threads(1)  # what others leave of the machine is enough for models this small
SAMPLES = 21
MODELS = {
    "mae": lambda: ViTMAEForPreTraining(ViTMAEConfig(**TINY, **DECODER)),
    "mae-norm-pix": lambda: ViTMAEForPreTraining(ViTMAEConfig(**TINY, **DECODER, norm_pix_loss=True, mask_ratio=0.5)),
    "mae-dropout": lambda: ViTMAEForPreTraining(
        ViTMAEConfig(**TINY, **DECODER, hidden_dropout_prob=0.1, attention_probs_dropout_prob=0.2)),
    "vit": lambda: ViTForImageClassification(ViTConfig(**TINY, num_labels=7)),
    "vit-without-qkv-bias": lambda: ViTForImageClassification(ViTConfig(**TINY, num_labels=7, qkv_bias=False)),
    "vit-dropout": lambda: ViTForImageClassification(
        ViTConfig(**TINY, num_labels=7, hidden_dropout_prob=0.1, attention_probs_dropout_prob=0.2)),
    "vit-gelu-new": lambda: ViTForImageClassification(ViTConfig(**TINY, num_labels=7, hidden_act="gelu_new")),
    "deit": lambda: DeiTForImageClassification(DeiTConfig(**TINY, num_labels=7)),
    "dinov2": lambda: Dinov2ForImageClassification(Dinov2Config(**DINO, num_labels=7)),
    "dinov2-registers": lambda: Dinov2WithRegistersForImageClassification(
        Dinov2WithRegistersConfig(**DINO, num_register_tokens=4, num_labels=7)),
}
# Our error in a parameter's gradient over PyTorch's own, both against float64: 0.8 to 1.7 where sums are of a few hundred
# numbers in another order. Of all parameters together it is about 1 or below: PyTorch's own error depends on the processor
# (1.007 for DeiT on one with AVX2), ours does not.
MOST_OF_ONE, MOST_OF_ALL = 2.5, 1.1


def train(*arguments, status=0):
    words = [str(conftest.PROGRAM), "train", *map(str, arguments), "--json"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120)
    assert done.returncode == status, done.stderr
    return json.loads(done.stdout)


def made(name, folder):
    torch.manual_seed(1)
    model = spread(MODELS[name]())
    model.save_pretrained(folder / name)
    generator = torch.Generator().manual_seed(5)
    data = {"images": torch.randn(SAMPLES, 3, 32, 32, generator=generator), "labels": torch.randint(0, 7, (SAMPLES,), generator=generator)}
    safetensors.torch.save_file(data, folder / "data.safetensors")
    return type(model).from_pretrained(folder / name), data


def batches(data, seed, batch):
    """What a PyTorch loop sees, epoch after epoch: the loader that docs/training.md names."""
    pairs = list(zip(data["images"], data["labels"]))
    loader = DataLoader(pairs, batch, shuffle=True, generator=torch.Generator().manual_seed(seed))
    while True:
        yield from loader


def loss_of(model, images, labels, **more):
    if isinstance(model, ViTMAEForPreTraining):
        return model(images, **more).loss
    return model(images, labels=labels).loss


def freeze(model):
    """The positions that transformers' ViTMAE makes without a gradient, which from_pretrained() of 5.24.0 forgets."""
    if isinstance(model, ViTMAEForPreTraining):
        model.vit.embeddings.position_embeddings.requires_grad_(False)
        model.decoder.decoder_pos_embed.requires_grad_(False)
    return model


def test_loaded_positions_of_transformers_5_ask_for_a_gradient(tmp_path):
    """What docs/training.md says of 5.24.0: where this fails, freeze() and that sentence may go."""
    fresh = MODELS["mae"]()
    loaded, _ = made("mae", tmp_path)
    for model, learns in ((fresh, False), (loaded, True)):
        tables = (model.vit.embeddings.position_embeddings, model.decoder.decoder_pos_embed)
        assert [table.requires_grad for table in tables] == [learns, learns]


def trace_of(run, step):
    return safetensors.torch.load_file(run / f"trace-step-{step}.safetensors")


def by_parameter(model, trace, kind, folder):
    """The tensors `kind`.NAME of a trace by the model's own names: its loader knows the files'."""
    state = safetensors.torch.load_file(folder / "model.safetensors")
    for name in state:
        state[name] = trace.get(f"{kind}.{name}", torch.zeros_like(state[name]))
    place = folder.parent / f"{folder.name}-{kind}"
    place.mkdir()
    safetensors.torch.save_file(state, place / "model.safetensors", metadata={"format": "pt"})
    (place / "config.json").write_text((folder / "config.json").read_text())
    return dict(type(model).from_pretrained(place).named_parameters())


@pytest.mark.parametrize("name", MODELS)
def test_gradients_are_as_near_to_float64_as_pytorchs(name, tmp_path):
    model, data = made(name, tmp_path)
    train(tmp_path / name, "--data", tmp_path / "data.safetensors", "--out", tmp_path / "run", "--steps", 1, "--trace-step", 1, "--seed", 3)
    trace = trace_of(tmp_path / "run", 1)
    images, labels = next(batches(data, 3, 8))
    assert torch.equal(trace["images"], images)
    gradients = {}
    for dtype in (torch.float64, torch.float32):
        own = freeze(copy.deepcopy(model)).to(dtype).train()
        torch.manual_seed(3)  # masks and dropout: both kinds of numbers draw alike only where the noise is drawn as float32
        more = {}
        if name.startswith("mae"):
            noise = torch.rand(8, 16)
            assert torch.equal(trace["noise"], noise)
            more = {"noise": noise.to(dtype)}
        loss_of(own, images.to(dtype), labels, **more).backward()
        gradients[dtype] = {key: value.grad for key, value in own.named_parameters() if value.grad is not None}
    ours = by_parameter(model, trace, "gradient", tmp_path / name)
    assert {key for key in gradients[torch.float64]} == {key for key, value in ours.items() if value.abs().sum() > 0}
    errors = {}
    for key, truth in gradients[torch.float64].items():
        errors[key] = [(value.double() - truth).norm().item() for value in (ours[key], gradients[torch.float32][key])]
        assert errors[key][0] <= MOST_OF_ONE * errors[key][1] + 1e-12, (key, errors[key])
    total = [sum(each[i] ** 2 for each in errors.values()) ** 0.5 for i in (0, 1)]
    print(name, "error over PyTorch's:", total[0] / total[1])
    assert total[0] <= MOST_OF_ALL * total[1]


@pytest.mark.parametrize("isa", isas())
@pytest.mark.parametrize(
    "count, lr, decay, betas", [(1_000_000, 1e-3, 0.01, (0.9, 0.999)), (80_000, 0.1, 0.0, (0.9, 0.95)), (80_000, 3e-4, 0.3, (0.3, 0.5))]
)
def test_adamw_is_torchs_fused_one_bit_for_bit(isa, count, lr, decay, betas):
    generator = torch.Generator().manual_seed(2)
    parameter = torch.nn.Parameter(torch.randn(count, generator=generator))
    sizes = torch.exp(torch.randn(10, count, generator=generator) * 4 - 4)
    gradients = torch.randn(10, count, generator=generator) * sizes
    given = parameter.detach().numpy().tobytes() + gradients.numpy().tobytes()
    words = [str(ADAMW), str(count), "10", repr(lr), repr(decay), *map(repr, betas), "1e-08", isa]
    done = subprocess.run(words, input=given, capture_output=True, timeout=120)
    assert done.returncode == 0
    optimizer = torch.optim.AdamW([parameter], lr=lr, weight_decay=decay, betas=betas, fused=True)
    for gradient in gradients:
        parameter.grad = gradient
        optimizer.step()
    state = optimizer.state[parameter]
    wanted = torch.cat([parameter.detach(), state["exp_avg"], state["exp_avg_sq"]]).numpy()
    found = numpy.frombuffer(done.stdout, numpy.float32)
    assert numpy.array_equal(found.view(numpy.uint32), wanted.view(numpy.uint32))


def torch_losses(model, data, steps, seed, batch=8, schedule=None, clip=None, optimizer=None):
    freeze(model).train()
    learning = [value for value in model.parameters() if value.requires_grad]
    optimizer = torch.optim.AdamW(learning, lr=1e-3, fused=True) if optimizer is None else optimizer(model)
    schedule = schedule and schedule(optimizer)
    torch.manual_seed(seed)
    losses = []
    for _, (images, labels) in zip(range(steps), batches(data, seed, batch)):
        loss = loss_of(model, images, labels)
        loss.backward()
        if clip:
            torch.nn.utils.clip_grad_norm_(model.parameters(), clip)
        optimizer.step()
        optimizer.zero_grad()
        if schedule:
            schedule.step()
        losses.append(loss.item())
    return losses


@pytest.mark.parametrize("name", ["mae", "mae-dropout", "vit-dropout", "dinov2-registers"])
def test_a_training_follows_the_pytorch_program(name, tmp_path):
    """30 steps over ten epochs, with the same order, masks and dropout: roundings alone part the two."""
    model, data = made(name, tmp_path)
    found = train(tmp_path / name, "--data", tmp_path / "data.safetensors", "--out", tmp_path / "run", "--steps", 30, "--seed", 9)
    wanted = torch_losses(model, data, 30, 9)
    assert found["loss"] == pytest.approx(wanted, rel=2e-4)
    assert max(wanted) - min(wanted) > 0.02  # it learns, or nothing would be shown
    trained = type(model).from_pretrained(tmp_path / "run" / "step-30")
    moved = sum((a - b).abs().sum().item() for a, b in zip(trained.parameters(), model.parameters()))
    size = sum((a - b).abs().sum().item() for a, b in zip(made(name, tmp_path)[0].parameters(), model.parameters()))
    assert moved < 0.02 * size


def decays_by_name(model):
    """transformers' Trainer: neither norms nor biases decay."""
    plain = [value for key, value in model.named_parameters() if "norm" in key or key.endswith("bias")]
    rest = [value for key, value in model.named_parameters() if not ("norm" in key or key.endswith("bias"))]
    return torch.optim.AdamW([{"params": rest, "weight_decay": 0.3}, {"params": plain, "weight_decay": 0.0}], lr=1e-3, fused=True)


def layers_apart(model):
    """util/lr_decay.py (param_groups_lrd) of facebookresearch/mae, for the names of a ViT of transformers."""
    blocks, groups = len(model.vit.layers), {}
    for name, value in model.named_parameters():
        block = re.search(r"layers\.(\d+)\.", name)
        layer = int(block.group(1)) + 1 if block else 0 if "embeddings" in name else blocks + 1
        still = value.ndim == 1 or name.endswith(".bias")
        group = groups.setdefault((layer, still), {"params": [], "lr": 1e-3 * 0.5 ** (blocks + 1 - layer), "weight_decay": 0.0 if still else 0.3})
        group["params"].append(value)
    return torch.optim.AdamW(list(groups.values()), fused=True)


@pytest.mark.parametrize(
    "arguments, options",
    [
        (["--schedule", "cosine", "--warmup", 3], {"schedule": lambda o: get_cosine_schedule_with_warmup(o, 3, 12)}),
        (["--schedule", "linear", "--warmup", 2], {"schedule": lambda o: get_linear_schedule_with_warmup(o, 2, 12)}),
        (["--clip", 0.05], {"clip": 0.05}),
        (["--weight-decay", 0.3, "--no-decay"], {"optimizer": decays_by_name}),
        (["--layer-decay", 0.5, "--no-decay", "--weight-decay", 0.3], {"optimizer": layers_apart}),
        (["--batch", 4], {"batch": 4}),
    ],
)
def test_schedules_clipping_and_groups_are_torchs(arguments, options, tmp_path):
    model, data = made("vit", tmp_path)
    found = train(tmp_path / "vit", "--data", tmp_path / "data.safetensors", "--out", tmp_path / "run", "--steps", 12, *arguments)
    wanted = torch_losses(copy.deepcopy(model), data, 12, 42, **options)
    assert found["loss"] == pytest.approx(wanted, rel=2e-4)
    plain = torch_losses(model, data, 12, 42)
    assert found["loss"] != pytest.approx(plain, rel=2e-4)  # the option shows


def test_what_is_saved_loads_and_computes_the_same(tmp_path):
    made("vit", tmp_path)
    train(tmp_path / "vit", "--data", tmp_path / "data.safetensors", "--out", tmp_path / "run", "--steps", 3)
    last = tmp_path / "run" / "step-3"
    model, information = AutoModelForImageClassification.from_pretrained(last, output_loading_info=True)
    assert not information["missing_keys"] and not information["unexpected_keys"]
    images = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    safetensors.torch.save_file({"pixel_values": images}, tmp_path / "input.safetensors")
    words = [conftest.PROGRAM, "run", last, "--input", tmp_path / "input.safetensors", "--save", tmp_path / "out.safetensors"]
    subprocess.run(list(map(str, words)), check=True, capture_output=True)
    found = safetensors.torch.load_file(tmp_path / "out.safetensors")["logits"]
    assert torch.allclose(found, model.eval()(images).logits, atol=1e-5)
    moments = safetensors.torch.load_file(last / "optimizer.safetensors")
    assert {key.removeprefix("exp_avg.") for key in moments if key.startswith("exp_avg.")} == set(safetensors.torch.load_file(last / "model.safetensors"))


def test_metrics_are_those_of_lightnings_logger(tmp_path):
    made("vit", tmp_path)
    data = tmp_path / "data.safetensors"
    found = train(tmp_path / "vit", "--data", data, "--val", data, "--out", tmp_path / "run", "--epochs", 2)
    ours = (tmp_path / "run" / "metrics.csv").read_bytes()
    losses, validation = iter(found["loss"]), iter(each["loss"] for each in found["validation"])

    class Module(pytorch_lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.zeros(1))

        def training_step(self, batch, index):
            self.log("train_loss", next(losses))
            return self.weight.sum()

        def validation_step(self, batch, index):
            if index == 0:
                self.log("val_loss", next(validation), batch_size=1)

        def configure_optimizers(self):
            return torch.optim.AdamW(self.parameters())

    logger = pytorch_lightning.loggers.CSVLogger(tmp_path / "lightning", name="", version="")
    trainer = pytorch_lightning.Trainer(
        max_epochs=2, logger=logger, log_every_n_steps=1, num_sanity_val_steps=0, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, accelerator="cpu", default_root_dir=tmp_path)
    trainer.fit(Module(), DataLoader(range(SAMPLES), 8), DataLoader(range(SAMPLES), 8))
    theirs = next((tmp_path / "lightning").rglob("metrics.csv")).read_bytes()

    def rows(text):  # Lightning keeps losses as float32 tensors, whose text in double is longer than that of the number given
        return [{key: value and (float(value) if "loss" in key else value) for key, value in row.items()} for row in csv.DictReader(text.decode().split("\r\n"))]

    assert ours.split(b"\r\n")[0] == theirs.split(b"\r\n")[0] and ours.endswith(b"\r\n")
    assert len(rows(ours)) == 8 and rows(ours) == rows(theirs)


def test_validation_moves_no_bit(tmp_path):
    made("mae-dropout", tmp_path)
    given = [tmp_path / "mae-dropout", "--data", tmp_path / "data.safetensors", "--epochs", 2]
    found = [train(*given, "--out", tmp_path / str(i), *more) for i, more in enumerate([[], ["--val", tmp_path / "data.safetensors"]])]
    assert found[0]["weights_sha256"] == found[1]["weights_sha256"]


@pytest.mark.parametrize("ratio", [0.5, 1.0])
def test_other_mask_ratios_are_trained_and_saved(ratio, tmp_path):
    """At 1 the encoder sees its class token alone, and its patches get no gradient."""
    model, data = made("mae", tmp_path)
    found = train(tmp_path / "mae", "--data", tmp_path / "data.safetensors", "--out", tmp_path / "run", "--steps", 3, "--mask-ratio", ratio)
    model.config.mask_ratio = model.vit.config.mask_ratio = ratio
    assert found["loss"] == pytest.approx(torch_losses(model, data, 3, 42), rel=1e-5)
    assert json.loads((tmp_path / "run" / "step-3" / "config.json").read_text())["mask_ratio"] == ratio


def test_validation_is_the_mean_loss_in_eval_mode(tmp_path):
    model, data = made("vit-dropout", tmp_path)
    found = train(tmp_path / "vit-dropout", "--data", tmp_path / "data.safetensors", "--val", tmp_path / "data.safetensors", "--out", tmp_path / "run", "--epochs", 1)
    trained = type(model).from_pretrained(tmp_path / "run" / "step-3").eval()
    with torch.no_grad():
        wanted = trained(data["images"], labels=data["labels"]).loss.item()
    assert [each["step"] for each in found["validation"]] == [3]
    assert found["validation"][0]["loss"] == pytest.approx(wanted, rel=1e-5)
    made("mae", tmp_path)
    found = train(tmp_path / "mae", "--data", tmp_path / "data.safetensors", "--val", tmp_path / "data.safetensors", "--out", tmp_path / "run2", "--epochs", 1)
    trained = ViTMAEForPreTraining.from_pretrained(tmp_path / "run2" / "step-3").eval()
    torch.manual_seed(42)
    with torch.no_grad():
        losses = [trained(images).loss.item() * len(images) for images in data["images"].split(8)]
    assert found["validation"][0]["loss"] == pytest.approx(sum(losses) / SAMPLES, rel=1e-5)
