"""samebits check --with torch: what the installed transformers makes of a directory, and the renaming that repairs it."""

import json
import os
import subprocess

import pytest
import safetensors.torch
import torch
import transformers

import samebits
from torch_models import TEXT, checked, gpt2, ran, swin

MODELS = {
    "bert": lambda: transformers.BertForSequenceClassification(transformers.BertConfig(**TEXT, vocab_size=60)),
    "gpt2": gpt2,
    "swin": swin,
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


def check(program, *words, **environment):
    return ran(program, "check", *words, "--with", "torch", **environment)


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("name", MODELS)
def test_the_report_is_what_the_library_says(name, change, saved, program):
    path = saved / f"{name} {change}"
    if (name, change) == ("swin", "one less"):
        status, report = check(program, path, "--for", "transformers-5")
    else:  # the function gives what the program gives
        made = samebits.check(path, "transformers-5", with_="torch")
        status, report = made.exit_status, checked(json.loads(made.to_json()))
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


def test_the_function_gives_what_the_program_gives(saved, program):
    path = saved / "bert one less"
    status, report = check(program, path, "--for", "transformers-5:BertModel")
    made = samebits.check(path, "transformers-5:BertModel", with_="torch")
    assert (status, report) == (made.exit_status, json.loads(made.to_json()))
    assert report["loads"][0]["target"].endswith(":BertModel") and report["loads"][0]["random"]


def test_transformers_4_tells_shapes_too(saved, program):
    """Its own answer has the names of tensors of other shapes and no shapes."""
    python = os.environ.get("SAMEBITS_PYTHON_T4")
    if not python:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("SAMEBITS_PYTHON_T4 names no interpreter")
    status, report = check(program, saved / "bert another shape", "--for", "transformers-4", SAMEBITS_PYTHON=python)
    load = report["loads"][0]
    assert (status, report["verdict"]) == (1, "risk") and load["run_by"].startswith("transformers 4.")
    assert load["mismatched"] and load["raises"].startswith("RuntimeError")
    assert f"{load['mismatched'][0]}: 7 in the checkpoint, 32 in the target" in json.dumps(report)


def test_tables_that_the_class_computes_are_not_random(saved, program, tmp_path):
    """transformers 5 does not write them, and 4 counts them as missing, and computes them."""
    python = os.environ.get("SAMEBITS_PYTHON_T4")
    if not python:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("SAMEBITS_PYTHON_T4 names no interpreter")
    status, report = check(program, saved / "swin as it is", "--for", "transformers-4", SAMEBITS_PYTHON=python)
    load = report["loads"][0]
    assert (status, report["verdict"]) == (0, "clean") and not load["random"] and load["loaded"] == load["target_tensors"] - 2
    (finding,) = [each for each in report["findings"] if "relative_position_index" in json.dumps(each)]
    assert finding["role"] == "note" and len(finding["evidence"]["tensors"]) == 2
    saves = f"""
import transformers
model, loading = transformers.SwinModel.from_pretrained({str(saved / "swin as it is")!r}, output_loading_info=True)
built = transformers.SwinModel(model.config).state_dict()
assert all(name.endswith("relative_position_index") and model.state_dict()[name].equal(built[name]) for name in loading["missing_keys"])
assert len(loading["missing_keys"]) == 2
"""
    subprocess.run([python, "-c", saves], check=True)


@pytest.mark.parametrize("kind", ["Mamba", "FalconMamba"])
def test_weights_that_a_load_changes_are_told(kind, program, tmp_path):
    """transformers 5.24.0 scales loaded weights of these classes as if they were new; 4.57.6 does not."""
    torch.manual_seed(1)
    config = getattr(transformers, f"{kind}Config")(vocab_size=50, hidden_size=32, num_hidden_layers=4, state_size=4, expand=2, rescale_prenorm_residual=True)
    model = getattr(transformers, f"{kind}ForCausalLM")(config)
    model.save_pretrained(tmp_path / "model")
    before, after = model.state_dict(), type(model).from_pretrained(tmp_path / "model").state_dict()
    changed = sorted(name for name in before if not torch.equal(before[name], after[name]))
    assert len(changed) == 4
    _, report = check(program, tmp_path / "model", "--for", "transformers-5")
    (said,) = [f for f in report["findings"] if f["cause"] == "code.version"]
    assert report["verdict"] == "risk" and sorted(said["evidence"]["tensors"]) == changed
    assert "each is the file's times 0.5" in said["details"] and "rescale_prenorm_residual to false" in said["remedy"]
    predicted = ran(program, "check", tmp_path / "model", "--for", "transformers-5")[1]
    assert any("other weights than its file holds" in f["summary"] for f in predicted["findings"])
    config = json.loads((tmp_path / "model" / "config.json").read_text())
    (tmp_path / "model" / "config.json").write_text(json.dumps(config | {"rescale_prenorm_residual": False}))
    after = type(model).from_pretrained(tmp_path / "model").state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert check(program, tmp_path / "model", "--for", "transformers-5")[1]["verdict"] == "clean"


def test_running_statistics_that_are_missing_are_told(saved, program, tmp_path):
    torch.manual_seed(1)
    config = transformers.ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic")
    transformers.ResNetModel(config).save_pretrained(tmp_path)
    tensors = safetensors.torch.load_file(tmp_path / "model.safetensors")
    kept = {name: tensor for name, tensor in tensors.items() if not name.endswith("running_mean")}
    safetensors.torch.save_file(kept, tmp_path / "model.safetensors", metadata={"format": "pt"})
    status, report = check(program, tmp_path, "--for", "transformers-5")
    assert status == 1 and report["loads"][0]["random"] == sorted(set(tensors) - set(kept))


def test_a_prefix_is_taken_off(saved):
    load = samebits.check(saved / "bert prefix", "transformers-5", with_="torch").data["loads"][0]
    assert [(rule["from"], rule["to"]) for rule in load["repair"]] == [("module.", "")] and load["restored"] == load["target_tensors"] == len(load["random"])


def test_a_shard_that_is_missing_is_named(tmp_path):
    torch.manual_seed(1)
    model = MODELS["bert"]()
    model.save_pretrained(tmp_path / "m", max_shard_size="10KB")
    lost = sorted((tmp_path / "m").glob("model-*.safetensors"))[1]
    lost.unlink()
    with pytest.raises(FileNotFoundError):
        type(model).from_pretrained(tmp_path / "m")
    said = str(samebits.check(tmp_path / "m", "transformers-5", with_="torch").not_checked)
    assert "FileNotFoundError" in said and lost.name in said and "no safetensors file" not in said


def test_what_cannot_be_asked_is_refused(saved, program, tmp_path):
    def gap(path, target):
        report = samebits.check(path, target, with_="torch")
        assert (report.verdict, report.exit_status) == ("unknown", 2)
        return report.not_checked[0]

    assert "has transformers 5" in gap(saved / "bert", "transformers-4")
    assert "has no class NoSuchClass" in gap(saved / "bert", "transformers-5:NoSuchClass")
    assert "takes a directory" in gap(saved / "bert" / "model.safetensors", "transformers-5")
    subprocess.run(["cp", "-r", saved / "bert", tmp_path / "b"], check=True)
    (tmp_path / "b" / "model.safetensors").write_bytes(b"no safetensors at all, and long enough to be read")
    assert gap(tmp_path / "b", "transformers-5")
    for asked in (dict(target="timm", with_="torch"), dict(target="transformers-5", with_="jax"), dict(target={}, with_="torch")):
        with pytest.raises(samebits.Error, match="with_ is"):
            samebits.check(saved / "bert", **asked)
    status, report = check(program, saved / "bert", "--for", "timm")
    assert status == 2 and "--with torch takes --for transformers-4 or transformers-5" in json.dumps(report)
