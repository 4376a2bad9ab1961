"""Reports as objects."""

from __future__ import annotations

from typing import Any

from . import _native
from ._values import Record, parse


class Report:
    """What a command found.

    str(report) is what `samebits` prints, report.to_json() what it prints with --json, and every key of that JSON
    (docs/json.md) is an attribute: report.verdict, report.diagnosis, report.findings[0].cause. It keeps the checkpoints
    and tensors that it is about.
    """

    __slots__ = ("_native", "_data")

    def __init__(self, native: _native.Report) -> None:
        self._native = native
        self._data: Record | None = None

    @property
    def verdict(self) -> str:
        """same, different, unknown or close; of one subject clean, risk or unknown"""
        return self._native.verdict

    @property
    def exit_status(self) -> int:
        """0 for same, close and clean, 1 for different and for a risk, 2 for unknown"""
        return self._native.exit_status

    @property
    def data(self) -> Record:
        """The JSON as Python values; read once."""
        if self._data is None:
            self._data = parse(self._native.json())
        return self._data

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        try:
            return self.data[name]
        except KeyError:
            raise AttributeError(f"a report of samebits {self.data.get('command', '')} has no {name!r}") from None

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self.data]

    def text(self, *, width: int = 80, color: bool = False, all: bool = False) -> str:
        """For a terminal; `all` shows long lists whole."""
        return self._native.text(color, max(width, 40), all)

    def to_json(self) -> str:
        return self._native.json()

    def to_html(self) -> str:
        """A page that needs no network."""
        return self._native.html()

    def __str__(self) -> str:
        return self.text().rstrip("\n")

    def __repr__(self) -> str:
        return f"<samebits.Report {self.verdict}: {self.diagnosis}>"

    def _repr_html_(self) -> str:
        from html import escape

        page = escape(self.to_html(), quote=True)
        return f'<iframe srcdoc="{page}" style="width:100%;height:40em;border:0" title="samebits"></iframe>'

    def __bool__(self) -> bool:
        raise TypeError("a report is neither true nor false: ask for its verdict")
