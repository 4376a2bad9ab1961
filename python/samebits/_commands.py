"""The commands of the program as functions. What they take is what their options are (docs/commands.md)."""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _native
from ._arguments import checked
from ._checkpoint import Checkpoint
from ._errors import Error
from ._paths import Path, existing, forbid_overwriting
from ._reports import Report
from ._subjects import Asked, Key, Subject, path_subject, subjects, target_subject
from ._tensors import is_module, is_torch_tensor
from ._values import Record, parse

if TYPE_CHECKING:
    from .live_report import LiveReport


@checked
def diff(
    a: Subject,
    b: Subject,
    *,
    key: Key = None,
    filter: str | None = None,
    rtol: float | None = None,
    atol: float | None = None,
    threads: int = 0,
) -> Report:
    """Are these the same model? Paths, opened checkpoints, state_dicts (of numpy arrays or torch tensors) and torch
    modules; what is in memory is compared where it lies. With rtol or atol the verdict can be close."""
    return Report(_native.diff(subjects([a, b], key), threads, filter, rtol, atol))


@checked
def explain(
    *paths: Subject,
    x: Any = None,
    images: Sequence[Path] | None = None,
    processor: Path | None = None,
    randn: Sequence[int] | None = None,
    seed: int = 42,
    config: Path | None = None,
    fields: Mapping[str, Any] | None = None,
    files_only: bool = False,
    with_: str | None = None,
    trust_code: bool = False,
    budget: float = 10,
    filter: str | None = None,
    key: Key = None,
    threads: int = 0,
) -> Report | "LiveReport":
    """Same weights, other outputs: why? Two or more files or directories; or two torch modules and their inputs, as explain_live() takes them.

    `with_="torch"` runs directories of transformers in PyTorch, whatever their class, and files of weights in the class of the first of
    them; `x` may then be a mapping of the forward pass's arguments. `trust_code`: also whole modules, .bin files and code that a directory
    brings, which run what their author wrote.
    """
    if len(paths) > 1 and all(is_module(each) for each in paths[:2]):
        return _explain_modules(paths, x)
    if any(is_module(each) for each in paths):
        raise Error("explain takes two modules, or files and directories: load a state_dict into a module, which can be run", code="unsupported")
    if len(paths) < 2:
        raise Error("explain needs two subjects or more")
    if filter is not None and not files_only:
        raise Error("filter needs files_only: a run takes all weights")
    asked = subjects(paths, key)
    if any(not isinstance(each[0], bytes) for each in asked):
        raise Error("explain takes files and directories", code="unsupported")
    if with_ is not None:
        if with_ != "torch" or files_only or config is not None or fields or key is not None:
            raise Error('with_ is "torch", without files_only, config, fields and key')
        given = input_of(None if x is None else np.empty(0, np.float32), images, processor, randn, seed)  # which names one of them
        _need_torch()
        document = _torch_document(asked, x, given, trust_code, budget, threads)
        return Report(_native.explain(asked, {}, threads, False, b"", "", budget, None, document))
    given = input_of(x, images, processor, randn, seed)
    return Report(
        _native.explain(asked, given, threads, files_only, path_bytes(config), json_text(fields), budget, filter, None)
    )


def _explain_modules(given: Sequence[Any], x: Any) -> "LiveReport":
    from .live import explain_live

    if len(given) > 3 or any(is_module(each) for each in given[2:]):
        raise Error("explain takes two modules: give a third one a call of its own", code="usage")
    if len(given) == 3 and x is not None:
        raise Error("give one input: as the third argument, or as x", code="usage")
    return explain_live(*given[:2], given[2] if len(given) == 3 else x)


def _need_torch() -> None:
    lacking = [name for name in ("torch", "transformers") if importlib.util.find_spec(name) is None]
    if lacking:
        what, remedy = f'with_="torch" needs {" and ".join(lacking)}, which this Python has not', "pip install torch transformers"
        raise Error(f"{what}. {remedy}", code="unsupported", what=what, remedy=remedy)


def _torch_document(
    asked: list[Asked], x: Any, given: Mapping[str, Any], trust_code: bool, seconds: float, threads: int
) -> bytes:
    from .torch_runs import document, keyword_arguments

    images = [os.fsdecode(each) for each in given.get("images", ())]
    processor = os.fsdecode(given["processor"]) if "processor" in given else None
    return document(
        [os.fsdecode(each[0]) for each in asked],  # type: ignore[arg-type]
        seed=given["seed"],
        seconds=seconds,
        threads=threads,
        shape=given.get("randn"),
        inputs=None if x is None else keyword_arguments(x),
        images=images,
        processor=processor,
        trust_code=trust_code,
    )


@checked
def inspect(
    path: Path | Checkpoint,
    *,
    deep: bool = False,
    sha256: bool = False,
    filter: str | None = None,
    key: str | None = None,
    threads: int = 0,
) -> Report:
    """What is in this file, and may it be trusted?"""
    ((source, own, _, _),) = path_subject(path, key)
    return Report(_native.inspect(source, own, threads, deep, sha256, filter))


@checked
def check(
    path: Path | Checkpoint,
    target: Subject,
    *,
    with_: str | None = None,
    trust_code: bool = False,
    filter: str | None = None,
    key: str | None = None,
    threads: int = 0,
) -> Report:
    """If I load this there, what stays random? `target` is as --for has it: transformers-4, timm:VisionTransformer,
    another checkpoint, a JSON list of names and shapes; or a torch module or state_dict whose load_state_dict() would be
    called.

    `with_="torch"` lets the transformers of this Python load the directory, whatever its class; `target` is transformers-4 or
    transformers-5, with :ClassName where that is another than the config's. `trust_code`: as of explain."""
    asked = path_subject(path, key)
    if with_ is None:
        return Report(_native.check([*asked, target_subject(target)], threads, filter, None))
    library, _, name = target.partition(":") if isinstance(target, str) else ("", "", "")
    if with_ != "torch" or library not in ("transformers-4", "transformers-5"):
        raise Error('with_ is "torch", of the target transformers-4 or transformers-5')
    _need_torch()
    from .torch_load import document

    loaded = document(os.fsdecode(asked[0][0]), library=library[-1], name=name or None, trust_code=trust_code)  # type: ignore[arg-type]
    return Report(_native.check([*asked, target_subject(library)], threads, filter, json.dumps(loaded).encode()))


@checked
def resume(path: Path, next: Path | None = None, *, key: Key = None, threads: int = 0) -> Report:
    """Will training go on exactly where it stopped? With `next`, whether that can be a continuation."""
    both = [path] if next is None else [path, next]
    keys = [key] * len(both) if key is None or isinstance(key, str) else list(key)
    asked = [path_subject(each, own)[0] for each, own in zip(both, keys)]
    return Report(_native.resume(asked, threads))


class Lock:
    """A model's identity: docs/lock.md."""

    __slots__ = ("_native", "_data")

    def __init__(self, native: _native.Lock) -> None:
        self._native = native
        self._data: Record | None = None

    @property
    def text(self) -> str:
        """The file, as `samebits lock` writes it."""
        return self._native.text

    @property
    def contents(self) -> str:
        """The digest of all tensors without their names."""
        return self._native.contents

    @property
    def named(self) -> str:
        """The digest of all tensors with their names."""
        return self._native.named

    @property
    def data(self) -> Record:
        if self._data is None:
            self._data = parse(self.text)
        return self._data

    def to_json(self) -> str:
        return self.text

    def write(self, path: Path) -> None:
        _native.write_text(os.fsencode(path), self.text.encode())

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"<samebits.Lock {self.contents}>"


@checked
def lock(x: Subject, output: Path | None = None, *, fast: bool = False, key: str | None = None, threads: int = 0) -> Lock:
    """Pins a model's identity, and writes it to `output` where that is given."""
    asked = subjects([x], key)
    if output is not None and isinstance(asked[0][0], bytes):
        forbid_overwriting(os.fsencode(output), asked[0][0])
    made = Lock(_native.lock(asked, fast, threads))
    if output is not None:
        made.write(output)
    return made


@checked
def verify(x: Subject, lock: Path, *, key: str | None = None, threads: int = 0) -> Report:
    """Is this still the model that was locked?"""
    return Report(_native.verify(subjects([x], key), existing(lock), threads))


class Converted:
    """What was written, and read back bit for bit."""

    __slots__ = ("_text", "_json", "data")

    def __init__(self, text: str, json_text: str) -> None:
        self._text = text
        self._json = json_text
        self.data: Record = parse(json_text)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name not in self.data:
            raise AttributeError(name)
        return self.data[name]

    def to_json(self) -> str:
        return self._json

    def __str__(self) -> str:
        return self._text.rstrip("\n")

    def __repr__(self) -> str:
        return f"<samebits.Converted {self.data['output']}>"


@checked
def convert(
    path: Path | Checkpoint,
    output: Path,
    *,
    to: str,
    dtype: str | None = None,
    shard_size: str | int | None = None,
    strip_prefix: str = "",
    config: Path | None = None,
    adapter: Path | None = None,
    dequantize: bool = False,
    force: bool = False,
    key: str | None = None,
    threads: int = 0,
) -> Converted:
    """Writes the same tensors in another container, under a library's names, or in another type. `to` and the rest are
    as the program's options of these names have them."""
    ((source, own, _, _),) = path_subject(path, key)
    place = os.fsencode(output)
    forbid_overwriting(place, source)
    asked = {
        "input": source,
        "output": place,
        "key": own,
        "to": to,
        "dtype": "" if dtype is None else str(dtype).removeprefix("torch."),
        "shard_size": "" if shard_size is None else str(shard_size),
        "strip_prefix": strip_prefix,
        "config": path_bytes(config),
        "adapter": path_bytes(adapter),
        "dequantize": dequantize,
        "force": force,
        "threads": threads,
    }
    return Converted(*_native.convert(asked))


class Outputs(dict[str, np.ndarray]):
    """What a forward pass gives: arrays by name, which are attributes too.

    assumed      what was not given, in words
    tied_images  images whose noise has two equal numbers: torch may order their patches otherwise
    """

    def __init__(self, arrays: Mapping[str, np.ndarray], assumed: list[str], tied_images: list[int]) -> None:
        super().__init__(arrays)
        self.assumed = assumed
        self.tied_images = tied_images

    def __getattr__(self, name: str) -> np.ndarray:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


@checked
def run(
    path: Path | Checkpoint,
    x: Any = None,
    *,
    noise: Any = None,
    noise_seed: int = 42,
    mask_ratio: float | None = None,
    train: int | None = None,
    images: Sequence[Path] | None = None,
    processor: Path | None = None,
    randn: Sequence[int] | None = None,
    seed: int = 42,
    config: Path | None = None,
    fields: Mapping[str, Any] | None = None,
    only: Sequence[str] = (),
    key: str | None = None,
    threads: int = 0,
) -> Outputs:
    """Runs a vision transformer on the native engine: the same weights, input and noise give the same bits. `x` and
    `noise` are arrays or tensors of float32; `train` is the seed from which dropout draws in training mode."""
    ((source, own, _, _),) = path_subject(path, key)
    asked = {
        "model": source,
        "key": own,
        "config": path_bytes(config),
        "fields": json_text(fields),
        "input": input_of(x, images, processor, randn, seed),
        "noise": None if noise is None else float_array("noise", noise),
        "noise_seed": noise_seed,
        "mask_ratio": mask_ratio,
        "train": train,
        "only": list(only),
        "threads": threads,
    }
    return Outputs(*_native.run(asked))


def path_bytes(path: Path | None) -> bytes:
    return b"" if path is None else existing(path)


def json_text(fields: Mapping[str, Any] | None) -> str:
    return "" if not fields else json.dumps(dict(fields))


def float_array(name: str, value: Any) -> np.ndarray:
    """An array of float32 in C's order. Another type is refused: a cast would be another input."""
    array: np.ndarray = value.detach().cpu().numpy() if is_torch_tensor(value) else np.asarray(value)
    if array.dtype != np.float32:
        what = f"{name} is no array of float32"
        raise Error(f"{what} (found {array.dtype})", what=what, expected="float32", found=str(array.dtype))
    return np.ascontiguousarray(array)


def input_of(
    x: Any, images: Sequence[Path] | None, processor: Path | None, randn: Sequence[int] | None, seed: int
) -> dict[str, Any]:
    if sum(each is not None for each in (x, images, randn)) > 1:
        raise Error("give one input: x, images or randn")
    given: dict[str, Any] = {"seed": seed}
    if x is not None:
        given["tensor"] = float_array("x", x)
    if images is not None:
        given["images"] = [existing(image) for image in images]
    if processor is not None:
        given["processor"] = existing(processor)
    if randn is not None:
        if len(randn) != 4 or min(randn) < 1:
            raise Error("randn is no shape that can be run", expected="four sizes of 1 or more", found=str(list(randn)))
        given["randn"] = [int(size) for size in randn]
    return given
