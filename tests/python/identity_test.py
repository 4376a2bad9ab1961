"""fingerprint() is the digest that docs/lock.md specifies, whatever holds the tensors."""

import hashlib
import pathlib
import re

import numpy as np
import pytest
import torch

import samebits

VECTORS = dict(
    re.findall(r"^\| `?([a-z ]+)`? \| `([0-9a-f]{64})` \|$", (pathlib.Path(__file__).parents[2] / "docs" / "lock.md").read_text(), re.M)
)


def test_the_test_vectors_of_the_document():
    a = np.arange(4, dtype=np.float32).reshape(2, 2)
    state = {"a": a, "b": np.array([1, 2, 3]), "c": a, "d": np.float32(0.5)}
    assert len(VECTORS) == 6
    for name in ("a", "b", "d"):
        assert samebits.fingerprint(np.asarray(state[name])) == VECTORS[name]
    assert samebits.fingerprint(state) == VECTORS["named"]
    assert samebits.fingerprint(state, names=False) == VECTORS["contents"]
    assert samebits.fingerprint(state, names=False, fast=True) == "ca242a67885aa066ac5795aff9cd0b25"


def test_every_holder_of_the_same_tensors_has_one_fingerprint(example, tmp_path):
    lock = samebits.lock(example / "statedict.pth")
    state = samebits.open(example / "statedict.pth").state_dict()
    arrays = dict(samebits.open(example / "statedict.pth"))
    for holder in (example / "statedict.pth", samebits.open(example / "statedict.pth"), state, arrays):
        assert samebits.fingerprint(holder) == lock.named
        assert samebits.fingerprint(holder, names=False) == lock.contents
    assert samebits.fingerprint(example / "hf", names=False) == lock.contents
    assert samebits.fingerprint(example / "hf") != lock.named


def test_a_module_has_the_fingerprint_of_its_state_dict():
    module = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.BatchNorm1d(3))
    assert samebits.fingerprint(module) == samebits.fingerprint(module.state_dict())
    before = samebits.fingerprint(module)
    module(torch.randn(2, 4))  # moves the running statistics
    assert samebits.fingerprint(module) != before


def test_a_tensor_is_the_sha256_of_its_bytes():
    tensor = torch.randn(5, 7)
    assert samebits.fingerprint(tensor) == hashlib.sha256(tensor.numpy().tobytes()).hexdigest()
    assert samebits.fingerprint(tensor.t()) == hashlib.sha256(tensor.t().contiguous().numpy().tobytes()).hexdigest()
    assert samebits.fingerprint(torch.zeros(0)) == hashlib.sha256(b"").hexdigest()
    with pytest.raises(samebits.Error):
        samebits.fingerprint(torch.zeros(3, device="meta"))


class Foreign:
    """An array of another library, which offers DLPack alone."""

    def __init__(self, array):
        self.array = array

    def __dlpack__(self, **options):
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self):
        return self.array.__dlpack_device__()


def test_arrays_of_other_libraries_and_of_checkpoints(example):
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    assert samebits.fingerprint(Foreign(array)) == samebits.fingerprint(array)
    assert samebits.diff({"x": Foreign(array)}, {"x": array}).verdict == "same"
    checkpoint = samebits.open(example / "hf")
    tensor = checkpoint.tensor("vit.layernorm.weight")
    assert samebits.fingerprint(tensor) == samebits.fingerprint(checkpoint["vit.layernorm.weight"]) == tensor.sha256()
    assert samebits.diff({t.name: t for t in checkpoint.tensors()}, checkpoint).verdict == "same"


def test_what_holds_no_weights_has_none():
    with pytest.raises(samebits.Error) as caught:
        samebits.fingerprint({})
    assert caught.value.code == "usage"


def test_the_digest_of_bytes():
    for data in (b"", b"abc", np.arange(100, dtype=np.uint8)):
        assert samebits._native.sha256_hex(np.frombuffer(bytes(data), np.uint8)) == hashlib.sha256(bytes(data)).hexdigest()
