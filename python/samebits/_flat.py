"""Reports for the logs of experiment trackers, which take names with one value each."""

from __future__ import annotations

import json
from typing import Any, Union

from ._arguments import refused

Value = Union[bool, int, float, str]


def flat(report: Any, prefix: str = "samebits") -> dict[str, Value]:
    """Any report of this package, whatever has to_json(), as one level of names and plain values.

    A name is the path of a key in that JSON: "samebits/verdict". Of a list it is how many there are ("samebits/findings/count"); of a
    finding role and proof under its cause ("samebits/findings/weights.changed": "cause proved"); and of two subjects, or of an output of
    both, each number ("samebits/weights/A-B/changed", "samebits/outputs/A-B/logits/max_abs"). Nothing that is null is in it.
    """
    if not hasattr(report, "to_json"):
        raise refused("report", "a report, which has to_json()", type(report).__name__)
    found: dict[str, Value] = {}
    _walk(json.loads(report.to_json()), prefix, found)
    return found


def _walk(value: Any, path: str, found: dict[str, Value]) -> None:
    if isinstance(value, dict):
        for key, member in value.items():
            _walk(member, f"{path}/{key}", found)
    elif isinstance(value, list):
        found[f"{path}/count"] = len(value)
        for item in value:
            if isinstance(item, dict):
                _item(item, path, found)
    elif value is not None:
        found[path] = value


def _item(item: dict[str, Any], path: str, found: dict[str, Value]) -> None:
    if "proof" in item:
        found.setdefault(f"{path}/{item.get('cause') or item.get('factor')}", f"{item.get('role')} {item['proof']}")
    elif isinstance(item.get("a"), str) and isinstance(item.get("b"), str):
        place = "/".join(filter(None, [path, f"{item['a']}-{item['b']}", item.get("point")]))
        for key, value in item.items():
            if key not in ("a", "b", "point") and isinstance(value, (bool, int, float, str)):
                found[f"{place}/{key}"] = value
