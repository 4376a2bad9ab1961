#!/usr/bin/env python3
"""samebits.diff and assert_same of two models in memory against the loop that people write with torch.equal.

Usage: PYTHONPATH=build/wheel/site python bench/python.py      with an interpreter that has torch

Two state_dicts of 448 MB: ViT-MAE of base size, with names and shapes of its own. Milliseconds of the clock, and of the processors
(user and system), the least of several. The target is 0.25 of torch's time by the clock. Exit status 1 where it is missed.
"""

import subprocess
import sys
import time

import torch

import samebits

TARGET = 0.25
ROUNDS = 7


def state_dict():
    """The encoder and decoder of ViT-MAE base: 111.9 million numbers."""
    shapes = {"vit.embeddings.cls_token": (1, 1, 768), "vit.embeddings.patch_embeddings.projection.weight": (768, 3, 16, 16)}
    for stack, width, inner, depth in (("vit.encoder.layer", 768, 3072, 12), ("decoder.decoder_layers", 512, 2048, 8)):
        for i in range(depth):
            for part in ("query", "key", "value", "out"):
                shapes[f"{stack}.{i}.attention.{part}.weight"] = (width, width)
                shapes[f"{stack}.{i}.attention.{part}.bias"] = (width,)
            shapes[f"{stack}.{i}.intermediate.dense.weight"] = (inner, width)
            shapes[f"{stack}.{i}.intermediate.dense.bias"] = (inner,)
            shapes[f"{stack}.{i}.output.dense.weight"] = (width, inner)
            shapes[f"{stack}.{i}.output.dense.bias"] = (width,)
            for norm in ("before", "after"):
                shapes[f"{stack}.{i}.layernorm_{norm}.weight"] = shapes[f"{stack}.{i}.layernorm_{norm}.bias"] = (width,)
    shapes |= {"decoder.decoder_pos_embed": (1, 197, 512), "decoder.decoder_embed.weight": (512, 768), "decoder.decoder_pred.weight": (768, 512)}
    return {name: torch.randn(shape) for name, shape in shapes.items()}


def least(call):
    """Seconds of the clock, and of the processors."""
    times, work = [], []
    for _ in range(ROUNDS):
        start, begun = time.perf_counter(), time.process_time()
        call()
        times.append(time.perf_counter() - start)
        work.append(time.process_time() - begun)
    return min(times), min(work)


def equal(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


class Holder(torch.nn.Module):
    """The same tensors as a module."""

    def __init__(self, state):
        super().__init__()
        for name, value in state.items():
            self.register_parameter(name.replace(".", "_"), torch.nn.Parameter(value, requires_grad=False))


def import_time():
    """Milliseconds beyond numpy."""
    script = "import time, numpy; t = time.perf_counter(); import samebits; print(time.perf_counter() - t)"
    return min(float(subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout) for _ in range(5))


def main():
    a = state_dict()
    b = {name: value.clone() for name, value in a.items()}
    size = sum(value.nbytes for value in a.values())
    print(f"two state_dicts of {size / 1e6:.0f} MB, {len(a)} tensors, {torch.get_num_threads()} threads of torch")
    missed = False
    modules = Holder(a), Holder(b)
    rows = {
        "samebits.diff(a, b)": (lambda: samebits.diff(a, b).verdict, lambda: equal(a, b)),
        "samebits.assert_same(model_a, model_b)": (
            lambda: samebits.assert_same(*modules),
            lambda: equal(modules[0].state_dict(), modules[1].state_dict()),
        ),
    }
    for name, (ours, theirs) in rows.items():
        (theirs_s, theirs_cpu), (ours_s, ours_cpu) = least(theirs), least(ours)
        missed = missed or ours_s / theirs_s > TARGET
        print(name)
        print(f"    clock       {ours_s * 1e3:8.1f} ms   all(torch.equal) {theirs_s * 1e3:8.1f} ms   ratio {ours_s / theirs_s:.2f}   target {TARGET}")
        print(f"    processors  {ours_cpu * 1e3:8.1f} ms   all(torch.equal) {theirs_cpu * 1e3:8.1f} ms   ratio {ours_cpu / theirs_cpu:.2f}")
    assert equal(a, b) and samebits.diff(a, b).verdict == "same"
    seconds = import_time()
    missed = missed or seconds > 0.03
    print(f"import samebits, beyond numpy\n    clock       {seconds * 1e3:8.1f} ms   target 30")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
