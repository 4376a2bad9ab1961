"""Whole modules of any class with equal tensors: `same` only where the outputs are, `different` only where something could move them."""

import copy
import io
import warnings

import module_zoo
import pytest
import torch


def output(model, x):
    """Of a copy, as a file gives it: generators in it move on."""
    file = io.BytesIO()
    torch.save(model, file)
    file.seek(0)
    with torch.no_grad():
        return torch.load(file, weights_only=False).eval()(x)


def equal(a, b):
    return a.dtype == b.dtype and a.shape == b.shape and torch.equal(torch.nan_to_num(a), torch.nan_to_num(b))


def agree(a, b, x):
    try:
        return equal(output(a, x), output(b, x))
    except (RuntimeError, TypeError):
        return False  # one of them cannot take this input


@pytest.fixture
def compare(run, tmp_path):
    def compare_models(a, b):
        for name, model in (("a.pth", a), ("b.pth", b)):
            torch.save(model.eval(), tmp_path / name)
        return run("diff", tmp_path / "a.pth", tmp_path / "b.pth")

    return compare_models


@pytest.mark.parametrize("name", module_zoo.OTHER)
def test_other_outputs_are_never_the_same(name, compare):
    a, b, x = module_zoo.OTHER[name]
    assert not agree(a, b, x)
    assert compare(a, b)["verdict"] in ("different", "unknown")


@pytest.mark.parametrize("name", module_zoo.ALIKE)
def test_what_cannot_matter_is_the_same(name, compare):
    a, b, x = module_zoo.ALIKE[name]
    assert agree(a, b, x)
    assert compare(a, b)["verdict"] == "same"


@pytest.mark.parametrize("name", module_zoo.ALIKE_IN_TRAINING)
def test_what_moves_no_output_in_training_mode_is_the_same(name, run, tmp_path):
    a, b, x = module_zoo.ALIKE_IN_TRAINING[name]
    for each, path in ((a, tmp_path / "a.pth"), (b, tmp_path / "b.pth")):
        torch.save(each.train(), path)
    assert equal(copy.deepcopy(a)(x), copy.deepcopy(b)(x))
    assert run("diff", tmp_path / "a.pth", tmp_path / "b.pth")["verdict"] == "same"


@pytest.mark.parametrize("name", module_zoo.OPEN)
def test_what_only_code_could_tell_is_left_open(name, compare):
    a, b, x = module_zoo.OPEN[name]
    assert agree(a, b, x)
    assert compare(a, b)["verdict"] != "same"


def test_another_order_is_shown_as_two_orders(compare):
    a = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Tanh(), torch.nn.Linear(4, 4))
    b = copy.deepcopy(a)
    b._modules["0"] = b._modules.pop("0")
    finding = compare(a, b).finding("code.version")
    assert finding["evidence"]["fields"] == {"order": ["0, 1, 2", "1, 2, 0"]}


def test_classes_of_one_side_are_no_other_version(compare):
    model = torch.nn.Sequential(torch.nn.Linear(4, 4))
    report = compare(model, torch.nn.DataParallel(model))
    note = report.finding("code.version")
    assert report["verdict"] == "same" and "versions" not in note["summary"] and "classes" in note["summary"]


@pytest.fixture(scope="module")
def bert():
    from transformers import BertConfig, BertModel

    torch.manual_seed(0)
    config = BertConfig(hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=48, vocab_size=50)
    return BertModel(config).eval()


def other_activation(model):
    from transformers.activations import NewGELUActivation

    model.encoder.layer[0].intermediate.intermediate_act_fn = NewGELUActivation()


def other_heads(model):
    model.encoder.layer[1].attention.self.num_attention_heads = 4
    model.encoder.layer[1].attention.self.attention_head_size = 8


@pytest.mark.parametrize("change", [other_activation, other_heads])
def test_a_part_of_a_librarys_model_in_another_one_is_seen(change, bert, compare):
    changed = copy.deepcopy(bert)
    change(changed)
    words = torch.arange(8)[None]
    with torch.no_grad():
        assert not torch.equal(bert(words).last_hidden_state, changed(words).last_hidden_state)
    assert compare(bert, changed)["verdict"] in ("different", "unknown")
    assert compare(bert, copy.deepcopy(bert))["verdict"] == "same"


def test_frozen_parameters_are_noted(compare):
    a, b, _ = module_zoo.ALIKE["requires_grad"]
    fields = compare(a, b).finding("config.changed")["evidence"]["fields"]
    assert len(fields) == 6 and fields["0.weight.requires_grad"] == [True, False]
