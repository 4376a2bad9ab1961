"""Planted causes: pairs of checkpoints, written by the real libraries, that differ in known ways; explain must name these
ways and no other. docs/causes.md shows how many pairs there are; make test takes every plant alone and one pair in six."""

import copy
import itertools
import json
import re
import subprocess

import conftest
import pytest
import torch
from sampling import sample
from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessor, ViTMAEConfig, ViTMAEForPreTraining
from vit_test import DECODER, TINY, spread

DROPOUT = {"hidden_dropout_prob": 0.1, "attention_probs_dropout_prob": 0.1}
MODELS = {
    "vit": lambda: ViTForImageClassification(ViTConfig(**TINY, **DROPOUT, num_labels=5)),
    "vit_mae": lambda: ViTMAEForPreTraining(ViTMAEConfig(**TINY, **DECODER, **DROPOUT)),
    "vit without dropout": lambda: ViTForImageClassification(ViTConfig(**TINY, num_labels=5)),
}
LAYER = "vit.layers.1."
FC1 = LAYER + "mlp.fc1.weight"
QUERY, KEY = LAYER + "attention.q_proj.weight", LAYER + "attention.k_proj.weight"


def one_ulp(state):
    state[FC1].view(torch.int32)[3, 5] += 1


def one_layer(state):
    for name in [name for name in state if name.startswith(LAYER)]:
        state[name] += 0.01


def trained_on(state):
    generator = torch.Generator().manual_seed(7)
    for tensor in state.values():
        tensor += torch.randn(tensor.shape, generator=generator) * 0.01


def sign(state):
    state[FC1].neg_()


def not_a_number(state):
    state[FC1][0, 0] = float("nan")


def bfloat16(state):
    for tensor in state.values():
        tensor.copy_(tensor.bfloat16().float())


def half_of_a_layer(state):
    state[FC1].copy_(state[FC1].half().float())


def query_and_key(state):
    state[QUERY], state[KEY] = state[KEY].clone(), state[QUERY].clone()


def two_blocks(state):
    for name in [name for name in state if name.startswith("vit.layers.0.")]:
        other = name.replace("layers.0.", "layers.1.")
        state[name], state[other] = state[other].clone(), state[name].clone()


def missing(state):
    del state["vit.layernorm.weight"]


def minus_zero(state):
    """Both sides have zeros there, this one negative ones: the same numbers."""
    bias = state[LAYER + "attention.q_proj.bias"]
    bias.copy_(torch.where(bias == 0, -0.0, bias))


CHANGED, ROUNDED, REARRANGED = "weights.changed", "weights.rounded", "weights.rearranged"
WEIGHTS = {
    one_ulp: CHANGED, one_layer: CHANGED, trained_on: CHANGED, sign: CHANGED, not_a_number: CHANGED,
    bfloat16: ROUNDED, half_of_a_layer: ROUNDED, query_and_key: REARRANGED, two_blocks: REARRANGED,
}
CONFIG = {"eps": {"layer_norm_eps": 1e-3}, "activation": {"hidden_act": "gelu_new"}, "heads": {"num_attention_heads": 4}}
HARMLESS_CONFIG = {"initializer": {"initializer_range": 0.5}}


class Case:
    def __init__(self, model, route, weights=None, config=None, train=False, processor=False):
        self.model, self.route, self.weights, self.config, self.train, self.processor = model, route, weights, config, train, processor

    def __str__(self):
        planted = [self.weights and self.weights.__name__, self.config, self.train and "train", self.processor and "processor"]
        return f"{self.model}-{self.route}-" + "+".join(part for part in planted if part) if any(planted) else f"{self.model}-{self.route}-nothing"

    def planted(self):
        return sum(map(bool, (self.weights, self.config, self.train, self.processor)))

    def expected(self):
        causes = set()
        if self.model == "vit_mae":
            causes.add("rng.noise")
        if self.weights in WEIGHTS:
            causes.add(WEIGHTS[self.weights])
        if self.weights is trained_on:
            causes.add("file.mixup")  # as two steps of one training are
        if self.weights is missing:
            causes.add("weights.missing")
        if self.weights is not_a_number:
            causes.add("weights.invalid")
        if self.config in CONFIG:
            causes.add("config.changed")
        if self.train and "without" not in self.model:
            causes.add("mode.training")
        if self.processor:
            causes.add("input.preprocessing")
        return causes


def cases():
    """Every plant alone on every route that can carry it, and every two that can stand together."""
    found = []
    for model in MODELS:
        for route in ("hf", "whole", "state", "training", "legacy"):
            whole, directory = route == "whole", route == "hf"
            weights = [None, *WEIGHTS, minus_zero, *([missing] if route in ("state", "training", "legacy") else [])]
            config = [None, *CONFIG, *HARMLESS_CONFIG] if whole or directory else [None]
            for w, c, t, p in itertools.product(weights, config, [False, True] if whole else [False], [False, True] if directory else [False]):
                case = Case(model, route, w, c, t, p)
                if case.planted() <= 1 or (case.planted() == 2 and model != "vit without dropout"):
                    found.append(case)
    return found


CASES = cases()


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    folder = tmp_path_factory.mktemp("matrix")
    found = {}
    for kind, make in MODELS.items():
        torch.manual_seed(1)
        model = spread(make())
        with torch.no_grad():
            model.vit.layers[1].attention.q_proj.bias[::2] = 0
        model.save_pretrained(folder / kind)
        ViTImageProcessor().save_pretrained(folder / kind)
        found[kind] = (model, folder / kind)
    return found


def write(case, model, folder):
    """B of the case."""
    changed = copy.deepcopy(model)
    state = {name: tensor.clone() for name, tensor in changed.state_dict().items()}
    if case.weights:
        case.weights(state)
    if case.config:  # the modules are what runs: they are built from the other config
        config = copy.deepcopy(model.config)
        for field, value in (CONFIG | HARMLESS_CONFIG)[case.config].items():
            setattr(config, field, value)
        changed = type(model)(config)
    if case.route in ("hf", "whole"):
        changed.load_state_dict(state)
        changed.train(case.train)
    path = folder / case.route
    if case.route == "hf":
        changed.save_pretrained(path)
        ViTImageProcessor(**({"image_mean": [0.4, 0.5, 0.6]} if case.processor else {})).save_pretrained(path)
    elif case.route == "whole":
        torch.save(changed, path)
    elif case.route == "training":
        torch.save({"model": state, "epoch": 3}, path)
    else:
        torch.save(state, path, _use_new_zipfile_serialization=case.route == "state")
    return path


@pytest.mark.parametrize("case", [case for case in CASES if case.planted() <= 1] + sample((c for c in CASES if c.planted() > 1), 6), ids=str)
def test_what_is_planted_is_named_and_nothing_else(case, originals, tmp_path):
    model, original = originals[case.model]
    path = write(case, model, tmp_path)
    done = subprocess.run([str(conftest.PROGRAM), "explain", str(original), str(path), "--json"], capture_output=True, text=True, timeout=120)
    report = json.loads(done.stdout)
    named = {finding["cause"] for finding in report["findings"] if finding["role"] != "note" and finding["cause"] != "file.calls"}
    assert named == case.expected(), report["findings"]
    proved = {finding["cause"] for finding in report["findings"] if finding["proof"] == "proved"}
    # A change that this input does not show, and a state dict that cannot be run, are observed.
    if case.weights not in (missing, one_ulp):
        assert case.expected() - {"weights.invalid", "file.mixup", "input.preprocessing"} <= proved, report["findings"]
    outputs = report["outputs"]
    assert report["verdict"] == ("different" if case.expected() - {"input.preprocessing"} else "same") or case.weights is missing
    assert done.returncode == (2 if case.weights is missing and report["verdict"] == "unknown" else 1 if case.expected() else 0)
    assert outputs or case.weights is missing


def test_the_number_of_cases_is_that_of_the_documentation():
    text = (conftest.ROOT / "docs" / "causes.md").read_text()
    shown = re.search(r"(\d+) of (\d+) cases", text)
    assert shown and [int(shown[1]), int(shown[2])] == [len(CASES), len(CASES)]
