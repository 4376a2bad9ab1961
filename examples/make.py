#!/usr/bin/env python3
"""Makes examples/vit-mae-tiny, examples/training and examples/gallery.

    python examples/make.py            needs torch, transformers and safetensors (tests/requirements-t5.txt)

vit-mae-tiny: one small ViT-MAE, saved by the three routes that people take.

hf/            save_pretrained, with the processor's configuration
whole.pth      torch.save(module): the model inside a wrapper module
statedict.pth  torch.save(module.state_dict())

The weights are random from a fixed seed and trained for two steps, so that no two tensors hold the same bytes. All three
hold the same bits.

training: one small network in training, saved as most scripts do it, and with all that it takes to go on exactly.

usual.pt       weights, optimizer and epoch
complete.pt    the same, its schedule, the generators and the place in the epoch
later.pt       the same training, ten batches later
pictures/      twelve drawn pictures, to train a masked autoencoder on

gallery: one small classifier, and what becomes of such a model (docs/gallery.md).

base/          save_pretrained, after five steps of training
finetuned/     the last block and the head trained on
merged/        a low-rank update of rank 2 added to query and value
ten-classes/   the same encoder with a new head of ten classes
loaded/        a model into which the head was loaded and, without a word, nothing else
ddp.pth        the state dict of torch.nn.DataParallel
training.pth   torch.save(module) of the same weights, in training mode
"""

import copy
import os
import pathlib
import random
import shutil

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import numpy as np  # noqa: E402
import torch  # noqa: E402
from PIL import Image, ImageDraw  # noqa: E402
from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessorPil, ViTMAEConfig, ViTMAEForPreTraining  # noqa: E402

OUT = pathlib.Path(__file__).resolve().parent / "vit-mae-tiny"
CONFIG = dict(
    hidden_size=32, num_attention_heads=4, num_hidden_layers=2, intermediate_size=64, decoder_hidden_size=16,
    decoder_num_attention_heads=2, decoder_num_hidden_layers=2, decoder_intermediate_size=32, image_size=32, patch_size=8,
)


class TransformerModel(torch.nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, images):
        return self.model(images)


def trained_model():
    torch.manual_seed(42)
    model = ViTMAEForPreTraining(ViTMAEConfig(**CONFIG))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    for _ in range(2):
        model(torch.randn(2, 3, 32, 32)).loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    return model.eval()


SMALL = dict(hidden_size=16, num_hidden_layers=4, num_attention_heads=2, intermediate_size=32, image_size=8, patch_size=4, hidden_dropout_prob=0.1,
             problem_type="single_label_classification")


def classifier(classes=5):
    return ViTForImageClassification(ViTConfig(**SMALL, num_labels=classes))


def train(model, parameters, steps):
    optimizer = torch.optim.AdamW(parameters, lr=1e-3)
    for _ in range(steps):
        model(torch.randn(4, 3, 8, 8), labels=torch.tensor([0, 1, 2, 3])).loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)


def finetuned(base):
    model = copy.deepcopy(base)
    train(model, [p for name, p in model.named_parameters() if "layers.3." in name or "classifier" in name], 20)
    return model


@torch.no_grad()
def merged(base):
    model = copy.deepcopy(base)
    for name, weight in model.named_parameters():
        if name.endswith(("q_proj.weight", "v_proj.weight")):
            weight += 0.005 * torch.randn(16, 2) @ torch.randn(2, 16)
    return model


def with_parts_of(base, other, wanted):
    """`other` with the weights of `base` whose names begin so, as load_state_dict(strict=False) leaves it."""
    state = {name: value for name, value in base.state_dict().items() if name.startswith(wanted)}
    other.load_state_dict(state, strict=False)
    return other


def save_gallery(out):
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    torch.manual_seed(42)
    base = classifier()
    train(base, base.parameters(), 5)
    base.save_pretrained(out / "base")
    finetuned(base).save_pretrained(out / "finetuned")
    merged(base).save_pretrained(out / "merged")
    with_parts_of(base, classifier(10), "vit.").save_pretrained(out / "ten-classes")
    with_parts_of(base, classifier(), "classifier.").save_pretrained(out / "loaded")
    torch.save(torch.nn.DataParallel(base).state_dict(), out / "ddp.pth")
    dropping = with_parts_of(base, classifier(), ("vit.", "classifier."))
    torch.save(dropping.train(), out / "training.pth")


class Training:
    """Ten batches an epoch, with dropout; random and numpy are drawn from as augmentation does."""

    def __init__(self):
        torch.manual_seed(42), random.seed(42), np.random.seed(42)
        self.model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.GELU(), torch.nn.Dropout(0.1), torch.nn.Linear(8, 2))
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-3)
        self.scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(self.optimizer, 100)
        self.step = 0

    def train(self, batches):
        for _ in range(batches):
            self.optimizer.zero_grad()
            images = torch.randn(4, 4) + random.random() + float(np.random.rand())
            self.model(images).pow(2).mean().backward()
            self.optimizer.step(), self.scheduler.step()
            self.step += 1

    def usual(self):
        return {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict(), "epoch": self.step // 10}

    def complete(self):
        generators = {"torch": torch.get_rng_state(), "numpy": np.random.get_state(), "python": random.getstate()}
        counts = {"global_step": self.step, "batch_idx": self.step % 10}
        return {**self.usual(), "scheduler": self.scheduler.state_dict(), "rng": generators, **counts}


def save_pictures(out):
    """Discs and bars of plain colours on plain grounds, 40 pixels wide."""
    out.mkdir(exist_ok=True)
    colours = [(200, 60, 40), (40, 120, 200), (230, 190, 60), (60, 160, 90)]
    for i in range(12):
        picture = Image.new("RGB", (40, 40), colours[i % 4])
        draw = ImageDraw.Draw(picture)
        x, y = 6 + 5 * (i % 3), 4 + 4 * (i // 3)
        shape = draw.ellipse if i % 2 else draw.rectangle
        shape((x, y, x + 16, y + 12), fill=colours[(i + 1 + i // 4) % 4])
        picture.save(out / f"{i:02}.png", optimize=True)


def save_training(out):
    out.mkdir(exist_ok=True)
    save_pictures(out / "pictures")
    training = Training()
    training.train(25)
    torch.save(training.usual(), out / "usual.pt")
    torch.save(training.complete(), out / "complete.pt")
    training.train(10)
    torch.save(training.complete(), out / "later.pt")


def main():
    torch.set_num_threads(1)
    save_training(OUT.parent / "training")
    save_gallery(OUT.parent / "gallery")
    model = trained_model()
    shutil.rmtree(OUT, ignore_errors=True)
    model.save_pretrained(OUT / "hf")
    ViTImageProcessorPil(size={"height": 32, "width": 32}).save_pretrained(OUT / "hf")
    module = TransformerModel(model).eval()
    torch.save(module, OUT / "whole.pth")
    torch.save(module.state_dict(), OUT / "statedict.pth")


if __name__ == "__main__":
    main()
