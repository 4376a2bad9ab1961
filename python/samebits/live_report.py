"""The result of explain_live() as a value, its JSON and its text."""

import dataclasses
import html
import textwrap

from . import live_file

ROLES = ["cause", "contributes", "risk", "note"]
WIDTH = 80


@dataclasses.dataclass
class Finding:
    """One thing that is said. `cause`: an identifier of docs/causes.md, None where none fits; `factor`: what was exchanged or observed."""

    cause: str | None
    factor: str
    role: str  # cause, contributes, risk, note
    proof: str  # proved, observed, suspected
    summary: str
    details: list = dataclasses.field(default_factory=list)
    evidence: dict = dataclasses.field(default_factory=dict)
    remedy: str = ""
    settle: str = ""
    subjects: list = dataclasses.field(default_factory=lambda: ["A", "B"])


@dataclasses.dataclass
class LiveReport:
    """`verdict`: "same", "different" or "unknown". `outputs`: of the first output that differs, path, elements, differing, max_abs, or None;
    of what has no numbers `shown`, A's and B's, in their place.
    `first`: the first module whose output differs with equal random numbers, or None. `draws`: per model the modules that drew random
    numbers. `runs`: what was run and what it showed."""

    verdict: str
    diagnosis: str
    subjects: list
    outputs: dict | None
    first: dict | None
    draws: dict
    findings: list
    runs: list
    not_checked: list

    def to_json(self):
        """The fields as JSON text, schema samebits.live/1."""
        return live_file.dumps({"schema": "samebits.live/1", **dataclasses.asdict(self)})

    def __str__(self):
        return "\n".join(_lines(self))

    def _repr_html_(self):
        return as_html(self)


def as_html(report):
    """The text of a report for a notebook, in which nothing is HTML of its own."""
    return f'<pre style="white-space:pre-wrap">{html.escape(str(report))}</pre>'


def ordered(findings):
    """Causes first, then what contributes, risks, notes; inside a role in the order in which they were found."""
    return sorted(findings, key=lambda finding: ROLES.index(finding.role))


def _lines(report):
    yield from _wrapped("", f"{report.verdict}: {report.diagnosis}")
    yield ""
    for subject in report.subjects:
        yield from _wrapped(f"{subject['label']}", f"{subject['class']}   {subject['tensors']} tensors   {subject['mode']}")
    if report.outputs:
        yield from _wrapped("outputs", f"differ{_at(report.outputs['path'])}{_numbers(report.outputs)}")
    if report.first:
        yield from _wrapped("part at", f"{report.first['point']} ({report.first['class']}): {report.first['how']}")
        if report.first["inputs"] == "different" and report.first["computed_in"]:
            yield from _wrapped("", f"its inputs differ already: {report.first['computed_in']} computes them in its own code")
    for label, modules in report.draws.items():
        if modules:
            yield from _wrapped("draws", f"{label}: {', '.join(modules[:4])}{f' and {len(modules) - 4} more' if len(modules) > 4 else ''}")
    for finding in report.findings:
        yield ""
        yield from _wrapped(finding.role, f"{finding.summary}   {finding.proof}{f' ({finding.cause})' if finding.cause else ''}")
        for detail in finding.details:
            yield from _wrapped("", detail)
        if finding.remedy:
            yield from _wrapped("do this", finding.remedy)
        if finding.settle:
            yield from _wrapped("to settle", finding.settle)
    if report.not_checked:
        yield ""
    for sentence in report.not_checked:
        yield from _wrapped("unchecked", sentence)


def _at(path):
    return f" at {path}" if path else ""


def _numbers(outputs):
    shown = outputs.get("shown") or ["", ""]
    if not outputs["differing"] and (outputs["elements"] is None or shown[0] != shown[1]):
        return f": {shown[0]} and {shown[1]}" if shown[0] != shown[1] else ": another type, shape or value"
    most = f", up to {outputs['max_abs']:.3g}" if outputs["max_abs"] is not None else ""
    if not outputs["differing"]:
        return ": the same numbers with other bits (-0 and 0, or another NaN)"
    return f": {outputs['differing']} of {outputs['elements']} elements{most}"


def _wrapped(label, text):
    indent = "" if not label and text.split(":")[0] in ("same", "different", "unknown") else f"  {label:<12}"
    return textwrap.wrap(text, WIDTH, initial_indent=indent, subsequent_indent=" " * len(indent), break_on_hyphens=False) or [
        indent.rstrip()
    ]
