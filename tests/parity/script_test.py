"""TorchScript archives of one model and of others, held against what torch itself computes with them."""

import json
import os

import pytest
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, scale=2.0, act="relu", steps=1, eps=1e-5, note="a"):
        super().__init__()
        self.linear = nn.Linear(4, 4)
        self.norm = nn.LayerNorm(4, eps=eps)
        self.scale, self.act, self.steps, self.note = scale, act, steps, note
        self.loose = torch.full((4,), scale)

    def forward(self, x):
        x = self.norm(self.linear(x)) * self.scale
        for _ in range(self.steps):
            x = x + self.loose
        return torch.relu(x) if self.act == "relu" else torch.tanh(x)


class Relu(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def forward(self, x):
        return torch.relu(self.linear(x))


class Tanh(Relu):
    def forward(self, x):
        return torch.tanh(self.linear(x))


Tanh.__name__ = Tanh.__qualname__ = "Relu"
INPUT = torch.randn(2, 4, generator=torch.Generator().manual_seed(0))


def net(**changes):
    torch.manual_seed(0)
    return Net(**changes).eval()


def save(module, path, way):
    archive = torch.jit.trace(module, INPUT) if way == "traced" else torch.jit.script(module)
    archive = torch.jit.freeze(archive) if way == "frozen" else archive
    archive.save(str(path))
    return path


WAYS = ["scripted", "traced", "frozen"]


@pytest.mark.parametrize("way", WAYS)
def test_one_model_saved_twice_is_the_same(run, tmp_path, way):
    save(Relu().eval(), tmp_path / "before.pt", way)  # so that names are mangled otherwise
    a, b = (save(net(), tmp_path / name, way) for name in ("a.pt", "b.pt"))
    report = run("diff", a, b)
    assert report["verdict"] == "same" and not report["findings"]
    codes = [subject["code"] for subject in report["subjects"]]
    assert codes[0] == codes[1] and codes[0]["way"] == way


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("change", [{"scale": 3.0}, {"act": "tanh"}, {"steps": 2}, {"eps": 1e-3}], ids=lambda c: next(iter(c)))
def test_equal_weights_with_another_program_are_another_model(run, tmp_path, way, change):
    a, b = save(net(), tmp_path / "a.pt", way), save(net(**change), tmp_path / "b.pt", way)
    assert not torch.equal(torch.jit.load(a)(INPUT), torch.jit.load(b)(INPUT))
    report = run("diff", a, b)
    assert report["verdict"] == "different"
    assert report.findings("code.version") or report.findings("config.changed")


def test_what_differs_is_named(run, tmp_path):
    report = run("diff", save(net(), tmp_path / "a.pt", "scripted"), save(net(scale=3.0, eps=1e-3), tmp_path / "b.pt", "scripted"))
    fields = report.finding("config.changed")["evidence"]["fields"]
    assert fields["scale"] == [2.0, 3.0] and fields["norm.eps"] == [1e-5, 1e-3] and "loose" in fields
    torch.manual_seed(0)
    relu, tanh = Relu().eval(), Tanh().eval()
    tanh.load_state_dict(relu.state_dict())
    for way in WAYS:
        report = run("diff", save(relu, tmp_path / "a.pt", way), save(tanh, tmp_path / "b.pt", way))
        assert report["verdict"] == "different" and "torch.tanh" in report.finding("code.version")["details"][0]


def test_an_attribute_that_no_line_reads_is_a_note(run, tmp_path):
    report = run("diff", save(net(), tmp_path / "a.pt", "scripted"), save(net(note="b"), tmp_path / "b.pt", "scripted"))
    assert report["verdict"] == "same"
    assert report.finding("config.changed")["role"] == "note" and "no line of the code reads it" in str(report.finding("config.changed"))


def test_two_ways_of_one_model_have_the_same_weights_and_uncompared_code(run, tmp_path):
    torch.save(net().state_dict(), tmp_path / "sd.pth")
    torch.save(net(), tmp_path / "whole.pth")
    scripted, traced = (save(net(), tmp_path / f"{way}.pt", way) for way in ("scripted", "traced"))
    for a, b in ((scripted, traced), (tmp_path / "sd.pth", traced), (tmp_path / "sd.pth", scripted), (tmp_path / "whole.pth", scripted),
                 (tmp_path / "whole.pth", traced)):
        report = run("diff", a, b)
        assert report["verdict"] == "same" and report.pair("B")["verdict"] == "identical"
        assert any("what its code" in line for line in report["not_checked"])
    assert run("diff", scripted, traced).finding("code.version")["role"] == "note"


def test_a_value_that_a_module_and_its_script_both_state_is_compared(run, tmp_path):
    torch.save(net(eps=1e-3), tmp_path / "whole.pth")
    report = run("diff", tmp_path / "whole.pth", save(net(), tmp_path / "scripted.pt", "scripted"))
    assert report["verdict"] == "different"
    assert report.finding("config.changed")["evidence"]["fields"] == {"norm.eps": [1e-3, 1e-5]}


def test_a_trace_holds_its_mode(run, tmp_path):
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(4, 64), nn.Dropout(0.5), nn.BatchNorm1d(64))
    torch.jit.trace(module.train(), INPUT, check_trace=False).save(str(tmp_path / "train.pt"))
    loaded = torch.jit.load(str(tmp_path / "train.pt")).eval()
    assert not torch.equal(loaded(INPUT), loaded(INPUT))  # eval() does not help
    finding = run("inspect", tmp_path / "train.pt").finding("mode.training")
    assert finding["role"] == "risk" and "trace the model again" in finding["remedy"]
    trace = torch.jit.trace(module.eval(), INPUT)
    trace.train().save(str(tmp_path / "flag.pt"))
    loaded = torch.jit.load(str(tmp_path / "flag.pt"))
    assert loaded.training and torch.equal(loaded(INPUT), loaded(INPUT))
    assert not run("inspect", tmp_path / "flag.pt").findings("mode.training")


def test_nobody_is_told_that_a_loader_fills_what_freezing_dropped(run, tmp_path):
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4)).eval()
    report = run("diff", save(module, tmp_path / "a.pt", "scripted"), save(module, tmp_path / "b.pt", "frozen"))
    missing = report.finding("weights.missing") if report.findings("weights.missing") else None
    assert "loader" not in json.dumps(missing) and "freez" in json.dumps(report["findings"])


class Callable:
    def __reduce__(self):
        return os.getpid, ()


def test_what_must_not_be_loaded_is_not_advised_to_be_loaded(run, tmp_path):
    torch.save({"w": torch.ones(2), "x": Callable()}, tmp_path / "m.pth")
    report = run("inspect", tmp_path / "m.pth")
    assert "weights_only=False" not in "".join(f["remedy"] for f in report.findings("load.refused"))
    assert report.findings("file.calls")
