"""A report of the program as a Python value, and the checks that every report must pass."""

import json
import math

VERDICTS = {"same", "close", "different", "unknown", "clean", "risk"}
COMPARING = {"diff", "explain", "verify"}
EXIT = {"same": 0, "close": 0, "different": 1, "unknown": 2, "clean": 0, "risk": 1}
ROLES = {"cause", "contributes", "risk", "note"}
PROOFS = {"proved", "observed", "suspected"}
WEIGHTS = {"identical", "same-values", "rounded", "different", "unknown"}
OUTPUTS = {"identical", "permuted", "rounding", "different"}
CAUSES = set(
    """weights.changed weights.renamed weights.missing weights.reinitialized weights.rounded weights.rearranged
    weights.averaged weights.adapted weights.quantized weights.layout weights.tied weights.invalid config.changed mode.training rng.noise rng.seed order.tokens
    state.buffers input.preprocessing numerics.dtype numerics.attention numerics.batch numerics.threads
    numerics.alignment numerics.hardware numerics.rounding code.version file.calls file.mixup file.incomplete
    load.refused resume.missing""".split()
)
EVIDENCE = {
    "config.changed": {"fields"}, "input.preprocessing": {"fields"}, "mode.training": {"modules"},
    "resume.missing": {"missing", "present"}, "file.calls": {"calls"},
    "file.incomplete": {"parts"},
}
ENTRY = {"name", "dtype", "shape", "nbytes", "file", "offset"}
TRAINING = {"optimizer", "step", "scheduler", "scaler", "rng", "sampler", "ema"}


class Report(dict):
    """The JSON object, with short ways to what the tests ask for."""

    def __init__(self, value, command, status):
        super().__init__(value)
        self.command, self.status = command, status

    @property
    def subject(self):
        assert len(self["subjects"]) == 1
        return self["subjects"][0]

    def part(self, name):
        """`entries`, `calls`, `imports` and `training` of inspect's one subject."""
        return self.subject[name]

    def pair(self, b):
        return next(pair for pair in self["weights"] if pair["b"] == b)

    def findings(self, cause):
        return [finding for finding in self["findings"] if finding["cause"] == cause]

    def finding(self, cause):
        found = self.findings(cause)
        assert len(found) == 1, f"{len(found)} findings {cause} in {[f['cause'] for f in self['findings']]}"
        return found[0]

    def causes(self, *roles):
        return {finding["cause"] for finding in self["findings"] if finding["role"] in roles}


def no_constant(text):
    raise ValueError(f"{text} is not JSON")


def parse(text, command, status):
    report = Report(json.loads(text, parse_constant=no_constant), command, status)
    check(report)
    return report


def check(report):
    assert report["schema"] == "samebits.report/1"
    assert isinstance(report["tool"]["version"], str)
    assert report["verdict"] in VERDICTS
    assert (report["verdict"] in {"clean", "risk"}) <= (report.command not in COMPARING)
    assert (report["verdict"] in {"same", "close", "different"}) <= (report.command in COMPARING)
    for list_name in ("subjects", "weights", "outputs", "findings", "assumed", "not_checked"):
        assert isinstance(report[list_name], list), list_name
    assert report["verdict"] != "unknown" or report["not_checked"], "unknown, and it does not say why"
    check_status(report)
    check_subjects(report)
    check_findings(report)
    check_pairs(report)


def check_status(report):
    risk = any(finding["role"] == "risk" for finding in report["findings"])
    expected = 1 if report["verdict"] in {"same", "close"} and risk else EXIT[report["verdict"]]
    assert report.status == expected, f"{report['verdict']} must not exit with {report.status}"
    assert report["verdict"] != "clean" or not risk


def check_subjects(report):
    labels = [subject["label"] for subject in report["subjects"]]
    assert labels == [chr(ord("A") + i) for i in range(len(labels))]
    for subject in report["subjects"]:
        assert isinstance(subject["path"], str)
        for name in ("config", "mode", "producer"):
            assert subject.get(name) is None or isinstance(subject[name], dict), name
        if subject.get("mode"):
            assert 0 <= subject["mode"]["training"] <= subject["mode"]["modules"]


def check_findings(report):
    labels = {subject["label"] for subject in report["subjects"]}
    order = ["cause", "contributes", "risk", "note"]
    roles = [order.index(finding["role"]) for finding in report["findings"]]
    assert roles == sorted(roles), "causes first, then contributes, risks and notes"
    for finding in report["findings"]:
        assert finding["cause"] in CAUSES, finding["cause"]
        assert finding["role"] in ROLES and finding["proof"] in PROOFS
        assert set(finding["subjects"]) <= labels
        assert finding["summary"] and not finding["summary"].endswith(".")
        needed = EVIDENCE.get(finding["cause"], {"count", "tensors"} if finding["cause"].startswith("weights.") else set())
        assert needed <= set(finding["evidence"]), f"{finding['cause']}: {finding['evidence'].keys()}"
        if "tensors" in needed:
            evidence = finding["evidence"]
            assert len(evidence["tensors"]) == min(evidence["count"], 100)


def check_pairs(report):
    tied = {name for finding in report.findings("weights.tied") for name in finding["evidence"]["tensors"] + finding["evidence"].get("names_b", [])}
    computed = {name for finding in report.findings("state.buffers") if "side" in finding["evidence"] for name in finding["evidence"]["tensors"]}
    for pair in report["weights"]:
        assert pair["a"] == "A" and pair["verdict"] in WEIGHTS
        assert 0 <= pair["renamed"] <= pair["matched"] and 0 <= pair["changed"]
        assert isinstance(pair["only_a"], list) and isinstance(pair["only_b"], list)
        assert all({"from", "to"} <= set(rule) for rule in pair["rules"])
        if pair["verdict"] == "identical":
            assert pair["changed"] == 0 and {*pair["only_a"], *pair["only_b"]} <= tied | computed
    for pair in report["outputs"]:
        assert pair["a"] == "A" and pair["verdict"] in OUTPUTS
        assert 0 <= pair["differing"] <= pair["elements"]
        assert (pair["verdict"] == "identical") == (pair["differing"] == 0)
        assert math.isfinite(pair["max_abs"]) if pair["max_abs"] is not None else True
