"""open(): a file or directory of weights, its tensors as views of the mapped file."""

from __future__ import annotations

import io
import mmap
import os
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from . import _native
from ._arguments import checked, refused
from ._errors import Error
from ._paths import Path, existing, is_path
from ._tensors import ML_DTYPES, NUMPY_TYPES, torch_module
from ._values import Record, parse

BITS = {1: "uint8", 2: "uint16", 4: "uint32", 8: "uint64"}


def numpy_dtype(name: str) -> np.dtype[Any]:
    if name in NUMPY_TYPES:
        return np.dtype(name)
    if name in ML_DTYPES:
        try:
            import ml_dtypes
        except ImportError:
            remedy = "Install ml_dtypes, or take tensor.bits() or tensor.torch()"
            raise Error(
                f"numpy has no {name}. {remedy}", code="unsupported", what=f"numpy has no {name}", found=name, remedy=remedy
            ) from None
        found: np.dtype[Any] = np.dtype(getattr(ml_dtypes, name))
        return found
    remedy = "Take tensor.bits() or tensor.torch()"
    raise Error(f"numpy has no {name}. {remedy}", code="unsupported", what=f"numpy has no {name}", found=name, remedy=remedy)


class Tensor:
    """A tensor of a checkpoint. Nothing is read until its values are asked for."""

    __slots__ = (
        "_native", "_index", "_big_endian", "_signs",
        "name", "path", "dtype", "shape", "strides", "role", "file", "offset", "nbytes", "itemsize", "note", "identity",
    )  # fmt: skip

    def __init__(self, native: _native.Checkpoint, index: int, name: str) -> None:
        self._native = native
        self._index = index
        self.name = name  # in state_dict()
        (
            self.path,  # from the top of the file: "model_state_dict.fc1.weight"
            self.dtype,  # as torch spells it, without "torch."
            self.shape,
            self.strides,  # in elements
            self.role,
            self.file,
            self.offset,  # byte in the file of the first element; None where the file has no values
            self.nbytes,
            self.itemsize,
            self._big_endian,
            self.note,
            self.identity,
            conjugated,
            negated,
        ) = native.entry(index)
        self._signs = (conjugated, negated)

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return int(np.prod(self.shape, dtype=np.int64))

    def _as(self, dtype: np.dtype[Any]) -> np.ndarray:
        if dtype.itemsize > 1 and dtype.kind != "V":
            dtype = dtype.newbyteorder(">" if self._big_endian else "<")
        strides = tuple(stride * dtype.itemsize for stride in self.strides)
        raw = self._native.raw_bytes(self._index)
        if self.size == 0:
            return np.empty(self.shape, dtype)
        array: np.ndarray = np.ndarray(self.shape, dtype, buffer=raw, strides=strides)
        array.flags.writeable = False
        return array

    def numpy(self) -> np.ndarray:
        """A read-only view of the mapped file, which it keeps mapped. Conjugate and negative views of torch are copied."""
        array = self._as(numpy_dtype(self.dtype))
        conjugated, negated = self._signs
        if conjugated:
            array = np.conjugate(array)
        return np.negative(array) if negated else array

    def bits(self) -> np.ndarray:
        """The elements as they are stored, as unsigned integers of their size: for types that numpy has not."""
        return self._as(np.dtype(BITS.get(self.itemsize, f"V{self.itemsize}")))

    def torch(self) -> Any:
        """A torch tensor over the file, private to this process: writing to it changes no file. What is compressed in
        the file, or lies otherwise than torch can see it, is copied."""
        import torch

        kind = getattr(torch, self.dtype, None)
        if kind is None or self.dtype.startswith("q"):
            raise Error(f"torch has no plain {self.dtype}", code="unsupported", what=f"torch has no plain {self.dtype}", found=self.dtype)
        if self.size == 0:
            return torch.empty(self.shape, dtype=kind)
        place = self._native.place_in_file(self._index)
        if place is None or self._big_endian or any(self._signs) or place[1] % max(kind.itemsize, 1):
            return self._copied(torch, kind)
        mapped = _private_map(*place)
        flat = torch.frombuffer(mapped, dtype=torch.uint8, offset=place[1], count=self._extent(kind.itemsize))
        return flat.view(kind).as_strided(self.shape, self.strides)

    def _extent(self, itemsize: int) -> int:
        return (sum((n - 1) * stride for n, stride in zip(self.shape, self.strides)) + 1) * itemsize

    def _copied(self, torch: Any, kind: Any) -> Any:
        as_bits = not any(self._signs) and kind.itemsize in BITS
        stored = self.bits() if as_bits else self.numpy()
        array = np.array(stored, dtype=stored.dtype.newbyteorder("="), order="C")
        return torch.from_numpy(array.view(f"i{kind.itemsize}")).view(kind) if as_bits else torch.from_numpy(array)

    def sha256(self) -> str:
        """Of its row-major little-endian bytes, as docs/lock.md has it."""
        return self._native.sha256(self._index)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        array = self.numpy()
        if dtype is not None and array.dtype != dtype:
            return array.astype(dtype)
        return array.copy() if copy else array

    def __dlpack__(self, **options: Any) -> Any:
        return (self.torch() if torch_module() else self.numpy()).__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        return (1, 0)  # the processor

    def __repr__(self) -> str:
        return f"<samebits.Tensor {self.name or self.path}: {self.dtype} {list(self.shape)}>"


def _private_map(path: str, offset: int, device: int, inode: int, size: int) -> mmap.mmap:
    with io.open(path, "rb") as file:
        status = os.fstat(file.fileno())
        if (status.st_dev, status.st_ino, status.st_size) != (device, inode, size):
            what = "the file was replaced since it was opened"
            raise Error(f"{path}: {what}. Open it again", code="io", what=what, file=path, remedy="Open it again")
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)


class Checkpoint(Mapping[str, np.ndarray]):
    """What stands in a file or directory of weights; a mapping from the names of state_dict() to numpy arrays.

    The arrays are read-only views of the mapped file. A view keeps it mapped, however long the checkpoint lives.
    """

    def __init__(self, native: _native.Checkpoint, source: bytes, key: str) -> None:
        self._native = native
        self.source = source
        self.key = key
        self._indexes: dict[str, int] = dict(native.weights())
        self._facts: Record | None = None
        self._contents: Record | None = None

    def __getitem__(self, name: str) -> np.ndarray:
        return self.tensor(name).numpy()

    def __iter__(self) -> Iterator[str]:
        return iter(self._indexes)

    def __len__(self) -> int:
        return len(self._indexes)

    def __contains__(self, name: object) -> bool:
        return name in self._indexes

    def __eq__(self, other: object) -> bool:
        return self is other

    __hash__ = object.__hash__

    def tensor(self, name: str) -> Tensor:
        return Tensor(self._native, self._indexes[name], name)

    def tensors(self) -> Iterator[Tensor]:
        """What state_dict() holds, in its order."""
        return (Tensor(self._native, index, name) for name, index in self._indexes.items())

    def buffers(self) -> dict[str, Tensor]:
        """Non-persistent buffers of a whole module, which state_dict() leaves out."""
        return {name: Tensor(self._native, index, name) for name, index in self._native.buffers()}

    def entries(self) -> Iterator[Tensor]:
        """Every tensor of the files, those of optimizers and generators too."""
        names = {index: name for name, index in self._indexes.items()}
        return (Tensor(self._native, i, names.get(i, "")) for i in range(self._native.entry_count()))

    def state_dict(self) -> dict[str, Any]:
        """Torch tensors by name: see Tensor.torch()."""
        return {tensor.name: tensor.torch() for tensor in self.tensors()}

    @property
    def names(self) -> list[str]:
        return list(self._indexes)

    @property
    def path(self) -> str:
        return self._native.path

    @property
    def kind(self) -> str:
        """ "hf-directory", "safetensors", "state-dict", "whole-module", "lightning", ... """
        return self._native.kind

    @property
    def candidates(self) -> list[str]:
        """The keys under which weights stand, in the order of preference."""
        return self._native.candidates()

    @property
    def facts(self) -> Record:
        """The subject's object of the JSON (docs/json.md): kind, config, mode, producer, weights_from, ..."""
        if self._facts is None:
            self._facts = parse(self._native.json(False))
        return self._facts

    @property
    def contents(self) -> Record:
        """The same with what inspect adds: entries, calls, training, modules, oddities, bytes."""
        if self._contents is None:
            self._contents = parse(self._native.json(True))
        return self._contents

    @property
    def config(self) -> Record | None:
        config: Record | None = self.facts["config"]
        return config

    @property
    def mode(self) -> Record | None:
        """How many modules there are, and how many in training mode; None where the file carries none."""
        mode: Record | None = self.facts["mode"]
        return mode

    @property
    def modules(self) -> list[Record]:
        """The nn.Modules of a whole-module pickle: path, class, training, hyper, hooks."""
        modules: list[Record] = self.contents["modules"]
        return modules

    def __repr__(self) -> str:
        return f"<samebits.Checkpoint {self.path}: {self.kind}, {len(self)} tensors>"


@checked
def open(path: Path, *, key: str | None = None, deep: bool = False, threads: int = 0) -> Checkpoint:
    """Opens a file or directory of weights of any format, told apart by content. Reads its structure only, and executes
    nothing; `deep` reads every byte: checksums, NaN, Inf. `key` chooses where a file holds several sets of weights."""
    if not is_path(path):
        raise refused("path", "a path", path if path is None else type(path).__name__)
    place = existing(path)
    return Checkpoint(_native.open(place, key or "", deep, threads), place, key or "")

