"""Small files for the transcripts, written byte by byte: no torch is needed, and every run writes the same bytes."""

import json
import os
import pathlib
import struct

EXAMPLE = pathlib.Path(__file__).resolve().parents[2] / "examples" / "vit-mae-tiny"

NOON = 1735732800  # 2025-01-01 12:00 UTC: when every file was written


def quantized():
    """blocks() with each matrix as bitsandbytes keeps it in int8: 127 times the row over its largest, and that largest."""
    tensors = {}
    for name, (shape, values) in blocks().items():
        if len(shape) == 1:
            tensors[name] = (shape, values)
            continue
        rows = [values[i : i + shape[1]] for i in range(0, len(values), shape[1])]
        largest = [max(map(abs, row)) for row in rows]
        tensors[name] = (shape, [round(127 * value / most) for row, most in zip(rows, largest) for value in row], "I8", "b")
        tensors[name.replace("weight", "SCB")] = ([shape[0]], largest)
    return tensors


def safetensors(tensors, metadata=None):
    """The bytes of a safetensors file. tensors: name -> (shape, values), float32 unless (shape, values, type, struct's letter)."""
    header, data = {}, b""
    if metadata:
        header["__metadata__"] = metadata
    for name, (shape, values, *types) in tensors.items():
        dtype, letter = types or ("F32", "f")
        raw = struct.pack(f"<{len(values)}{letter}", *values)
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + data


def blocks(prefix="", change=None):
    """Three blocks and a head; `change` is a name whose first value is moved by one ulp."""
    tensors = {}
    for n in range(3):
        for part, shape in (("attn.weight", [2, 2]), ("attn.bias", [2])):
            count = shape[0] * (shape[1] if len(shape) > 1 else 1)
            tensors[f"blocks.{n}.{part}"] = (shape, [n + 1 + i / 8 for i in range(count)])
    tensors["head.weight"] = ([1, 2], [0.5, -0.25])
    if change:
        shape, values = tensors[change]
        bits = struct.unpack("<I", struct.pack("<f", values[0]))[0]
        tensors[change] = (shape, [struct.unpack("<f", struct.pack("<I", bits + 1))[0], *values[1:]])
    return {prefix + name: value for name, value in tensors.items()}


def trained():
    """blocks() with the last two a little further."""
    tensors = blocks()
    for name, (shape, values) in tensors.items():
        if name.startswith(("blocks.1.", "blocks.2.")):
            tensors[name] = (shape, [value * (1 + (i + 1) / 64) for i, value in enumerate(values)])
    return tensors


def fused(order=(0, 1, 2), rename=False):
    """Two blocks with query, key and value apart, or stacked in that order into one."""
    tensors = {}
    for n in range(2):
        parts = [[100 * n + 10 * part + i / 8 for i in range(4)] for part in range(3)]
        if rename:
            rows = [value for part in order for value in parts[part]]
            tensors[f"blocks.{n}.attn.qkv.weight"] = ([6, 2], rows)
        else:
            for name, values in zip(("query", "key", "value"), parts):
                tensors[f"layer.{n}.attention.{name}.weight"] = ([2, 2], values)
    return tensors


def exchanged():
    """blocks() with its first two blocks in each other's place."""
    tensors = blocks()
    for part in ("attn.weight", "attn.bias"):
        first, second = f"blocks.0.{part}", f"blocks.1.{part}"
        tensors[first], tensors[second] = tensors[second], tensors[first]
    return tensors


def write_adapter(folder):
    """A LoRA of rank 1 as peft keeps it."""
    folder.mkdir()
    start = "base_model.model.blocks.0.attn."
    factors = {f"{start}lora_A.weight": ([1, 2], [1.0, -2.0]), f"{start}lora_B.weight": ([2, 1], [0.5, 0.25])}
    (folder / "adapter_model.safetensors").write_bytes(safetensors(factors))
    (folder / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", "r": 1, "lora_alpha": 2}))


def write(folder):
    """Everything that the transcripts name."""
    whole = safetensors(blocks())
    (folder / "a.safetensors").write_bytes(whole)
    (folder / "same.safetensors").write_bytes(whole)
    (folder / "prefixed.safetensors").write_bytes(safetensors(blocks(prefix="model.")))
    (folder / "int8.safetensors").write_bytes(safetensors(quantized()))
    (folder / "ulp.safetensors").write_bytes(safetensors(blocks(change="blocks.1.attn.weight")))
    (folder / "trained.safetensors").write_bytes(safetensors(trained()))
    (folder / "exchanged.safetensors").write_bytes(safetensors(exchanged()))
    (folder / "apart.safetensors").write_bytes(safetensors(fused()))
    (folder / "fused.safetensors").write_bytes(safetensors(fused(rename=True)))
    (folder / "kqv.safetensors").write_bytes(safetensors(fused((1, 0, 2), rename=True)))
    (folder / "headless.safetensors").write_bytes(safetensors({n: t for n, t in blocks().items() if n != "head.weight"}))
    (folder / "truncated.safetensors").write_bytes(whole[:-8])
    (folder / "escape.safetensors").write_bytes(safetensors({"w\x1b[31m\n\u202eclean: x": ([1], [1.0])}))
    (folder / "text.txt").write_text("not a checkpoint\n")
    write_adapter(folder / "adapter")
    more = {**blocks(), "norm.weight": ([2], [1.0, 1.0]), "head.weight": ([3, 2], [0.0] * 6)}
    (folder / "more.json").write_text(json.dumps([[name, shape] for name, (shape, _) in more.items()]))
    (folder / "target.json").write_text(json.dumps([[name, shape] for name, (shape, _) in blocks("model.").items()]))
    for name, ratio in (("hf", 0.75), ("hf-half", 0.5)):
        directory = folder / name
        directory.mkdir()
        (directory / "model.safetensors").write_bytes(safetensors(blocks(), {"format": "pt"}))
        config = {"model_type": "vit_mae", "hidden_size": 32, "mask_ratio": ratio, "transformers_version": "5.24.0"}
        (directory / "config.json").write_text(json.dumps(config))
    (folder / "mae").symlink_to(EXAMPLE / "hf")
    for path in folder.rglob("*"):
        os.utime(path, (NOON, NOON))
