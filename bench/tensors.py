#!/usr/bin/env python3
"""Measures diff where tensors are large and changed, and where they are many: ratios of medians.

    make bench                     this, files.py and forward.py
    bench/tensors.py --size 0.1    smaller files than 1 GB

Plain Python: the files are safetensors, written here and removed at the end. Every command is a whole process, its input in the
page cache; the sides of one comparison take turns.
"""

import argparse
import array
import json
import os
import pathlib
import random
import shutil
import struct
import sys
import tempfile

from figures import CACHE, SAMEBITS, Table, processor
from files import anonymous_memory, compare

# Values of a block, which is repeated to the size of the file; `changed` moves every one of them a little.
BLOCK = 1 << 20
TYPES = {"F32": 4, "BF16": 2, "F8_E4M3": 1, "U8": 1}


def block_of(dtype, changed):
    draw = random.Random(1)
    if dtype == "F32":
        return array.array("f", [draw.gauss(0, 1) * (1.0001 if changed else 1) for _ in range(BLOCK)]).tobytes()
    if dtype == "BF16":
        floats = array.array("f", [draw.gauss(0, 1) for _ in range(BLOCK)]).tobytes()
        codes = array.array("H", [code ^ changed for (code,) in struct.iter_unpack("<xxH", floats)])
        return codes.tobytes()
    mask = 0x77 if dtype == "F8_E4M3" else 0xFF
    return bytes((byte & mask) ^ changed for byte in draw.randbytes(BLOCK))


def write_large(path, dtype, size, changed=False, one_byte=False):
    block = block_of(dtype, changed)
    times = max(1, size // len(block))
    shape = [times, BLOCK]
    header = json.dumps({"weight": {"dtype": dtype, "shape": shape, "data_offsets": [0, times * len(block)]}}).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(header)) + header)
        for i in range(times):
            if one_byte and i == times // 2:
                file.write(bytes([block[0] ^ 1]) + block[1:])
            else:
                file.write(block)


def write_many(path, names, seed, shape=(2, 2)):
    draw = random.Random(seed)
    size = 4 * shape[0] * shape[1]
    header = {name: {"dtype": "F32", "shape": shape, "data_offsets": [i * size, (i + 1) * size]} for i, name in enumerate(names)}
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        values = array.array("f", [draw.random() for _ in range(len(names) * shape[0] * shape[1])])
        file.write(values.tobytes())


def diff_of(a, b):
    return ([SAMEBITS, "diff", str(a), str(b)], {0, 1}, None)


def measure_large(folder, size, repeats, table):
    for dtype in TYPES:
        a, equal, changed, one = (folder / name for name in ("a", "equal", "changed", "one"))
        write_large(a, dtype, size)
        write_large(equal, dtype, size)
        write_large(changed, dtype, size, changed=True)
        write_large(one, dtype, size, one_byte=True)
        medians = compare({"equal": diff_of(a, equal), "changed": diff_of(a, changed), "one": diff_of(a, one)}, repeats)
        shown = f"{medians['equal'] * 1000:.0f} ms equal"
        table.add(f"diff of {dtype}, every element changed / equal", medians["changed"] / medians["equal"], 3, "", shown)
        table.add(f"diff of {dtype}, one byte changed / equal", medians["one"] / medians["equal"], 3, "", shown)
        for path in (a, equal, changed, one):
            path.unlink()


def measure_many(folder, repeats, table):
    def names(pattern, count):
        return [pattern.format(i) for i in range(count)]

    cases = {  # count, names and seed of both sides
        "16 000 tensors, other names and values": (16_000, "left.t{}", 1, "right.x{}", 2, 2),
        "100 000 tensors, other names and values": (100_000, "left.t{}", 1, "right.x{}", 2, 3),
        "100 000 tensors, other names, equal": (100_000, "left.t{}", 1, "right.x{}", 1, 3),
        "100 000 tensors, equal": (100_000, "left.t{}", 1, "left.t{}", 1, 3),
        "100 000 blocks, other names and values": (100_000, "layers.{}.w", 1, "blocks.{}.weight", 2, 3),
    }
    a, b = folder / "a", folder / "b"
    for what, (count, left, seed_a, right, seed_b, limit) in cases.items():
        write_many(a, names(left, count), seed_a)
        write_many(b, names(right, count), seed_b)
        seconds = compare({"diff": diff_of(a, b)}, repeats)["diff"]
        memory = anonymous_memory([SAMEBITS, "diff", str(a), str(b)])
        table.add(f"diff of {what}", seconds, limit, "s", f"{memory / count / 1000:.1f} kB a tensor")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--size", type=float, default=1.0, help="of a large file, in GB")
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("--record", action="store_true", help="keep the ratios in bench/history: on a quiet machine")
    options = parser.parse_args()
    CACHE.mkdir(parents=True, exist_ok=True)
    folder = pathlib.Path(tempfile.mkdtemp(dir=CACHE))
    table = Table()
    print(f"files of {options.size:g} GB, page cache warm, {processor()}, {os.cpu_count()} cores, medians of {options.repeats}\n")
    try:
        measure_large(folder, int(options.size * 1e9), options.repeats, table)
        measure_many(folder, options.repeats, table)
    finally:
        shutil.rmtree(folder)
    return table.conclude(options.json, options.record)


if __name__ == "__main__":
    sys.exit(main())
