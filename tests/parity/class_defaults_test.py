"""What absent fields mean, by model type: the table against the configuration classes of both versions."""

import json
import os
import pathlib
import re
import subprocess
import sys

import pytest
from conftest import PROGRAM

FIELDS = pathlib.Path(os.environ.get("SAMEBITS_FIELDS", PROGRAM.parent / "compare_fields_json"))
TOKENS = ["pad_token_id", "eos_token_id", "bos_token_id", "decoder_start_token_id", "sep_token_id"]
OTHERS = ["tie_word_embeddings", "hidden_act", "position_embedding_type"]

# Prints {model type: {field: value}} of what a config of that type holds where nothing was given, and {"kernel": "sdpa" or "eager"}.
DEFAULTS = r'''
import importlib, inspect, json, pathlib, sys
import transformers as t
from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES, model_type_to_module_name
from transformers.modeling_utils import PreTrainedModel
t.logging.set_verbosity_error()

def kernels(model_type, config):
    folder = model_type_to_module_name(model_type)
    try:
        module = importlib.import_module(f"transformers.models.{folder}.modeling_{folder}")
    except Exception:
        return set()
    return {"sdpa" if cls._supports_sdpa else "eager" for name, cls in inspect.getmembers(module, inspect.isclass)
            if issubclass(cls, PreTrainedModel) and cls.__module__ == module.__name__ and "PreTrainedModel" not in name and cls.config_class is config}

def groups_experts(model_type):
    """Whether 5.24.0 takes grouped_mm where nothing is named."""
    folder = pathlib.Path(t.__file__).parent / "models" / model_type_to_module_name(model_type)
    return any("@use_experts_implementation" in path.read_text() for path in folder.glob("modeling_*.py"))

def reads_positions(model_type):
    folder = pathlib.Path(t.__file__).parent / "models" / model_type_to_module_name(model_type)
    return any("position_embedding_type" in path.read_text() for path in folder.glob("modeling_*.py"))

made = {}
for model_type, name in CONFIG_MAPPING_NAMES.items():
    try:
        cls = getattr(t, name)
        config = cls()
    except Exception:
        continue
    made[model_type] = {field: getattr(config, field) for field in json.loads(sys.argv[1]) if hasattr(config, field)}
    made[model_type]["kernels"] = sorted(kernels(model_type, cls))
    made[model_type]["groups experts"] = groups_experts(model_type)
    made[model_type]["reads positions"] = reads_positions(model_type)
print(json.dumps(made, default=str))
'''


@pytest.fixture(scope="module")
def defaults(python_t4):
    """defaults[version][model type][field]."""
    made = {}
    for version, python in ((4, python_t4), (5, sys.executable)):
        done = subprocess.run([str(python), "-c", DEFAULTS, json.dumps(TOKENS + OTHERS)], capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr[-2000:]
        made[version] = json.loads(done.stdout.splitlines()[-1])
    return made


def compared(requests):
    lines = "".join(json.dumps({"what": "config", "a": a, "b": b}) + "\n" for a, b in requests)
    done = subprocess.run([str(FIELDS)], input=lines, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def meanings(types, field):
    """{model type: what the program says that an absent field means}; None where it does not say it."""
    asked = [({"model_type": each}, {"model_type": each, field: "some other value"}) for each in types]
    found = {}
    for each, answer in zip(types, compared(asked), strict=True):
        text = re.search(r"absent means (.*)$", answer.get(field, {}).get("why", ""))
        found[each] = json.loads(text[1]) if text else "unsaid"
    return found


@pytest.mark.parametrize("field", OTHERS)
def test_an_absent_field_is_the_default_of_the_class(defaults, field):
    types = sorted(defaults[4].keys() | defaults[5].keys())
    said = meanings(types, field)
    wrong, known = [], 0
    for each in types:
        values = [defaults[v][each][field] for v in (4, 5) if field in defaults[v].get(each, {})]
        if said[each] == "unsaid":
            continue
        known += 1
        if values and any(value != said[each] for value in values):
            wrong.append((each, said[each], values))
    assert not wrong, wrong[:10]
    assert known > {"tie_word_embeddings": 350, "hidden_act": 450, "position_embedding_type": 20}[field]


@pytest.mark.parametrize("field", TOKENS)
def test_an_absent_token_is_that_of_the_class_and_null_is_none(defaults, field):
    types = sorted(defaults[4].keys() | defaults[5].keys())
    number = 123456
    asked = [({"model_type": each}, {"model_type": each, field: number}) for each in types]
    nulls = [({"model_type": each, field: None}, {"model_type": each, field: number}) for each in types]
    read = 0
    for each, answer, null in zip(types, compared(asked), compared(nulls), strict=True):
        if answer[field]["effect"] == "nothing":
            continue
        read += 1
        values = {json.dumps(defaults[v][each].get(field)) for v in (4, 5) if each in defaults[v]}
        said = re.search(r"absent means (.*)$", answer[field]["why"])
        assert {said[1]} == values if said else len(values) == 2 and answer[field]["effect"] == "unknown", (each, values, answer)
        allowed = ("training",) if "the blank of the loss" in null[field]["why"] else ("outputs", "unknown")
        assert null[field]["effect"] in allowed and (not said or "absent means" not in null[field]["why"]), (each, null)
    assert read >= {"pad_token_id": 150, "eos_token_id": 20, "bos_token_id": 10, "decoder_start_token_id": 30, "sep_token_id": 2}[field]


@pytest.mark.parametrize("version", [4, 5])
def test_an_absent_kernel_is_what_the_class_takes(defaults, version):
    made = {each: values["kernels"][0] for each, values in defaults[version].items() if len(values["kernels"]) == 1}
    asked = [({"model_type": each, "transformers_version": f"{version}.0.0"}, {"model_type": each, "attn_implementation": kernel})
             for each, kernel in made.items()]
    wrong = [(each, kernel, answer) for (each, kernel), answer in zip(made.items(), compared(asked), strict=True) if "attn_implementation" in answer]
    assert not wrong and len(made) > 250, wrong[:10]
    other = {"sdpa": "eager", "eager": "sdpa"}
    asked = [(a, b | {"attn_implementation": other[b["attn_implementation"]]}) for a, b in asked]
    assert all(answer["attn_implementation"]["effect"] == "numerics" for answer in compared(asked))


def test_an_absent_kernel_of_experts_is_grouped(defaults):
    said = meanings(sorted(defaults[5]), "experts_implementation")
    assert {each for each in said if said[each] == "grouped_mm"} <= {each for each in said if defaults[5][each]["groups experts"]}
    assert sum(value == "grouped_mm" for value in said.values()) > 100 and said["mixtral"] == "grouped_mm" and said["llama"] == "unsaid"


def test_positions_are_read_by_the_versions_that_are_named(defaults):
    types = sorted(defaults[4].keys() & defaults[5].keys())
    asked = [({"model_type": each, "position_embedding_type": "a"}, {"model_type": each, "position_embedding_type": "b"}) for each in types]
    seen = set()
    for each, answer in zip(types, compared(asked), strict=True):
        reads = defaults[4][each]["reads positions"], defaults[5][each]["reads positions"]
        effect = answer["position_embedding_type"]["effect"]
        if effect == "version":
            assert reads == (True, False), each
        elif reads[1]:
            assert effect == "outputs", each
        seen.add(effect)
    assert seen == {"version", "outputs", "nothing"}
