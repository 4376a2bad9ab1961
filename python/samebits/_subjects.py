"""What commands are about: paths, opened checkpoints, state_dicts and modules."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Optional, Union

from . import _native
from ._checkpoint import Checkpoint
from ._errors import Error
from ._modules import hold_module
from ._paths import Path, existing, is_path, path_or_name
from ._tensors import hold_state_dict, is_module

Subject = Union[Path, Checkpoint, "Mapping[str, Any]", Any]
Key = Union[None, str, "Sequence[Optional[str]]"]

# path in bytes or checkpoint in memory; key; whether it was given for all; what is not compared
Asked = tuple[Union[bytes, _native.Checkpoint], str, bool, str]


def source_of(x: Subject) -> tuple[bytes | _native.Checkpoint, str, str]:
    """The source, its own key, and what of it is not compared."""
    if isinstance(x, Checkpoint):
        return x.source, x.key, ""
    if is_path(x):
        return existing(x), "", ""
    if is_module(x):
        held, left_out = hold_module(x)
        return held, "", left_out
    if isinstance(x, Mapping):
        return hold_state_dict(x), "", ""
    kind = type(x).__name__
    what = "neither a path, a state_dict nor a torch module"
    raise Error(f"{what} (found {kind})", what=what, expected="a path, a state_dict or a torch.nn.Module", found=kind)


def subjects(xs: Sequence[Subject], key: Key) -> list[Asked]:
    if key is not None and not isinstance(key, str) and len(key) != len(xs):
        raise Error(f"there are {len(xs)} subjects and {len(key)} keys")
    _forbid_useless(xs, key)
    asked = []
    for i, x in enumerate(xs):
        source, own, left_out = source_of(x)
        given = key if key is None or isinstance(key, str) else key[i]
        shared = isinstance(key, str) and not own
        asked.append((source, own or given or "", shared, left_out))
    return asked


def _forbid_useless(xs: Sequence[Subject], key: Key) -> None:
    """Raises where a key is given to what is in memory alone: it would choose nothing."""
    given = [key] * len(xs) if key is None or isinstance(key, str) else list(key)
    in_memory = [isinstance(x, Mapping) or is_module(x) for x in xs]
    useless = [each for each, own in zip(given, in_memory) if own and each is not None]
    if useless and (all(in_memory) or not isinstance(key, str)):
        what = f"key {useless[0]!r} is of a file, and a state_dict or module in memory was given"
        remedy = f"Pass what is in it: x[{useless[0]!r}]"
        raise Error(f"{what}. {remedy}", what=what, remedy=remedy)


def path_subject(path: Path | Checkpoint, key: str | None) -> list[tuple[bytes, str, bool, str]]:
    """Of commands that take files alone."""
    if isinstance(path, Checkpoint):
        return [(path.source, key or path.key, False, "")]
    if not is_path(path):
        kind = type(path).__name__
        raise Error(f"that is no path (found {kind})", what="that is no path", found=kind)
    return [(existing(path), key or "", False, "")]


def target_subject(target: Subject) -> Asked:
    """What weights are loaded into: a path may also be a name of what is built in."""
    if is_path(target):
        given = os.fsencode(target)
        return (path_or_name(target) if b"/" in given else given, "", False, "")
    source, _, left_out = source_of(target)
    return (source, "", False, left_out)
