"""What samebits.diff says of two live models, for what explain_live() would call other values: it pairs tensors by what they hold, too."""

import functools

from . import live_factors

KNOWN = ("weights.changed", "weights.missing", "weights.renamed")  # causes that say no more than a comparison by names does
ROUNDED = "They are the same weights, rounded: keep the full type when loading, or round both alike"
REMEDIES = {"weights.rounded": ROUNDED}  # where the two models are in memory, and no file is to be saved again


class Known:
    """Of two modules, asked once, and only when something is asked of it. It knows nothing where diff cannot compare the two."""

    def __init__(self, a, b):
        self._models = a, b

    @functools.cached_property
    def _report(self):
        from ._commands import diff
        from ._errors import Error

        try:
            return diff(*self._models)
        except (Error, RuntimeError, TypeError, ValueError):  # of tensors that have no values, or classes that cannot be asked
            return None

    @property
    def _findings(self):
        return [] if self._report is None else self._report.findings

    @functools.cached_property
    def findings(self):
        """Of weights, where diff knows more than that their values are others."""
        return [each for each in self._findings if (each.cause or "").startswith("weights.") and each.cause not in KNOWN and each.role == "cause"]

    @functools.cached_property
    def renamed(self):
        """The note that tensors have other names in B, or None."""
        return next((each for each in self._findings if each.cause == "weights.renamed"), None)

    @functools.cached_property
    def partners(self):
        """Names of A -> names of B, of tensors that have other ones there."""
        pairs = [] if self._report is None else self._report.weights
        return {each.a: each.b for pair in pairs for each in pair.tensors if isinstance(each.a, str) and isinstance(each.b, str) and each.a != each.b}

    @functools.cached_property
    def idle_fields(self):
        """Config fields that diff knows to be without effect on outputs: name -> why."""
        notes = [each for each in self._findings if each.role == "note" and each.cause == "config.changed"]
        return {name: line for each in notes for name, line in zip(each.evidence.get("fields", {}), each.details)}


def refined(findings, known):
    """The findings, those on weights with the cause, the words and the remedy of diff where it knows more; and its note on other names."""
    for finding in findings:
        if finding.factor == "weights" and finding.cause in live_factors.OF_WEIGHTS:
            _refine(finding, known)
    return findings


def _refine(finding, known):
    names = set(finding.evidence.get("tensors", ()))
    of_them = [each for each in known.findings if names & set(each.evidence.get("tensors", ()))]
    if len(of_them) == 1 and names <= set(of_them[0].evidence.tensors):
        (said,) = of_them
        if finding.cause != said.cause or said.cause != "weights.rounded":
            whole = names == set(said.evidence.tensors)
            finding.details = [*([] if whole else [said.summary]), *said.details, *finding.details]
            finding.summary = said.summary if whole else finding.summary
        finding.cause, finding.remedy = said.cause, REMEDIES.get(said.cause, said.remedy)
        return
    finding.details += [f"{each.summary}: {_began_small(REMEDIES.get(each.cause, each.remedy))}" for each in of_them]


def _began_small(sentence):
    return sentence[:1].lower() + sentence[1:]
