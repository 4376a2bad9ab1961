"""One small model in every container that torch, numpy and safetensors write, and zip archives that those never would."""

import io
import pickle
import struct
import tarfile
import zlib

import numpy
import safetensors.torch
import torch
from torch import nn

SUFFIXES = {"npz": ".npz", "npy": ".npy", "safetensors": ".safetensors"}
KINDS = "zip legacy tar module script npz npy safetensors".split()


def state():
    return {"a.weight": torch.arange(6.0).reshape(2, 3) + 0.5, "a.bias": torch.arange(4)}


class PersistentId:
    def __init__(self, key):
        self.key = key


class Pickler(pickle.Pickler):
    def persistent_id(self, value):
        return value.key if isinstance(value, PersistentId) else None


def tar_of_2016(tensors):
    """As torch 0.1 wrote it: members sys_info, pickle, tensors and storages."""

    def dumped(value):
        out = io.BytesIO()
        Pickler(out, 2).dump(value)
        return out.getvalue()

    types = {torch.float32: (torch.FloatStorage, torch.FloatTensor), torch.int64: (torch.LongStorage, torch.LongTensor)}
    storages, records = dumped(len(tensors)), dumped(len(tensors))
    for i, tensor in enumerate(tensors.values()):
        storage_type, tensor_type = types[tensor.dtype]
        storages += dumped((100 + i, "cpu", storage_type)) + struct.pack("<q", tensor.numel()) + tensor.numpy().tobytes()
        numbers = [*tensor.shape, *tensor.stride(), 0]
        records += dumped((200 + i, 100 + i, tensor_type)) + struct.pack(f"<ii{len(numbers)}q", tensor.dim(), 0, *numbers)
    members = {
        "sys_info": dumped({"protocol_version": 1000, "little_endian": True}), "tensors": records, "storages": storages + dumped([]),
        "pickle": dumped({name: PersistentId(200 + i) for i, name in enumerate(tensors)}),
    }
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:", format=tarfile.PAX_FORMAT) as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


class Scaled(nn.Module):
    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.arange(3.0) + 0.5)

    def forward(self, x):
        return x * self.w


def saved(kind):
    """The bytes of a file of that kind."""
    out = io.BytesIO()
    tensors = state()
    if kind == "tar":
        return tar_of_2016(tensors)
    if kind == "safetensors":
        return safetensors.torch.save(tensors)
    if kind == "npz":
        numpy.savez(out, **{name: tensor.numpy() for name, tensor in tensors.items()})
    elif kind == "npy":
        numpy.save(out, tensors["a.weight"].numpy())
    elif kind == "module":
        torch.save(nn.Sequential(nn.Linear(2, 2)), out)
    elif kind == "script":
        torch.jit.save(torch.jit.script(Scaled()), out)
    else:
        torch.save(tensors, out, _use_new_zipfile_serialization=kind == "zip")
    return out.getvalue()


def zip_archive(records, order=None):
    """An archive of (name, bytes) or (name, bytes, name in the local header), its directory in that order of indexes."""
    body, headers = b"", []
    for name, data, *local in records:
        def middle(text, data=data):
            return struct.pack("<HHIIIIHH", 0, 0, 0, zlib.crc32(data), len(data), len(data), len(text), 0)
        names = [text.encode() for text in (local[0] if local else name, name)]
        header = b"PK\1\2" + struct.pack("<HH", 20, 20) + middle(names[1]) + struct.pack("<HHHII", 0, 0, 0, 0, len(body))
        headers.append(header + names[1])
        body += b"PK\3\4" + struct.pack("<H", 20) + middle(names[0]) + names[0] + data
    directory = b"".join(headers[i] for i in order or range(len(headers)))
    end = struct.pack("<HHHHIIH", 0, 0, len(headers), len(headers), len(directory), len(body), 0)
    return body + directory + b"PK\5\6" + end
