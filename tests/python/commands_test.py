"""The other commands give what the program gives."""

import json
import subprocess

import numpy as np
import pytest
import safetensors.numpy
import safetensors.torch
import torch

import samebits


def printed(program, *words):
    return subprocess.run([program, *map(str, words), "--json"], capture_output=True, text=True).stdout


def test_inspect_check_resume_and_explain(example, program):
    hf, whole, bare = example / "hf", example / "whole.pth", example / "statedict.pth"
    training = example.parent / "gallery" / "training.pth"
    assert samebits.inspect(hf, sha256=True).to_json() == printed(program, "inspect", hf, "--sha256")
    assert samebits.inspect(samebits.open(whole), deep=True).to_json() == printed(program, "inspect", whole, "--deep")
    target = "transformers-4:ViTMAEForPreTraining"
    assert samebits.check(bare, target).to_json() == printed(program, "check", bare, "--for", target)
    assert samebits.check(hf, whole).to_json() == printed(program, "check", hf, "--for", whole)
    assert samebits.resume(training).to_json() == printed(program, "resume", training)
    report = samebits.explain(hf, whole, bare)
    assert report.to_json() == printed(program, "explain", hf, whole, bare)
    assert report.findings[0].cause == "rng.noise"
    assert samebits.explain(hf, bare, files_only=True).to_json() == printed(program, "explain", hf, bare, "--files-only")


def test_a_module_is_a_target_as_its_load_state_dict_has_it(tmp_path):
    source = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.LayerNorm(3))
    state = {f"model.{name}": value for name, value in source.state_dict().items()}
    torch.save(state, tmp_path / "wrapped.pth")
    torch.save(source.state_dict(), tmp_path / "plain.pth")
    target = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.LayerNorm(3))
    truth = target.load_state_dict(torch.load(tmp_path / "wrapped.pth"), strict=False)
    for into in (target, target.state_dict()):
        (load,) = samebits.check(tmp_path / "wrapped.pth", into).loads
        assert load.random == truth.missing_keys and load.dropped == truth.unexpected_keys
        assert samebits.check(tmp_path / "plain.pth", into).verdict == "clean"
    assert load.repair[0]["from"] == "model."


def test_an_input_of_ones_own(example, tmp_path, program):
    x = samebits.randn(2, 3, 32, 32, seed=3)
    safetensors.numpy.save_file({"pixel_values": x}, tmp_path / "x.safetensors")
    paths = [example / "hf", example / "statedict.pth"]
    ours = samebits.explain(*paths, x=x)
    assert ours.outputs == json.loads(printed(program, "explain", *paths, "--input", tmp_path / "x.safetensors"))["outputs"]


def test_run_gives_the_bits_of_the_program(example, tmp_path, program):
    x = samebits.randn(2, 3, 32, 32, seed=3)
    noise = samebits.rand(2, 16, seed=5)
    safetensors.numpy.save_file({"pixel_values": x}, tmp_path / "x.safetensors")
    safetensors.numpy.save_file({"noise": noise}, tmp_path / "noise.safetensors")
    words = ["--input", tmp_path / "x.safetensors", "--noise", tmp_path / "noise.safetensors", "--save", tmp_path / "out.safetensors"]
    subprocess.run([program, "run", example / "hf", *words], check=True, capture_output=True)
    truth = safetensors.numpy.load_file(tmp_path / "out.safetensors")
    for given in (x, torch.from_numpy(x)):
        outputs = samebits.run(example / "hf", given, noise=noise)
        assert set(outputs) == set(truth)
        for name, array in outputs.items():
            assert array.dtype == truth[name].dtype and array.shape == truth[name].shape
            assert array.tobytes() == truth[name].tobytes(), name
    assert outputs.tied_images == []
    assert set(samebits.run(example / "hf", x, noise=noise, only=["last_hidden_state"])) == {"last_hidden_state"}


def test_what_is_not_given_is_said(example):
    outputs = samebits.run(example / "hf")
    assert outputs.assumed == ["input: torch.randn(1, 3, 32, 32), seed 42", "noise: torch.rand(1, 16), seed 42"]
    again = samebits.run(example / "statedict.pth", config=example / "hf" / "config.json", randn=(1, 3, 32, 32))
    name = next(iter(outputs))
    assert outputs[name].tobytes() == again[name].tobytes()


def test_an_input_that_would_have_to_be_cast_is_refused(example):
    with pytest.raises(samebits.Error) as caught:
        samebits.run(example / "hf", np.zeros((1, 3, 32, 32)))
    assert (caught.value.expected, caught.value.found) == ("float32", "float64")
    with pytest.raises(samebits.Error) as caught:
        samebits.run(example / "hf", np.zeros((1, 3, 32), np.float32))
    assert caught.value.code == "inconsistent"


def test_lock_and_verify(example, tmp_path, program):
    lock = samebits.lock(example / "hf", tmp_path / "model.lock")
    written = (tmp_path / "model.lock").read_text()
    assert written == str(lock) == subprocess.run([program, "lock", example / "hf"], capture_output=True, text=True).stdout
    assert lock.data.contents == lock.contents and lock.data.named == lock.named
    assert samebits.verify(example / "statedict.pth", tmp_path / "model.lock").verdict == "same"
    state = {name: torch.from_numpy(array.copy()) for name, array in samebits.open(example / "hf").items()}
    assert samebits.verify(state, tmp_path / "model.lock").verdict == "same"
    state["vit.layernorm.bias"][0] += 1
    report = samebits.verify(state, tmp_path / "model.lock")
    assert report.verdict == "different" and "vit.layernorm.bias" in str(report)
    with pytest.raises(samebits.Error, match="not overwritten"):
        samebits.lock(example / "hf", example / "hf" / "config.json")


def test_convert(example, tmp_path, program):
    done = samebits.convert(example / "whole.pth", tmp_path / "out.safetensors", to="safetensors")
    assert done.tensors == len(samebits.open(example / "whole.pth")) and done.verified
    assert str(done).startswith("wrote ")
    samebits.assert_same(example / "whole.pth", tmp_path / "out.safetensors")
    with pytest.raises(samebits.Error) as caught:
        samebits.convert(example / "whole.pth", tmp_path / "out.safetensors", to="safetensors")
    assert caught.value.code == "usage"
    with pytest.raises(samebits.Error, match="not overwritten"):
        samebits.convert(tmp_path / "out.safetensors", tmp_path / "out.safetensors", to="npz", force=True)
    half = samebits.convert(example / "hf", tmp_path / "hf", to="hf", dtype=torch.float16, shard_size="50KB")
    assert half.cast == half.tensors and len([name for name in half.files if "safetensors" in name]) > 1
    with pytest.raises(samebits.Error, match="none of its weights is known to be quantized"):
        samebits.convert(example / "hf", tmp_path / "x", to="safetensors", dequantize=True)
    with pytest.raises(samebits.Error) as caught:
        samebits.convert(example / "hf", tmp_path / "x", to="nosuch")
    assert caught.value.found == "nosuch"


def test_convert_merges_an_adapter(tmp_path):
    base, down, up = torch.ones(3, 4), torch.arange(4.0)[None], torch.tensor([[1.0], [2.0], [3.0]])
    (tmp_path / "adapter").mkdir()
    safetensors.torch.save_file({"fc.weight": base}, tmp_path / "base.safetensors")
    safetensors.torch.save_file({f"base_model.model.fc.lora_{name}.weight": factor for name, factor in (("A", down), ("B", up))}, tmp_path / "adapter" / "adapter_model.safetensors")
    (tmp_path / "adapter" / "adapter_config.json").write_text('{"peft_type": "LORA", "r": 1, "lora_alpha": 2}')
    done = samebits.convert(tmp_path / "base.safetensors", tmp_path / "out.safetensors", to="safetensors", adapter=tmp_path / "adapter")
    assert done.merged == 1 and "merged" in str(done)
    samebits.assert_same(tmp_path / "out.safetensors", {"fc.weight": base + 2 * up @ down})


def test_nothing_is_printed(example, capfd):
    samebits.explain(example / "hf", example / "whole.pth")
    samebits.diff(example / "hf", example / "whole.pth")
    with pytest.raises(samebits.Error):
        samebits.open("nosuch")
    assert capfd.readouterr() == ("", "")
