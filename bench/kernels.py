#!/usr/bin/env python3
"""Measures the kernel sets of this machine against one another and against what the processor can do at most.

    make bench                     this and the other benchmarks
    bench/kernels.py --rounds 5    more rounds
    bench/kernels.py --record      keep the ratios in bench/history

Plain Python: the model, a ViT-B/16 with random weights, is written here once and kept. The sides of a comparison take turns in every
round. build/bench/kernels_bench (preset bench) gives the rates of the inner loops; without it they are left out.
"""

import argparse
import json
import math
import pathlib
import random
import statistics
import struct
import subprocess
import sys

from figures import CACHE, ROOT, Table, busy_loops, forward_seconds, processor, run_report

LOOPS = ROOT / "build" / "bench" / "kernels_bench"
TINY = ROOT / "examples" / "vit-mae-tiny" / "hf"
BATCHES = (1, 2, 3, 4, 6, 8, 12, 16)


def vit_shapes(width, layers, mlp, image, patch, classes):
    def layer(name, rows, *depth):
        return {f"{name}.weight": [rows, *depth], f"{name}.bias": [rows]}

    shapes = {"vit.embeddings.cls_token": [1, 1, width], "vit.embeddings.position_embeddings": [1, (image // patch) ** 2 + 1, width]}
    shapes |= layer("vit.embeddings.patch_embeddings.projection", width, 3, patch, patch)
    for i in range(layers):
        at = f"vit.encoder.layer.{i}"
        for name in ("query", "key", "value"):
            shapes |= layer(f"{at}.attention.attention.{name}", width, width)
        shapes |= layer(f"{at}.attention.output.dense", width, width) | layer(f"{at}.intermediate.dense", mlp, width)
        shapes |= layer(f"{at}.output.dense", width, mlp) | layer(f"{at}.layernorm_before", width) | layer(f"{at}.layernorm_after", width)
    return shapes | layer("vit.layernorm", width) | layer("classifier", classes, width)


def write_vit(folder, width=768, heads=12, layers=12, mlp=3072, image=224, patch=16, classes=1000):
    """A ViTForImageClassification as save_pretrained writes it, with small random weights."""
    if (folder / "done").exists():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    config = {
        "model_type": "vit", "architectures": ["ViTForImageClassification"], "hidden_size": width, "num_hidden_layers": layers,
        "num_attention_heads": heads, "intermediate_size": mlp, "image_size": image, "patch_size": patch, "num_channels": 3,
        "hidden_act": "gelu", "layer_norm_eps": 1e-12, "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0, "qkv_bias": True,
        "num_labels": classes, "id2label": {str(i): f"LABEL_{i}" for i in range(classes)},
    }
    (folder / "config.json").write_text(json.dumps(config))
    header, end = {}, 0
    shapes = vit_shapes(width, layers, mlp, image, patch, classes)
    for name, shape in shapes.items():
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [end, end := end + 4 * math.prod(shape)]}
    text = json.dumps(header).encode()
    draw = random.Random(7)
    values = struct.pack("<65521f", *(draw.gauss(0, 0.02) for _ in range(65521)))
    with open(folder / "model.safetensors", "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for first in range(0, end, len(values)):
            file.write(values[: end - first])
    (folder / "done").touch()
    return folder


def loop_rates():
    """name -> operations in a second: {"peak/avx512": ..., "block/avx512/14": ...}"""
    words = [LOOPS, "--benchmark_format=json", "--benchmark_min_time=0.2"]
    text = subprocess.run(list(map(str, words)), capture_output=True, check=True).stdout
    return {each["name"]: each["items_per_second"] for each in json.loads(text)["benchmarks"]}


def measure_loops(rates, table):
    """Every set's largest blocks, which nearly all the work is done in, against the most that the processor does."""
    for isa in sorted({name.split("/")[1] for name in rates}):
        blocks = {int(name.split("/")[2]): rate for name, rate in rates.items() if name.startswith(f"block/{isa}/")}
        shown = "  ".join(f"{rows}: {rate / 1e9:.0f}" for rows, rate in sorted(blocks.items()))
        print(f"  {isa}: GF/s of a block by its rows  {shown}")
        largest = [rate for rows, rate in blocks.items() if rows > 0.9 * max(blocks)]
        peak = rates.get(f"peak/{isa}")
        if peak:
            print(f"  {isa}: {peak / 1e9:.0f} GF/s at most")
            table.add(f"{isa}: the processor's most / largest blocks", peak / min(largest), 1.2, "")
        table.add(f"{isa}: fastest block / largest blocks", max(blocks.values()) / min(largest), 1.1, "")


def measure_sets(folder, rounds, table):
    """Seconds an image of every set and of the default, over batches; the default is one of the sets, and its time that set's."""
    sets = [isa for isa in ("avx2", "avx512", "neon") if can_run(isa)]
    first = run_report(TINY, 1, None, 1, size=32)
    print(f"\nkernel sets, ms an image; default: {first['isa']} ({first['isa_reason']})")
    for threads in (1, 2):
        for batch in BATCHES:
            times = {isa: [] for isa in [*sets, "default"]}
            for _ in range(rounds):
                for isa in times:
                    more = [] if isa == "default" else ["--isa", isa]
                    times[isa].append(forward_seconds(folder, batch, threads, 4 if batch < 4 else 2, "--only", "logits", *more))
            medians = {isa: statistics.median(taken) / batch for isa, taken in times.items()}
            shown = "  ".join(f"{isa} {seconds * 1000:.0f}" for isa, seconds in medians.items())
            table.add(f"batch {batch}, threads {threads}, default / best set", medians["default"] / min(medians[isa] for isa in sets), 1.03, "", shown)


def can_run(isa):
    try:
        return run_report(TINY, 1, 1, 1, "--isa", isa, size=32)["isa"] == isa
    except subprocess.CalledProcessError:
        return False


def measure_tiny(rounds, table, what):
    """Models whose passes take from some microseconds to milliseconds, with the default threads and with one."""
    models = {"of 32 columns, 0.02 ms": (32, 2, 2, 64, 32, 8), "of 64 columns, 0.4 ms": (64, 2, 4, 256, 64, 8), "of 128 columns, 2 ms": (128, 4, 6, 512, 128, 16)}
    for name, (width, heads, layers, mlp, image, patch) in models.items():
        folder = write_vit(CACHE / f"vit-{width}", width, heads, layers, mlp, image, patch, 10)
        times = {1: [], None: []}
        for _ in range(2 * rounds + 1):
            for threads, taken in times.items():
                taken.append(forward_seconds(folder, 1, threads, 201, size=image))
        one, default = statistics.median(times[1]), statistics.median(times[None])
        table.add(f"a ViT {name}, {what}: default threads / one", default / one, 1.15, "", f"{default * 1000:.3f} ms")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("--record", action="store_true", help="keep the ratios in bench/history: on a quiet machine")
    options = parser.parse_args()
    print(f"\nkernels, float32, {processor()}\n")
    table = Table()
    if LOOPS.exists():
        measure_loops(loop_rates(), table)
    measure_tiny(options.rounds, table, "quiet")
    with busy_loops():
        measure_tiny(options.rounds, table, "beside busy loops")
    measure_sets(write_vit(CACHE / "vit-b16"), options.rounds, table)
    return table.conclude(options.json, options.record)


if __name__ == "__main__":
    sys.exit(main())
