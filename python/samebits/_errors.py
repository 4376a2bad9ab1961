"""What this package raises."""

from __future__ import annotations


class Error(Exception):
    """What could not be done, where, and what to do about it: the fields of an error of samebits.

    code      "io", "truncated", "malformed", "inconsistent", "unsupported", "limit", "memory" or "usage"
    what      one sentence
    file      the path, or None
    offset    bytes from the start of the file, or None
    expected  what was to be there, or None
    found     what was there instead, or None
    remedy    what to do, or None
    """

    def __init__(
        self,
        text: str,
        code: str = "usage",
        what: str | None = None,
        file: str | None = None,
        offset: int | None = None,
        expected: str | None = None,
        found: str | None = None,
        remedy: str | None = None,
    ) -> None:
        super().__init__(text, code, what, file, offset, expected, found, remedy)
        self.text = text
        self.code = code
        self.what = text if what is None else what
        self.file = file
        self.offset = offset
        self.expected = expected
        self.found = found
        self.remedy = remedy

    def __str__(self) -> str:
        return self.text
