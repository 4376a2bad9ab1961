"""What cannot be an argument is refused in our words, and in those of a caller of Python."""

import inspect

import numpy
import pytest
import torch

import samebits

A, B = {"a": numpy.ones(3, numpy.float32)}, {"a": numpy.zeros(3, numpy.float32)}


@pytest.mark.parametrize("options, message", [
    ({"rtol": "x"}, r"^rtol is a number of 0 or more \(found 'x'\)$"),
    ({"rtol": -1}, "^rtol is a number of 0 or more"),
    ({"atol": float("nan")}, "^atol is a number of 0 or more"),
    ({"filter": len}, "^filter is a regular expression as text"),
    ({"filter": "("}, "^filter: that is no regular expression"),
    ({"threads": -1}, "^threads is a whole number of 0 or more"),
    ({"threads": "2"}, "^threads is a whole number"),
    ({"key": "model"}, r"^key 'model' is of a file.*Pass what is in it: x\['model'\]"),
    ({"key": [None, "model"]}, "^key 'model' is of a file"),
])  # fmt: skip
@pytest.mark.parametrize("function", [samebits.diff, samebits.assert_same])
def test_options_are_checked_before_anything_is_read(function, options, message):
    with pytest.raises(samebits.Error, match=message):
        function(A, B, **options)


def test_numbers_of_other_libraries_are_numbers():
    assert samebits.diff(A, B, rtol=numpy.float64(0), atol=numpy.float32(2), threads=numpy.int64(1)).verdict == "close"
    assert samebits.diff(A, B, rtol=float("inf")).verdict == "close"
    assert list(inspect.signature(samebits.diff).parameters) == ["a", "b", "key", "filter", "rtol", "atol", "threads"]


@pytest.mark.parametrize("call, message", [
    (lambda: samebits.randn(3, generator=torch.Generator()), r"no samebits.Generator.*set_state\(generator.get_state\(\)\)"),
    (lambda: samebits.randn(3, seed="1"), "^seed is a whole number"),
    (lambda: samebits.randn(3, seed=1.0), "^seed is a whole number"),
    (lambda: samebits.randn(3, seed=1, generator=samebits.Generator(3)), "^give a seed or a generator, not both$"),
    (lambda: samebits.flat(3), "^report is a report"),
    (lambda: samebits.open(None), "^path is a path"),
    (lambda: samebits.open({}), "^path is a path"),
])  # fmt: skip
def test_what_is_none_is_refused_by_its_name(call, message):
    with pytest.raises(samebits.Error, match=message):
        call()


def test_the_state_of_a_torch_generator_is_taken():
    theirs = torch.Generator().manual_seed(4)
    ours = samebits.Generator().set_state(theirs.get_state())
    assert (samebits.randn(5, generator=ours) == torch.randn(5, generator=theirs).numpy()).all()


def test_a_key_of_one_file_is_none_of_what_is_in_memory(tmp_path):
    torch.save({"model": {"a": torch.ones(3)}, "other": {"a": torch.zeros(3)}}, tmp_path / "a.pth")
    assert samebits.diff(tmp_path / "a.pth", A, key="model").verdict == "same"


def test_recordings_are_taken_from_their_blocks_and_of_modules_alone():
    model = torch.nn.Linear(2, 2)
    with samebits.record(model) as recording:
        with pytest.raises(ValueError, match="when its with-block has ended well"):
            samebits.compare_records(recording, recording)
        model(torch.ones(1, 2))
    assert samebits.compare_records(recording, recording.record).verdict == "same"
    with pytest.raises(TypeError, match=r"record takes a torch.nn.Module \(found int\)"):
        samebits.record(3)
    with pytest.raises(TypeError, match=r"compare_records takes paths and recordings \(found int\)"):
        samebits.compare_records(3, recording)
    other = torch.optim.SGD(torch.nn.Linear(2, 2).parameters(), lr=0.1)
    with pytest.raises(ValueError, match="the optimizer has no parameter of the model"):
        with samebits.record_step(model, other):
            pass
    with pytest.raises(TypeError, match="list is no torch.optim.Optimizer"):
        with samebits.record_step(model, []):
            pass
