"""samebits.open(): tensors are those that torch and safetensors read, and views live as long as they are used."""

import gc
import os
import pickle

import numpy as np
import pytest
import safetensors.torch
import torch
from safetensors.numpy import load_file

import samebits


def test_it_is_a_mapping_of_arrays(example):
    checkpoint = samebits.open(example / "hf")
    truth = load_file(example / "hf" / "model.safetensors")
    assert set(checkpoint) == set(truth) == set(checkpoint.names)
    assert len(checkpoint) == len(truth)
    for name, array in checkpoint.items():
        assert array.dtype == truth[name].dtype
        np.testing.assert_array_equal(array, truth[name])
    assert "nosuch" not in checkpoint
    with pytest.raises(KeyError):
        checkpoint["nosuch"]


def test_what_it_says_of_the_file(example):
    directory = samebits.open(example / "hf")
    assert (directory.kind, directory.config.model_type, directory.mode) == ("hf-directory", "vit_mae", None)
    whole = samebits.open(example / "whole.pth")
    assert whole.kind == "whole-module"
    assert whole.mode.training == 0
    assert [module.path for module in whole.modules][:2] == ["", "model"]
    assert whole.facts.producer.torch_format.startswith("zip")


def test_views_are_of_the_mapped_file_and_keep_it(tmp_path):
    path = tmp_path / "x.safetensors"
    safetensors.torch.save_file({"x": torch.arange(1000.0)}, path)
    checkpoint = samebits.open(path)
    view, again = checkpoint["x"], checkpoint["x"]
    assert view.__array_interface__["data"][0] == again.__array_interface__["data"][0]
    assert not view.flags.writeable
    with pytest.raises(ValueError):
        view[0] = 1
    with pytest.raises(ValueError):
        view.flags.writeable = True
    os.remove(path)
    part = view[500:]
    del checkpoint, view, again
    gc.collect()
    assert part[-1] == 999


TYPES = [
    torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.float8_e4m3fn, torch.float8_e5m2, torch.complex64,
    torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.uint16, torch.bool,
]  # fmt: skip


@pytest.mark.parametrize("dtype", TYPES, ids=str)
@pytest.mark.parametrize("kind", ["zip", "legacy"])
def test_torch_tensors_have_the_bits_of_torch_load(tmp_path, dtype, kind):
    values = torch.arange(24).reshape(2, 3, 4).to(dtype)
    state = {"plain": values, "turned": values.transpose(0, 2), "scalar": values[1, 1, 1], "empty": values[:0], "part": values[:, 1]}
    path = tmp_path / "x.pth"
    torch.save(state, path, _use_new_zipfile_serialization=kind == "zip")
    loaded = samebits.open(path).state_dict()
    assert list(loaded) == list(state)
    for name, tensor in loaded.items():
        truth = state[name]
        assert (tensor.dtype, tensor.shape) == (truth.dtype, truth.shape)
        ours, theirs = (torch.view_as_real(t) if t.is_complex() else t for t in (tensor, truth))
        assert torch.equal(ours.reshape(-1).view(torch.uint8), theirs.reshape(-1).view(torch.uint8)), name


def test_numpy_has_the_narrow_types_by_ml_dtypes(tmp_path):
    ml_dtypes = pytest.importorskip("ml_dtypes")
    path = tmp_path / "x.safetensors"
    values = torch.tensor([1.0, -2.5, 3.0])
    safetensors.torch.save_file({"b": values.bfloat16(), "f": values.to(torch.float8_e4m3fn)}, path)
    checkpoint = samebits.open(path)
    assert checkpoint["b"].dtype == ml_dtypes.bfloat16
    assert checkpoint["b"].astype(np.float32).tolist() == [1.0, -2.5, 3.0]
    assert checkpoint["f"].astype(np.float32).tolist() == [1.0, -2.5, 3.0]


def test_torch_tensors_may_be_written_and_change_no_file(tmp_path):
    path = tmp_path / "x.safetensors"
    safetensors.torch.save_file({"x": torch.zeros(100)}, path)
    before = path.read_bytes()
    checkpoint = samebits.open(path)
    tensor = checkpoint.tensor("x").torch()
    tensor += 1
    assert torch.equal(tensor, torch.ones(100))
    assert checkpoint["x"].sum() == 0
    assert path.read_bytes() == before


def test_tensors_are_read_by_dlpack(example):
    tensor = samebits.open(example / "hf").tensor("vit.layernorm.weight")
    assert torch.equal(torch.from_dlpack(tensor), tensor.torch())
    np.testing.assert_array_equal(np.asarray(tensor), tensor.numpy())


def test_conjugates_and_negatives_are_what_torch_reads(tmp_path):
    z = torch.tensor([1 + 2j, 3 - 4j])
    state = {"conj": z.conj(), "neg": z.clone().conj().imag.clone()}
    state["neg"] = torch._neg_view(state["neg"])
    path = tmp_path / "x.pth"
    torch.save(state, path)
    checkpoint = samebits.open(path)
    for name, truth in state.items():
        np.testing.assert_array_equal(checkpoint[name], truth.resolve_conj().resolve_neg().numpy())
        assert torch.equal(checkpoint.tensor(name).torch(), truth)


def test_a_key_chooses_and_entries_are_all_tensors(tmp_path):
    model = torch.nn.Linear(3, 2)
    optimizer = torch.optim.AdamW(model.parameters())
    model(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    average = {name: value * 2 for name, value in model.state_dict().items()}
    path = tmp_path / "checkpoint.pt"
    torch.save({"model": model.state_dict(), "ema": average, "optimizer": optimizer.state_dict()}, path)
    checkpoint = samebits.open(path)
    assert checkpoint.candidates == ["model", "ema"]
    np.testing.assert_array_equal(samebits.open(path, key="ema")["bias"], average["bias"].numpy())
    roles = {entry.role for entry in checkpoint.entries()}
    assert {"weight", "optimizer"} <= roles
    assert checkpoint.contents.training.optimizer == "optimizer"


def test_errors_have_the_fields_of_the_library(tmp_path):
    path = tmp_path / "x.safetensors"
    path.write_bytes((100).to_bytes(8, "little") + b"{}")
    with pytest.raises(samebits.Error) as caught:
        samebits.open(path)
    error = caught.value
    assert error.code == "truncated"
    assert error.file == str(path)
    assert error.what and str(path) in str(error)
    with pytest.raises(samebits.Error) as caught:
        samebits.open(tmp_path / "nosuch")
    assert (caught.value.code, caught.value.file) == ("io", str(tmp_path / "nosuch"))
    with pytest.raises(samebits.Error) as caught:
        samebits.open(__file__, key="nosuch")
    assert caught.value.file == __file__


def test_errors_travel_between_processes():
    with pytest.raises(samebits.Error) as caught:
        samebits.open("nosuch")
    again = pickle.loads(pickle.dumps(caught.value))
    assert (str(again), again.code, again.file) == (str(caught.value), "io", "nosuch")


def test_a_file_that_was_replaced_is_not_mixed_with_the_old_one(tmp_path):
    path = tmp_path / "x.safetensors"
    safetensors.torch.save_file({"x": torch.zeros(4)}, path)
    checkpoint = samebits.open(path)
    other = tmp_path / "y.safetensors"
    safetensors.torch.save_file({"x": torch.ones(4)}, other)
    os.replace(other, path)
    assert checkpoint["x"].tolist() == [0, 0, 0, 0]
    with pytest.raises(samebits.Error, match="replaced"):
        checkpoint.tensor("x").torch()


def test_names_and_paths_of_any_bytes(tmp_path):
    path = os.fsencode(tmp_path) + b"/caf\xe9.safetensors"
    safetensors.torch.save_file({"x": torch.zeros(4)}, tmp_path / "x.safetensors")
    os.rename(tmp_path / "x.safetensors", path)
    checkpoint = samebits.open(os.fsdecode(path))
    assert os.fsencode(checkpoint.path) == path
    assert samebits.diff(os.fsdecode(path), os.fsdecode(path)).verdict == "same"
