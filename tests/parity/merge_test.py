"""convert --adapter against peft's merge_and_unload().

SAMEBITS_PYTHON_QUANTIZERS  an interpreter with tests/requirements-quantizers.txt
"""

import json
import os
import shutil
import subprocess

import pytest
import safetensors.torch
import torch
from conftest import PROGRAM, call, missing
from safetensors.torch import load_file
from sampling import made_once

FULL_DORA = ("dora", "dora-f32-bf16", "dora-transposed")  # lengths of rows are sums of float32 there


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    python = os.environ.get("SAMEBITS_PYTHON_QUANTIZERS")
    if not python:
        missing("SAMEBITS_PYTHON_QUANTIZERS names no interpreter with peft")
    return made_once(tmp_path_factory, "adapters", lambda out: call(python, "make_adapters.py", out))


def merge(base, adapter, output, *options, status=0):
    words = [str(PROGRAM), "convert", str(base), str(output), "--adapter", str(adapter), *(options or ("--to", "safetensors")), "--json"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert done.returncode == status, done.stderr
    if status:
        assert not output.exists()
        return done.stderr
    return json.loads(done.stdout)


def cases(made):
    return sorted(path.name for path in made.iterdir() if (path / "base.pth").exists())


def written(made, name, out, live):
    folder = made / name
    base, adapter = ("live.pth", "adapter/adapter_config.json") if live else ("base.pth", "adapter")
    said = merge(folder / base, folder / adapter, out)
    found = load_file(out)
    with safetensors.safe_open(out, "pt") as file:
        found |= {name: found[other] for name, other in file.metadata().items() if other in found}
    return said, found


def chain_product(left, right):
    """fma() for ascending rank: products of float32 are exact in float64."""
    total = torch.zeros(left.shape[0], right.shape[1])
    for k in range(left.shape[1]):
        total = (left[:, k : k + 1].double() * right[k : k + 1].double() + total.double()).float()
    return total


def torch_multiplies_in_one_chain(folder):
    """So it does or does not by the processor and by the shapes: tried with the factors of an adapter, and with other ones."""
    torch.manual_seed(5)
    pairs = [(torch.randn(48, 64), torch.randn(64, 96))]
    pairs += [(f["B"].float().flatten(1), f["A"].float().flatten(1)) for f in factors_of(folder).values() if {"A", "B"} <= f.keys()]
    return all(torch.equal(left @ right, chain_product(left, right)) for left, right in pairs)


def steps_apart(a, b):
    """How many float32 lie between, of each pair."""
    order = [torch.where(i < 0, -(i & 0x7FFFFFFF), i) for i in (x.contiguous().view(torch.int32).long() for x in (a, b))]
    return (order[0] - order[1]).abs()


@pytest.mark.parametrize("live", [False, True], ids=["adapter", "PeftModel"])
def test_merged_weights_are_those_of_peft(live, made, tmp_path):
    assert len(cases(made)) == 21
    for name in cases(made):
        one_chain = torch_multiplies_in_one_chain(made / name)
        said, found = written(made, name, tmp_path / name, live)
        truth = load_file(made / name / "merged.safetensors")
        assert set(found) == set(truth) and said["merged"] > 0, name
        for tensor, value in truth.items():
            assert found[tensor].dtype == value.dtype, (name, tensor)
            if name in FULL_DORA:
                assert steps_apart(found[tensor], value).max() <= 4, (name, tensor)
            elif one_chain:
                assert torch.equal(found[tensor], value), (name, tensor)
            else:
                assert torch.allclose(found[tensor], value, rtol=1e-5, atol=1e-6), (name, tensor)


def factors_of(folder):
    stored = load_file(folder / "adapter" / "adapter_model.safetensors")
    layers = {}
    for name, value in stored.items():
        layer, _, factor = name.removeprefix("base_model.model.").partition(".lora_")
        layers.setdefault(layer, {})[factor.removesuffix(".weight")] = value.double()
    return layers


def test_doras_rows_are_nearer_to_the_truth_than_those_of_peft(made, tmp_path):
    """In float64: magnitude / |W + s B A| times W + s B A."""
    _, found = written(made, "dora", tmp_path / "out", False)
    base, theirs = torch.load(made / "dora" / "base.pth"), load_file(made / "dora" / "merged.safetensors")
    own, other = [], []
    for layer, factors in factors_of(made / "dora").items():
        moved = base[f"{layer}.weight"].double() + 1.5 * factors["B"] @ factors["A"]
        truth = factors["magnitude_vector"][:, None] / moved.norm(dim=1, keepdim=True) * moved
        size = torch.finfo(torch.float32).eps * moved.abs().amax()
        own.append((found[f"{layer}.weight"].double() - truth).abs().sum() / size)
        other.append((theirs[f"{layer}.weight"].double() - truth).abs().sum() / size)
    assert len(own) == 3 and 0 < sum(own) < sum(other)


def test_a_merge_of_float32_is_as_near_to_the_truth_as_its_sums(made, tmp_path):
    _, found = written(made, "rank-64", tmp_path / "out", False)
    base = torch.load(made / "rank-64" / "base.pth")
    for layer, factors in factors_of(made / "rank-64").items():
        truth = base[f"{layer}.weight"].double() + 0.25 * factors["B"] @ factors["A"]
        sizes = base[f"{layer}.weight"].double().abs() + 0.25 * factors["B"].abs() @ factors["A"].abs()
        assert ((found[f"{layer}.weight"].double() - truth).abs() / sizes).max() < 2**-22, layer


def test_names_of_modules_find_those_of_files(made, run, tmp_path):
    """transformers 5 calls vit.layers.0.attention.q_proj what its file calls vit.encoder.layer.0.attention.attention.query."""
    said = merge(made / "vit" / "base", made / "vit" / "adapter", tmp_path / "out", "--to", "hf")
    assert said["merged"] == 4
    assert run("diff", tmp_path / "out", made / "vit" / "merged")["verdict"] == "same"
    merge(made / "vit" / "live.pth", made / "vit" / "adapter", tmp_path / "live", "--to", "hf", "--config", str(made / "vit" / "base" / "config.json"))
    assert run("diff", tmp_path / "live", made / "vit" / "merged")["verdict"] == "same"


@pytest.mark.parametrize("name", ["plain", "dora", "convolutions", "embedding", "transposed", "plain-bf16", "head"])
def test_what_was_merged_is_explained_by_its_adapter(name, made, run, tmp_path):
    said, _ = written(made, name, tmp_path / "merged.safetensors", False)
    report = run("explain", "--files-only", made / name / "base.pth", tmp_path / "merged.safetensors", made / name / "adapter")
    found = [f for f in report.findings("weights.adapted") if f["subjects"] == ["A", "B"]]
    assert len(found) == 1 and found[0]["evidence"]["computed"] == said["merged"]
    assert not any("another scale" in line for line in found[0]["details"])


def test_a_merge_goes_into_every_format_and_type(made, tmp_path):
    truth = load_file(made / "plain" / "merged.safetensors")
    merge(made / "plain" / "base.pth", made / "plain" / "adapter", tmp_path / "a.pth", "--to", "torch", "--dtype", "bfloat16")
    merge(made / "plain" / "base.pth", made / "plain" / "adapter", tmp_path / "a.npz", "--to", "npz")
    assert torch.equal(torch.load(tmp_path / "a.pth")["fc1.weight"], truth["fc1.weight"].bfloat16())
    import numpy

    assert numpy.array_equal(numpy.load(tmp_path / "a.npz")["fc1.weight"], truth["fc1.weight"].numpy())


def test_a_base_saved_without_the_wrapper_is_the_adapters(made, tmp_path):
    base = {name.removeprefix("fc"): value for name, value in torch.load(made / "plain" / "base.pth").items()}
    torch.save({f"backbone.{name}": value for name, value in torch.load(made / "plain" / "base.pth").items()}, tmp_path / "longer.pth")
    merge(tmp_path / "longer.pth", made / "plain" / "adapter", tmp_path / "out")
    truth = load_file(made / "plain" / "merged.safetensors")
    assert torch.equal(load_file(tmp_path / "out")["backbone.fc2.weight"], truth["fc2.weight"])
    torch.save(base, tmp_path / "other.pth")
    said = merge(tmp_path / "other.pth", made / "plain" / "adapter", tmp_path / "none", status=2)
    assert "the adapter changes 2 weights that the base lacks: fc1.weight, fc2.weight" in said


# ---- What is refused, by its name.
REFUSED = {
    "lora_bias is true": {"lora_bias": True},
    "use_qalora is true": {"use_qalora": True},
    "a_field_of_tomorrow is": {"a_field_of_tomorrow": {"x": 1}},
    "init_lora_weights is pissa": {"init_lora_weights": "pissa"},
    "peft_type is LOHA": {"peft_type": "LOHA"},
    'rank_pattern is {"^fc":8}': {"rank_pattern": {"^fc": 8}},
    "the factors of fc1 have rank 8, which its config does not give": {"r": 4},
    "and use_dora of its config is true": {"use_dora": True},
}


@pytest.mark.parametrize("words", REFUSED)
def test_what_changes_a_merge_and_is_not_done_is_named(words, made, tmp_path):
    shutil.copytree(made / "plain" / "adapter", tmp_path / "adapter")
    config = json.loads((tmp_path / "adapter" / "adapter_config.json").read_text())
    (tmp_path / "adapter" / "adapter_config.json").write_text(json.dumps(config | REFUSED[words]))
    said = merge(made / "plain" / "base.pth", tmp_path / "adapter", tmp_path / "out", status=2)
    assert words in said


def change_factors(made, tmp_path, change):
    shutil.copytree(made / "plain" / "adapter", tmp_path / "adapter")
    factors = load_file(made / "plain" / "adapter" / "adapter_model.safetensors")
    change(factors)
    safetensors.torch.save_file(factors, tmp_path / "adapter" / "adapter_model.safetensors")
    return merge(made / "plain" / "base.pth", tmp_path / "adapter", tmp_path / "out", status=2)


def drop_one(factors):
    del factors["base_model.model.fc1.lora_A.weight"]


def add_bias(factors):
    factors["base_model.model.fc1.lora_B.bias"] = torch.zeros(96)


def add_nan(factors):
    factors["base_model.model.fc1.lora_B.weight"][3, 2] = float("nan")


def add_head(factors):
    factors["base_model.model.other.weight"] = torch.zeros(3)


def add_other_kind(factors):
    factors["base_model.model.fc1.hada_w1_a"] = torch.zeros(3)


def widen(factors):
    factors["base_model.model.fc1.lora_A.weight"] = torch.zeros(8, 52)


@pytest.mark.parametrize(("change", "words"), [
    (drop_one, "the factors of fc1 do not fit together, or one is missing"),
    (add_bias, "base_model.model.fc1.lora_B.bias: such factors are not merged here"),
    (add_nan, "fc1: merged it would hold NaN"),
    (add_head, "the adapter holds 1 weight that the base lacks: other.weight"),
    (add_other_kind, "fc1.hada_w1_a: such factors are not merged here"),
    (widen, "the factors of fc1 do not fit its weight of shape [96, 48]"),
])  # fmt: skip
def test_factors_that_cannot_be_merged_are_named(change, words, made, tmp_path):
    assert words in change_factors(made, tmp_path, change)


def test_two_adapters_in_one_model_are_refused(made, tmp_path):
    live = torch.load(made / "plain" / "live.pth")
    live |= {name.replace(".default.", ".second."): value for name, value in live.items() if ".default." in name}
    torch.save(live, tmp_path / "live.pth")
    said = merge(tmp_path / "live.pth", made / "plain" / "adapter", tmp_path / "out", status=2)
    assert "it holds several adapters: default, second" in said


def test_a_directory_without_factors_is_refused(made, tmp_path):
    (tmp_path / "adapter").mkdir()
    shutil.copy(made / "plain" / "adapter" / "adapter_config.json", tmp_path / "adapter")
    said = merge(made / "plain" / "base.pth", tmp_path / "adapter", tmp_path / "out", status=2)
    assert "it holds no adapter_model.safetensors" in said
    said = merge(made / "plain" / "base.pth", tmp_path / "nowhere", tmp_path / "out", status=2)
    assert "nowhere" in said
