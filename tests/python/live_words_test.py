"""What explain_live() says is so: of outputs and inputs of any kind, of what is kept from pass to pass, and of what it cannot run."""

import collections
import copy

import numpy
import pytest
import torch
import torch.nn as nn

import samebits
from samebits.live import Live, explain_live

X = torch.randn(3, 8, generator=torch.Generator().manual_seed(1))


@pytest.fixture(autouse=True)
def one_thread_without_gradients():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with torch.no_grad():
        yield
    torch.set_num_threads(threads)


class Gives(nn.Module):
    """A layer whose output is what `make` makes of it."""

    def __init__(self, make, k=1):
        super().__init__()
        self.l, self.k = nn.Linear(8, 4), k
        object.__setattr__(self, "make", make)

    def forward(self, x):
        return self.make(self.l(x), self.k)


def pair(make, k=1):
    torch.manual_seed(0)
    a = Gives(make).eval()
    b = copy.deepcopy(a)
    b.k = k
    return a, b


def of(report, factor):
    (finding,) = [finding for finding in report.findings if finding.factor == factor]
    return finding


# Outputs.

UNSEEN = {
    "numpy": lambda y, k: y.numpy() * k, "set": lambda y, k: {k}, "deque": lambda y, k: collections.deque([y]),
    "generator": lambda y, k: (y for _ in range(k)),
    "sparse": lambda y, k: y.to_sparse(), "nested": lambda y, k: torch.nested.nested_tensor([y, y[:1]]), "meta": lambda y, k: y.to("meta"),
}


@pytest.mark.parametrize("name", UNSEEN)
@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
def test_outputs_that_are_not_compared_are_never_said_to_agree(name):
    a, b = pair(UNSEEN[name], k=2)
    b.l.weight[0] += 1
    report = explain_live(a, b, X)
    assert "agree on these inputs" not in str(report) and any("its contents are not compared" in line for line in report.not_checked)
    assert "the rest was not compared" in str(report)
    assert explain_live(a, copy.deepcopy(a), X).verdict == "unknown"


@pytest.mark.parametrize("make, shown", [
    (lambda y, k: f"text {k}", "'text 1' and 'text 2'"), (lambda y, k: 0.5 * k, "0.5 and 1.0"), (lambda y, k: bytes([k]), "b'\\x01' and b'\\x02'"),
])  # fmt: skip
def test_values_that_differ_are_shown(make, shown):
    report = explain_live(*pair(make, k=2), X)
    assert f"differ: {shown}" in str(report) and "another type" not in str(report)


def test_a_tensor_of_another_type_is_shown():
    assert "differ: float32[3, 4] and float64[3, 4]" in str(explain_live(*pair(lambda y, k: y if k == 1 else y.double(), k=2), X))


# Inputs and attributes.


class Scaled(nn.Module):
    def __init__(self):
        super().__init__()
        self.l = nn.Linear(8, 4)

    def forward(self, x, y=None, *, scale=1.0):
        return self.l(x) * scale + (0 if y is None else y)


@pytest.mark.parametrize("inputs, said", [
    ([{"x": X, "scale": 1.0}, {"x": X, "scale": 2.0}], "inputs: scale 1.0 and scale 2.0"),
    ([{"x": X}, {"x": X, "y": torch.ones(3, 4)}], "inputs: y (none) and y float32[3, 4]"),
    ([(X, torch.tensor(1.0)), (X, torch.tensor(2.0))], "inputs: argument 1 1.0 and argument 1 2.0"),
    ([(X,), (X + 1,)], "inputs: argument 0 float32[3, 8] and argument 0 float32[3, 8], other in 24 of 24 elements, up to 1"),
])  # fmt: skip
def test_which_input_differs_is_named(inputs, said):
    a, b = Scaled(), Scaled()
    b.load_state_dict(a.state_dict())
    assert said in of(explain_live(Live(a, inputs=inputs[0]), Live(b, inputs=inputs[1])), "inputs").details


def test_only_the_layout_of_an_input_differs():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4)).eval()
    images = torch.randn(2, 3, 16, 16)
    other = images.to(memory_format=torch.channels_last)
    assert not torch.equal(model(images), model(other))
    said = of(explain_live(Live(model, inputs=images), Live(copy.deepcopy(model), inputs=other)), "input layout")
    assert said.role == "cause" and said.proof == "proved" and "strides" in said.details[0] and said.remedy == "Convert both inputs to one memory format"


def test_what_an_attribute_differs_in_is_shown():
    def scaled(k):
        return lambda y, _: y * k

    torch.manual_seed(0)
    a = Gives(None)
    b = copy.deepcopy(a)
    object.__setattr__(a, "make", scaled(1))
    object.__setattr__(b, "make", scaled(2))
    a.held, b.held = {"s": torch.zeros(4)}, {"s": torch.ones(4)}
    fields = {}
    for finding in explain_live(a, b, X).findings:
        fields.update(finding.evidence["fields"])
    assert fields == {"make": ["k 1", "k 2"], "held": ["[s] float32[4]", "[s] float32[4], other in 4 of 4 elements"]}


# What is kept.


def test_numbers_that_are_drawn_once_are_not_drawn_in_every_pass():
    class Caches(nn.Module):
        def __init__(self):
            super().__init__()
            self.l, self.c = nn.Linear(8, 4), {}

        def forward(self, x):
            if not self.c:
                self.c["noise"] = torch.rand(4)
            return self.l(x) * self.c["noise"]

    a = Caches().eval()
    report = explain_live(a, copy.deepcopy(a), X)
    said = of(report, "random numbers")
    assert said.summary.startswith("the first forward pass of A and B draws random numbers and keeps them") and said.proof == "proved"
    assert "every forward pass" not in str(report) and "first pass" in said.remedy and a.c == {}


def test_weights_into_which_a_pass_writes_are_given_back():
    class Decays(nn.Module):
        def __init__(self):
            super().__init__()
            self.l = nn.Linear(8, 4)

        def forward(self, x):
            self.l.weight.mul_(0.9)
            return self.l(x)

    a = Decays().eval()
    b, before = copy.deepcopy(a), a.l.weight.clone()
    report = explain_live(a, b, X)
    assert torch.equal(a.l.weight, before) and torch.equal(b.l.weight, before)
    assert "writes into its own weights" in str(report)
    shown = samebits.live.Explanation(samebits.live.TorchRunner(*[samebits.live.Side(label, m, X) for label, m in (("A", a), ("B", b))]), 0, 9)
    shown.report()
    assert all(shown.seeded[label].recorder.calls for label in "AB")  # which parts an input never reaches is asked of them


def test_dropout_left_on_is_one_cause():
    torch.manual_seed(0)
    a = nn.Sequential(nn.Linear(8, 8), nn.Dropout(0.5), nn.Linear(8, 4)).eval()
    b = copy.deepcopy(a).train()
    report = explain_live(a, b, X)
    (said,) = report.findings
    assert (said.cause, said.factor, said.role) == ("mode.training", "mode", "cause") and said.evidence["fields"] == {"1": ["eval", "training"]}
    assert any("draws random numbers in training mode" in line for line in said.details)
    assert "3 more modules are in another mode, which does not matter on these inputs" in said.details


def test_reports_show_themselves_in_a_notebook(tmp_path):
    a, b = pair(lambda y, k: "<b>" if k == 1 else y, k=2)
    page = explain_live(a, b, X)._repr_html_()
    assert page.startswith("<pre") and "<b>" not in page and "&lt;b&gt;" in page
    with samebits.record(a) as recording:
        a(X)
    assert "the same bits" in samebits.compare_records(recording.record, recording.record)._repr_html_()


# What cannot be run.


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_torchscript_is_refused_by_its_name():
    model = nn.Sequential(nn.Linear(8, 4)).eval()
    for made in (torch.jit.script(model), torch.jit.trace(model, X)):
        with pytest.raises(TypeError, match="B: the model is TorchScript.*give the module that it was made of"):
            explain_live(model, made, X)


@pytest.mark.filterwarnings("ignore:Lazy modules")
def test_a_lazy_module_is_refused_by_its_tensor():
    with pytest.raises(ValueError, match="A: 0.weight has no shape yet: run the model once"):
        explain_live(nn.Sequential(nn.LazyLinear(4)), nn.Sequential(nn.LazyLinear(4)), X)


def test_a_call_without_inputs_is_refused_in_our_words():
    class Constant(nn.Module):
        def forward(self):
            return torch.ones(2)

    model = nn.Linear(8, 4)
    for call in (explain_live, samebits.explain):
        with pytest.raises(TypeError, match=r"A was given no inputs: explain_live\(a, b, inputs\)"):
            call(model, copy.deepcopy(model))
    with pytest.raises(TypeError, match="an input of A is an iterator"):
        explain_live(model, copy.deepcopy(model), (each for each in [X]))
    assert explain_live(Constant(), Constant(), ()).verdict == "same"


def test_explain_of_modules_takes_x_and_says_what_it_does_not_take():
    model = nn.Linear(8, 4)
    assert samebits.explain(model, copy.deepcopy(model), x=X).verdict == "same"
    with pytest.raises(samebits.Error, match="explain takes two modules: give a third one a call of its own"):
        samebits.explain(model, model, model, x=X)
    with pytest.raises(samebits.Error, match="load a state_dict into a module"):
        samebits.explain(model, model.state_dict())


def test_a_numpy_input_is_taken_as_it_is():
    class Takes(nn.Module):
        def forward(self, x):
            return torch.from_numpy(x) + 1

    assert explain_live(Takes(), Takes(), numpy.ones(3, numpy.float32)).verdict == "same"
