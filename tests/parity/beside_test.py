"""What is no plain tensor of the weights, and is loaded all the same: never left aside under `same`."""

import argparse
import json

import numpy
import pytest
import safetensors.torch
import torch


def quantized(scale=0.02, zero=0, axis=None):
    numbers = torch.arange(-24, 24, dtype=torch.int8).reshape(6, 8)
    if axis is None:
        return torch._make_per_tensor_quantized_tensor(numbers, scale, zero)
    scales = torch.full((numbers.shape[axis],), scale, dtype=torch.float64)
    return torch._make_per_channel_quantized_tensor(numbers, scales, torch.full_like(scales, zero, dtype=torch.int64), axis)


def sparse(columns, layout="coo"):
    whole = torch.eye(3, columns)
    return whole.to_sparse_csr() if layout == "csr" else whole.to_sparse()


PAIRS = {
    "scale": (quantized(), quantized(scale=0.03)),
    "zero point": (quantized(), quantized(zero=1)),
    "quantized or not": (quantized(), quantized().int_repr()),
    "channel's scale": (quantized(axis=0), quantized(0.03, axis=0)),
    "axis": (torch._make_per_channel_quantized_tensor(torch.ones(4, 4, dtype=torch.int8), torch.ones(4), torch.zeros(4), 0),
             torch._make_per_channel_quantized_tensor(torch.ones(4, 4, dtype=torch.int8), torch.ones(4), torch.zeros(4), 1)),
    "sparse size": (sparse(3), sparse(5)),
    "compressed sparse size": (sparse(3, "csr"), sparse(5, "csr")),
    "extra state": ({"amax": 1.0}, {"amax": 1.25}),
    "extra state of bytes": (b"1" * 100, b"2" * 100),
}


def save(folder, name, value):
    key = "head._extra_state" if not isinstance(value, torch.Tensor) else "head.weight"
    torch.save({key: value, "head.bias": torch.ones(6)}, folder / name)


@pytest.mark.parametrize("what", PAIRS)
def test_equal_elements_with_another_meaning_are_another_model(what, run, tmp_path):
    a, b = PAIRS[what]
    save(tmp_path, "a.pth", a)
    save(tmp_path, "b.pth", b)
    save(tmp_path, "c.pth", a)
    assert run("diff", tmp_path / "a.pth", tmp_path / "b.pth")["verdict"] == "different"
    assert run("diff", tmp_path / "a.pth", tmp_path / "c.pth")["verdict"] == "same"


def test_what_stands_beside_equal_weights_is_named_where_it_differs(run, tmp_path):
    for name, shift in (("a.pth", 0.0), ("b.pth", 1.0)):
        torch.save({"model": {"w": torch.ones(4)}, "pixel_mean": torch.full((3,), shift), "epoch": int(shift),
                    "config": {"shift": numpy.arange(3) + shift}, "same": 1}, tmp_path / name)
    report = run("diff", tmp_path / "a.pth", tmp_path / "b.pth")
    assert report["verdict"] == "same"
    text = " ".join(report["not_checked"])
    assert "pixel_mean" in text and "epoch: 0 in A, 1 in B" in text and "config.shift differs" in text and "same" not in text.replace(
        "weights", "").split()


def test_what_differs_in_dicts_and_objects_beside_the_weights_is_named(run, tmp_path):
    for name, shift in (("a.pth", 0.0), ("b.pth", 1.0)):
        arguments = argparse.Namespace(lr=0.1, table=numpy.arange(4) + shift, model="vit")
        torch.save({"model": {"w": torch.ones(4)}, "args": arguments, "runs": [{"scores": numpy.ones(2) + shift}, {"scores": numpy.ones(2)}],
                    "empty": {} if shift else {"x": 1}}, tmp_path / name)
    report = run("diff", tmp_path / "a.pth", tmp_path / "b.pth")
    text = " ".join(report["not_checked"])
    for part in ("args.table differs", "runs.0.scores differs", "empty.x stands only in A"):
        assert part in text
    assert "lr" not in text and "runs.1" not in text


def test_arrays_of_objects_in_an_npz_are_compared(run, tmp_path):
    for name, last in (("a.npz", 1.0), ("b.npz", 2.0), ("c.npz", 1.0)):
        blocks = numpy.array([numpy.ones(3), numpy.full(4, last)], dtype=object)
        numpy.savez(tmp_path / name, w=numpy.ones(4), blocks=blocks)
    assert run("diff", tmp_path / "a.npz", tmp_path / "b.npz")["verdict"] == "different"
    assert run("diff", tmp_path / "a.npz", tmp_path / "c.npz")["verdict"] == "same"


def test_files_without_tensors_are_unknown(run, tmp_path):
    for name in ("a", "b"):
        safetensors.torch.save_file({}, tmp_path / name, metadata={"run": name})
    report = run("diff", tmp_path / "a", tmp_path / "b")
    assert report["verdict"] == "unknown" and "nothing to compare" in report["not_checked"][0]


def test_further_models_and_objects_of_a_directory_are_compared(run, tmp_path):
    for folder, shift in (("a", 0.0), ("b", 1.0), ("c", 0.0), ("d", 0.0)):
        (tmp_path / folder).mkdir()
        safetensors.torch.save_file({"w": torch.ones(4)}, tmp_path / folder / "model.safetensors")
        safetensors.torch.save_file({"w": torch.ones(4) + shift}, tmp_path / folder / "model_1.safetensors")
        torch.save({"count": 2 if folder == "d" else 1}, tmp_path / folder / "custom_checkpoint_0.pkl")
    verdict = {b: run("diff", tmp_path / "a", tmp_path / b) for b in "bcd"}
    assert [verdict[b]["verdict"] for b in "bcd"] == ["different", "same", "different"]
    assert "model_1.safetensors" in verdict["b"].finding("weights.changed")["summary"]
    assert "custom_checkpoint_0.pkl:count" in verdict["d"].finding("state.buffers")["summary"]


def adapter(folder, factors, **config):
    folder.mkdir()
    safetensors.torch.save_file(factors, folder / "adapter_model.safetensors")
    (folder / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", "r": 4, "lora_alpha": 8, **config}))


def test_lora_is_told_merged_alone_and_by_its_config(run, tmp_path):
    torch.manual_seed(1)
    base = {f"layers.{i}.proj.weight": torch.randn(48, 48) for i in range(2)} | {"head.weight": torch.randn(3, 48)}
    down, up = torch.randn(4, 48), torch.randn(48, 4)
    factors = {f"base_model.model.layers.{i}.proj.lora_{x}.weight": v.clone() for i in range(2) for x, v in (("A", down), ("B", up))}
    merged = {k: v + 2 * (up @ down) if "proj" in k else v for k, v in base.items()}
    trained = {k: v + 0.1 * torch.randn_like(v) for k, v in base.items()}
    for name, state in (("base", base), ("merged", merged), ("trained", trained)):
        safetensors.torch.save_file(state, tmp_path / name)
    adapter(tmp_path / "one", factors)
    adapter(tmp_path / "two", factors, lora_alpha=32)
    report = run("diff", tmp_path / "base", tmp_path / "merged")
    assert report.finding("weights.adapted")["evidence"]["rank"] == 4
    assert report.finding("weights.adapted")["evidence"]["count"] == 2 and not report.findings("weights.changed")
    assert not run("diff", tmp_path / "base", tmp_path / "trained").findings("weights.adapted")
    report = run("diff", tmp_path / "base", tmp_path / "one")
    assert report["verdict"] == "different" and report.finding("weights.adapted")["evidence"]["rank"] == 4
    assert not report.findings("weights.missing")
    report = run("diff", tmp_path / "one", tmp_path / "two")
    assert report["verdict"] == "different" and report.finding("config.changed")["evidence"]["fields"]["lora_alpha"] == [8, 32]


def test_a_key_for_all_is_for_those_that_have_it(run, tmp_path):
    torch.save({"model": {"w": torch.ones(4)}, "ema": {"w": torch.zeros(4)}}, tmp_path / "both.pth")
    torch.save({"w": torch.zeros(4)}, tmp_path / "released.pth")
    assert run("diff", tmp_path / "released.pth", tmp_path / "both.pth", "--key", "ema")["verdict"] == "same"
    assert run("diff", tmp_path / "released.pth", tmp_path / "both.pth", "--key", "none")["verdict"] == "unknown"
