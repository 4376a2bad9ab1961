"""What each field of a config does to a model of transformers, measured: measured_fields.py FILE [NAME or NAME:FIELD,FIELD ...]

For each type of field_zoo.py a tiny model is built from a fixed seed. Then, for every field of its config, each of some other values is put in, the
model is built again, and the same weights are loaded. FILE gets {type: {field: {"value": of the model, "others": [[value, effect, read], ...]}}}. Effects:

shapes    other names or shapes of tensors: the weights cannot be loaded
refused   the config or the class refuses the value
raises    a forward pass raises
outputs   outputs in eval mode differ
rounding  they differ by rounding
training  outputs or losses in training mode, or the initial values, differ
nothing   no bit differs

`read` says whether code outside of the config's own class asked for the field: what nobody asks for cannot do anything.
"""

import json
import os
import sys
import warnings

os.environ.setdefault("HF_HUB_OFFLINE", "1")
warnings.filterwarnings("ignore")

import torch
import transformers as t
from field_zoo import MODELS
from version_zoo import spread

t.logging.set_verbosity_error()
torch.set_num_threads(1)

ACTIVATIONS = {"relu", "gelu", "silu", "gelu_new", "gelu_pytorch_tanh", "quick_gelu", "swish", "gelu_fast", "relu2", "tanh", "relu6", "hardswish"}
# Values of fields that are words, lists or absent.
WORDS = {
    "feed_forward_proj": ["gated-gelu", "gelu"], "feat_extract_norm": ["group", "layer"], "readout_type": ["ignore", "add"], "norm_mode": ["pre"],
    "layer_type": ["basic", "x"], "position_embedding_type": ["sine", "relative_key", "relative_key_query", "nope"], "summary_type": ["mean"],
    "ctc_loss_reduction": ["mean"], "classifier_pooling": ["mean"], "vision_feature_select_strategy": ["full"], "topk_method": ["greedy"],
    "scoring_func": ["softmax"], "padding_mode": ["reflect"], "norm_type": ["layer_norm"], "rope_scaling": [{"rope_type": "linear", "factor": 2.0}],
    "rope_parameters": [{"rope_type": "default", "rope_theta": 100.0}, {"rope_type": "linear", "factor": 2.0, "rope_theta": 10000.0}],
    "attention_types": [[[["global"], 2]]], "attention_layers": [["local", "global"]], "pos_att_type": [["p2c"], ["c2p"]], "deterministic_flash_attn": [True],
}
EMPTY = [3, 0.5, True, "relu", [1], 16]


def replaced(kinds):
    names = sorted(set(kinds) | {"full_attention", "sliding_attention"})
    return [[names[(names.index(kinds[0]) + 1) % len(names)], *kinds[1:]], [names[0]] * len(kinds)]


def others(field, value):
    """Other values of a field."""
    if field in WORDS:
        found = WORDS[field]
    elif value is None:
        found = EMPTY
    elif isinstance(value, bool):
        found = [not value]
    elif isinstance(value, float):
        found = [0.3, 0.5, value * 2] if "drop" not in field else [0.5]
    elif isinstance(value, int):
        found = [value * 2, value // 2, value + 1, max(value - 1, 0), 1]
    elif isinstance(value, str):
        found = ["relu", "silu", "gelu"] if value in ACTIVATIONS else []
    elif isinstance(value, (list, tuple)) and value and all(isinstance(each, str) for each in value):
        found = replaced(list(value))
    elif isinstance(value, (list, tuple)) and value and all(isinstance(each, (int, float)) and not isinstance(each, bool) for each in value):
        found = [[each * 2 for each in value], list(value)[::-1], [value[0]] * len(value)]
    else:
        found = []
    return [each for i, each in enumerate(found) if each != value and each not in found[:i]]


def ids(length, seed):
    return torch.randint(3, 38, (2, length), generator=torch.Generator().manual_seed(seed))


def floats(*shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(5))


def inputs(kind):
    """Two inputs, the second longer than any window, and what a training pass is given besides."""
    if kind == "text":
        return [dict(input_ids=ids(10, 1)), dict(input_ids=ids(48, 2))]
    if kind == "pair":
        return [dict(input_ids=ids(n, n), decoder_input_ids=ids(n - 3, n + 1)) for n in (10, 48)]
    if kind == "mel":
        return [dict(input_features=floats(1, 8, 32), decoder_input_ids=ids(n, n)[:1]) for n in (10, 40)]
    if kind == "sound":
        return [dict(input_values=floats(2, n)) for n in (400, 900)]
    if kind == "spectrogram":
        return [dict(input_values=floats(1, 32, 16))]
    if kind == "video":
        return [dict(pixel_values=floats(1, 4, 3, 16, 16))]
    if kind.startswith("image") and " " not in kind:
        size = int(kind[5:] or 16)
        return [dict(pixel_values=floats(2, 3, size, size))]
    if kind == "image text":
        text = ids(12, 3)
        text[:, -1] = 39
        return [dict(pixel_values=floats(2, 3, 16, 16), input_ids=text)]
    text = ids(26, 4)[:1]
    text[:, 2:18] = 39
    return [dict(pixel_values=floats(1, 3, 16, 16), input_ids=text)]


class Reads:
    """Which fields code outside of configuration files asks a config for."""

    def __init__(self):
        self.names = None
        base = t.PretrainedConfig
        plain = base.__getattribute__

        def recorded(config, name):
            if self.names is not None and not name.startswith("__"):
                code = sys._getframe(1).f_code.co_filename
                if "configuration_" not in code and not code.startswith("<"):
                    self.names.add(name)
                    self.names.add(type(config).attribute_map.get(name, name))
            return plain(config, name)

        base.__getattribute__ = recorded

    def during(self, work):
        self.names = set()
        try:
            return work(), self.names
        finally:
            self.names = None


READS = Reads()


def tensors(value, name=""):
    if isinstance(value, torch.Tensor):
        yield name, value
    elif isinstance(value, dict):
        for key, each in value.items():
            yield from tensors(each, f"{name}.{key}")
    elif isinstance(value, (list, tuple)):
        for i, each in enumerate(value):
            yield from tensors(each, f"{name}.{i}")


def results(model, given):
    found = []
    for each in given:
        torch.manual_seed(7)
        with torch.no_grad():  # of copies: Whisper masks its input in place
            outputs = model(**{name: value.clone() for name, value in each.items()})
        found.append({name: value for name, value in tensors(dict(outputs)) if "past_key_values" not in name})
    return found


def compared(a, b):
    worst = "nothing"
    for left, right in zip(a, b, strict=True):
        if left.keys() != right.keys() or any(left[name].shape != right[name].shape for name in left):
            return "outputs"
        for name, value in left.items():
            if torch.equal(value, right[name]):
                continue
            if not (value - right[name]).abs().max() <= 2e-5 * value.abs().max():
                return "outputs"
            worst = "rounding"
    return worst


class Measured:
    """One model type with its own values."""

    def __init__(self, name):
        self.cls, self.config, self.fields, kind = MODELS[name]
        self.inputs = inputs(kind)
        self.eager = None
        self.model, self.read = self.built({})
        self.first = {key: value.clone() for key, value in self.model.state_dict().items()}
        torch.manual_seed(11)
        with torch.no_grad():
            for parameter in spread(self.model).parameters():
                parameter.add_(torch.randn(parameter.shape) * 0.1)
        self.state = {key: value.clone() for key, value in self.model.state_dict().items()}
        self.outputs, more = READS.during(lambda: results(self.model.eval(), self.inputs))
        self.trained = self.in_training(self.model)
        self.read |= more

    def built(self, changed, kernel=None):
        config = getattr(t, self.config)(**{**self.fields, **changed})
        config._attn_implementation = kernel
        torch.manual_seed(3)
        return READS.during(lambda: getattr(t, self.cls)(config))

    def in_training(self, model):
        given = [dict(each, labels=self.labels(each)) for each in self.inputs[:1]] if self.takes_labels() else self.inputs[:1]
        try:
            return results(model.train(), given)
        except Exception as error:
            return type(error).__name__

    def takes_labels(self):
        return self.cls.endswith(("LM", "LMHeadModel", "ForConditionalGeneration", "MTModel", "ForImageClassification"))

    def labels(self, given):
        if "pixel_values" in given and "input_ids" not in given:
            return torch.zeros(len(given["pixel_values"]), dtype=torch.long)
        return given.get("decoder_input_ids", given.get("input_ids"))

    def of_eager(self, changed):
        """Outputs by the kernel that knows every option of attention."""
        model, _ = self.built(changed, "eager")
        model.load_state_dict(self.state, strict=True)
        return results(model.eval(), self.inputs)

    def effect(self, changed):
        try:
            model, read = self.built(changed)
        except Exception:
            return "refused", True
        new = model.state_dict()
        if {k: v.shape for k, v in new.items()} != {k: v.shape for k, v in self.state.items()}:
            return "shapes", True
        starts = all(torch.equal(new[key], self.first[key]) for key in new)
        model.load_state_dict(self.state, strict=True)
        try:
            outputs, more = READS.during(lambda: results(model.eval(), self.inputs))
        except Exception:
            return "raises", True
        found = compared(self.outputs, outputs)
        if found == "nothing":
            trained = self.in_training(model)
            same = type(trained) is type(self.trained) and (trained == self.trained if isinstance(trained, str) else compared(self.trained, trained) == "nothing")
            found = "nothing" if same and starts else "training"
        asked = any(name in read | more | self.read for name in changed)
        if found == "nothing" and asked:
            self.eager = self.eager or self.of_eager({})
            try:
                found = compared(self.eager, self.of_eager(changed))
            except Exception:
                found = "raises"
        return found, asked


def fields_of(config):
    """Those of the class itself, with their values."""
    common = set(t.PretrainedConfig().to_dict()) | {"model_type", "transformers_version"}
    own = {name: value for name, value in config.to_dict().items() if name not in common or name == "tie_word_embeddings"}
    return {name: value for name, value in own.items() if not name.endswith("_token_id") and not (isinstance(value, dict) and name.endswith("_config"))}


def measured(name, only=None):
    """{field: {"value": ..., "others": [[value, effect, whether it is read], ...]}}"""
    base = Measured(name)
    return {field: {"value": value, "others": [[other, *base.effect({field: other})] for other in others(field, value)]}
            for field, value in sorted(fields_of(base.model.config).items()) if only is None or field in only}


if __name__ == "__main__":
    made = {}
    for each in sys.argv[2:] or MODELS:
        name, _, chosen = each.partition(":")
        made[name] = measured(name, chosen.split(",") if chosen else None)
    with open(sys.argv[1], "w") as file:
        json.dump(made, file, default=str)
