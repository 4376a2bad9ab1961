"""explain_live() on two models that are the same in another way than by names and bits: rounded, renamed, rearranged, computed from others."""

import collections
import copy

import pytest
import torch
import torch.nn as nn
import transformers

from samebits.live import explain_live

X = torch.randn(3, 8, generator=torch.Generator().manual_seed(1))


@pytest.fixture(autouse=True)
def one_thread_without_gradients():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with torch.no_grad():
        yield
    torch.set_num_threads(threads)


def net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 4)).eval()


def renamed(model):
    return nn.Sequential(collections.OrderedDict((f"fc{i}", part) for i, part in enumerate(copy.deepcopy(model)))).eval()


def only(report, role="cause"):
    (finding,) = [finding for finding in report.findings if finding.role == role]
    return finding


# Weights that are the same in another way.


@pytest.mark.parametrize("which", [0, 1])
def test_rounded_weights_are_not_other_weights(which):
    a = net()
    pair = [a, copy.deepcopy(a).bfloat16().float()]
    said = only(explain_live(pair[which], pair[1 - which], X))
    assert (said.cause, said.factor, said.proof) == ("weights.rounded", "weights", "proved")
    assert said.remedy.startswith("They are the same weights, rounded: keep the full type") and "other" not in said.summary


def test_weights_of_which_some_are_rounded_are_told_apart():
    a = net()
    b = copy.deepcopy(a)
    b[0].weight.copy_(a[0].weight.bfloat16())
    b[2].weight[0] += 1
    said = only(explain_live(a, b, X))
    assert said.cause == "weights.changed" and any("rounded to a narrower type: they are the same weights" in line for line in said.details)


def test_modules_under_other_names_are_paired_by_what_they_hold():
    a = net()
    b = renamed(a)
    report = explain_live(a, b, X)
    assert report.verdict == "same" and [(f.role, f.cause) for f in report.findings] == [("note", "weights.renamed")]
    b.fc2.weight[0] += 1
    b.fc1 = nn.GELU().eval()
    report = explain_live(a, b, X)
    causes = {f.factor: f for f in report.findings if f.role == "cause"}
    assert causes["weights"].evidence["tensors"] == ["2.weight"] and causes["classes"].details[0] == "1: ReLU and GELU"
    assert set(causes) == {"weights", "classes"} and list(dict(b.named_children())) == ["fc0", "fc1", "fc2", "fc3", "fc4"]


def test_parts_in_another_order_are_paired_by_their_tensors():
    class Both(nn.Module):
        def __init__(self, names):
            super().__init__()
            self.order = sorted(names)
            for name in names:
                self.add_module(name, nn.Linear(8, 8))

        def forward(self, x):
            return [self.get_submodule(name)(x) for name in self.order]

    torch.manual_seed(0)
    a, b = Both(["key", "value"]), Both(["w", "k"])
    b.k.load_state_dict(a.key.state_dict())
    b.w.load_state_dict(a.value.state_dict())
    a.order = b.order = []
    a.forward = b.forward = lambda x: x
    report = explain_live(a, b, X)
    assert all(f.factor != "weights" for f in report.findings), str(report)


def test_a_model_around_a_model_is_looked_through():
    a = net()
    b = copy.deepcopy(a)
    wrapped = nn.Sequential(nn.Sequential(b)).eval()
    assert explain_live(a, wrapped, X).verdict == "same" and explain_live(wrapped, a, X).verdict == "same"
    b[0].weight[0] += 1
    assert only(explain_live(a, wrapped, X)).evidence["tensors"] == ["0.weight"]


def test_what_a_module_around_a_model_does_is_said_not_to_be_exchanged():
    class Doubled(nn.Module):
        def __init__(self, inside):
            super().__init__()
            self.inside = inside

        def forward(self, x):
            return 2 * self.inside(x)

    a = net()
    report = explain_live(a, Doubled(copy.deepcopy(a)).eval(), X)
    assert report.verdict == "different" and "what B's Doubled does around its Sequential is not exchanged" in report.not_checked


def test_transposed_exchanged_and_permuted_weights_have_their_own_words():
    a = net()
    b = copy.deepcopy(a)
    b[2].weight.copy_(a[2].weight.t().clone())
    said = only(explain_live(a, b, X))
    assert said.cause == "weights.rearranged" and "transposed" in said.summary and "layout" in said.remedy and said.proof == "proved"
    b, order = copy.deepcopy(a), torch.arange(15, -1, -1)
    b[0].weight.copy_(a[0].weight[order])
    b[0].bias.copy_(a[0].bias[order])
    b[2].weight.copy_(a[2].weight[:, order])
    said = only(explain_live(a, b, X))
    assert said.cause == "weights.rearranged" and "the same units, sorted otherwise" in said.summary


def test_a_pruned_layer_is_one_cause_with_its_name():
    from torch.nn.utils import prune

    a = net()
    b = copy.deepcopy(a)
    torch.manual_seed(0)
    prune.random_unstructured(b[2], "weight", 0.3)
    for pair in ((a, b), (b, a)):
        report = explain_live(*pair, X)
        said = only(report)
        assert len(report.findings) == 1 and said.cause == "weights.layout" and "(pruning)" in said.summary and "2.weight_orig" in said.remedy
    assert set(dict(b.named_buffers())) == {"2.weight_mask"} and len(b[2]._forward_pre_hooks) == 1


def test_a_mask_that_masks_nothing_is_no_difference():
    from torch.nn.utils import prune

    a = net()
    b = copy.deepcopy(a)
    prune.identity(b[2], "weight")
    report = explain_live(a, b, X)
    assert report.verdict == "same" and only(report, "risk").cause == "weights.layout" and "prune.remove" in only(report, "risk").remedy


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_state_that_no_setting_gives_is_to_be_loaded():
    from torch.nn.utils import parametrizations, prune

    a = nn.Sequential(parametrizations.spectral_norm(nn.Linear(8, 8))).eval()
    b = copy.deepcopy(a)
    b.train()(X)
    b.eval()
    said = only(explain_live(a, b, X))
    assert said.factor == "buffers" and said.remedy.startswith("Load the state_dict()") and "eval()" in said.remedy
    a, b = net(), net()
    for model, seed in ((a, 0), (b, 1)):
        torch.manual_seed(seed)
        prune.random_unstructured(model[2], "weight", 0.3)
    said = only(explain_live(a, b, X))
    assert said.factor == "buffers" and said.remedy.startswith("Load the state_dict()") and "settings" not in said.remedy


def test_not_a_number_is_counted():
    a = net()
    b = copy.deepcopy(a)
    b[2].weight[0] = float("nan")
    assert "2.weight: 16 of 256 elements; NaN in 0 (A) and 16 (B)" in only(explain_live(a, b, X)).details


# Differences that are none.


def test_zeros_of_two_signs_are_the_same_numbers():
    a = net()
    b = copy.deepcopy(a)
    a[4].bias.zero_()
    b[4].bias.fill_(-0.0)
    report = explain_live(a, b, X)
    assert report.verdict == "same" and "the same numbers with other bits" in only(report, "note").summary


def test_config_fields_that_no_pass_reads_are_notes_as_diff_says():
    torch.manual_seed(0)
    sizes = dict(n_embd=32, n_layer=1, n_head=2, vocab_size=40, n_positions=16, eos_token_id=1, bos_token_id=2)
    a = transformers.GPT2LMHeadModel(transformers.GPT2Config(**sizes)).eval()
    b = copy.deepcopy(a)
    b.config.eos_token_id, b.config.bos_token_id = 3, 4
    report = explain_live(a, b, torch.tensor([[5, 6, 7]]))
    assert report.verdict == "same" and "eos_token_id" in only(report, "note").summary
    assert any("no forward pass of this model type reads it" in line for line in only(report, "note").details)


def test_what_a_recurrent_module_keeps_for_its_memory_is_no_attribute():
    torch.manual_seed(0)
    a = nn.LSTM(8, 6).eval()
    b = copy.deepcopy(a)
    b.weight_ih_l0 = nn.Parameter(b.weight_ih_l0 * 1.1)
    report = explain_live(a, b, X[None])
    assert [finding.factor for finding in report.findings] == ["weights"]
