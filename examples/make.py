#!/usr/bin/env python3
"""Makes examples/vit-mae-tiny: one small ViT-MAE, saved by the three routes that people take.

    python examples/make.py            needs torch, transformers and safetensors (tests/requirements-t5.txt)

hf/            save_pretrained, with the processor's configuration
whole.pth      torch.save(module): the model inside a wrapper module
statedict.pth  torch.save(module.state_dict())

The weights are random from a fixed seed and trained for two steps, so that no two tensors hold the same bytes. All three
hold the same bits.
"""

import os
import pathlib
import shutil

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch  # noqa: E402
from transformers import ViTImageProcessorPil, ViTMAEConfig, ViTMAEForPreTraining  # noqa: E402

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


def main():
    torch.set_num_threads(1)
    model = trained_model()
    shutil.rmtree(OUT, ignore_errors=True)
    model.save_pretrained(OUT / "hf")
    ViTImageProcessorPil(size={"height": 32, "width": 32}).save_pretrained(OUT / "hf")
    module = TransformerModel(model).eval()
    torch.save(module, OUT / "whole.pth")
    torch.save(module.state_dict(), OUT / "statedict.pth")


if __name__ == "__main__":
    main()
