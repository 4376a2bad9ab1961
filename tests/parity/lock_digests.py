"""The digests of docs/lock.md, written from its text alone, with hashlib and libxxhash."""

import ctypes
import ctypes.util
import hashlib
import struct

import torch


def counted(text):
    return b"%d:" % len(text.encode()) + text.encode()


class Hash128(ctypes.Structure):
    _fields_ = [("low", ctypes.c_uint64), ("high", ctypes.c_uint64)]


def digest(data, algorithm="sha256"):
    if algorithm == "sha256":
        return hashlib.sha256(data).hexdigest()
    library = ctypes.CDLL(ctypes.util.find_library("xxhash"))
    library.XXH3_128bits.restype = Hash128
    library.XXH3_128bits.argtypes = [ctypes.c_char_p, ctypes.c_size_t]
    value = library.XXH3_128bits(data, len(data))
    return f"{value.high:016x}{value.low:016x}"


def tensor_bytes(tensor):
    tensor = tensor.detach().resolve_conj().resolve_neg().contiguous().cpu()
    return tensor.reshape(-1).view(torch.uint8).numpy().tobytes() if tensor.numel() else b""


def line(tensor, algorithm):
    dtype = str(tensor.dtype).removeprefix("torch.")
    shape = ",".join(str(size) for size in tensor.shape)
    return f"{dtype} [{shape}] {digest(tensor_bytes(tensor), algorithm)}".encode()


def view_of(tensor):
    return (tensor.untyped_storage().data_ptr(), tensor.storage_offset(), tuple(tensor.shape), tuple(tensor.stride()), tensor.dtype)


def ties(state):
    """Name -> the first name, in the order of bytes, of the same elements."""
    first, tied = {}, {}
    for name in sorted(state, key=str.encode):
        if state[name].numel() == 0:
            continue
        key = view_of(state[name])
        if key in first:
            tied[name] = first[key]
        first.setdefault(key, name)
    return tied


def lines_digest(first, lines, algorithm):
    return digest(b"".join(part + b"\n" for part in [first, *sorted(lines)]), algorithm)


def contents(state, algorithm="sha256"):
    tied = ties(state)
    return lines_digest(b"samebits.contents/1", [line(t, algorithm) for n, t in state.items() if n not in tied], algorithm)


def named(state, algorithm="sha256"):
    return lines_digest(b"samebits.named/1", [counted(n) + b" " + line(t, algorithm) for n, t in state.items()], algorithm)


def canonical(value):
    if value is None:
        return b"n"
    if value is True or value is False:
        return b"t" if value else b"f"
    if isinstance(value, int):
        return b"i%d;" % value
    if isinstance(value, float):
        return b"d" + struct.pack(">d", value).hex().encode() + b";"
    if isinstance(value, str):
        return b"s" + counted(value)
    if isinstance(value, list):
        return b"[" + b"".join(map(canonical, value)) + b"]"
    keys = sorted(value, key=str.encode)
    return b"{" + b"".join(counted(key) + canonical(value[key]) for key in keys) + b"}"


def config_digest(config, algorithm="sha256"):
    return digest(canonical(config), algorithm)
