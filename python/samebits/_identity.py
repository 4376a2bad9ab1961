"""Digests of models, and the assertion that two are the same."""

from __future__ import annotations

from . import _native
from ._arguments import checked
from ._checkpoint import Tensor
from ._commands import diff
from ._reports import Report
from ._subjects import Key, Subject, subjects
from ._tensors import hold, is_tensor


@checked
def fingerprint(x: Subject, *, names: bool = True, key: str | None = None, fast: bool = False, threads: int = 0) -> str:
    """The digest that docs/lock.md specifies: of a tensor or array its own; of a path, a state_dict or a module `named`,
    or without names `contents`, which does not depend on what tensors are called. `fast`: xxh3-128 in the place of
    SHA-256."""
    if isinstance(x, Tensor) and not fast:
        return x.sha256()
    if is_tensor(x):
        return _native.tensor_digest(hold("a tensor in memory", [("tensor", x, "")]), fast)
    made = _native.lock(subjects([x], key), fast, threads)
    return made.named if names else made.contents


class NotSame(AssertionError):
    """Two models are not the same; its report says why."""

    def __init__(self, report: Report) -> None:
        super().__init__(report)
        self.report = report

    def __str__(self) -> str:
        return str(self.report)


@checked
def assert_same(
    a: Subject,
    b: Subject,
    *,
    key: Key = None,
    filter: str | None = None,
    rtol: float | None = None,
    atol: float | None = None,
    threads: int = 0,
) -> None:
    """Raises NotSame, with the report as its message, unless the verdict of diff() is same, or close where a tolerance is
    given. Other names for the same tensors are the same."""
    report = diff(a, b, key=key, filter=filter, rtol=rtol, atol=atol, threads=threads)
    if report.verdict not in ("same", "close"):
        raise NotSame(report)

