"""Adapters in the naming of peft 0.21, and what their factors make of a base; integers held against the numbers that they stand for."""

import json

import pytest
import safetensors.torch
import torch
from torch import nn

LAYERS = ["layers.0.attention.q_proj", "layers.1.attention.v_proj"]


def randn(*shape, seed):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def base():
    return {f"{name}.weight": randn(32, 48, seed=i) for i, name in enumerate(LAYERS)} | {"head.weight": randn(5, 32, seed=9)}


def lora(seed):
    return {"lora_A.weight": randn(4, 48, seed=seed), "lora_B.weight": randn(32, 4, seed=seed + 1)}


def loha(seed):
    return {f"hada_{w}_{side}": randn(*shape, seed=seed + i)
            for i, (w, side, shape) in enumerate((w, s, n) for w in ("w1", "w2") for s, n in (("a", (32, 4)), ("b", (4, 48))))}


def lokr(seed):
    return {"lokr_w1": randn(4, 6, seed=seed), "lokr_w2_a": randn(8, 2, seed=seed + 1), "lokr_w2_b": randn(2, 8, seed=seed + 2)}


def ia3(seed):
    return {"ia3_l": 1 + 0.1 * randn(32, 1, seed=seed)}


# What get_delta_weight of peft's layers computes, before it is scaled.
KINDS = {
    "LoRA": (lora, lambda w, f: f["lora_B.weight"] @ f["lora_A.weight"], 4),
    "LoHa": (loha, lambda w, f: (f["hada_w1_a"] @ f["hada_w1_b"]) * (f["hada_w2_a"] @ f["hada_w2_b"]), 4),
    "LoKr": (lokr, lambda w, f: torch.kron(f["lokr_w1"], f["lokr_w2_a"] @ f["lokr_w2_b"]), 2),
    "IA3": (ia3, lambda w, f: w * (f["ia3_l"] - 1), None),
}
NAMED = {
    "DoRA": lambda seed: lora(seed) | {"lora_magnitude_vector": randn(32, seed=seed)},
    "OFT": lambda seed: {"oft_R.weight": randn(8, 6, seed=seed)},
    "BOFT": lambda seed: {"boft_R": randn(1, 8, 4, 4, seed=seed), "boft_s": randn(32, 1, seed=seed)},
    "VeRA": lambda seed: {"vera_lambda_b": randn(32, seed=seed), "vera_lambda_d": randn(4, seed=seed)},
    "AdaLoRA": lambda seed: {"lora_A": randn(4, 48, seed=seed), "lora_B": randn(32, 4, seed=seed), "lora_E": randn(4, 1, seed=seed)},
    "FourierFT": lambda seed: {"fourierft_spectrum": randn(10, seed=seed)},
    "HRA": lambda seed: {"hra_u": randn(48, 4, seed=seed)},
    "SHiRA": lambda seed: {"shira_weight": randn(128, seed=seed)},
    "RandLoRA": lambda seed: {"randlora_gamma": randn(12, 48, seed=seed), "randlora_lambda": randn(4, 12, seed=seed)},
    "MiSS": lambda seed: {"miss_block": randn(4, 32, seed=seed)},
    "C3A": lambda seed: {"c3a_kernel": randn(12, 8, 4, seed=seed)},
    "Poly": lambda seed: {"poly_lora_A": randn(1, 4, 48, 4, seed=seed), "poly_lora_B": randn(1, 4, 4, 32, seed=seed)},
    "WaveFT": lambda seed: {"waveft_spectrum": randn(10, seed=seed)},
}


def factors(make):
    return {f"base_model.model.{name}.{key}": value for i, name in enumerate(LAYERS) for key, value in make(100 + 10 * i).items()}


def save_adapter(folder, make, **config):
    folder.mkdir()
    safetensors.torch.save_file(factors(make), folder / "adapter_model.safetensors")
    (folder / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": "org/base", **config}))


@pytest.fixture(params=KINDS)
def merged(request, tmp_path):
    """The name of a kind, with files base, merged (scale 2; 1 of IA3), live and a directory adapter."""
    make, update, rank = KINDS[request.param]
    scale = 1 if request.param == "IA3" else 2
    state, changed, live = base(), base(), {}
    for i, name in enumerate(LAYERS):
        own = make(100 + 10 * i)
        changed[f"{name}.weight"] = state[f"{name}.weight"] + scale * update(state[f"{name}.weight"], own)
        live |= {f"base_model.model.{name}.base_layer.weight": state[f"{name}.weight"]}
        live |= {f"base_model.model.{name}.{key.replace('.weight', '.default.weight')}": value for key, value in own.items()}
    live["base_model.model.head.weight"] = state["head.weight"]
    torch.save(live, tmp_path / "live")
    for name, each in (("base", state), ("merged", changed)):
        safetensors.torch.save_file(each, tmp_path / name)
    save_adapter(tmp_path / "adapter", make, r=rank, lora_alpha=2 * (rank or 1), alpha=2 * (rank or 1))
    return request.param, tmp_path


def test_an_adapter_is_no_model_that_lacks_its_weights(merged, run):
    kind, folder = merged
    report = run("diff", folder / "base", folder / "adapter")
    finding = report.finding("weights.adapted")
    assert report["verdict"] == "different" and not report.findings("weights.missing")
    assert finding["evidence"]["kind"] == kind and finding["evidence"]["count"] == 2 and kind in finding["summary"]
    assert finding["evidence"].get("rank") == KINDS[kind][2]


def test_factors_beside_their_layers_explain_what_was_merged(merged, run):
    kind, folder = merged
    report = run("diff", folder / "live", folder / "merged")
    evidence = report.finding("weights.adapted")["evidence"]
    assert evidence["computed"] == 2 and evidence["residual"] < 1e-4
    assert evidence["scales"] == pytest.approx([1 if kind == "IA3" else 2])
    assert not report.findings("weights.changed") and not report.findings("weights.missing")


@pytest.mark.parametrize("order", [("base", "merged", "adapter"), ("merged", "base", "adapter")])
def test_base_merged_and_adapter_are_related_by_computing(merged, order, run):
    kind, folder = merged
    report = run("explain", *(folder / name for name in order))
    found = [f for f in report.findings("weights.adapted") if f["subjects"] == ["A", "B"]]
    assert len(found) == 1 and found[0]["evidence"]["computed"] == 2 and found[0]["evidence"]["residual"] < 1e-4
    assert not any("another scale" in line for line in found[0]["details"])
    letter = {name: "AB"[i] for i, name in enumerate(order[:2])}
    assert found[0]["summary"].startswith(f"{letter['merged']} is {letter['base']} with C merged into")


def test_the_scale_of_the_config_is_checked(run, tmp_path):
    state = base()
    own = lora(100)
    state[f"{LAYERS[0]}.weight"] += 3 * own["lora_B.weight"] @ own["lora_A.weight"]
    for name, each in (("base", base()), ("merged", state)):
        safetensors.torch.save_file(each, tmp_path / name)
    save_adapter(tmp_path / "adapter", lora, r=4, lora_alpha=8)
    details = run("explain", tmp_path / "base", tmp_path / "merged", tmp_path / "adapter").findings("weights.adapted")[0]["details"]
    assert any("scaled by 3," in line for line in details) and "adapter_config.json gives another scale" in details


@pytest.mark.parametrize("field, same", [
    ({"fan_in_fan_out": True}, True),  # peft 0.21 sets it by the class of each layer
    ({"target_modules": LAYERS}, True),
    ({"target_modules": LAYERS[:1]}, False),
    ({"rank_pattern": {"no_such_layer": 8}}, True),
    ({"rank_pattern": {LAYERS[0].rpartition(".")[2]: 8}}, False),
])
def test_fields_that_reach_no_layer_of_the_adapter_are_notes(field, same, run, tmp_path):
    config = {"peft_type": "LORA", "r": 4, "lora_alpha": 8, "fan_in_fan_out": False, "rank_pattern": {},
              "target_modules": sorted({name.rpartition(".")[2] for name in LAYERS})}
    save_adapter(tmp_path / "a", lora, **config)
    save_adapter(tmp_path / "b", lora, **config | field)
    assert (run("diff", tmp_path / "a", tmp_path / "b")["verdict"] == "same") == same


def test_factors_of_another_adapter_explain_nothing(run, tmp_path):
    state = base()
    state[f"{LAYERS[0]}.weight"] += randn(32, 48, seed=77)
    for name, each in (("base", base()), ("other", state)):
        safetensors.torch.save_file(each, tmp_path / name)
    save_adapter(tmp_path / "adapter", lora, r=4, lora_alpha=8)
    report = run("explain", tmp_path / "base", tmp_path / "other", tmp_path / "adapter")
    assert [f["subjects"] for f in report.findings("weights.adapted")] == [["A", "C"]]
    assert report.findings("weights.changed")


def related(run, tmp_path, changed, make=lora, extra=None, flip=False, **config):
    """The finding of base against merged, with the adapter as a third subject; and the report."""
    whole = {f"base_model.model.{name}": value for name, value in (extra or {}).items()}
    for name, each in (("base", base()), ("merged", changed)):
        safetensors.torch.save_file(each, tmp_path / name)
    save_adapter(tmp_path / "adapter", make, r=4, lora_alpha=8, **config)
    safetensors.torch.save_file(factors(make) | whole, tmp_path / "adapter" / "adapter_model.safetensors")
    pair = ("merged", "base") if flip else ("base", "merged")
    report = run("explain", tmp_path / pair[0], tmp_path / pair[1], tmp_path / "adapter")
    return [f for f in report.findings("weights.adapted") if f["subjects"] == ["A", "B"]], report


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_a_merge_that_was_saved_in_half_precision_is_computed(dtype, flip, run, tmp_path):
    """merge_and_unload().to(torch.bfloat16): the rounding is larger than much of the update."""
    state = base()
    for i, name in enumerate(LAYERS):
        own = lora(100 + 10 * i)
        state[f"{name}.weight"] = state[f"{name}.weight"] + 2 * own["lora_B.weight"] @ own["lora_A.weight"]
    found, report = related(run, tmp_path, {name: value.to(dtype) for name, value in state.items()}, flip=flip)
    assert len(found) == 1 and found[0]["evidence"]["computed"] == 2 and found[0]["evidence"]["scales"] == [2]
    assert any(f"rounded to {str(dtype).split('.')[1]}" in line for line in found[0]["details"])
    assert not [f for f in report.findings("weights.changed") if f["subjects"] == ["A", "B"]]


def test_another_update_in_half_precision_is_not_the_adapters(run, tmp_path):
    state = base()
    state[f"{LAYERS[0]}.weight"] += 0.02 * randn(32, 48, seed=77)
    found, report = related(run, tmp_path, {name: value.bfloat16() for name, value in state.items()})
    assert not found and [f for f in report.findings("weights.changed") if f["subjects"] == ["A", "B"]]


def test_what_an_adapter_holds_whole_is_connected(run, tmp_path):
    """modules_to_save: peft writes the module itself beside the factors."""
    state, head = base(), randn(5, 32, seed=50)
    for i, name in enumerate(LAYERS):
        own = lora(100 + 10 * i)
        state[f"{name}.weight"] += 2 * own["lora_B.weight"] @ own["lora_A.weight"]
    state["head.weight"] = head
    found, report = related(run, tmp_path, state, extra={"head.weight": head})
    assert len(found) == 1 and found[0]["evidence"]["computed"] == 2
    assert found[0]["summary"] == "B is A with C merged into 2 weights, and one of its own in place of head.weight"
    assert not [f for f in report.findings("weights.changed") if f["subjects"] == ["A", "B"]]
    alone = run("diff", tmp_path / "base", tmp_path / "adapter")
    assert not alone.findings("weights.missing") and not alone.findings("weights.changed")
    assert any("head.weight" in line and "whole" in line for line in alone.finding("weights.adapted")["details"])


def test_a_head_that_the_base_ties_is_the_adapters_own(run, tmp_path):
    """modules_to_save=["lm_head"]: the base has no tensor of that name."""
    _, report = related(run, tmp_path, base(), extra={"lm_head.weight": randn(5, 32, seed=50)}, modules_to_save=["lm_head"])
    alone = run("diff", tmp_path / "base", tmp_path / "adapter")
    assert not alone.findings("weights.missing") and not report.findings("weights.missing")
    assert any("lm_head.weight" in line and "whole" in line for line in alone.finding("weights.adapted")["details"])
    other = tmp_path / "other"
    other.mkdir()
    related(run, other, base(), extra={"lm_head.weight": randn(5, 32, seed=50)})
    assert run("diff", other / "base", other / "adapter").findings("weights.missing")


def dora(seed):
    return lora(seed) | {"lora_magnitude_vector": 0.5 + randn(32, seed=seed + 5).abs()}


def test_doras_magnitudes_are_computed(run, tmp_path):
    """peft 0.21: magnitude / |W + s B A| for each row, times W + s B A."""
    state = base()
    for i, name in enumerate(LAYERS):
        own = dora(100 + 10 * i)
        moved = state[f"{name}.weight"] + 2 * own["lora_B.weight"] @ own["lora_A.weight"]
        state[f"{name}.weight"] = own["lora_magnitude_vector"][:, None] / moved.norm(dim=1, keepdim=True) * moved
    found, _ = related(run, tmp_path, state, make=dora, use_dora=True)
    assert len(found) == 1 and found[0]["evidence"]["computed"] == 2 and found[0]["evidence"]["kind"] == "DoRA"


def test_factors_that_cannot_be_computed_are_said_to_be_so(run, tmp_path):
    state = base()
    state[f"{LAYERS[0]}.weight"] += randn(32, 48, seed=77)
    found, report = related(run, tmp_path, state, make=NAMED["OFT"])
    assert not found and any("OFT update of C explains none" in line for line in report["not_checked"])


def test_factors_are_no_partners_of_other_weights_of_their_shape(run, tmp_path):
    """A LoRA of rank 64 for a model whose feed-forward part is [64, 32]."""
    state = {f"layers.{i}.{name}.weight": randn(*shape, seed=10 * i + j) for i in range(2)
             for j, (name, shape) in enumerate((("q_proj", (32, 32)), ("gate_proj", (64, 32)), ("down_proj", (32, 64))))}
    adapter = {f"base_model.model.layers.{i}.q_proj.{side}.weight": randn(*shape, seed=90 + 2 * i + j) for i in range(2)
               for j, (side, shape) in enumerate((("lora_A", (64, 32)), ("lora_B", (32, 64))))}
    safetensors.torch.save_file(state, tmp_path / "base")
    (tmp_path / "adapter").mkdir()
    safetensors.torch.save_file(adapter, tmp_path / "adapter" / "adapter_model.safetensors")
    (tmp_path / "adapter" / "adapter_config.json").write_text(json.dumps({"r": 64, "lora_alpha": 8}))
    report = run("diff", tmp_path / "base", tmp_path / "adapter")
    assert report["weights"][0]["changed"] == 0 and report["weights"][0]["matched"] == 0
    assert not report.findings("file.mixup") and report.finding("weights.adapted")["evidence"]["rank"] == 64


def directory(folder, state):
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps({"model_type": "vit"}))
    safetensors.torch.save_file(state, folder / "model.safetensors")


def test_an_adapter_beside_its_base_is_no_equal_model(merged, run):
    kind, folder = merged
    for name in ("base", "merged"):
        directory(folder / f"{name}_dir", safetensors.torch.load_file(folder / name))
        directory(folder / "adapter", safetensors.torch.load_file(folder / "base"))
    report = run("diff", folder / "adapter", folder / "base_dir")
    assert report["verdict"] == "different" and report["weights"][0]["verdict"] == "identical"
    assert report.finding("weights.adapted")["evidence"]["kind"] == kind
    evidence = run("diff", folder / "merged_dir", folder / "adapter").finding("weights.adapted")["evidence"]
    assert evidence["computed"] == 2 and evidence["residual"] < 1e-4


def test_adapters_beside_equal_bases_are_compared(run, tmp_path):
    for name, make in (("a", lora), ("b", lora), ("c", lambda seed: lora(seed + 1))):
        save_adapter(tmp_path / name, make, r=4, lora_alpha=8)
        directory(tmp_path / name, base())
    assert run("diff", tmp_path / "a", tmp_path / "b")["verdict"] == "same"
    report = run("diff", tmp_path / "a", tmp_path / "c")
    assert report["verdict"] == "different" and report.finding("weights.adapted")["evidence"]["count"] == 4


@pytest.mark.parametrize("kind", NAMED)
def test_every_kind_of_adapter_is_named(kind, run, tmp_path):
    safetensors.torch.save_file(base(), tmp_path / "base")
    save_adapter(tmp_path / "adapter", NAMED[kind], peft_type=kind.upper())
    report = run("diff", tmp_path / "base", tmp_path / "adapter")
    assert report.finding("weights.adapted")["evidence"]["kind"] == kind
    assert not report.findings("weights.missing") and "no whole model" in report.finding("weights.adapted")["summary"]


@pytest.mark.parametrize("kind, name", [("PROMPT_TUNING", "prompt_embeddings"), ("P_TUNING", "prompt_embeddings"), ("PREFIX_TUNING", "prompt_embeddings"),
                                        ("MULTITASK_PROMPT_TUNING", "prefix_task_cols")])
def test_prompts_are_an_adapter_and_no_recorded_run(kind, name, run, tmp_path):
    safetensors.torch.save_file(base(), tmp_path / "base")
    (tmp_path / "adapter").mkdir()
    prompts = {"prompt_embeddings": randn(4, 48, seed=1)} | {name: randn(4, 48, seed=1)}
    safetensors.torch.save_file(prompts, tmp_path / "adapter" / "adapter_model.safetensors")
    (tmp_path / "adapter" / "adapter_config.json").write_text(json.dumps({"peft_type": kind, "num_virtual_tokens": 4}))
    assert "recorded run" not in run("inspect", tmp_path / "adapter")["answers"]["model"]
    report = run("diff", tmp_path / "base", tmp_path / "adapter")
    assert report["verdict"] == "different" and report.finding("weights.adapted")["evidence"]["kind"] == "prompt tuning"


def test_a_new_adapter_changes_nothing(run, tmp_path):
    safetensors.torch.save_file(base(), tmp_path / "base")
    for name, trained in (("new", False), ("trained", True)):
        save_adapter(tmp_path / name, lambda seed: {"lora_A.weight": randn(4, 48, seed=seed), "lora_B.weight": randn(32, 4, seed=seed) if trained else torch.zeros(32, 4)}, r=4, lora_alpha=8)  # noqa: B023
        details = run("diff", tmp_path / "base", tmp_path / name).finding("weights.adapted")["details"]
        assert any("its update is zero" in text for text in details) == (name == "new")


def test_ia3_scales_biases_with_their_rows(run, tmp_path):
    state = base() | {f"{LAYERS[0]}.bias": randn(32, seed=40)}
    scales = 1 + 0.1 * randn(32, 1, seed=41)
    merged = state | {f"{LAYERS[0]}.weight": state[f"{LAYERS[0]}.weight"] * scales, f"{LAYERS[0]}.bias": state[f"{LAYERS[0]}.bias"] * scales[:, 0]}
    for folder, tensors in (("base", state), ("merged", merged)):
        safetensors.torch.save_file(tensors, tmp_path / folder)
    (tmp_path / "adapter").mkdir()
    safetensors.torch.save_file({f"base_model.model.{LAYERS[0]}.ia3_l": scales}, tmp_path / "adapter" / "adapter_model.safetensors")
    (tmp_path / "adapter" / "adapter_config.json").write_text(json.dumps({"peft_type": "IA3"}))
    report = run("explain", "--files-only", tmp_path / "base", tmp_path / "merged", tmp_path / "adapter")
    found = [f for f in report.findings("weights.adapted") if f["subjects"] == ["A", "B"]]
    assert [f["evidence"]["computed"] for f in found] == [2]
    assert not [f for f in report.findings("weights.changed") if f["subjects"] == ["A", "B"]]


# Integers.


def linears():
    torch.manual_seed(2)
    return nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 4))


def per_channel(state, axis=0):
    def quantized(weight):
        scales = weight.abs().amax(1 - axis).double() / 127
        return torch.quantize_per_channel(weight, scales, torch.zeros(len(scales), dtype=torch.int64), axis, torch.qint8)

    return {k: quantized(v) if v.dim() == 2 else v for k, v in state.items()}


def per_tensor(state, dtype=torch.quint8):
    return {k: torch.quantize_per_tensor(v, float(v.abs().max()) / 127, 128, dtype) if v.dim() == 2 else v for k, v in state.items()}


def by_rows(state, half=False):
    """As bitsandbytes' Linear8bitLt keeps it: 127 times the row over its largest, and that largest."""
    made = {}
    for name, value in state.items():
        if value.dim() != 2:
            made[name] = value
            continue
        value = value.half().float() if half else value
        largest = value.abs().amax(1)
        made |= {name: (127 * value / largest[:, None]).round().to(torch.int8), name.replace("weight", "SCB"): largest,
                 name.replace("weight", "weight_format"): torch.tensor(0, dtype=torch.uint8)}
    return made


FORMS = {
    "dynamic": lambda m: torch.ao.quantization.quantize_dynamic(m, {nn.Linear}, dtype=torch.qint8).state_dict(),
    "per channel": lambda m: per_channel(m.state_dict()),
    "per channel of axis 1": lambda m: per_channel(m.state_dict(), 1),
    "per tensor": lambda m: per_tensor(m.state_dict()),
    "bitsandbytes": lambda m: by_rows(m.state_dict()),
    "bitsandbytes from half": lambda m: by_rows(m.state_dict(), True),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("form", FORMS)
def test_integers_are_held_against_what_they_stand_for(form, run, tmp_path):
    model = linears()
    torch.save(model.state_dict(), tmp_path / "float.pth")
    torch.save(FORMS[form](model), tmp_path / "int8.pth")
    report = run("diff", tmp_path / "float.pth", tmp_path / "int8.pth")
    evidence = report.finding("weights.quantized")["evidence"]
    assert report["verdict"] == "different" and evidence["computed"] == 2 and evidence["beyond_rounding"] == 0
    assert 0.2 < evidence["largest_error"] < 0.55
    assert any("rounded to the nearest code" in line for line in report.finding("weights.quantized")["details"])
    with torch.no_grad():
        model[2].weight.add_(0.1)
    torch.save(model.state_dict(), tmp_path / "other.pth")
    report = run("diff", tmp_path / "other.pth", tmp_path / "int8.pth")
    evidence = report.finding("weights.quantized")["evidence"]
    assert evidence["beyond_rounding"] == 1 and evidence["largest_error"] > 5


def test_integers_of_another_kind_are_named_and_not_computed(run, tmp_path):
    state = linears().state_dict()
    packed = {"0.qweight": torch.zeros(2, 32, dtype=torch.int32), "0.qzeros": torch.zeros(1, 4, dtype=torch.int32),
              "0.scales": torch.ones(1, 32), "0.bias": state["0.bias"], "2.weight": state["2.weight"], "2.bias": state["2.bias"]}
    torch.save(state, tmp_path / "float.pth")
    torch.save(packed, tmp_path / "gptq.pth")
    report = run("diff", tmp_path / "float.pth", tmp_path / "gptq.pth")
    assert "computed" not in report.finding("weights.quantized")["evidence"]
    assert any("was not computed" in line for line in report["not_checked"])
