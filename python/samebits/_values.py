"""JSON objects whose keys are attributes as well."""

from __future__ import annotations

import json
from typing import Any


class Record(dict[str, Any]):
    """record.cause is record["cause"]."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self]


def parse(text: str) -> Any:
    return json.loads(text, object_hook=Record)
