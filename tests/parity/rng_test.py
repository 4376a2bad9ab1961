"""Every number that torch's CPU generator draws, bit for bit, in random sequences of calls.

SAMEBITS_RNG names the program rng_draw (default: beside the program under test).
"""

import hashlib
import json
import os
import pathlib
import random
import struct
import subprocess

import conftest
import pytest
import torch

DRAW = pathlib.Path(os.environ.get("SAMEBITS_RNG", conftest.PROGRAM.parent / "rng_draw"))
GOLDEN = pathlib.Path(os.environ.get("SAMEBITS_GOLDEN", conftest.ROOT.parent / "shared" / "golden"))

TORCH = {
    "rand": lambda n: torch.rand(n),
    "rand64": lambda n: torch.rand(n, dtype=torch.float64),
    "rand16": lambda n: torch.rand(n, dtype=torch.float16),
    "randbf16": lambda n: torch.rand(n, dtype=torch.bfloat16),
    "uniform": lambda a, b, n: torch.empty(n).uniform_(a, b),
    "uniform64": lambda a, b, n: torch.empty(n, dtype=torch.float64).uniform_(a, b),
    "uniform16": lambda a, b, n: torch.empty(n, dtype=torch.float16).uniform_(a, b),
    "randn": lambda n: torch.randn(n),
    "randn64": lambda n: torch.randn(n, dtype=torch.float64),
    "normal": lambda m, s, n: torch.empty(n).normal_(m, s),
    "randperm": lambda n: torch.randperm(n),
    "randint": lambda low, high, n: torch.randint(low, high, (n,)),
    "bernoulli": lambda p, n: torch.empty(n).bernoulli_(p),
    "bernoulli_tensor": lambda p, n: torch.bernoulli(torch.full((n,), p)),
    "dropout": lambda p, n: torch.nn.functional.dropout(torch.ones(n), p, training=True),
    "xavier": lambda i, o: torch.nn.init.xavier_uniform_(torch.empty(o, i)),
    "state": lambda: torch.get_rng_state(),
    "seed": lambda s: torch.manual_seed(s) and torch.empty(0),
}


def raw(tensor):
    return tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes() if tensor.numel() else b""


def drawn(calls):
    text = "".join(" ".join(map(str, call)) + "\n" for call in calls)
    done = subprocess.run([DRAW], input=text.encode(), capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def from_torch(call):
    if call[0] == "linear":
        layer = torch.nn.Linear(*call[1:])
        return raw(layer.weight) + raw(layer.bias)
    return raw(TORCH[call[0]](*call[1:]))


def assert_same(calls):
    mine, at = drawn(calls), 0
    for call in calls:
        theirs = from_torch(call)
        assert mine[at : at + len(theirs)] == theirs, f"{call} after {calls[: calls.index(call)][-3:]}"
        at += len(theirs)
    assert at == len(mine)


def random_call(choice):
    n = choice.choice([0, 1, 2, 3, 7, 15, 16, 17, 31, 32, 33, 100, 1000])
    p = choice.choice([0.0, 0.1, 0.5, 0.9, 1.0])
    kind = choice.choice(sorted(TORCH.keys() - {"seed"}) + ["linear"])
    arguments = {
        "uniform": [-0.036, 0.5, n], "uniform64": [-2.5, 7.25, n], "uniform16": [-1.0, 0.25, n], "normal": [0.5, 0.02, n],
        "randint": [-5, choice.choice([7, 1 << 27, (1 << 28) - 6, (1 << 28) - 5, 1 << 31, 1 << 33, 1 << 62]), n], "bernoulli": [p, n], "bernoulli_tensor": [p, n],
        "dropout": [choice.choice([0.1, 0.25, 0.5, 0.75]), n], "xavier": [3, 5], "state": [], "linear": [n + 1, 4],
    }
    return [kind, *arguments.get(kind, [n])]


@pytest.mark.parametrize("seed", range(40))
def test_random_sequences(seed):
    choice = random.Random(seed)
    calls = [["seed", choice.choice([0, 1, 42, 7, (1 << 32) + 42, (1 << 63) + 5])]]
    assert_same(calls + [random_call(choice) for _ in range(60)])


@pytest.mark.parametrize("call", [["randn", 8 * 3 * 224 * 224], ["rand", 100003], ["normal", 0.5, 0.02, 100003], ["randperm", 50000],
                                  ["linear", 768, 3072], ["xavier", 768, 768], ["dropout", 0.1, 100003]], ids=lambda call: call[0])
def test_large(call):
    assert_same([["seed", 42], call])


def test_the_default_seed():
    torch.manual_seed(torch.default_generator.seed())
    torch.default_generator.manual_seed(67280421310721)
    assert drawn([["rand", 5]]) == raw(torch.rand(5))


# The values that are kept: what torch 2.13.0 drew when they were made.

KEPT = {
    "randn_8x3x224x224": ["randn", 8 * 3 * 224 * 224], "randn_1x3x224x224": ["randn", 3 * 224 * 224], "randn_100003": ["randn", 100003],
    "normal_0.5_0.02_100003": ["normal", 0.5, 0.02, 100003], "randperm_50000": ["randperm", 50000], "xavier_uniform_768x768": ["xavier", 768, 768],
}


@pytest.mark.parametrize("name", KEPT)
def test_kept_digest(name):
    path = GOLDEN / "torch-2.13.0-cpu-rng.json"
    if not path.exists():
        conftest.missing(f"no {path}: name its folder in SAMEBITS_GOLDEN")
    assert hashlib.sha256(drawn([["seed", 42], KEPT[name]])).hexdigest() == json.loads(path.read_text())[name]["sha256"]


KEPT_SMALL = {
    "rand_100": [["seed", 42], ["rand", 100]], "rand_8_seed7": [["seed", 7], ["rand", 8]],
    "rand_8_seed_2p32_plus_42": [["seed", (1 << 32) + 42], ["rand", 8]], "rand_f64_33": [["seed", 42], ["rand64", 33]],
    "randn_f64_37": [["seed", 42], ["randn64", 37]], "rand_f16_33": [["seed", 42], ["rand16", 33]], "rand_bf16_33": [["seed", 42], ["randbf16", 33]],
    "seq_randn3_randn100_randn2": [["seed", 42], ["randn", 3], ["randn", 100], ["randn", 2]], "normal_0.5_0.02_37": [["seed", 42], ["normal", 0.5, 0.02, 37]],
    "uniform_-0.036_0.036_37": [["seed", 42], ["uniform", -0.03607, 0.03607, 37]], "bernoulli_0.9_100": [["seed", 42], ["bernoulli", 0.9, 100]],
    "bernoulli_tensor_0.9_100": [["seed", 42], ["bernoulli_tensor", 0.9, 100]], "dropout_0.1_ones_100": [["seed", 42], ["dropout", 0.1, 100]],
    "randperm_10": [["seed", 42], ["randperm", 10]], "randperm_196": [["seed", 42], ["randperm", 196]], "randint_0_1000_100": [["seed", 42], ["randint", 0, 1000, 100]],
    **{f"randn_{n}": [["seed", 42], ["randn", n]] for n in (1, 4, 15, 16, 17, 20, 32, 37)},
}


@pytest.mark.parametrize("name", KEPT_SMALL)
def test_kept_values(name):
    path = GOLDEN / "torch-2.13.0-cpu-rng.safetensors"
    if not path.exists():
        conftest.missing(f"no {path}: name its folder in SAMEBITS_GOLDEN")
    data = path.read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    begin, end = json.loads(data[8 : 8 + size])[name]["data_offsets"]
    assert drawn(KEPT_SMALL[name]) == data[8 + size + begin : 8 + size + end]
