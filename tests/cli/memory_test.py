"""Where the system gives no memory or no threads: a clear error and exit status 2, or the same report as ever."""

import json
import math
import pathlib
import random
import resource
import struct
import subprocess
import sys

import pytest
import transcript

EXAMPLE = pathlib.Path(__file__).resolve().parents[2] / "examples" / "vit-mae-tiny"
COMMANDS = {
    "inspect": ["whole.pth", "--deep", "--sha256"],
    "diff": ["hf", "whole.pth"],
    "explain": ["hf", "statedict.pth"],
    "check": ["hf", "--for", "transformers-4"],
    "run": ["hf", "--randn", "2x3x32x32"],
}
STEP = 96  # kilobytes


def call(command, kilobytes=None, threads=3):
    def limit():
        if kilobytes is not None:
            resource.setrlimit(resource.RLIMIT_AS, (kilobytes * 1024, kilobytes * 1024))

    words = [transcript.PROGRAM, command, *COMMANDS[command], "--threads", threads, "--json"]
    return subprocess.run(list(map(str, words)), cwd=EXAMPLE, capture_output=True, text=True, timeout=60, preexec_fn=limit)


def least(command):
    """The least memory, in kilobytes, with which the system can load the program."""
    low, high = 1000, 500_000
    while high - low > STEP:
        middle = (low + high) // 2
        loaded = "error while loading shared libraries" not in (done := call(command, middle)).stderr and done.returncode != 127
        low, high = (low, middle) if loaded else (middle, high)
    return high


def without_times(text):
    report = json.loads(text)
    for field in ("timing", "threads", "isa", "isa_reason"):
        report.pop(field, None)
    return report


@pytest.mark.parametrize("command", COMMANDS)
def test_too_little_memory_is_said_and_is_no_crash(command):
    whole = call(command)
    assert whole.returncode in (0, 1)
    first, said, finished = least(command), 0, 0
    for step in [*range(16), 50, 250, 500]:
        done = call(command, first + step * STEP, threads=1 + step % 4)
        if done.returncode == whole.returncode:
            # What the files alone show can be enough for the verdict; then the report says what was not run.
            complete = without_times(done.stdout) == without_times(whole.stdout)
            assert complete or "memory" in json.loads(done.stdout)["not_checked"][0]
            finished += complete
            continue
        assert done.returncode == 2, done
        assert "memory" in done.stdout + done.stderr, done
        if done.stdout:
            report = json.loads(done.stdout)
            assert report["not_checked"] and report.get("verdict") == (None if command == "run" else "unknown")
        said += 1
    assert said and finished


def write_vit(folder, width=512, layers=12):
    """A ViT of 150 MB with random weights, as save_pretrained writes it."""
    config = {
        "model_type": "vit", "architectures": ["ViTModel"], "hidden_size": width, "num_hidden_layers": layers, "num_attention_heads": 8,
        "intermediate_size": 4 * width, "image_size": 32, "patch_size": 16, "num_channels": 3, "hidden_act": "gelu", "layer_norm_eps": 1e-12,
        "hidden_dropout_prob": 0, "attention_probs_dropout_prob": 0, "qkv_bias": True, "add_pooling_layer": False,
    }
    shapes = {"embeddings.cls_token": [1, 1, width], "embeddings.position_embeddings": [1, 5, width]}

    def layer(name, rows, *depth):
        shapes[f"{name}.weight"], shapes[f"{name}.bias"] = [rows, *depth], [rows]

    layer("embeddings.patch_embeddings.projection", width, 3, 16, 16)
    layer("layernorm", width)
    for i in range(layers):
        at = f"encoder.layer.{i}."
        for name in ("query", "key", "value"):
            layer(f"{at}attention.attention.{name}", width, width)
        layer(f"{at}attention.output.dense", width, width)
        layer(f"{at}intermediate.dense", 4 * width, width)
        layer(f"{at}output.dense", width, 4 * width)
        layer(f"{at}layernorm_before", width)
        layer(f"{at}layernorm_after", width)
    header, end = {}, 0
    for name, shape in shapes.items():
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [end, end := end + 4 * math.prod(shape)]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    (folder / "config.json").write_text(json.dumps(config))
    with (folder / "model.safetensors").open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.write(random.Random(7).randbytes(1 << 20).replace(b"\x7f", b"\x3f").replace(b"\xff", b"\xbf") * (end // (1 << 20)))
        file.write(bytes(end % (1 << 20)))
    return end


# A child's largest memory counts that of the process that forked it: a small one has to.
LARGEST = """
import resource, subprocess, sys
print(subprocess.run(sys.argv[1:], capture_output=True, check=True).stdout.decode())
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024)
"""


@pytest.mark.parametrize("threads", (1, 2))
def test_a_run_holds_its_weights_once(tmp_path, threads):
    weights = write_vit(tmp_path)
    words = [sys.executable, "-c", LARGEST, transcript.PROGRAM, "run", tmp_path, "--threads", threads, "--json"]
    *report, largest = subprocess.run(list(map(str, words)), capture_output=True, text=True, check=True).stdout.splitlines()
    assert json.loads("\n".join(report))["outputs"][0]["shape"] == [1, 5, 512]
    assert int(largest) < 1.6 * weights
