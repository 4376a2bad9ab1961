"""Shards that do not agree with their index, held against what from_pretrained makes of them."""

import json
import shutil

import pytest
import safetensors.torch
import torch
import transformers


@pytest.fixture(scope="module")
def sharded(tmp_path_factory):
    """A directory of two shards, the name of a weight in the first, and both shards' files."""
    folder = tmp_path_factory.mktemp("sharded")
    config = transformers.ViTConfig(hidden_size=8, num_hidden_layers=2, num_attention_heads=2, intermediate_size=16,
                                    image_size=8, patch_size=4)
    transformers.ViTModel(config, add_pooling_layer=False).save_pretrained(folder, max_shard_size="4KB")
    places = json.loads((folder / "model.safetensors.index.json").read_text())["weight_map"]
    files = sorted(set(places.values()))
    assert len(files) == 2
    name = next(name for name, file in places.items() if file == files[0] and "layernorm" in name and name.endswith("weight"))
    return folder, name, files


def change(path, name, value):
    """A shard with that tensor, or without it."""
    tensors = safetensors.torch.load_file(path)
    tensors.pop(name, None)
    if value is not None:
        tensors[name] = torch.full((8,), float(value))
    safetensors.torch.save_file(tensors, path, metadata={"format": "pt"})


def doubled(folder, name, files):
    change(folder / files[1], name, 7)


def moved(folder, name, files):
    change(folder / files[0], name, None)
    change(folder / files[1], name, 9)


def unnamed(folder, name, files):
    path = folder / "model.safetensors.index.json"
    index = json.loads(path.read_text())
    del index["weight_map"][name]
    path.write_text(json.dumps(index))


def stale(folder, name, files):
    safetensors.torch.save_file({name: torch.zeros(8)}, folder / "model-00001-of-00009.safetensors")


def single(folder, name, files):
    tensors = {}
    for file in files:
        tensors |= safetensors.torch.load_file(folder / file)
    safetensors.torch.save_file(tensors | {name: torch.full((8,), 13.0)}, folder / "model.safetensors", metadata={"format": "pt"})


@pytest.mark.parametrize("damage", [doubled, moved, unnamed, stale, single])
def test_the_tensor_is_read_that_from_pretrained_takes(run, tmp_path, sharded, damage):
    whole, name, files = sharded
    folder = tmp_path / "model"
    shutil.copytree(whole, folder)
    damage(folder, name, files)
    loaded = transformers.ViTModel.from_pretrained(folder, add_pooling_layer=False)
    loaded.save_pretrained(tmp_path / "loaded")
    for words in [("inspect", "--deep", folder), ("diff", folder, tmp_path / "loaded"), ("check", folder, "--for", whole / "shapes")]:
        if words[0] == "check":
            shapes = {key: list(value.shape) for key, value in loaded.state_dict().items()}
            (whole / "shapes").write_text(json.dumps([{"name": key, "shape": shape} for key, shape in shapes.items()]))
        report = run(*words)
        assert report.status == 1 and report.finding("file.incomplete")["role"] == "risk"
        if words[0] == "diff":
            assert report["verdict"] == "same"
            assert report.pair("B")["verdict"] == "identical"
