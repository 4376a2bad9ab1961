"""Reports as one level of names and values."""

import json

import torch

import samebits


def test_names_are_paths_of_the_json_and_values_are_plain(example):
    report = samebits.diff(example / "hf", example / "whole.pth")
    found = samebits.flat(report)
    assert found["samebits/verdict"] == "same" and found["samebits/tool/version"] == samebits.__version__
    assert found["samebits/weights/A-B/matched"] == report.weights[0].matched == 78
    assert found["samebits/subjects/count"] == 2 and found["samebits/findings/count"] == len(report.findings)
    assert all(isinstance(value, (bool, int, float, str)) for value in found.values())
    assert json.loads(json.dumps(found)) == found


def test_every_output_has_its_numbers_under_its_name(example):
    report = samebits.explain(example / "hf", example / "statedict.pth")
    found = samebits.flat(report, "mae")
    output = report.outputs[0]
    assert found[f"mae/outputs/A-B/{output.point}/max_abs"] == output.max_abs
    assert found["mae/findings/rng.noise"] == "cause proved"


def test_reports_of_live_models_and_recordings_have_it_too():
    torch.manual_seed(0)
    a, b = torch.nn.Linear(3, 2), torch.nn.Linear(3, 2)
    found = samebits.flat(samebits.explain_live(a, b, torch.ones(1, 3)))
    assert found["samebits/verdict"] == "different" and found["samebits/findings/weights.changed"] == "cause proved"
    assert found["samebits/outputs/differing"] == 2
    with samebits.record(a) as one:
        a(torch.ones(1, 3))
    found = samebits.flat(samebits.compare_records(one.record, one.record))
    assert found["samebits/verdict"] == "same" and found["samebits/compared"] == 1 and "samebits/first" not in found
