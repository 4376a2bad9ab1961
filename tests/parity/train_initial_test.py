"""samebits train of a config alone: the weights that transformers 5.24.0 gives a new model, bit for bit, before the first step moves them."""

import json
import shutil
import subprocess

import conftest
import pytest
import safetensors.torch
import torch
from transformers import (
    AutoConfig, DeiTConfig, DeiTForImageClassification, Dinov2Config, Dinov2ForImageClassification, Dinov2WithRegistersConfig,
    Dinov2WithRegistersForImageClassification, ViTConfig, ViTForImageClassification, ViTMAEConfig, ViTMAEForPreTraining,
)
from vit_test import DECODER, DINO, TINY

from train_test import train

SMALL = dict(hidden_size=12, num_attention_heads=3, num_hidden_layers=2, intermediate_size=20, image_size=32, patch_size=8)
MODELS = {
    "vit": (ViTForImageClassification, ViTConfig(**TINY, num_labels=7)),
    "vit-small": (ViTForImageClassification, ViTConfig(**SMALL, num_labels=1)),  # fewer than sixteen draws in a tensor
    "vit-without-qkv-bias": (ViTForImageClassification, ViTConfig(**TINY, num_labels=7, qkv_bias=False)),
    "vit-wide": (ViTForImageClassification, ViTConfig(**TINY, num_labels=7, initializer_range=1.1)),  # draws beyond 2 are drawn again
    "mae": (ViTMAEForPreTraining, ViTMAEConfig(**TINY, **DECODER)),
    "deit": (DeiTForImageClassification, DeiTConfig(**TINY, num_labels=7)),
    "dinov2": (Dinov2ForImageClassification, Dinov2Config(**DINO, num_labels=7, layerscale_value=0.3)),
    "dinov2-without-mask-token": (Dinov2ForImageClassification, Dinov2Config(**DINO, num_labels=7, use_mask_token=False)),
    "dinov2-wide": (Dinov2ForImageClassification, Dinov2Config(**DINO, num_labels=7, initializer_range=0.9)),
    "dinov2-registers": (Dinov2WithRegistersForImageClassification, Dinov2WithRegistersConfig(**DINO, num_register_tokens=4, num_labels=7)),
}


def data(folder, labels=7):
    generator = torch.Generator().manual_seed(5)
    tensors = {"images": torch.randn(8, 3, 32, 32, generator=generator), "labels": torch.randint(0, labels, (8,), generator=generator)}
    safetensors.torch.save_file(tensors, folder / "data.safetensors")
    return ["--data", folder / "data.safetensors", "--out", folder / "run", "--steps", 1, "--lr", 0]


@pytest.mark.parametrize("seed", [0, 42, 2**40 + 3])
@pytest.mark.parametrize("name", MODELS)
def test_a_new_model_has_the_weights_of_the_library(name, seed, tmp_path):
    kind, config = MODELS[name]
    torch.manual_seed(seed)
    wanted = kind(config).state_dict()
    config.architectures = None
    config.save_pretrained(tmp_path / "config")
    assert [path.name for path in (tmp_path / "config").iterdir()] == ["config.json"]
    found = train(tmp_path / "config", *data(tmp_path, config.num_labels), "--seed", seed)
    saved = safetensors.torch.load_file(tmp_path / "run" / "step-1" / "model.safetensors")
    assert saved.keys() == wanted.keys()
    for key, value in wanted.items():
        assert torch.equal(saved[key], value), key
    assert f"a new {kind.__name__} after torch.manual_seed({seed})" in found["notes"][0]
    loaded, information = kind.from_pretrained(tmp_path / "run" / "step-1", output_loading_info=True)
    assert not information["missing_keys"] and not information["unexpected_keys"]


def test_positions_of_a_new_masked_autoencoder_are_zero(tmp_path):
    """What the note says of 5.24.0: its tables are zero and frozen."""
    kind, config = MODELS["mae"]
    model = kind(config)
    for table in (model.vit.embeddings.position_embeddings, model.decoder.decoder_pos_embed):
        assert not table.any() and not table.requires_grad
    config.save_pretrained(tmp_path / "config")
    found = train(tmp_path / "config", *data(tmp_path))
    assert any("positions are zero and stay so" in note for note in found["notes"])


def test_a_file_is_a_config_too_and_resumes(tmp_path):
    kind, config = MODELS["vit"]
    config.save_pretrained(tmp_path / "config")
    given = data(tmp_path)[:-4] + ["--steps"]
    train(tmp_path / "config" / "config.json", *given, 2)
    found = train("--resume", tmp_path / "run", "--steps", 4)
    given[given.index(tmp_path / "run")] = tmp_path / "whole"
    whole = train(tmp_path / "config", *given, 4)
    assert found["weights_sha256"] == whole["weights_sha256"]


def refused(*arguments):
    words = [str(conftest.PROGRAM), "train", *map(str, arguments), "--json"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and done.stderr
    return done.stderr


def test_what_is_no_config_of_a_trained_class_is_said(tmp_path):
    path = tmp_path / "config"
    MODELS["vit"][1].save_pretrained(path)
    whole = json.loads((path / "config.json").read_text())

    def said(**changed):
        (path / "config.json").write_text(json.dumps(whole | changed))
        return refused(path, *data(tmp_path))

    assert "ViTModel cannot be trained" in said(architectures=["ViTModel"])
    assert "no known class cannot" in said(model_type="swin")
    assert "initializer_range is not covered" in said(initializer_range=0)
    assert "initializer_range is not covered" in said(initializer_range=6)
    assert "hidden_size" in said(hidden_size="wide")
    (path / "config.json").write_text("{")
    assert "config.json" in refused(path, *data(tmp_path))
    shutil.copy(tmp_path / "data.safetensors", path / "model.safetensors")  # weights that are none
    (path / "config.json").write_text(json.dumps(whole))
    assert "not those of a ViT" in refused(path, *data(tmp_path))
