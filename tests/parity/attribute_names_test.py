"""Names that a class gives to fields, and what absent ones mean: the tables against the configuration classes of both versions."""

import json
import os
import pathlib
import subprocess
import sys

import pytest
from conftest import PROGRAM

FIELDS = pathlib.Path(os.environ.get("SAMEBITS_FIELDS", PROGRAM.parent / "compare_fields_json"))

# Fields that class_defaults_test.py asks for.
OF_THE_OTHER_TEST = {"tie_word_embeddings", "hidden_act", "position_embedding_type", "attn_implementation", "experts_implementation", "use_associative_scan",
                     "reference_compile"}

# Prints {model type: {"map": attribute_map, "fields": {field: value}, "heads": [num_attention_heads, num_key_value_heads] beside half the usual heads}}.
CLASSES = r'''
import json, os
os.environ["HF_HUB_OFFLINE"] = "1"
import transformers as t
from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES
t.logging.set_verbosity_error()

def heads(cls, fields):
    half = fields.get("num_attention_heads")
    if not isinstance(half, int) or "num_key_value_heads" not in fields:
        return None
    try:
        return [half // 2, cls(num_attention_heads=half // 2).to_dict()["num_key_value_heads"]]
    except Exception:
        return None

made = {}
for model_type, name in CONFIG_MAPPING_NAMES.items():
    try:
        cls = getattr(t, name)
        config = cls()
    except Exception:
        continue
    fields = {field: value for field, value in config.to_dict().items() if not isinstance(value, dict)}
    made[model_type] = {"map": dict(cls.attribute_map), "fields": fields, "heads": heads(cls, fields)}
print(json.dumps(made, default=str))
'''


@pytest.fixture(scope="module")
def classes(python_t4):
    """classes[version][model type]"""
    started = {version: subprocess.Popen([str(python), "-c", CLASSES], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
               for version, python in ((4, python_t4), (5, sys.executable))}
    made = {}
    for version, process in started.items():
        out, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors[-2000:]
        made[version] = json.loads(out.splitlines()[-1])
    assert len(made[4]) > 350 and len(made[5]) > 350
    return made


@pytest.fixture(scope="module")
def tables():
    done = subprocess.run([str(FIELDS)], input='{"what": "tables"}\n', capture_output=True, text=True, timeout=20)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def of_both(classes, model_type):
    return [classes[version][model_type] for version in (4, 5) if model_type in classes[version]]


def test_names_are_those_on_which_both_versions_agree(classes, tables):
    known = {(alias, name, each) for alias, name, types in tables["names"] for each in types.split()}
    agreed = set()
    for each in classes[4].keys() | classes[5].keys():
        maps = [found["map"] for found in of_both(classes, each)]
        agreed |= {(alias, name, each) for alias, name in maps[0].items() if alias != name and all(other.get(alias) == name for other in maps)}
    assert known == agreed


def test_an_absent_field_is_the_default_of_every_class(classes, tables):
    checked, wrong = 0, []
    for field, text, types, version in tables["defaults"]:
        if version or field in OF_THE_OTHER_TEST:
            continue
        for each in types.split():
            for found in of_both(classes, each):
                if field in found["fields"]:
                    checked += 1
                    wrong += [(each, field, text)] if found["fields"][field] != json.loads(text) else []
    assert not wrong and checked > 2000, wrong[:10]


def test_a_field_that_follows_from_another_does_so_in_every_class(classes, tables):
    checked = 0
    for field, of, factor, types in tables["derived"]:
        for each in types.split():
            for found in of_both(classes, each):
                checked += 1
                if field == "num_key_value_heads":
                    assert found["heads"][1] == found["heads"][0] * factor and of == "num_attention_heads", each
                else:
                    assert found["fields"][field] is None, each
    assert checked > 90


def compared(a, b):
    done = subprocess.run([str(FIELDS)], input=json.dumps({"what": "config", "a": a, "b": b}) + "\n", capture_output=True, text=True, timeout=20)
    assert done.returncode == 0, done.stderr
    return {field: answer["effect"] for field, answer in json.loads(done.stdout).items()}


@pytest.mark.parametrize("model_type, own, usual", [("gpt2", "n_head", "num_attention_heads"), ("t5", "d_model", "hidden_size"), ("mpt", "n_heads", "num_attention_heads"),
                                                    ("bart", "encoder_attention_heads", "num_attention_heads"), ("distilbert", "n_layers", "num_hidden_layers")])
def test_two_names_are_one_field(model_type, own, usual):
    config = {"model_type": model_type}
    assert compared(config | {own: 12}, config | {usual: 12}) == {}
    assert compared(config | {own: 12}, config | {usual: 6}) == {own: "outputs"}
    assert compared(config | {own: 12, usual: 6}, config | {own: 6}) == {}  # the usual name is set last
    other = {"model_type": "bert"}
    assert own in compared(other | {own: 12}, other | {usual: 12})
