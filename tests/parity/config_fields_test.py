"""The table of config fields against the config classes and image processors themselves: every field of transformers
4.57.6 and 5.24.0 is known, every default agrees, and one config saved by every route and version is one config.

SAMEBITS_FIELDS     the program compare_fields_json (default: beside SAMEBITS)
SAMEBITS_PYTHON_T4  an interpreter with transformers 4.57.6
"""

import json
import os
import pathlib
import subprocess
import sys

import pytest
from conftest import PROGRAM

FIELDS = pathlib.Path(os.environ.get("SAMEBITS_FIELDS", PROGRAM.parent / "compare_fields_json"))
CLASSES = ["ViTConfig", "ViTMAEConfig", "DeiTConfig", "Dinov2Config", "Dinov2WithRegistersConfig"]
PROCESSORS = ["ViT", "DeiT", "Bit", "CLIP"]
CHANGED = {"hidden_size": 96, "num_hidden_layers": 3, "layer_norm_eps": 1e-5, "image_size": 32, "num_labels": 7}

# Attributes as they stand in a pickle: private ones left out but those that the reader keeps.
CONFIGS = """
import json, sys, transformers

KEPT = ("_name_or_path", "_attn_implementation", "_attn_implementation_internal")

def plain(value):
    return str(value).removeprefix("torch.") if type(value).__module__ == "torch" else value

def described(config):
    config._attn_implementation = "sdpa"
    attributes = {name: plain(value) for name, value in config.__dict__.items() if name[0] != "_" or name in KEPT}
    attributes["model_type"] = config.model_type
    whole = config.to_dict()
    config.architectures, config.dtype = ["Model"], "float32"
    return {"attributes": attributes, "whole": whole, "saved": json.loads(config.to_json_string()),
            "private": [name for name in config.__dict__ if name[0] == "_"]}

classes, changed = json.loads(sys.argv[1])
made = {}
for name in classes:
    cls = getattr(transformers, name)
    made[name] = {"default": described(cls()), "changed": described(cls(**changed))}
json.dump(made, open(sys.argv[2], "w"))
"""

IMAGE_PROCESSORS = """
import json, sys, tempfile, transformers

made = {}
for name in json.loads(sys.argv[1]):
    for suffix in ("", "Fast", "Pil"):
        try:
            processor = getattr(transformers, name + "ImageProcessor" + suffix)()
        except (AttributeError, ImportError):
            continue
        with tempfile.TemporaryDirectory() as folder:
            processor.save_pretrained(folder)
            made.setdefault(name, []).append(json.load(open(folder + "/preprocessor_config.json")))
json.dump(made, open(sys.argv[2], "w"))
"""


def introspect(python, script, argument, out):
    done = subprocess.run([str(python), "-c", script, json.dumps(argument), str(out)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(out.read_text())


@pytest.fixture(scope="module")
def configs(python_t4, tmp_path_factory):
    """configs[version][class]["default" or "changed"]: what that version holds and writes."""
    out = tmp_path_factory.mktemp("configs")
    pythons = {4: python_t4, 5: sys.executable}
    return {version: introspect(python, CONFIGS, [CLASSES, CHANGED], out / f"{version}.json")
            for version, python in pythons.items()}


@pytest.fixture(scope="module")
def compare():
    if not FIELDS.exists():
        pytest.fail(f"{FIELDS} does not exist: build compare_fields_json, or name it in SAMEBITS_FIELDS")

    def run(what, a, b):
        request = json.dumps({"what": what, "a": a, "b": b})
        done = subprocess.run([str(FIELDS)], input=request + "\n", capture_output=True, text=True, timeout=20)
        assert done.returncode == 0, done.stderr
        response = json.loads(done.stdout)
        assert "error" not in response, response
        return {field: difference["effect"] for field, difference in response.items()}

    return run


@pytest.mark.parametrize("version", [4, 5])
@pytest.mark.parametrize("name", CLASSES)
def test_every_field_is_known(compare, configs, version, name):
    config = configs[version][name]["default"]
    model_type = config["attributes"]["model_type"]
    fields = config["attributes"].keys() | config["whole"].keys() | config["saved"].keys() | set(config["private"])
    # A value that no field has, so that each differs, and each alone, so that none hides behind another.
    effects = {}
    for field in sorted(fields - {"model_type"}):
        effects |= compare("config", {"model_type": model_type, field: "a"}, {"model_type": model_type, field: "b"})
    assert not [field for field, effect in effects.items() if effect == "unknown"]
    assert len(effects) >= 15


@pytest.mark.parametrize("version", [4, 5])
@pytest.mark.parametrize("name", CLASSES)
def test_an_absent_field_is_the_class_default(compare, configs, version, name):
    config = configs[version][name]["default"]
    model_type = {"model_type": config["attributes"]["model_type"]}
    assert compare("config", model_type, config["attributes"]) == {}
    assert compare("config", model_type, config["whole"]) == {}
    assert compare("config", model_type, config["saved"]) == {}


@pytest.mark.parametrize("version", [4, 5])
@pytest.mark.parametrize("name", CLASSES)
def test_saved_and_pickled_are_one_config(compare, configs, version, name):
    config = configs[version][name]["changed"]
    assert compare("config", config["saved"], config["attributes"]) == {}
    assert compare("config", config["attributes"], config["whole"]) == {}


@pytest.mark.parametrize("name", CLASSES)
def test_versions_differ_by_notes_alone(compare, configs, name):
    forms = [configs[version][name]["changed"][form] for version in (4, 5) for form in ("saved", "attributes")]
    for a in forms:
        for b in forms:
            assert set(compare("config", a, b)) <= {"transformers_version"}
    changed = compare("config", configs[4][name]["default"]["saved"], configs[5][name]["changed"]["attributes"])
    assert {field for field, effect in changed.items() if effect == "outputs"} >= {"hidden_size", "layer_norm_eps"}


@pytest.mark.parametrize("name", PROCESSORS)
def test_processors_of_all_classes_and_versions_are_one(compare, python_t4, tmp_path, name):
    made = []
    for version, python in ((4, python_t4), (5, sys.executable)):
        made += introspect(python, IMAGE_PROCESSORS, [name], tmp_path / f"{version}.json").get(name, [])
    if not made:
        pytest.skip("no image processor: Pillow or torchvision is not installed")
    bare = {"image_processor_type": f"{name}ImageProcessor"}
    for a in made:
        for b in [*made, bare]:
            assert set(compare("preprocessing", a, b).items()) <= {("image_processor_type", "numerics")}
