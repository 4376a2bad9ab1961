"""Options that every function takes alike: what they may be, and errors of the library in the words of a caller of Python."""

from __future__ import annotations

import functools
import inspect
import math
import operator
import re
from collections.abc import Callable
from typing import Any, TypeVar

from ._errors import Error

F = TypeVar("F", bound=Callable[..., Any])


def refused(name: str, what: str, value: object) -> Error:
    return Error(f"{name} is {what} (found {value!r})", what=f"{name} is {what}", found=repr(value))


def whole_number(name: str, value: Any, least: int | None = None) -> int:
    try:
        number = operator.index(value)
    except TypeError:
        raise refused(name, "a whole number", value) from None
    if least is not None and number < least:
        raise refused(name, f"a whole number of {least} or more", value)
    return number


def _tolerance(name: str, value: Any) -> float:
    try:
        number = float(value) if not isinstance(value, (str, bytes)) else math.nan
    except (TypeError, ValueError):
        number = math.nan
    if not number >= 0:
        raise refused(name, "a number of 0 or more", value)
    return number


def _pattern(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise refused(name, "a regular expression as text", value)
    return value


CHECKS: dict[str, Callable[[str, Any], Any]] = {
    "threads": lambda name, value: whole_number(name, value, 0),
    "seed": whole_number,
    "rtol": _tolerance,
    "atol": _tolerance,
    "filter": _pattern,
}


def checked(function: F) -> F:
    """The function, which refuses options that are no such thing before anything is read."""
    names = [name for name in inspect.signature(function).parameters]

    @functools.wraps(function)
    def call(*arguments: Any, **options: Any) -> Any:
        for name, value in options.items():
            if name in CHECKS and value is not None:
                options[name] = CHECKS[name](name, value)
        try:
            return function(*arguments, **options)
        except Error as error:
            said = _in_python(error, names)
            if said is None:
                raise
            raise said from None

    return call  # type: ignore[return-value]


def _in_python(error: Error, names: list[str]) -> Error | None:
    """The error with the program's options called as the function's arguments are; None where it names none."""
    options = {f"--{name.strip('_').replace('_', '-')}": name for name in names}
    words = re.compile("|".join(f"{re.escape(option)}(?![\\w-])" for option in options))

    def said(text: str | None) -> str | None:
        return None if text is None else words.sub(lambda found: options[found[0]], text)

    parts = [said(part) for part in (error.text, error.what, error.expected, error.found, error.remedy)]
    if parts == [error.text, error.what, error.expected, error.found, error.remedy]:
        return None
    text, what, expected, found, remedy = parts
    return type(error)(text or "", error.code, what, error.file, error.offset, expected, found, remedy)
