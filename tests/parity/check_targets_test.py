"""Predicted loads against real ones, name by name: every class of the ViT family, saved by transformers 4.57.6 and
5.24.0 in several ways, loaded by both, by from_pretrained and by load_state_dict(strict=False).

SAMEBITS_PREDICT    the program predict_load_json (default: beside SAMEBITS)
SAMEBITS_PYTHON_T4  an interpreter with transformers 4.57.6
"""

import itertools
import json
import os
import pathlib
import subprocess
import sys

import pytest
from conftest import HERE, PROGRAM
from safetensors.torch import load_file, save_file

PREDICT = pathlib.Path(os.environ.get("SAMEBITS_PREDICT", PROGRAM.parent / "predict_load_json"))

VIT = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64, "image_size": 16,
       "patch_size": 8, "encoder_stride": 8, "num_labels": 3}
MAE = {key: value for key, value in VIT.items() if key != "encoder_stride"} | {
    "decoder_hidden_size": 24, "decoder_num_hidden_layers": 2, "decoder_num_attention_heads": 4, "decoder_intermediate_size": 40}
DINO = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "image_size": 16, "patch_size": 8, "mlp_ratio": 2,
        "num_labels": 3}
CONFIGS = {
    "ViTModel": VIT, "ViTForImageClassification": VIT, "ViTForMaskedImageModeling": VIT,
    "DeiTModel": VIT, "DeiTForImageClassification": VIT, "DeiTForImageClassificationWithTeacher": VIT,
    "DeiTForMaskedImageModeling": VIT, "ViTMAEModel": MAE, "ViTMAEForPreTraining": MAE,
    "Dinov2Model": DINO, "Dinov2ForImageClassification": DINO, "Dinov2Backbone": DINO, "Dinov2WithRegistersModel": DINO,
    "Dinov2WithRegistersForImageClassification": DINO, "Dinov2WithRegistersBackbone": DINO,
}
BASES = {"ViT": "vit", "DeiT": "deit", "Dinov2": "dinov2", "Dinov2WithRegisters": "dinov2_with_registers"}


def case(name, cls, **config):
    return {"name": name, "class": cls, "config": CONFIGS[cls] | config}


CASES = (
    [case(cls, cls) for cls in CONFIGS]
    + [case(f"{cls}-gated", cls, use_swiglu_ffn=True) for cls in CONFIGS if cls.startswith("Dinov2")]
    + [case(f"{cls}-nobias", cls, qkv_bias=False) for cls in CONFIGS]
    + [case("ViTModel-pooler", "ViTModel", pooler_output_size=20),
       case("ViTForImageClassification-headless", "ViTForImageClassification", num_labels=0),
       case("ViTForImageClassification-oblong", "ViTForImageClassification", image_size=[16, 24]),
       case("Dinov2Model-unmasked", "Dinov2Model", use_mask_token=False),
       case("Dinov2WithRegistersModel-seven", "Dinov2WithRegistersModel", num_register_tokens=7),
       case("Dinov2ForImageClassification-ratio", "Dinov2ForImageClassification", mlp_ratio=3, use_swiglu_ffn=True),
       case("ViTModel-mask", "ViTModel") | {"arguments": {"use_mask_token": True}},
       case("DeiTModel-poolerless", "DeiTModel") | {"arguments": {"add_pooling_layer": False}}]
)
VARIANTS = ("saved", "raw", "prefixed", "other_level", "head", "labels", "strange")


def base_of(cls):
    return "vit" if cls.startswith("ViTMAE") else BASES[cls.split("For")[0].removesuffix("Model").removesuffix("Backbone")]


def vary(tensors, variant, base):
    """The raw names changed as people change them; None where the class offers no such file."""
    nested = any(name.startswith(base + ".") for name in tensors)
    if variant == "prefixed":
        return {"model." + name: value for name, value in tensors.items()}
    if variant == "other_level":  # a task model's names for a base model, and the reverse
        if not nested:
            return {f"{base}.{name}": value for name, value in tensors.items()}
        return {name.removeprefix(base + "."): value for name, value in tensors.items() if name.startswith(base + ".")}
    if variant == "head":
        return {name: value for name, value in tensors.items() if not name.startswith(base + ".")} if nested else None
    if variant == "labels":
        heads = {name: value.repeat_interleave(2, 0) for name, value in tensors.items() if "classifier" in name}
        return tensors | heads if heads else None
    extra = next(iter(tensors.values())).clone()
    return tensors | {"criterion.weight": extra, "LayerNorm.gamma": extra, f"{base}.extra.weight_g": extra,
                      f"{base}_old.query": extra, "x.encoder.layer.7.output.dense_9.bias": extra}


def write_variants(folder, base):
    raw = load_file(folder / "raw/model.safetensors")
    for variant in VARIANTS[2:]:
        tensors = vary(raw, variant, base)
        if not tensors:
            continue
        out = folder / variant
        out.mkdir()
        save_file({name: value.contiguous().clone() for name, value in tensors.items()}, out / "model.safetensors", {"format": "pt"})
        (out / "config.json").write_text((folder / "saved/config.json").read_text())


def call(python, *arguments):
    words = [str(python), str(HERE / "load_report.py"), *map(str, arguments)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="session")
def pythons(python_t4):
    return {4: python_t4, 5: sys.executable}


@pytest.fixture(scope="session")
def files(tmp_path_factory, pythons):
    """{(writer, case, variant): folder}"""
    root = tmp_path_factory.mktemp("targets")
    cases = root / "cases.json"
    cases.write_text(json.dumps(CASES))
    found = {}
    for writer, python in pythons.items():
        call(python, "make", root / str(writer), cases)
        for entry in CASES:
            folder = root / str(writer) / entry["name"]
            write_variants(folder, base_of(entry["class"]))
            found |= {(writer, entry["name"], variant): folder / variant for variant in VARIANTS if (folder / variant).exists()}
    return found


def shapes_of(folder):
    return [[name, list(value.shape)] for name, value in load_file(folder / "model.safetensors").items()]


@pytest.fixture(scope="session")
def predict():
    if not PREDICT.exists():
        pytest.fail(f"{PREDICT} does not exist: build it, or name it in SAMEBITS_PREDICT")

    def run(requests):
        lines = "".join(json.dumps(request) + "\n" for request in requests)
        done = subprocess.run([str(PREDICT)], input=lines, capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    return run


def classes_for(entry):
    """The class itself, and relatives for which people use the same file."""
    related = {"ViTForImageClassification": ["ViTModel", "ViTMAEModel", "DeiTForImageClassification"],
               "ViTMAEForPreTraining": ["ViTMAEModel", "ViTForImageClassification", "ViTModel"],
               "Dinov2Model": ["Dinov2ForImageClassification", "Dinov2Backbone", "Dinov2WithRegistersModel"],
               "DeiTForImageClassificationWithTeacher": ["DeiTForImageClassification", "DeiTModel"]}
    plain = entry["name"] == entry["class"]
    return [entry["class"]] + (related.get(entry["class"], []) if plain else [])


@pytest.mark.parametrize("loader, way", itertools.product((4, 5), ("from_pretrained", "state_dict")))
def test_predicts_every_load_of_the_family(files, pythons, predict, tmp_path, loader, way):
    by_name = {entry["name"]: entry for entry in CASES}
    loads = [(key, cls) for key in files for cls in classes_for(by_name[key[1]])]
    requests = [{"folder": str(files[key]), "class": cls, "way": way} for key, cls in loads]
    (tmp_path / "requests.json").write_text(json.dumps(requests))
    real = json.loads(call(pythons[loader], "load", tmp_path / "requests.json"))
    predicted = predict({"target": f"transformers-{loader}:{cls}", "way": way, "tensors": shapes_of(files[key]),
                         "config": json.loads((files[key] / "config.json").read_text())} for key, cls in loads)
    wrong = [f"{key} into {cls}: {text}" for (key, cls), is_, said in zip(loads, real, predicted, strict=True)
             if (text := difference(is_, said))]
    assert not wrong, f"{len(wrong)} of {len(loads)}\n" + "\n".join(wrong[:20])


def difference(is_, said):
    """"" where the prediction says what happened."""
    if "error" in said:
        return said["error"]
    if bool(is_["raises"]) != bool(said["raises"]):
        return f"raises {is_['raises']!r}, predicted {said['raises']!r}"
    if "fatal" in is_:
        return "" if is_["fatal"].split(":")[0] == said["raises"].split(":")[0] else f"{is_['fatal']} <> {said['raises']}"
    for key in ("missing", "mismatched", "unexpected"):
        if sorted(said[key]) != is_[key]:
            return f"{key}: only real {sorted(set(is_[key]) - set(said[key]))[:4]}, only predicted {sorted(set(said[key]) - set(is_[key]))[:4]}"
    table = {name: shape for name, shape in said["table"]}
    return "" if table == is_["table"] else f"table: {[item for item in is_['table'].items() ^ table.items()][:4]}"


def apply(rules, name):
    """samebits::model::apply_rules, written again."""
    import re

    for rule in rules:
        match = re.match(re.escape(rule["from"]).replace(r"\{n\}", r"(\d+)"), name)
        if match:
            return rule["to"].replace("{n}", match[1] if match.groups() else "") + name[match.end():]
    return name


@pytest.mark.parametrize("loader", (4, 5))
def test_suggested_renames_make_every_file_load_completely(files, pythons, predict, tmp_path, loader):
    """Whatever writer and names: renamed as told, both ways of loading find every tensor that the file has."""
    keys = [key for key in files if key[2] in ("saved", "raw", "prefixed")]
    by_name = {entry["name"]: entry for entry in CASES}
    predicted = predict({"target": f"transformers-{loader}:{by_name[key[1]]['class']}", "way": "state_dict",
                         "tensors": shapes_of(files[key]), "config": json.loads((files[key] / "config.json").read_text())}
                        for key in keys)
    requests, said = [], []
    for number, (key, told) in enumerate(zip(keys, predicted, strict=True)):
        if not told["rules"]:
            continue
        assert all(refit["count"] for refit in told["refits"])
        tensors = load_file(files[key] / "model.safetensors")
        renamed = {apply(told["rules"], name): value for name, value in tensors.items()}
        assert len(renamed) == len(tensors), key
        out = tmp_path / str(number)
        out.mkdir()
        save_file(renamed, out / "model.safetensors", {"format": "pt"})
        (out / "config.json").write_text((files[key] / "config.json").read_text())
        requests.append({"folder": str(out), "class": by_name[key[1]]["class"], "way": "state_dict"})
        said.append((key, told))
    (tmp_path / "requests.json").write_text(json.dumps(requests))
    real = json.loads(call(pythons[loader], "load", tmp_path / "requests.json"))
    assert len(real) > 50
    for (key, told), is_ in zip(said, real, strict=True):
        refitted = {name for refit in told["refits"] for name in refit["to"]}
        still = [name for name in is_["missing"] if name in told["restored"] and not any(
            name.endswith(end.split("{n}.")[-1]) for end in refitted)]
        assert not still, f"{key}: {still[:4]} by {told['rules']}"


def test_only_the_mae_decoder_is_written_under_names_of_its_own(files, predict):
    """The fault of 5.24.0's save_pretrained, found by rule: it reverses its renames without anchors."""
    keys = [key for key in files if key[0] == 5 and key[2] == "saved"]
    by_name = {entry["name"]: entry for entry in CASES}
    told = predict({"target": f"transformers-4:{by_name[key[1]]['class']}", "way": "from_pretrained",
                    "tensors": shapes_of(files[key]), "config": json.loads((files[key] / "config.json").read_text())}
                   for key in keys)
    affected = {key[1]: said for key, said in zip(keys, told, strict=True) if said["missing"] and said["restored"]}
    assert sorted(affected) == ["ViTMAEForPreTraining", "ViTMAEForPreTraining-nobias"]
    said = affected["ViTMAEForPreTraining"]
    assert len(said["missing"]) == len(said["restored"]) == 32 and said["written_for_5_only"]
    assert said["rules"] == [{"from": "decoder.decoder_encoder.layer.", "to": "decoder.decoder_layers.", "count": 32}]


LOAD_INTO = """
import json, pathlib, sys, transformers
from safetensors.torch import load_file
saved, raw = map(pathlib.Path, sys.argv[1:])
cls = getattr(transformers, json.loads((saved / "config.json").read_text())["architectures"][0])
model = cls.from_pretrained(saved)
print(json.dumps(sorted(model.load_state_dict(load_file(raw / "model.safetensors"), strict=False).missing_keys)))
"""


@pytest.mark.parametrize("writer", [4, 5])
def test_a_directory_as_target_is_its_live_model(run, files, pythons, writer):
    """The state dict of a model in memory, for a directory whose names 5.24.0 changes as it loads it."""
    saved, raw = (files[5, "ViTForImageClassification", "saved"], files[writer, "ViTForImageClassification", "raw"])
    report = run("check", raw / "model.safetensors", "--for", saved)
    predicted = {load["target"].partition(":")[0]: sorted(load["random"]) for load in report["loads"]}
    assert list(predicted)[0] == "transformers-5"  # which config.json names
    in_files = {name for name, _ in shapes_of(saved)} - {name for name, _ in shapes_of(raw)}
    assert predicted.pop(f"{saved} (the names in its files)") == sorted(in_files)
    for version, python in pythons.items():
        words = [str(python), "-c", LOAD_INTO, str(saved), str(raw)]
        done = subprocess.run(words, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr[-2000:]
        assert predicted.pop(f"transformers-{version}") == json.loads(done.stdout)
    assert not predicted and report["verdict"] == ("clean" if writer == 5 else "risk")
