"""Paths, and names of models in the local Hugging Face cache."""

from __future__ import annotations

import os
from typing import TypeGuard, Union

from . import _native
from ._errors import Error

Path = Union[str, "os.PathLike[str]"]


def hub_cache_folder() -> str:
    """Where huggingface_hub keeps what it downloads, by the same variables."""
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        if os.environ.get(name):
            return os.path.expanduser(os.environ[name])
    if os.environ.get("HF_HOME"):
        return os.path.join(os.path.expanduser(os.environ["HF_HOME"]), "hub")
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join("~", ".cache")
    return os.path.join(os.path.expanduser(base), "huggingface", "hub")


def is_path(x: object) -> TypeGuard[Path]:
    return isinstance(x, (str, os.PathLike))


def path_or_name(path: Path) -> bytes:
    """The path, or the directory of the snapshot that it names; for what need not be there."""
    given = os.fsencode(path)
    if os.path.exists(given):
        return given
    return _native.snapshot(os.fsencode(hub_cache_folder()), given) or given


def existing(path: Path) -> bytes:
    """The same for what has to be there."""
    found = path_or_name(path)
    if os.path.lexists(found):
        return found
    shown = os.fspath(path)
    raise Error(
        f"{shown}: there is no such file or directory, and no such model in the Hugging Face cache",
        code="io",
        what="there is no such file or directory, and no such model in the Hugging Face cache",
        file=shown,
    )


def forbid_overwriting(output: bytes, source: bytes) -> None:
    """Raises where `output` is `source`, or a file of it."""
    if not os.path.exists(output):
        return
    places = [source]
    if os.path.isdir(source):
        places += [os.path.join(folder, name) for folder, _, names in os.walk(source) for name in names]
    if any(os.path.exists(place) and os.path.samefile(place, output) for place in places):
        shown = os.fsdecode(output)
        what = "it is a file of the input, and is not overwritten"
        raise Error(f"{shown}: {what}. Write to another file", what=what, file=shown, remedy="Write to another file")
