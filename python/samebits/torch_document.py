"""The parts of the document of torch_runs, from what runs gave."""

from . import live_tensors
from ._identity import fingerprint
from .live_facts import tensors_of


def label_of(index):
    """As samebits labels subjects: A to Z, then AA, AB, ..."""
    label = ""
    while index >= 0:
        label = chr(ord("A") + index % 26) + label
        index = index // 26 - 1
    return label


def named(runner, names):
    """Tensors with the digests of what both hold there, by which they are found in files whose names are others."""
    held = [{name: tensor for name, _, tensor in tensors_of(side.model)} for side in (runner.a, runner.b)]
    digests = [{name: fingerprint(side[name], fast=True) if name in side else "" for name in names} for side in held]
    return [{"name": name, "a": digests[0][name], "b": digests[1][name]} for name in names]


def finding_json(finding):
    evidence = dict(finding.evidence)
    if finding.cause.startswith("weights."):
        evidence.setdefault("tensors", evidence.pop("modules", []))
    parts = {name: getattr(finding, name) for name in ("cause", "role", "proof", "subjects", "summary", "details", "remedy")}
    return {**parts, "evidence": evidence}


def outcome_text(numbers, whose=None):
    if numbers is None:
        return f"{whose}'s outputs, bit for bit" if whose else "the same bits"
    if numbers["elements"] is None:
        return "outputs of other types or shapes"
    most = f", up to {numbers['max_abs']:.3g}" if whose and numbers["max_abs"] is not None else ""
    return f"{numbers['differing']} of {numbers['elements']} elements differ{most}"


def numbers_of(one, other, difference):
    """Of the first output that differs, or of the last one. None where that has no numbers."""
    import torch

    if difference is not None:
        known = difference["elements"] is not None
        numbers = {name: difference[name] for name in ("elements", "differing", "max_abs")}
        return {**numbers, "path": difference["path"].removeprefix("."), "max_abs": numbers["max_abs"] or 0} if known else None
    path, last = next((leaf for leaf in reversed(one.leaves) if isinstance(leaf[1], torch.Tensor)), ("", torch.empty(0)))
    return {"path": path.removeprefix("."), **live_tensors.difference(last, dict(other.leaves)[path]), "max_abs": 0}


def has_numbers(tensor):
    import torch

    return tensor.layout == torch.strided and not tensor.is_quantized and not tensor.is_complex() and tensor.dtype != torch.bool
