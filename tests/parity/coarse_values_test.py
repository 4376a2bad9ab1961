"""Weights that were rounded to a grid that is no type: fewer bits, decimals, the levels of a quantization. Held against torch and numpy."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

SHAPES = {"in.weight": (48, 64), "in.bias": (48,), "norm.weight": (48,), "out.weight": (32, 48), "out.bias": (32,)}


def weights(scale=0.05):
    generator = torch.Generator().manual_seed(7)
    state = {name: scale * torch.randn(*shape, generator=generator) for name, shape in SHAPES.items()}
    state["norm.weight"] += 1
    return state


def tf32(x):
    bits = x.numpy().view(np.uint32).astype(np.uint64)
    return torch.from_numpy(((bits + 0xFFF + (bits >> 13 & 1)) & 0xFFFFE000).astype(np.uint32).view(np.float32).copy())


def cut(x):
    return torch.from_numpy((x.numpy().view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32).copy())


def rows(x):
    return torch.fake_quantize_per_channel_affine(x, x.abs().amax(1) / 127, torch.zeros(len(x), dtype=torch.int32), 0, -128, 127)


def tensor_with_zero_point(x):
    scale = (x.max() - x.min()).item() / 255
    return torch.fake_quantize_per_tensor_affine(x, scale, round(-x.min().item() / scale), 0, 255)


def blocks(x, size=32):
    """As GGUF's Q4_0 does it: the element of the largest size is at -8."""
    line = x.reshape(-1, size)
    step = line.gather(1, line.abs().argmax(1, keepdim=True)) / -8
    return (torch.clamp(torch.trunc(line / step + 8.5), 0, 15) - 8).mul(step).reshape(x.shape)


def float8(x):
    scale = x.abs().max() / 448
    return (x / scale).to(torch.float8_e4m3fn).float() * scale


ALL = {"10 bits after the leading one, as TF32 has": tf32, "4 decimals": lambda x: torch.from_numpy(np.round(x.numpy(), 4)),
       "3 decimals": lambda x: torch.round(x, decimals=3)}
MATRICES = {"8-bit levels, a scale for each row": rows, "8-bit levels, a scale for each tensor": tensor_with_zero_point,
            "4-bit levels, a scale for every 32 elements": blocks, "float8_e4m3fn levels, a scale for each tensor": float8}


@pytest.fixture
def diff(run, tmp_path):
    def compare(a, b):
        for name, state in (("a", a), ("b", b)):
            save_file({k: v.contiguous() for k, v in state.items()}, tmp_path / f"{name}.safetensors")
        return run("diff", tmp_path / "a.safetensors", tmp_path / "b.safetensors")

    return compare


@pytest.mark.parametrize("grid", ALL)
@pytest.mark.parametrize("turned", [False, True])
def test_all_weights_on_one_grid(grid, turned, diff):
    fine = weights()
    coarse = {name: ALL[grid](value) for name, value in fine.items()}
    report = diff(coarse, fine) if turned else diff(fine, coarse)
    own, other = ("A", "B") if turned else ("B", "A")
    assert report["diagnosis"] == f"{own} holds {other}'s weights rounded to {grid}"
    evidence = report.finding("weights.rounded")["evidence"]
    assert (evidence["count"], evidence["side"]) == (5, own) and not report.findings("weights.changed") and not report.findings("file.mixup")


def test_bits_that_were_cut_are_not_rounded(diff):
    fine = weights()
    assert diff(fine, {name: cut(value) for name, value in fine.items()})["diagnosis"] == "B holds A's weights cut to 7 bits after the leading one, as bfloat16 has"


@pytest.mark.parametrize("grid", MATRICES)
def test_matrices_that_were_quantized_and_written_back(grid, diff):
    fine = weights()
    coarse = {name: MATRICES[grid](value) if value.dim() == 2 else value for name, value in fine.items()}
    report = diff(fine, coarse)
    assert report["diagnosis"] == f"B holds 2 of A's 5 weights rounded to {grid}"
    assert report.finding("weights.rounded")["evidence"]["grid"] == "levels" and not report.findings("weights.changed")


def test_what_changed_besides_is_counted(diff):
    fine = weights()
    coarse = {name: rows(value) if name == "in.weight" else value * 1.01 if value.dim() == 2 else value for name, value in fine.items()}
    report = diff(fine, coarse)
    assert report["diagnosis"] == "B holds 1 of A's 5 weights rounded to 8-bit levels, a scale for each row; 1 other has other values"
    assert report.finding("weights.changed")["evidence"]["tensors"] == ["out.weight"]


@pytest.mark.parametrize("change", [
    lambda x: x + 1e-6 * torch.sign(x), lambda x: x * 1.001, lambda x: (x + 0.01 * x.roll(1)).bfloat16().float(), lambda x: rows(x.roll(1, 0)) if x.dim() == 2 else x,
    lambda x: torch.ones_like(x) if x.mean() > 0.5 else x, lambda x: torch.round(x + 0.0004, decimals=3), lambda x: rows(x) + 1e-5 if x.dim() == 2 else x,
], ids=["moved", "scaled", "trained in bfloat16", "levels of other rows", "new norms", "decimals of others", "levels that were trained"])
def test_other_values_are_not_called_rounded(change, diff):
    fine = weights()
    report = diff(fine, {name: change(value) for name, value in fine.items()})
    said = report.findings("weights.changed") or report.findings("weights.reinitialized")  # norms of ones alone: a load left them
    assert report["verdict"] == "different" and said and not report.findings("weights.rounded")


def trained(steps, batch, optimizer=torch.optim.AdamW, lr=1e-4):
    """The weights of an encoder after each of so many steps."""
    torch.manual_seed(1)
    model = torch.nn.TransformerEncoder(torch.nn.TransformerEncoderLayer(64, 4, 128, dropout=0), 2, enable_nested_tensor=False)
    moved, kept = optimizer(model.parameters(), lr=lr), []
    for _ in range(steps + 1):
        kept.append({name: value.clone() for name, value in model.state_dict().items()})
        model(torch.randn(5, batch, 64)).pow(2).mean().backward()
        moved.step(), moved.zero_grad()
    return kept


@pytest.mark.parametrize("a, b", [(0, 1), (0, 3), (2, 3), (3, 2)])
def test_norms_that_a_training_moved_a_little_are_no_codes(a, b, diff):
    states = trained(3, 4)
    assert not diff(states[a], states[b]).findings("weights.rounded")


HALVES = [torch.float16, torch.bfloat16]


@pytest.mark.parametrize("turned", [False, True])
def test_one_model_saved_in_two_types(turned, diff):
    fine = weights()
    a, b = ({name: value.to(kind) for name, value in fine.items()} for kind in (reversed(HALVES) if turned else HALVES))
    report = diff(a, b)
    assert report["diagnosis"] == "A and B hold the weights of one model, rounded to float16 on one side and to bfloat16 on the other"
    assert not report.findings("weights.changed")
    b["in.weight"][3, 4] *= 1.1
    assert "the weights of one model" not in diff(a, b)["diagnosis"]


@pytest.mark.parametrize("first, then", [HALVES, HALVES[::-1]])
def test_values_that_were_rounded_twice(first, then, diff):
    fine = {name: value * 1e-3 for name, value in weights().items()}  # some are subnormal in float16
    twice = {name: value.to(first).to(then) for name, value in fine.items()}
    names = [str(kind).removeprefix("torch.") for kind in (first, then)]
    for stored in (then, torch.float32):
        held = {name: value.to(stored) for name, value in twice.items()}
        assert f"rounded to {names[0]} and then to {names[1]}" in diff(fine, held)["diagnosis"]
    assert "and then" not in diff(fine, {name: value.to(then) for name, value in fine.items()})["diagnosis"]


@pytest.mark.parametrize("optimizer, lora", [("step", False), ("merge", True)])
def test_a_step_on_few_samples_is_no_adapter(optimizer, lora, diff):
    base, moved = trained(1, 1, torch.optim.SGD, 1e-2)
    if lora:
        generator = torch.Generator().manual_seed(3)
        moved = base | {name: value + torch.randn(len(value), 2, generator=generator) @ torch.randn(2, value.shape[1], generator=generator)
                        for name, value in base.items() if "linear" in name and value.dim() == 2}
    found = diff(base, moved).findings("weights.adapted")
    assert all(("training step" in finding["summary"]) != lora and ("merge the same adapter" in finding["remedy"]) == lora for finding in found)
    assert found or not lora
