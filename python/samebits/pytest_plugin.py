"""The pytest fixture `same_bits`: values and whole forward passes that must keep their bits.

    def test_serving_and_training_agree(same_bits):
        same_bits(serve(x), train(x))                      # two values: tensors in whatever tuples, dicts and dataclasses

    def test_the_model_computes_what_it_did(same_bits):
        with same_bits.recorded(model):                    # a forward pass against the recording that is kept beside the test
            model(x)

Recordings stand in the folder `same_bits` beside the test's file. `pytest --same-bits-update` writes them; without it a test whose
recording is absent fails. A failure names the first module that computes something else.
"""

import contextlib
import pathlib
import re

import pytest


def pytest_addoption(parser):
    parser.getgroup("samebits").addoption(
        "--same-bits-update", action="store_true", help="write the recordings of same_bits.recorded() anew"
    )


@pytest.fixture
def same_bits(request):
    """Asserts that values, or a pass and its recording, have the same bits."""
    return SameBits(request.node, request.config.getoption("--same-bits-update"))


class SameBits:
    def __init__(self, node, update):
        self._node, self._update = node, update
        self._blocks, self._written = 0, set()  # blocks without a name so far; files that this test wrote

    def __call__(self, a, b):
        """Asserts that two values have the same leaves in the same places: tensors of one dtype and shape with equal bytes, so that NaN
        equals itself and -0 is not 0; everything else equal by its text."""
        __tracebackhide__ = True
        sentence = unlike(a, b)
        if sentence:
            pytest.fail(sentence, pytrace=True)

    @contextlib.contextmanager
    def recorded(self, model, name=None, **options):
        """Records the passes that `model` makes in the block and compares them with the recording of this test, or of `name`. The second block
        of a test without a name has a recording of its own, and so on. `options`: those of samebits.record(); with values="small" a failure
        says how far the values are apart."""
        from .record import Record, compare_records, record

        __tracebackhide__ = True
        path = self._path(name or self._next_name())
        with record(model, **options) as recording:
            yield recording
        if not recording.record.calls:
            pytest.fail(f"the block made no pass of the {type(model).__name__} that can be recorded", pytrace=False)
        if self._update and path not in self._written:
            self._written.add(path)
            path.parent.mkdir(exist_ok=True)
            recording.record.save(path)
            return
        if not path.exists():
            pytest.fail(f"{path} is not there: pytest --same-bits-update writes it", pytrace=False)
        found = compare_records(Record.load(path), recording.record)
        if not found:
            pytest.fail(f"A is {path.name}, B this run\n{found}", pytrace=True)

    def _next_name(self):
        self._blocks += 1
        return f"{self._node.name}-{self._blocks}" if self._blocks > 1 else self._node.name

    def _path(self, name):
        return pathlib.Path(self._node.path).parent / "same_bits" / (re.sub(r"[^\w.-]+", "-", name).strip("-") + ".safetensors")


def unlike(a, b):
    """A sentence on the first place where two values differ, or None."""
    from . import live_tensors

    one, other = live_tensors.leaves(a), live_tensors.leaves(b)
    if [path for path, _ in one] != [path for path, _ in other]:
        alone = [path for path, _ in one if path not in dict(other)] or [path for path, _ in other if path not in dict(one)]
        return f"the two have other parts: {alone[0] if alone and alone[0] else 'a single value'} is in one of them alone"
    for (path, x), (_, y) in zip(one, other):
        sentence = _unlike_leaf(x, y)
        if sentence:
            return f"{path.lstrip('.') or 'the values'}: {sentence}"
    return None


def _unlike_leaf(x, y):
    import torch

    from . import live_alike, live_tensors

    if isinstance(x, live_tensors.Opaque) or isinstance(y, live_tensors.Opaque):
        return f"{getattr(x, 'kind', 'a value')} cannot be compared: pass its tensors"
    if not (isinstance(x, torch.Tensor) and isinstance(y, torch.Tensor)):
        return None if type(x) is type(y) and repr(x) == repr(y) else f"{live_alike.shown(x)} and {live_alike.shown(y)}"
    for side in (x, y):
        if live_tensors.unreadable(side):
            return f"{live_tensors.unreadable(side)} cannot be compared: pass its values as dense tensors"
    if x.dtype != y.dtype or x.shape != y.shape:
        return f"{live_alike.shown(x)} and {live_alike.shown(y)}"
    if live_tensors.same_bits(x, y):
        return None
    numbers = live_tensors.difference(x, y)
    if not numbers["differing"]:
        return "the same numbers with other bits (-0 and 0, or another NaN)"
    most = "" if numbers["max_abs"] is None else f", by up to {numbers['max_abs']:.3g}"
    return f"{numbers['differing']} of {numbers['elements']} elements differ{most}"
