"""samebits check --with torch: what the installed transformers makes of a directory, and the renaming that repairs it."""

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
TEXT = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64, max_position_embeddings=24, vocab_size=60)
MODELS = {
    "bert": lambda: transformers.BertForSequenceClassification(transformers.BertConfig(**TEXT)),
    "gpt2": lambda: transformers.GPT2LMHeadModel(transformers.GPT2Config(n_embd=32, n_layer=2, n_head=2, n_positions=24, vocab_size=60)),
    "swin": lambda: transformers.SwinForImageClassification(
        transformers.SwinConfig(image_size=32, patch_size=4, embed_dim=16, depths=[1, 1], num_heads=[2, 2], window_size=4)),
}


def with_prefix(tensors):
    return {f"module.{name}": tensor for name, tensor in tensors.items()}


def without_one(tensors):
    return {name: tensor for name, tensor in tensors.items() if not name.endswith(("1.output.dense.bias", "blocks.0.output.dense.bias", "h.1.ln_1.bias"))}


def with_another_shape(tensors):
    name = next(name for name in tensors if "norm" in name.lower() or "ln_1" in name)
    return tensors | {name: torch.zeros(7)}


CHANGES = {"as it is": dict, "prefix": with_prefix, "one less": without_one, "another shape": with_another_shape}


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("classes")
    for name, make in MODELS.items():
        torch.manual_seed(1)
        make().save_pretrained(folder / name)
        tensors = safetensors.torch.load_file(folder / name / "model.safetensors")
        for change, apply in CHANGES.items():
            target = folder / f"{name} {change}"
            subprocess.run(["cp", "-r", folder / name, target], check=True)
            safetensors.torch.save_file({k: v.clone() for k, v in apply(tensors).items()}, target / "model.safetensors", metadata={"format": "pt"})
    return folder


def check(program, *words):
    given = {**os.environ, "SAMEBITS_PYTHON": sys.executable, "PYTHONPATH": str(SITE)}
    done = subprocess.run([program, "check", *map(str, words), "--with", "torch", "--json"], capture_output=True, text=True, env=given)
    report = json.loads(done.stdout)
    if "verdict" in report:
        jsonschema.validate(report, SCHEMA)
    return done.returncode, report


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("name", MODELS)
def test_the_report_is_what_the_library_says(name, change, saved, program):
    path = saved / f"{name} {change}"
    status, report = check(program, path, "--for", "transformers-5")
    kind = type(MODELS[name]())
    model, truth = kind.from_pretrained(path, output_loading_info=True, ignore_mismatched_sizes=True)
    load = report["loads"][0]
    assert (load["run_by"], load["target"]) == (f"transformers {transformers.__version__}", f"transformers {transformers.__version__}:{kind.__name__}")
    assert load["random"] == sorted(truth["missing_keys"]) and load["dropped"] == sorted(truth["unexpected_keys"])
    assert load["mismatched"] == sorted(name for name, _, _ in truth["mismatched_keys"]) and load["target_tensors"] == len(model.state_dict())
    if change == "another shape":
        with pytest.raises(RuntimeError):
            kind.from_pretrained(path)
        assert load["raises"].startswith("RuntimeError") and report["verdict"] == "risk"
    else:
        assert load["raises"] is None and (status, report["verdict"]) == ((0, "clean") if change == "as it is" else (1, "risk"))


def test_a_prefix_is_taken_off(saved, program):
    load = check(program, saved / "bert prefix", "--for", "transformers-5")[1]["loads"][0]
    assert [(rule["from"], rule["to"]) for rule in load["repair"]] == [("module.", "")] and load["restored"] == load["target_tensors"] == len(load["random"])


def test_what_cannot_be_asked_is_refused(saved, program, tmp_path):
    status, report = check(program, saved / "bert", "--for", "transformers-4")
    assert (status, report["verdict"]) == (2, "unknown") and "has transformers 5" in report["not_checked"][0]
    status, report = check(program, saved / "bert", "--for", "timm")
    assert status == 2 and "--with torch takes --for transformers-4 or transformers-5" in json.dumps(report)
    status, report = check(program, saved / "bert", "--for", "transformers-5:NoSuchClass")
    assert status == 2 and "has no class NoSuchClass" in report["not_checked"][0]
    subprocess.run(["cp", "-r", saved / "bert", tmp_path / "b"], check=True)
    (tmp_path / "b" / "model.safetensors").write_bytes(b"no safetensors at all, and long enough to be read")
    assert check(program, tmp_path / "b", "--for", "transformers-5")[0] == 2
