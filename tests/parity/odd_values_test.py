"""Labels that contradict each other, as both transformers load them; attributes of modules that no model has."""

import json
import subprocess
import sys

import conftest
import pytest
import torch
import transformers

HERE = conftest.HERE
SIZES = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
SIZES |= {"image_size": 8, "patch_size": 4}
LABELS = [(5, 3), (3, 3), (3, 2), (3, None), (5, None), (None, 3), (2, 3)]  # num_labels, names of id2label


@pytest.fixture(scope="module")
def labelled(tmp_path_factory):
    """A classifier of three rows, beside configs that say other things: a folder for each of LABELS."""
    out = tmp_path_factory.mktemp("labels")
    model = transformers.ViTForImageClassification(transformers.ViTConfig(**SIZES, num_labels=3))
    folders = []
    for number, names in LABELS:
        folder = out / f"{number}-{names}"
        model.save_pretrained(folder)
        path = folder / "config.json"
        config = {k: v for k, v in json.loads(path.read_text()).items() if k not in ("num_labels", "id2label", "label2id")}
        if names is not None:
            config["id2label"] = {str(i): f"name {i}" for i in range(names)}
        if number is not None:
            config["num_labels"] = number
        path.write_text(json.dumps(config))
        folders.append(folder)
    return folders


@pytest.fixture(scope="module")
def real(labelled, python_t4, tmp_path_factory):
    """real[version]: for each folder whether that transformers raises."""
    requests = tmp_path_factory.mktemp("requests") / "requests.json"
    one = {"class": "ViTForImageClassification", "way": "from_pretrained"}
    requests.write_text(json.dumps([one | {"folder": str(folder)} for folder in labelled]))
    script = [str(HERE / "load_report.py"), "load", str(requests)]
    made = {}
    for version, python in ((4, python_t4), (5, sys.executable)):
        done = subprocess.run([str(python), *script], capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, done.stderr[-2000:]
        made[version] = [bool(load["raises"]) for load in json.loads(done.stdout)]
    return made


def test_both_versions_raise_where_check_says_so(run, labelled, real):
    assert real[4] != real[5]
    for version in (4, 5):
        said = [bool(run("check", folder, "--for", f"transformers-{version}")["loads"][0]["raises"]) for folder in labelled]
        assert said == real[version], version


def test_a_contradiction_of_labels_is_a_risk_that_says_who_raises(run, labelled, real):
    for folder, (number, names), four, five in zip(labelled, LABELS, real[4], real[5]):
        found = run("inspect", folder).findings("code.version")
        assert len(found) == (number is not None and names is not None and number != names)
        for finding in found:
            first, second = ("raises for" if raises else "loads" for raises in (four, five))
            assert f"counts the names and {first} the 3 rows of the classifier" in finding["details"][0]
            assert f"takes the number and {second} them" in finding["details"][0]


ODD = [None, True, -1, 2, 1e9, 10**9, 2**63, 2**64, -(2**70), float("nan"), float("inf"), "8", [], [8, -8], {"a": 1}]
ATTRIBUTES = {
    "vit.layers.0.layernorm_before": ["eps"],
    "vit.layers.0.attention": ["num_attention_heads", "attention_dropout", "scaling", "head_dim", "is_causal"],
    "vit.embeddings.patch_embeddings": ["image_size", "patch_size", "num_channels"],
    "vit.embeddings.patch_embeddings.projection": ["kernel_size", "stride", "padding", "dilation", "groups"],
    "config": ["mask_ratio", "hidden_act", "image_size", "model_type"],
}


def variants():
    return [(owner, name, value) for owner, names in ATTRIBUTES.items() for name in names for value in ODD]


def test_odd_attributes_of_modules_end_nothing(tmp_path, run):
    torch.manual_seed(0)
    decoder = {f"decoder_{name}": value for name, value in SIZES.items() if "size" not in name or name == "hidden_size"}
    config = transformers.ViTMAEConfig(**SIZES, **decoder, decoder_intermediate_size=16)
    model = transformers.ViTMAEForPreTraining(config).eval()
    torch.save(model, tmp_path / "base.pth")
    path = tmp_path / "odd.pth"
    for owner, name, value in variants()[::5]:
        holder = vars(config if owner == "config" else model.get_submodule(owner))
        if name not in holder:
            continue
        usual = holder[name]
        holder[name] = value
        torch.save(model, path)
        holder[name] = usual
        found = run("explain", tmp_path / "base.pth", path)
        text = json.dumps(found)
        assert not [word for word in ("json.exception", "type must be", "std::", "bad_alloc") if word in text], (name, value)
        assert found.status in (1, 2) or value == usual, (owner, name, value)
        done = subprocess.run([str(conftest.PROGRAM), "run", str(path)], capture_output=True, text=True, timeout=60)
        assert done.returncode in (0, 2) and "json.exception" not in done.stderr, (name, value, done.stderr)
