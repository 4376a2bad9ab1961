"""What load_state_dict() of torch does with a checkpoint of codes, of another state, of a damaged record or of a class that keeps a function."""

import os
import struct
import subprocess
import sys
import zipfile

import pytest
import torch
from conftest import PROGRAM
from safetensors.torch import save_file
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(16, 16), nn.Linear(16, 8)


def weights():
    torch.manual_seed(3)
    return Net().state_dict()


def as_codes(state, dtype):
    """Every matrix as codes of one byte, with a scale beside it."""
    out = {}
    for name, tensor in state.items():
        if tensor.ndim != 2:
            out[name] = tensor
            continue
        scale = tensor.abs().max() / (448 if dtype.is_floating_point else 127)
        codes = tensor / scale
        out[name] = codes.to(dtype) if dtype.is_floating_point else codes.round().to(dtype)
        out[name + "_scale_inv"] = scale.reshape(1, 1)
    return out


def test_codes_without_their_scales_are_no_numbers(run, tmp_path):
    state = weights()
    codes = as_codes(state, torch.float8_e4m3fn)
    save_file(codes, tmp_path / "codes.safetensors")
    save_file(state, tmp_path / "plain.safetensors")
    torch.save(state, tmp_path / "plain.pth")
    net = Net()
    assert net.load_state_dict(codes, strict=False).missing_keys == []
    assert net.fc1.weight.abs().max() > 100 * state["fc1.weight"].abs().max()
    for target in ("plain.safetensors", "plain.pth"):
        report = run("check", tmp_path / "codes.safetensors", "--for", tmp_path / target)
        assert (report["verdict"], report.status) == ("risk", 1)
        found = report.finding("weights.quantized")
        assert sorted(found["evidence"]["tensors"]) == ["fc1.weight", "fc2.weight"]
        assert "raw codes" in found["summary"] and "--dequantize" in found["remedy"]
        assert "Nothing to do" not in str(report["findings"])


def test_codes_that_keep_their_scales_are_loaded(run, tmp_path):
    save_file(as_codes(weights(), torch.float8_e4m3fn), tmp_path / "codes.safetensors")
    report = run("check", tmp_path / "codes.safetensors", "--for", tmp_path / "codes.safetensors")
    assert (report["verdict"], report["findings"]) == ("clean", [])


PACKED = '''
import sys, torch, transformers as T
T.logging.set_verbosity_error()
out = sys.argv[1]
torch.manual_seed(2)
config = T.LlamaConfig(vocab_size=64, hidden_size=64, intermediate_size=128, num_hidden_layers=1, num_attention_heads=4, num_key_value_heads=2)
T.LlamaForCausalLM(config).save_pretrained(out + "/base")
four = T.BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=torch.float32)
T.AutoModelForCausalLM.from_pretrained(out + "/base", quantization_config=four).save_pretrained(out + "/nf4")
from torchao.quantization import Int8WeightOnlyConfig, quantize_
model = T.LlamaForCausalLM.from_pretrained(out + "/base")
quantize_(model, Int8WeightOnlyConfig())
torch.save(model.state_dict(), out + "/ao8.pth")
from safetensors.torch import load_file
for state in (load_file(out + "/nf4/model.safetensors"), model.state_dict()):
    try:
        T.LlamaForCausalLM.from_pretrained(out + "/base").load_state_dict(state, strict=False)
        raise SystemExit("loaded")
    except RuntimeError:
        pass
'''


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    python = os.environ.get("SAMEBITS_PYTHON_QUANTIZERS")
    if not python:
        from conftest import missing

        missing("SAMEBITS_PYTHON_QUANTIZERS names no interpreter with libraries that quantize")
    folder = tmp_path_factory.mktemp("packed")
    done = subprocess.run([python, "-c", PACKED, str(folder)], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-2000:]
    return folder


def test_packed_codes_have_another_shape_than_the_numbers(packed, run, tmp_path):
    report = run("check", packed / "nf4", "--for", packed / "base" / "model.safetensors")
    assert (report["verdict"], report.status) == ("risk", 1)
    load = report["loads"][0]
    assert load["raises"].startswith("RuntimeError") and len(load["mismatched"]) == 7
    assert "--dequantize" in report.finding("weights.quantized")["remedy"]
    assert run("check", packed / "nf4", "--for", packed / "nf4" / "model.safetensors")["verdict"] == "clean"


def test_a_tensor_subclass_is_taken_by_no_plain_parameter(packed, run, tmp_path):
    report = run("check", packed / "ao8.pth", "--for", packed / "base" / "model.safetensors")
    assert (report["verdict"], report["loads"][0]["random"]) == ("risk", [])
    assert "torchao.quantization.Int8Tensor" in report["loads"][0]["raises"]


@pytest.mark.parametrize("name", ["nf4", "ao8.pth"])
def test_what_is_dequantized_is_loaded(name, packed, run, tmp_path):
    words = [str(PROGRAM), "convert", str(packed / name), str(tmp_path / "numbers.safetensors"), "--to", "safetensors", "--dequantize"]
    assert subprocess.run(words, capture_output=True, timeout=60).returncode == 0
    report = run("check", tmp_path / "numbers.safetensors", "--for", packed / "base" / "model.safetensors")
    assert report["verdict"] == "clean"


class Stateful(Net):
    def get_extra_state(self):
        return {"temperature": 0.5}

    def set_extra_state(self, state):
        self.state = state


@pytest.mark.parametrize("saved, target", [(Stateful, Net), (Net, Stateful)])
def test_a_state_on_one_side_alone_is_a_risk(saved, target, run, tmp_path):
    for name, cls in (("saved.pth", saved), ("target.pth", target)):
        torch.manual_seed(3)
        torch.save(cls().state_dict(), tmp_path / name)
    with pytest.raises(RuntimeError, match="_extra_state"):
        target().load_state_dict(torch.load(tmp_path / "saved.pth"))
    target().load_state_dict(torch.load(tmp_path / "saved.pth"), strict=False)
    report = run("check", tmp_path / "saved.pth", "--for", tmp_path / "target.pth")
    assert (report["verdict"], report.status) == ("risk", 1)
    assert report.finding("state.buffers")["evidence"]["tensors"] == ["_extra_state"]
    assert run("check", tmp_path / "saved.pth", "--for", tmp_path / "saved.pth")["verdict"] == "clean"


def test_a_damaged_record_is_loaded_without_a_word(run, tmp_path):
    path = tmp_path / "net.pth"
    torch.save(weights(), path)
    torch.save(weights(), tmp_path / "whole.pth")
    with zipfile.ZipFile(path) as archive:
        place = next(info for info in archive.infolist() if info.filename.endswith("/data/0"))
    raw = bytearray(path.read_bytes())
    lengths = struct.unpack_from("<HH", raw, place.header_offset + 26)
    raw[place.header_offset + 30 + sum(lengths) + 5] ^= 8
    path.write_bytes(raw)
    assert not torch.equal(torch.load(path)["fc1.weight"], weights()["fc1.weight"])
    report = run("check", path, "--for", tmp_path / "whole.pth")
    assert (report["verdict"], report.status) == ("risk", 1)
    assert report.finding("weights.invalid")["evidence"]["tensors"] == ["fc1.weight"]


KEEPS = '''
import functools, sys, torch
from torch import nn
class Keeps(nn.Module):
    def __init__(self, act):
        super().__init__()
        self.fc, self.act = nn.Linear(4, 4), act
for i, act in enumerate([torch.relu, torch.tanh, torch.Tensor.relu, functools.partial(torch.clamp, min=0), torch.nn.functional.gelu]):
    torch.save(Keeps(act), f"{sys.argv[1]}/{i}.pth")
'''


def test_a_function_of_torch_that_a_module_keeps_is_no_alarm(run, tmp_path):
    subprocess.run([sys.executable, "-c", KEEPS, str(tmp_path)], check=True, timeout=120)
    for i in range(5):
        report = run("inspect", tmp_path / f"{i}.pth")
        assert report.findings("file.calls") == [], i


def blocks(numbers, prefix="model.layers."):
    """A state of blocks under these numbers; the values of the first are the same whatever its number."""
    torch.manual_seed(5)
    state = {"embed.weight": torch.randn(12, 8)}
    for number in numbers:
        state[f"{prefix}{number}.fc1.weight"] = torch.randn(16, 8)
        state[f"{prefix}{number}.fc1.bias"] = torch.randn(16)
        state[f"{prefix}{number}.fc2.weight"] = torch.randn(8, 16)
    return state


def other_values(state):
    return {name: torch.randn_like(tensor) for name, tensor in state.items()}


def repaired(report, state):
    """The state with the repair of a report applied: its first rule alone is of blocks."""
    (rule,) = report["loads"][0]["repair"]
    before, after = rule["from"].split("{n}"), rule["to"]
    out = {}
    for name, tensor in state.items():
        if name.startswith(before[0]):
            number, rest = name.removeprefix(before[0]).split(".", 1)
            inside = after[after.index("{") + 1:after.index("}")]
            name = f"{after[:after.index('{')]}{eval(inside, {'n': int(number)})}.{rest}"
        out[name] = tensor
    return out


@pytest.mark.parametrize("numbers", [[1, 2, 3, 4], [0, 2, 4, 6], [3, 4, 5, 6]])
@pytest.mark.parametrize("same_values", [True, False])
def test_blocks_under_other_numbers_keep_their_order(numbers, same_values, run, tmp_path):
    state, wanted = blocks(numbers), blocks(range(4))
    torch.save(state, tmp_path / "own.pth")
    torch.save(wanted if same_values else other_values(wanted), tmp_path / "target.pth")
    report = run("check", tmp_path / "own.pth", "--for", tmp_path / "target.pth")
    assert report["loads"][0]["unplaced"] == []
    out = repaired(report, state)
    assert out.keys() == wanted.keys()
    assert all(torch.equal(out[name], wanted[name]) for name in wanted)


def test_of_two_copies_one_is_taken(run, tmp_path):
    state = blocks(range(4))
    averaged = other_values(state)
    both = {"model." + name: tensor for name, tensor in state.items()}
    both |= {"model_ema." + name.replace(".", ""): tensor for name, tensor in averaged.items() if "bias" not in name}
    torch.save({"state_dict": both}, tmp_path / "both.ckpt")
    torch.save(averaged | {name: tensor for name, tensor in state.items() if "bias" in name}, tmp_path / "target.pth")
    report = run("check", tmp_path / "both.ckpt", "--for", tmp_path / "target.pth")
    if report["loads"][0]["restored"]:
        words = [str(PROGRAM), "check", str(tmp_path / "both.ckpt"), "--for", str(tmp_path / "target.pth"), "--write", str(tmp_path / "fixed.pth")]
        done = subprocess.run(words, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr


class Parts(nn.Module):
    def __init__(self, recurrent, attention):
        super().__init__()
        self.embed = nn.Embedding(12, 16)
        setattr(self, recurrent, nn.LSTM(16, 16, 2))
        setattr(self, attention, nn.MultiheadAttention(16, 2))


def test_a_subtree_of_one_module_is_found_by_its_name(run, tmp_path):
    torch.save(Parts("lstm", "attn").state_dict(), tmp_path / "own.pth")
    torch.save(Parts("rnn", "self_attn").state_dict(), tmp_path / "target.pth")
    report = run("check", tmp_path / "own.pth", "--for", tmp_path / "target.pth")
    assert {(rule["from"], rule["to"]) for rule in report["loads"][0]["repair"]} == {("lstm.", "rnn."), ("attn.", "self_attn.")}


def test_two_subtrees_that_would_do_are_not_guessed(run, tmp_path):
    own, target = nn.Module(), nn.Module()
    for name in ("first", "second"):
        setattr(own, name, nn.MultiheadAttention(16, 2))
    for name in ("left", "right"):
        setattr(target, name, nn.MultiheadAttention(16, 2))
    torch.save(own.state_dict(), tmp_path / "own.pth")
    torch.save(target.state_dict(), tmp_path / "target.pth")
    assert run("check", tmp_path / "own.pth", "--for", tmp_path / "target.pth")["loads"][0]["repair"] == []


def test_names_that_are_numbers_stand_for_an_order(run, tmp_path):
    import numpy as np

    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, 2))
    state = net.state_dict()
    np.savez(tmp_path / "own.npz", *(tensor.numpy() for tensor in state.values()))
    torch.save(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, 2)).state_dict(), tmp_path / "target.pth")
    load = run("check", tmp_path / "own.npz", "--for", tmp_path / "target.pth")["loads"][0]
    assert {(rule["from"], rule["to"]) for rule in load["repair"]} == {(f"arr_{i}", name) for i, name in enumerate(state)}
    assert load["unplaced"] == []


def test_blocks_in_one_anothers_places_are_a_risk(run, tmp_path):
    state = blocks(range(4))
    turned = {name: state["model.layers." + str(3 - int(name.split(".")[2])) + "." + name.split(".", 3)[3]] if "layers" in name else tensor
              for name, tensor in state.items()}
    torch.save(turned, tmp_path / "own.pth")
    torch.save(state, tmp_path / "target.pth")
    report = run("check", tmp_path / "own.pth", "--for", tmp_path / "target.pth")
    assert (report["verdict"], report.finding("weights.rearranged")["evidence"]["count"]) == ("risk", 12)
    assert run("check", tmp_path / "own.pth", "--for", tmp_path / "own.pth")["verdict"] == "clean"


def test_blocks_that_the_target_lacks_are_named(run, tmp_path):
    torch.save(blocks(range(6)), tmp_path / "own.pth")
    torch.save(blocks(range(4)), tmp_path / "target.pth")
    found = run("check", tmp_path / "own.pth", "--for", tmp_path / "target.pth").finding("weights.missing")
    assert "6 blocks of model.layers." in found["remedy"]


@pytest.mark.parametrize("field, value, right", [("num_hidden_layers", 1, "2"), ("num_hidden_layers", 3, "2"), ("qkv_bias", False, "true")])
def test_the_field_that_contradicts_the_weights_is_named(field, value, right, run, tmp_path):
    import json

    import transformers

    transformers.logging.set_verbosity_error()
    config = transformers.ViTConfig(hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=48, image_size=16, patch_size=8)
    transformers.ViTForImageClassification(config).save_pretrained(tmp_path)
    edited = json.loads((tmp_path / "config.json").read_text()) | {field: value}
    (tmp_path / "config.json").write_text(json.dumps(edited))
    report = run("check", tmp_path, "--for", "transformers-5")
    remedies = [finding["remedy"] for finding in report["findings"] if finding["role"] == "risk"]
    assert any(f"Set {field} to {right} in config.json" in remedy for remedy in remedies), remedies


def test_flat_parameters_are_called_so(run, tmp_path):
    torch.save({"_fsdp_wrapped_module._flat_param": torch.randn(100)}, tmp_path / "flat.pth")
    torch.save(blocks(range(2)), tmp_path / "target.pth")
    assert "FSDP" in run("inspect", tmp_path / "flat.pth").finding("file.incomplete")["summary"]
    report = run("check", tmp_path / "flat.pth", "--for", tmp_path / "target.pth")
    assert "FULL_STATE_DICT" in report.finding("weights.reinitialized")["remedy"]


def test_placeholders_beside_a_whole_tensor_are_called_so(run, tmp_path):
    state = {"a.weight": torch.zeros(0), "b.weight": torch.zeros(0), "n.weight": torch.ones(4)}
    torch.save({"module": state, "ds_version": "0.15", "global_steps": 5}, tmp_path / "mp_rank_00_model_states.pt")
    report = run("inspect", tmp_path / "mp_rank_00_model_states.pt")
    assert "2 weights are placeholders" in report.finding("file.incomplete")["summary"]
