"""torch's random numbers as numpy arrays, bit for bit: of its generator for the CPU, in its official build for x86-64
with AVX2. torch is not needed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Union

import numpy as np

from . import _native
from ._arguments import whole_number
from ._errors import Error

Size = Union[int, "Sequence[int]"]
DEFAULT_SEED = 67280421310721


def _seed(seed: int) -> int:
    """torch takes negative seeds as well."""
    seed = whole_number("seed", seed)
    if not -(2**63) <= seed < 2**64:
        raise Error("a seed is a whole number of 64 bits", found=str(seed))
    return seed % 2**64


class Generator:
    """torch.Generator(): a Mersenne Twister, and the normal samples that it keeps for later."""

    def __init__(self, seed: int = DEFAULT_SEED) -> None:
        self._native = _native.CpuGenerator(_seed(seed))

    def manual_seed(self, seed: int) -> Generator:
        self._native.manual_seed(_seed(seed))
        return self

    def initial_seed(self) -> int:
        return self._native.initial_seed()

    def get_state(self) -> np.ndarray:
        """The bytes of torch's get_state()."""
        return np.frombuffer(self._native.state(), np.uint8).copy()

    def set_state(self, state: Any) -> Generator:
        self._native.set_state(np.asarray(state, np.uint8).tobytes())
        return self

    def rand(self, *size: Size, dtype: Any = np.float32) -> np.ndarray:
        out = _empty(size, dtype)
        self._native.uniform(out.reshape(-1))
        return out

    def randn(self, *size: Size, dtype: Any = np.float32) -> np.ndarray:
        out = _empty(size, dtype)
        self._native.normal(out.reshape(-1))
        return out

    def randperm(self, n: int) -> np.ndarray:
        out = _empty((n,), np.int64)
        self._native.randperm(out)
        return out

    def randint(self, low: int, high: int, size: Size) -> np.ndarray:
        if not low < high:
            raise Error("randint needs low < high", found=f"{low}, {high}")
        out = _empty((size,), np.int64)
        self._native.randint(low, high, out.reshape(-1))
        return out


def _empty(size: tuple[Size, ...], dtype: Any) -> np.ndarray:
    kind = np.dtype(dtype)
    if kind not in (np.dtype(np.float32), np.dtype(np.float64), np.dtype(np.int64)):
        raise Error("random numbers are float32 or float64", expected="float32, float64", found=str(kind))
    shape = size[0] if len(size) == 1 else size
    return np.empty(shape, kind)  # type: ignore[arg-type]


def _generator(seed: int | None, generator: Generator | None) -> Generator:
    if seed is not None and generator is not None:
        raise Error("give a seed or a generator, not both")
    if generator is not None and not isinstance(generator, Generator):
        remedy = "Use samebits.Generator().set_state(generator.get_state())" if hasattr(generator, "get_state") else "Use samebits.Generator(seed)"
        what = "generator is no samebits.Generator"
        raise Error(f"{what} (found {type(generator).__name__}). {remedy}", what=what, found=type(generator).__name__, remedy=remedy)
    if seed is None and generator is None:
        raise Error("give a seed or a generator: nothing here draws from a state that others share")
    return Generator(seed) if generator is None else generator  # type: ignore[arg-type]


def rand(*size: Size, seed: int | None = None, generator: Generator | None = None, dtype: Any = np.float32) -> np.ndarray:
    """torch.rand(*size) after torch.manual_seed(seed)."""
    return _generator(seed, generator).rand(*size, dtype=dtype)


def randn(*size: Size, seed: int | None = None, generator: Generator | None = None, dtype: Any = np.float32) -> np.ndarray:
    """torch.randn(*size) after torch.manual_seed(seed)."""
    return _generator(seed, generator).randn(*size, dtype=dtype)


def randperm(n: int, *, seed: int | None = None, generator: Generator | None = None) -> np.ndarray:
    """torch.randperm(n) after torch.manual_seed(seed)."""
    return _generator(seed, generator).randperm(n)


def randint(low: int, high: int, size: Size, *, seed: int | None = None, generator: Generator | None = None) -> np.ndarray:
    """torch.randint(low, high, size) after torch.manual_seed(seed)."""
    return _generator(seed, generator).randint(low, high, size)
