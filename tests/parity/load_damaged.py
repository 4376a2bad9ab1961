"""Loads files as torch, numpy and safetensors do: a line "kind<TAB>path" in, a line of JSON out: what it holds, or the error.

A worker of damage_test.py in a process of its own, since a damaged file may end it. Pickles may name nothing but DATA, so that
a damaged name calls nothing.
"""

import hashlib
import json
import pickle
import resource
import sys
import types
import warnings

import numpy
import safetensors.torch
import torch

DATA = {
    "collections": {"OrderedDict"}, "torch._utils": {"_rebuild_tensor_v2", "_rebuild_parameter"},
    "torch": {"FloatStorage", "LongStorage", "FloatTensor", "LongTensor"},
    "torch.nn.modules.linear": {"Linear"}, "torch.nn.modules.container": {"Sequential"}, "__builtin__": {"set"},
}


class Unpickler(pickle.Unpickler):
    def find_class(self, module, name):
        if name in DATA.get(module, ()):
            return super().find_class(module, name)
        raise pickle.UnpicklingError("unknown global")


DATA_ONLY = types.SimpleNamespace(
    Unpickler=Unpickler, load=lambda file, **options: Unpickler(file, **options).load(), __name__="data_only"
)


def arrays_of(value, name=""):
    if isinstance(value, torch.nn.Module):
        value = value.state_dict()
    if isinstance(value, torch.Tensor):
        value = value.detach().numpy()
    if isinstance(value, numpy.ndarray):
        raw = numpy.ascontiguousarray(value).astype(value.dtype.newbyteorder("<")).tobytes()
        return {name: [value.dtype.name, list(value.shape), hashlib.sha256(raw).hexdigest()]}
    if isinstance(value, (list, tuple)):
        value = dict(enumerate(value))
    if isinstance(value, dict):
        return {k: v for key, each in value.items() for k, v in arrays_of(each, f"{name}.{key}".strip(".")).items()}
    return {name: ["object", [], repr(value)[:200]]}


def load(kind, path):
    if kind in ("zip", "legacy"):
        return torch.load(path, weights_only=True)
    if kind in ("module", "tar"):
        return torch.load(path, weights_only=False, pickle_module=DATA_ONLY)
    if kind == "script":
        return dict(torch.jit.load(path).state_dict())
    if kind == "safetensors":
        return safetensors.torch.load_file(path)
    loaded = numpy.load(path)
    return {name: loaded[name] for name in loaded.files} if kind == "npz" else loaded


def answer(kind, path):
    try:
        return {"arrays": arrays_of(load(kind, path))}
    except Exception as error:  # whatever a loader says of a broken file
        return {"error": f"{type(error).__name__}: {error}"[:500]}


def main():
    warnings.simplefilter("ignore")
    resource.setrlimit(resource.RLIMIT_AS, (1 << 35, 1 << 35))
    for line in sys.stdin:
        print(json.dumps(answer(*line.rstrip("\n").split("\t"))), flush=True)


if __name__ == "__main__":
    main()
