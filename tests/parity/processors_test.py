"""Which processor the name in a preprocessor_config.json loads, by version, and what is said of those on torchvision."""

import json
import subprocess

import conftest
import numpy
import pytest
import torch
from PIL import Image
from transformers import ViTConfig, ViTForImageClassification
from transformers.models.auto import image_processing_auto

FIELDS = {
    "do_normalize": True, "do_rescale": True, "do_resize": True, "image_mean": [0.5] * 3, "image_std": [0.5] * 3, "resample": 2,
    "rescale_factor": 1 / 255, "size": {"height": 32, "width": 32},
}
# torchvision is not installed here: which class the name asked for stands in the warning.
LOAD = "import sys; from transformers import AutoImageProcessor; print(type(AutoImageProcessor.from_pretrained(sys.argv[1])).__name__)"


def directory(folder, processor, model=None):
    if model is not None:
        model.save_pretrained(folder)
    folder.mkdir(exist_ok=True)
    (folder / "preprocessor_config.json").write_text(json.dumps(FIELDS | {"image_processor_type": processor}))
    return folder


@pytest.mark.parametrize("name", ["ViTImageProcessor", "ViTImageProcessorFast", "ViTImageProcessorPil"])
@pytest.mark.parametrize("installed, loaded", [(True, "ViTImageProcessor"), (False, "ViTImageProcessorPil")])
def test_in_5_every_name_is_torchvisions_where_that_is_installed(monkeypatch, name, installed, loaded):
    monkeypatch.setattr(image_processing_auto, "is_torchvision_available", lambda: installed)
    base = name.removesuffix("Fast")
    mapping = image_processing_auto._find_mapping_for_image_processor(base)
    assert mapping[image_processing_auto._resolve_backend(None, None, base)] == loaded


@pytest.mark.parametrize("name, warning", [
    ("ViTImageProcessor", "Using a slow image processor as `use_fast` is unset and a slow processor was saved"),
    ("ViTImageProcessorFast", "Using `use_fast=True` but `torchvision` is not available. Falling back to the slow image processor"),
])
def test_in_4_the_name_decides(python_t4, tmp_path, name, warning):
    words = [str(python_t4), "-c", LOAD, str(directory(tmp_path / "p", name))]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120)
    assert done.stdout.split()[-1:] == ["ViTImageProcessor"] and warning in done.stderr


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(1)
    return ViTForImageClassification(ViTConfig(hidden_size=48, num_attention_heads=3, num_hidden_layers=1, intermediate_size=96, image_size=32, patch_size=8))


def explain(status, *arguments):
    done = subprocess.run([str(conftest.PROGRAM), "explain", *map(str, arguments), "--json"], capture_output=True, text=True, timeout=60)
    assert done.returncode == status, done.stdout + done.stderr
    return json.loads(done.stdout)


def picture(folder):
    Image.fromarray(numpy.random.default_rng(0).integers(0, 255, (97, 61, 3), dtype=numpy.uint8)).save(folder / "x.png")
    return folder / "x.png"


@pytest.mark.parametrize("order", [("ViTImageProcessor", "ViTImageProcessorFast"), ("ViTImageProcessorFast", "ViTImageProcessorPil")])
def test_pixels_of_torchvision_are_not_said_to_be_pillows(model, tmp_path, order):
    a, b = (directory(tmp_path / label, name, model) for label, name in zip("ab", order))
    report = explain(2, a, b, "--images", picture(tmp_path))
    assert report["verdict"] == "unknown" and any("ViTImageProcessorFast resizes by torchvision" in line for line in report["not_checked"])
    assert [finding["cause"] for finding in report["findings"]] == ["input.preprocessing"]


def test_two_fast_processors_are_one_procedure(model, tmp_path):
    a, b = (directory(tmp_path / label, "ViTImageProcessorFast", model) for label in "ab")
    report = explain(0, a, b, "--images", picture(tmp_path))
    assert report["verdict"] == "same" and any("which are not computed" in line for line in report["assumed"])


@pytest.mark.parametrize("field", [{"valid_processor_keys": ["size"]}, {"device": "cpu"}, {"do_pad": True}])
def test_fields_that_move_no_pixel_are_notes(run, model, tmp_path, field):
    from transformers import SiglipImageProcessorPil

    a, b = (directory(tmp_path / name, "SiglipImageProcessor", model) for name in "ab")
    (b / "preprocessor_config.json").write_text(json.dumps(FIELDS | {"image_processor_type": "SiglipImageProcessor"} | field))
    pictures = [Image.fromarray(numpy.random.default_rng(i).integers(0, 256, (40 + 9 * i, 50, 3), dtype=numpy.uint8)) for i in range(2)]
    pixels = [SiglipImageProcessorPil.from_pretrained(folder)(pictures, return_tensors="np")["pixel_values"] for folder in (a, b)]
    assert numpy.array_equal(*pixels)
    assert run("diff", a, b)["verdict"] == "same"


@pytest.mark.parametrize("field", [{"do_normalize": True}, {"return_attention_mask": True}])
def test_fields_that_move_no_feature_of_whisper_are_notes(run, model, tmp_path, field):
    from transformers import WhisperFeatureExtractor

    folders = [tmp_path / name for name in "ab"]
    for folder in folders:
        model.save_pretrained(folder)
        WhisperFeatureExtractor(feature_size=8).save_pretrained(folder)
    file = folders[1] / "preprocessor_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | field))
    sound = [numpy.random.default_rng(0).standard_normal(8000).astype("f4"), numpy.random.default_rng(1).standard_normal(5000).astype("f4")]
    features = [WhisperFeatureExtractor.from_pretrained(folder)(sound, sampling_rate=16000, return_tensors="np")["input_features"] for folder in folders]
    assert numpy.array_equal(*features)
    assert run("diff", *folders)["verdict"] == "same"
