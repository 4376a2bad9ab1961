"""What a load makes of values: transposed, cast, rounded past the range; how many parameters there are."""

import json
import subprocess
import sys

import pytest
import safetensors.torch
import torch
import transformers as t
from torch import nn

TEXT = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 2, "intermediate_size": 32, "vocab_size": 40,
        "max_position_embeddings": 64}


def llama(seed=0, **fields):
    torch.manual_seed(seed)
    return t.LlamaForCausalLM(t.LlamaConfig(**TEXT, **fields)).eval()


def gpt2(**fields):
    torch.manual_seed(0)
    return t.GPT2LMHeadModel(t.GPT2Config(n_embd=16, n_layer=2, n_head=2, vocab_size=40, n_positions=32, **fields)).eval()


# ---- transposed


def net(*sizes):
    torch.manual_seed(0)
    return nn.Sequential(*(nn.Linear(a, b) for a, b in zip(sizes, sizes[1:])))


@pytest.mark.parametrize("sizes,in_place", [((8, 8, 8), 2), ((8, 8, 4), 1), ((8, 6, 4), 0)])
def test_what_is_loaded_transposed_is_said(run, tmp_path, sizes, in_place):
    model = net(*sizes)
    torch.save(model.state_dict(), tmp_path / "target")
    turned = {name: value.T.contiguous() if value.ndim == 2 else value for name, value in model.state_dict().items()}
    torch.save(turned, tmp_path / "turned")
    report = run("check", tmp_path / "turned", "--for", tmp_path / "target")
    finding = report.finding("weights.rearranged")
    assert finding["evidence"]["count"] == 2 and len(finding["evidence"]["in_place"]) == in_place
    assert "state[name].T" in finding["remedy"] and "config" not in str([f["remedy"] for f in report["findings"]])
    if in_place == 2:
        assert not model.load_state_dict(turned).missing_keys and report["verdict"] == "risk"
    else:
        with pytest.raises(RuntimeError):
            model.load_state_dict(turned, strict=False)
    model.load_state_dict({name: value.T if value.ndim == 2 else value for name, value in turned.items()})
    assert run("check", tmp_path / "target", "--for", tmp_path / "target")["verdict"] == "clean"


def test_conv1d_of_gpt2_against_linear(run, tmp_path):
    state = {name: value.clone() for name, value in gpt2().state_dict().items()}
    kept = [name for name in state if any(part in name for part in ("c_attn.weight", "c_proj.weight", "c_fc.weight"))]
    torch.save(state, tmp_path / "conv1d")
    torch.save(state | {name: state[name].T.contiguous() for name in kept}, tmp_path / "linear")
    finding = run("check", tmp_path / "linear", "--for", tmp_path / "conv1d").finding("weights.rearranged")
    assert sorted(finding["evidence"]["tensors"]) == sorted(kept)
    assert sorted(finding["evidence"]["in_place"]) == sorted(name for name in kept if state[name].shape[0] == state[name].shape[1])


def test_other_values_of_a_square_matrix_are_not_turned(run, tmp_path):
    torch.save(net(8, 8).state_dict(), tmp_path / "a")
    torch.manual_seed(5)
    torch.save({"0.weight": torch.randn(8, 8), "0.bias": torch.randn(8)}, tmp_path / "b")
    symmetric = torch.randn(8, 8)
    torch.save({"0.weight": symmetric + symmetric.T, "0.bias": torch.randn(8)}, tmp_path / "c")
    for a, b in (("a", "b"), ("c", "c")):
        assert not run("check", tmp_path / a, "--for", tmp_path / b).findings("weights.rearranged")


# ---- cast by the load

LOAD = "import sys, torch, transformers as t; print(t.AutoModelForCausalLM.from_pretrained(sys.argv[1]).dtype)"


def loaded_dtype(python, folder):
    done = subprocess.run([str(python), "-c", LOAD, str(folder)], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.split()[-1]


def says(folder, model, **fields):
    model.save_pretrained(folder)
    config = json.loads((folder / "config.json").read_text())
    config.pop("dtype")
    (folder / "config.json").write_text(json.dumps(config | fields))


@pytest.mark.parametrize("field", ["dtype", "torch_dtype"])
def test_transformers_5_casts_to_the_type_of_the_config(run, tmp_path, python_t4, field):
    says(tmp_path / "bf16", llama(), **{field: "bfloat16"})
    says(tmp_path / "f32", llama(), **{field: "float32"})
    torch.save(llama().state_dict(), tmp_path / "live.pth")
    assert loaded_dtype(sys.executable, tmp_path / "bf16") == "torch.bfloat16"
    assert loaded_dtype(python_t4, tmp_path / "bf16") == "torch.float32"
    finding = run("inspect", tmp_path / "bf16").finding("numerics.dtype")
    assert finding["role"] == "note" and finding["evidence"]["count"] == 21
    assert "transformers 5.24.0 casts them to bfloat16, that of 4.57.6 does not" in finding["summary"]
    assert not run("inspect", tmp_path / "f32").findings("numerics.dtype")
    report = run("diff", tmp_path / "bf16", tmp_path / "live.pth")
    assert report.finding("numerics.dtype")["role"] == "risk" and report.status == 1
    assert run("diff", tmp_path / "bf16", tmp_path / "bf16").finding("numerics.dtype")["role"] == "note"
    assert run("diff", tmp_path / "f32", tmp_path / "live.pth").status == 0


def test_a_wider_type_in_the_config_rounds_nothing(run, tmp_path, python_t4):
    says(tmp_path / "a", llama().to(torch.bfloat16), dtype="float32")
    assert loaded_dtype(sys.executable, tmp_path / "a") == loaded_dtype(python_t4, tmp_path / "a") == "torch.float32"
    assert not run("inspect", tmp_path / "a").findings("numerics.dtype")


@pytest.mark.parametrize("exact", [False, True])
def test_check_says_whether_the_cast_changes_a_value(run, tmp_path, exact):
    torch.manual_seed(0)
    model = t.ViTModel(t.ViTConfig(hidden_size=12, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, image_size=8, patch_size=4))
    if exact:
        model = model.to(torch.bfloat16).float()
    says(tmp_path / "a", model, dtype="bfloat16")
    loaded = t.ViTModel.from_pretrained(tmp_path / "a").state_dict()
    assert loaded["layernorm.weight"].dtype == torch.bfloat16
    assert exact == all(torch.equal(value.float(), loaded[name].float()) for name, value in model.state_dict().items())
    report = run("check", tmp_path / "a", "--for", "transformers-5")
    assert report.finding("numerics.dtype")["role"] == ("note" if exact else "risk")
    assert run("check", tmp_path / "a", "--for", "transformers-4").finding("numerics.dtype")["role"] == "note"


# ---- rounded past the range


@pytest.mark.parametrize("stored", [torch.float16, torch.float32])
def test_a_rounding_that_overflows_is_said(run, tmp_path, stored):
    torch.manual_seed(0)
    state = {"a.weight": torch.randn(40, 40), "b.weight": torch.randn(40, 40)}
    state["a.weight"][0, :5] = torch.tensor([1e6, -7e4, 1e-9, -1e-9, 3e-8])
    narrow = {name: value.half().to(stored) for name, value in state.items()}
    lost = sum(int(torch.isinf(value).sum()) for value in narrow.values()), sum(int((value == 0).sum()) for value in narrow.values())
    assert lost == (2, 2)
    torch.save(state, tmp_path / "a")
    torch.save(narrow, tmp_path / "b")
    for a, b in (("a", "b"), ("b", "a")):
        report = run("diff", tmp_path / a, tmp_path / b)
        finding = report.finding("weights.rounded")
        assert (finding["evidence"]["overflowed"], finding["evidence"]["flushed"]) == lost
        assert "2 elements overflowed and 2 became 0" in finding["summary"]
        assert "2 elements overflowed" in report["diagnosis"] and "a.weight (2)" in str(finding["details"])


def test_a_rounding_within_the_range_loses_nothing_else(run, tmp_path):
    torch.manual_seed(0)
    state = {"a.weight": torch.randn(40, 40)}
    torch.save(state, tmp_path / "a")
    torch.save({name: value.bfloat16() for name, value in state.items()}, tmp_path / "b")
    finding = run("diff", tmp_path / "a", tmp_path / "b").finding("weights.rounded")
    assert "became" not in finding["summary"] and "overflowed" not in finding["evidence"]


@pytest.mark.parametrize("dtype", [torch.float8_e4m3fn, torch.float8_e5m2])
def test_eight_bits_overflow_as_torch_casts_them(run, tmp_path, dtype):
    torch.manual_seed(0)
    state = {"a.weight": torch.randn(40, 40), "b.weight": torch.randn(40, 40)}
    state["a.weight"][0, :4] = torch.tensor([1e6, -7e4, 440.0, 1e-9])
    narrow = {name: value.to(dtype) for name, value in state.items()}
    torch.save(state, tmp_path / "a")
    torch.save(narrow, tmp_path / "b")
    report = run("diff", tmp_path / "a", tmp_path / "b")
    assert report["weights"][0]["verdict"] == "rounded"
    evidence = report.finding("weights.rounded")["evidence"]
    assert evidence["overflowed"] == 2 and evidence["flushed"] == sum(int((value.float() == 0).sum()) for value in narrow.values())


# ---- counted


def batch_normed():
    return nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, 2))


def bert():
    return t.BertForMaskedLM(t.BertConfig(**{k: v for k, v in TEXT.items() if k != "num_key_value_heads"}))


def llama_tied():
    return llama(tie_word_embeddings=True)


@pytest.mark.parametrize("build", [gpt2, bert, llama_tied, llama, batch_normed])
@pytest.mark.parametrize("saved", ["state", "module", "safetensors"])
def test_parameters_are_those_of_torch(run, tmp_path, build, saved):
    model = build()
    if saved == "safetensors":
        safetensors.torch.save_model(model, tmp_path / "a")
    else:
        torch.save(model if saved == "module" else model.state_dict(), tmp_path / "a")
    assert run("inspect", tmp_path / "a").subject["parameters"] == sum(p.numel() for p in model.parameters())
