"""Configs of one model as transformers 4.57.6 and 5.24.0 write them: what only one of them writes is no difference."""

import json
import subprocess
import sys

import pytest
import torch

TYPES = ["bert", "roberta", "gemma3_text", "gemma3n_text", "modernbert", "qwen2_vl", "qwen2_5_vl", "qwen3_moe", "deepseek_v3", "glm4_moe",
         "dots1", "hiera", "maskformer-swin", "falcon_mamba", "bamba", "cohere2", "llama4_text", "mixtral", "granitemoe", "aimv2", "lfm2", "mlcd"]
WRITE = '''
import json, struct, sys
import transformers as t
from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES
t.logging.set_verbosity_error()
header = json.dumps({"__metadata__": {"format": "pt"}, "w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode()
header += b" " * (-len(header) % 8)
for name in sys.argv[2:]:
    folder = f"{sys.argv[1]}/{name}-{t.__version__[0]}"
    getattr(t, CONFIG_MAPPING_NAMES[name])().save_pretrained(folder)
    open(folder + "/model.safetensors", "wb").write(struct.pack("<Q", len(header)) + header + struct.pack("<2f", 1, 2))
'''


@pytest.fixture(scope="module")
def folder(tmp_path_factory, python_t4):
    made = tmp_path_factory.mktemp("configs")
    for python in (python_t4, sys.executable):
        done = subprocess.run([str(python), "-c", WRITE, str(made), *TYPES], capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr[-2000:]
    return made


@pytest.mark.parametrize("name", TYPES)
def test_default_configs_of_two_versions_are_one(run, folder, name):
    report = run("diff", folder / f"{name}-4", folder / f"{name}-5")
    moved = [f["evidence"]["fields"] for f in report.findings("config.changed") if f["role"] != "note"]
    assert report["verdict"] == "same" and not moved


CHANGED = {
    "gemma3_text": {"rope_theta": 2e6}, "modernbert": {"local_rope_theta": 5e3, "global_attn_every_n_layers": 2}, "qwen3_moe": {"num_experts": 64},
    "hiera": {"depths": [2, 3, 16, 4]}, "granitemoe": {"position_embedding_type": "nope"},
}


@pytest.mark.parametrize("name", CHANGED)
def test_what_was_changed_in_one_of_them_is_seen(run, folder, name, tmp_path):
    config = json.loads((folder / f"{name}-4" / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | CHANGED[name]))
    (tmp_path / "model.safetensors").write_bytes((folder / f"{name}-4" / "model.safetensors").read_bytes())
    for other in ("4", "5"):
        if name == "granitemoe" and other == "5":  # which does not read the field
            continue
        assert run("diff", folder / f"{name}-{other}", tmp_path)["verdict"] == "different", other


def test_an_encoder_with_a_decoder_is_one_by_its_directory_and_its_module(run, tmp_path):
    """Its type has hyphens in config.json and none in the folder of its class."""
    from transformers import GPT2Config, VisionEncoderDecoderConfig, VisionEncoderDecoderModel, ViTConfig

    vision = ViTConfig(hidden_size=32, num_attention_heads=4, num_hidden_layers=1, intermediate_size=48, image_size=32, patch_size=8)
    text = GPT2Config(n_embd=32, n_head=4, n_layer=1, n_positions=32, vocab_size=64, add_cross_attention=True, is_decoder=True)
    model = VisionEncoderDecoderModel(config=VisionEncoderDecoderConfig.from_encoder_decoder_configs(vision, text)).eval()
    model.save_pretrained(tmp_path / "a")
    torch.save(model, tmp_path / "b.pth")
    report = run("diff", tmp_path / "a", tmp_path / "b.pth")
    assert report["verdict"] == "same" and not report.findings("config.changed")
