"""The same bits from every compiler and processor: GCC and Clang on x86-64, and AArch64 under qemu-user.

tools/run_tests.py builds the other programs (presets asan and aarch64). The truth is the program under test with its
scalar kernels.
"""

import json
import platform
import subprocess

import conftest
import pytest
import safetensors
import torch
from image_test import picture
from run_test import EXAMPLE
from transformers import (
    DeiTConfig, DeiTForImageClassificationWithTeacher, Dinov2WithRegistersConfig, Dinov2WithRegistersForImageClassification, ViTConfig,
    ViTForImageClassification, ViTImageProcessorPil, ViTMAEConfig, ViTMAEForPreTraining, ViTModel,
)
from vit_test import DECODER, DINO, TINY, isas, spread

BUILD = conftest.ROOT / "build"
# Products of more than one panel, and of columns that fill no tile.
WIDE = TINY | dict(hidden_size=300, num_hidden_layers=2, intermediate_size=530)
MODELS = {
    "vit": (lambda: ViTForImageClassification(ViTConfig(**TINY, num_labels=7)), []),
    "vit-wide": (lambda: ViTModel(ViTConfig(**WIDE | {"hidden_act": "gelu_pytorch_tanh"})), []),
    "vit-dropout": (lambda: ViTForImageClassification(ViTConfig(**TINY, hidden_dropout_prob=0.1, attention_probs_dropout_prob=0.1)),
                    ["--train", 3]),
    "vit-mae": (lambda: ViTMAEForPreTraining(ViTMAEConfig(**TINY, **DECODER)), ["--noise-seed", 9]),
    "vit-mae-norm-pix": (lambda: ViTMAEForPreTraining(ViTMAEConfig(**TINY, **DECODER, norm_pix_loss=True)), ["--mask-ratio", 0.5]),
    "deit-teacher": (lambda: DeiTForImageClassificationWithTeacher(DeiTConfig(**TINY, num_labels=7)), []),
    "dinov2-swiglu": (lambda: Dinov2WithRegistersForImageClassification(
        Dinov2WithRegistersConfig(**DINO, use_swiglu_ffn=True, num_register_tokens=3, num_labels=7)), []),
}


def programs():
    """Name to the words that start a program, and the instruction sets of its machine."""
    found = {"gcc": ([conftest.PROGRAM], isas()), "clang": ([BUILD / "asan" / "samebits"], isas())}
    if platform.machine() == "x86_64":
        found["aarch64"] = (["qemu-aarch64", BUILD / "aarch64" / "samebits"], ["scalar", "neon"])
    return found


PROGRAMS = programs()


def call(name, *arguments, status=0):
    words, _ = PROGRAMS[name]
    if not words[-1].exists():
        conftest.missing(f"{words[-1]} does not exist: make test builds it")
    done = subprocess.run(list(map(str, [*words, *arguments])), capture_output=True, text=True, timeout=300)
    assert done.returncode == status, done.stdout + done.stderr
    return done


def computed(name, isa, trace, *arguments):
    """Every output and every point of the trace, each with its digest and statistics."""
    found = json.loads(call(name, "run", *arguments, "--isa", isa, "--trace", trace, "--json").stdout)
    assert found["isa"] == isa
    with safetensors.safe_open(trace, "np") as file:
        points = json.loads(file.metadata()["samebits.trace"])["points"]
    assert found["outputs"] and len(points) > 3 and all(len(part["sha256"]) == 64 for part in found["outputs"] + points)
    return {"outputs": found["outputs"], "points": points}


@pytest.fixture(scope="module", params=MODELS)
def wanted(request, tmp_path_factory):
    make, given = MODELS[request.param]
    folder = tmp_path_factory.mktemp("portable")
    torch.manual_seed(1)
    spread(make()).save_pretrained(folder / "hf")
    arguments = [folder / "hf", "--randn", "3x3x32x32", "--seed", 5, *given]
    return arguments, computed("gcc", "scalar", folder / "trace", *arguments)


@pytest.mark.parametrize("name, isa", [(name, isa) for name, (_, names) in PROGRAMS.items() for isa in names])
def test_every_program_computes_the_same_bits(wanted, name, isa, tmp_path):
    arguments, values = wanted
    assert computed(name, isa, tmp_path / "trace", *arguments) == values


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return training("gcc", "scalar", tmp_path_factory.mktemp("trained") / "run")


def training(name, isa, run):
    given = [EXAMPLE / "hf", "--data", EXAMPLE.parent / "training" / "pictures", "--out", run, "--steps", 5, "--batch", 4, "--clip", 0.5]
    found = json.loads(call(name, "train", *given, "--schedule", "cosine", "--isa", isa, "--json").stdout)
    assert found["isa"] == isa and len(found["loss"]) == 5
    return found["loss"], found["weights_sha256"]


@pytest.mark.parametrize("name, isa", [(name, isa) for name, (_, names) in PROGRAMS.items() for isa in names])
def test_every_program_trains_to_the_same_bits(trained, name, isa, tmp_path):
    assert training(name, isa, tmp_path / "run") == trained


@pytest.mark.parametrize("resample", range(6))
def test_every_program_reads_the_same_pictures(resample, tmp_path):
    picture(50, 70).save(tmp_path / "a.jpg", quality=80, progressive=True)
    picture(40, 23, "P", seed=1).save(tmp_path / "b.png")
    processor = ViTImageProcessorPil(size={"height": 32, "width": 32}, resample=resample)
    (tmp_path / "processor.json").write_text(processor.to_json_string())
    given = [EXAMPLE / "hf", "--images", tmp_path / "a.jpg", tmp_path / "b.png", "--processor", tmp_path / "processor.json"]
    found = [computed(name, "scalar", tmp_path / name, *given) for name in PROGRAMS]
    assert all(each == found[0] for each in found)


@pytest.mark.parametrize("status, words", [
    (0, ["inspect", "whole.pth", "--deep", "--sha256", "--all"]), (0, ["diff", "hf", "statedict.pth"]),
    (1, ["explain", "hf", "whole.pth", "statedict.pth"]),
])
def test_every_program_prints_the_same_report(status, words):
    command, *files = words
    given = [word if word.startswith("--") else EXAMPLE / word for word in files]
    reports = {name: call(name, command, *given, "--json", status=status).stdout for name in PROGRAMS}
    assert reports["gcc"] and set(reports.values()) == {reports["gcc"]}


def test_kernels_of_another_processor_are_refused_by_name():
    for name, (_, names) in PROGRAMS.items():
        foreign = "avx2" if "neon" in names else "neon"
        assert foreign in call(name, "run", EXAMPLE / "hf", "--isa", foreign, status=2).stderr
