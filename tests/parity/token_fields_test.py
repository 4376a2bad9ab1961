"""Which model types read the numbers of special tokens in a forward pass: the table against every modeling file of both versions."""

import json
import os
import pathlib
import subprocess
import sys

import pytest
from conftest import PROGRAM

FIELDS = pathlib.Path(os.environ.get("SAMEBITS_FIELDS", PROGRAM.parent / "compare_fields_json"))

# Prints {field: {model type: names of classes of which a method other than generate() and its helpers reads it}}.
SCAN = r'''
import ast, collections, json, pathlib
import transformers
from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES, model_type_to_module_name
from transformers.models.auto.modeling_auto import MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES

FIELDS = ("pad_token_id", "eos_token_id", "bos_token_id", "decoder_start_token_id", "sep_token_id")
OF_GENERATE = ("generate", "prepare_inputs_for_generation", "_prepare", "_init_weights", "from_", "_get_", "_update_model_kwargs", "_reorder", "_expand",
               "_extract", "_validate", "_merge", "_maybe", "_postprocess", "_retrieve", "_set_", "_sample", "_beam", "_setup", "sample", "build_", "freeze",
               "get_decoder_prompt", "get_unconditional", "apply_delay", "convert_", "_pad_to", "_generate", "dummy_inputs", "resize_position_embeddings")

def attributes(node):
    return [each for each in ast.walk(node) if isinstance(each, ast.Attribute)]

def kept(cls):
    """self.X = config.eos_token_id of __init__."""
    names = {}
    for method in cls.body:
        if isinstance(method, ast.FunctionDef) and method.name == "__init__":
            for line in ast.walk(method):
                if isinstance(line, ast.Assign) and isinstance(line.value, ast.Attribute) and line.value.attr in FIELDS:
                    names |= {target.attr: line.value.attr for target in line.targets if isinstance(target, ast.Attribute)}
    return names

def readers(path):
    for cls in ast.walk(ast.parse(path.read_text())):
        if not isinstance(cls, ast.ClassDef):
            continue
        names = kept(cls)
        for method in cls.body:
            if isinstance(method, ast.FunctionDef) and method.name != "__init__" and not method.name.startswith(OF_GENERATE):
                for each in attributes(method):
                    own = isinstance(each.value, ast.Name) and each.value.id == "self"
                    field = each.attr if each.attr in FIELDS else names.get(each.attr) if own else None
                    if field:
                        yield field, cls.name

found = collections.defaultdict(lambda: collections.defaultdict(set))
types = collections.defaultdict(list)
for model_type in CONFIG_MAPPING_NAMES:
    types[model_type_to_module_name(model_type)].append(model_type)
for folder in sorted((pathlib.Path(transformers.__file__).parent / "models").iterdir()):
    for path in folder.glob("modeling_*.py"):
        if not path.name.startswith(("modeling_tf_", "modeling_flax_")):
            for field, cls in readers(path):
                for model_type in types.get(folder.name, ()):
                    found[field][model_type].add(cls)
for model_type, name in MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES.items():
    try:
        cls = getattr(transformers, name)
    except (ImportError, AttributeError, RuntimeError):
        continue
    if cls.forward.__module__.endswith("modeling_layers"):  # one forward pass for all of them
        found["pad_token_id"][model_type].add(name)
print(json.dumps({"types": sorted(CONFIG_MAPPING_NAMES), "found": {f: {t: sorted(c) for t, c in m.items()} for f, m in found.items()}}))
'''


@pytest.fixture(scope="module")
def read_by(python_t4):
    """(model types, {field: {type: classes}}) of both versions together."""
    types, found = set(), {}
    for python in (python_t4, sys.executable):
        done = subprocess.run([str(python), "-c", SCAN], capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr[-2000:]
        said = json.loads(done.stdout)
        types |= set(said["types"])
        for field, readers in said["found"].items():
            for model_type, classes in readers.items():
                found.setdefault(field, {}).setdefault(model_type, set()).update(classes)
    return sorted(types), found


def effects(requests):
    lines = "".join(json.dumps({"what": "config", "a": a, "b": b}) + "\n" for a, b in requests)
    done = subprocess.run([str(FIELDS)], input=lines, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def pair(model_type, cls, field):
    config = {"model_type": model_type, "architectures": [cls]}
    return config | {field: 1}, config | {field: 2}


@pytest.mark.parametrize("field", ["pad_token_id", "eos_token_id", "bos_token_id", "decoder_start_token_id", "sep_token_id"])
def test_a_field_moves_outputs_where_a_forward_pass_reads_it(read_by, field):
    types, found = read_by
    # Towers that hold no text share a folder with those that do.
    types = [each for each in types if "vision" not in each.replace("vision-encoder", "") and "audio" not in each]
    asked = []
    for model_type in types:
        classes = found[field].get(model_type, set())
        always = any(not cls.endswith(("ForSequenceClassification", "ForCTC")) and "ForSequenceClassification" not in cls for cls in classes)
        for ending in ("Model", "ForSequenceClassification", "ForCTC"):
            reads = always or any(ending in cls for cls in classes if ending != "Model")
            asked.append((model_type, ending, reads))
    said = effects(pair(model_type, "Some" + ending, field) for model_type, ending, _ in asked)

    def in_loss(model_type, ending):  # the blank of CTC's loss, which no output follows
        return ending == "ForCTC" and all(cls.endswith("ForCTC") for cls in found[field].get(model_type, ()))

    wrong = [(model_type, ending, reads, answer) for (model_type, ending, reads), answer in zip(asked, said, strict=True)
             if answer[field]["effect"] != (("training" if in_loss(model_type, ending) else "outputs") if reads else "nothing")]
    assert not wrong, wrong[:10]


def test_code_beside_the_weights_may_read_it():
    a, b = pair("llama", "LlamaForCausalLM", "pad_token_id")
    code = {"auto_map": {"AutoModel": "modeling_my.My"}}
    assert effects([(a | code, b | code)])[0]["pad_token_id"]["effect"] == "unknown"


def test_a_field_of_an_unnamed_class_is_not_known():
    a, b = ({"model_type": "llama", "pad_token_id": value} for value in (1, 2))
    assert effects([(a, b)])[0]["pad_token_id"]["effect"] == "unknown"
