"""Small models of transformers in directories, and the program with --with torch, run by the Python of the tests. Every report is held
against docs/report.schema.json and docs/json.md."""

import json
import os
import pathlib
import subprocess
import sys

import jsonschema
import pytest
import safetensors.torch
import torch
import transformers

import samebits

DOCS = pathlib.Path(__file__).resolve().parents[2] / "docs"
SCHEMA = json.loads((DOCS / "report.schema.json").read_text())
SITE = pathlib.Path(samebits.__file__).resolve().parent.parent
VISION = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64, image_size=32, patch_size=8)
TEXT = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64, max_position_embeddings=24)


def bert():
    return transformers.BertForMaskedLM(transformers.BertConfig(**TEXT, vocab_size=60))


def gpt2():
    return transformers.GPT2LMHeadModel(transformers.GPT2Config(n_embd=32, n_layer=2, n_head=2, n_positions=24, vocab_size=60))


def llama():
    return transformers.LlamaForCausalLM(transformers.LlamaConfig(**TEXT, num_key_value_heads=2, vocab_size=60))


def clip():
    config = transformers.CLIPConfig(text_config=dict(TEXT, vocab_size=60, eos_token_id=59), vision_config=VISION, projection_dim=16)
    return transformers.CLIPModel(config)


def swin():
    config = transformers.SwinConfig(image_size=32, patch_size=4, embed_dim=16, depths=[1, 1], num_heads=[2, 2], window_size=4)
    return transformers.SwinForImageClassification(config)


def resnet():
    config = transformers.ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic")
    return transformers.ResNetForImageClassification(config)


def t5():
    config = transformers.T5Config(d_model=32, d_kv=16, d_ff=64, num_layers=1, num_heads=2, vocab_size=60, decoder_start_token_id=0)
    return transformers.T5ForConditionalGeneration(config)


def wav2vec2():
    config = transformers.Wav2Vec2Config(
        hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64, conv_dim=[16] * 2, conv_stride=[5, 4],
        conv_kernel=[10, 8], num_feat_extract_layers=2, num_conv_pos_embeddings=16, num_conv_pos_embedding_groups=2, vocab_size=20,
    )  # fmt: skip
    return transformers.Wav2Vec2ForCTC(config)


# Each with the name of a tensor that its outputs depend on, and a config field that they depend on, with another value.
MODELS = {
    "bert": (bert, "bert.encoder.layer.1.attention.self.query.weight", {"layer_norm_eps": 1e-3}),
    "gpt2": (gpt2, "transformer.h.1.mlp.c_fc.weight", {"activation_function": "relu"}),
    "llama": (llama, "model.layers.1.self_attn.q_proj.weight", {"rms_norm_eps": 1e-2}),
    "clip": (clip, "visual_projection.weight", {"vision_config.layer_norm_eps": 1e-2}),
    "swin": (swin, "swin.encoder.layers.1.blocks.0.output.dense.weight", {"layer_norm_eps": 1e-2}),
    "resnet": (resnet, "resnet.encoder.stages.0.layers.0.layer.0.convolution.weight", {"hidden_act": "gelu"}),
    "t5": (t5, "encoder.block.0.layer.0.SelfAttention.q.weight", {"layer_norm_epsilon": 1e-2}),
    "wav2vec2": (wav2vec2, "wav2vec2.encoder.layers.0.attention.q_proj.weight", {"layer_norm_eps": 1e-2}),
}


@pytest.fixture(scope="session")
def saved(tmp_path_factory):
    """name -> the directory of that model."""
    made = {}

    def directory(name):
        if name not in made:
            torch.manual_seed(1)
            model = MODELS[name][0]().eval()
            for parameter in model.parameters():  # biases and norms of a new model are all alike
                parameter.data.add_(torch.randn_like(parameter) * 0.05)
            made[name] = tmp_path_factory.mktemp(name) / "a"
            model.save_pretrained(made[name])
        return made[name]

    return directory


def with_fields(source, target, fields):
    """A copy of a directory with other fields in its config."""
    subprocess.run(["cp", "-r", source, target], check=True)
    config = json.loads((target / "config.json").read_text())
    for name, value in fields.items():
        *path, last = name.split(".")
        inner = config
        for step in path:
            inner = inner[step]
        inner[last] = value
    (target / "config.json").write_text(json.dumps(config))
    return target


def with_tensors(source, target, change):
    """A copy of a directory in which `change` made other tensors of those of its file."""
    subprocess.run(["cp", "-r", source, target], check=True)
    tensors = safetensors.torch.load_file(target / "model.safetensors")
    safetensors.torch.save_file(change(tensors), target / "model.safetensors", metadata={"format": "pt"})
    return target


def changed(name):
    def change(tensors):
        tensors[name] = tensors[name] * 1.5
        return tensors

    return change


def ran(program, *words, **environment):
    """Exit status, and the report of the program as JSON. A usage error has none, and gives what was said."""
    given = {**os.environ, "SAMEBITS_PYTHON": sys.executable, "PYTHONPATH": str(SITE), **environment}
    done = subprocess.run([program, *map(str, words), "--json"], capture_output=True, text=True, env=given)
    answer = json.loads(done.stdout)
    return done.returncode, checked(answer) if "verdict" in answer else answer


def explained(program, *words, **environment):
    return ran(program, "explain", *words, **environment)


def checked(report):
    """The report, which is as docs/report.schema.json and docs/json.md have it."""
    jsonschema.validate(report, SCHEMA)
    page = (DOCS / "json.md").read_text()
    assert [key for finding in report["findings"] for key in finding["evidence"] if f"`{key}`" not in page] == []
    return report


def causes(report):
    checked(report)
    return [(finding["cause"], finding["proof"]) for finding in report["findings"] if finding["role"] == "cause"]
