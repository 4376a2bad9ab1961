"""--rtol and --atol are those of torch.testing.assert_close(actual=B, expected=A) in double precision."""

import math

import pytest
import torch

CASES = [
    ([1.0, 2.0, 3.0], [1.0, 2.02, 3.0], 0.01, 0.0),
    ([1.0, 2.0, 3.0], [1.0, 2.03, 3.0], 0.01, 0.0),
    ([2.0], [1.0], 0.5, 0.0),
    ([1.0], [2.0], 0.5, 0.0),
    ([0.0, -4.0], [0.5, -4.5], 0.0, 0.5),
    ([0.0, -4.0], [0.5, -4.75], 0.0, 0.5),
    ([0.0, 5.0], [0.25, 5.75], 0.1, 0.25),
    ([math.nan, 1.0], [math.nan, 1.5], 0.5, 0.0),
    ([math.nan, 1.0], [1.0, 1.5], 0.5, 10.0),
    ([math.inf, 1.0], [math.inf, 1.5], 0.5, 0.0),
    ([math.inf, 1.0], [-math.inf, 1.5], 0.5, 10.0),
]


def is_close(a, b, rtol, atol):
    try:
        torch.testing.assert_close(b.double(), a.double(), rtol=rtol, atol=atol, equal_nan=True)
    except AssertionError:
        return False
    return True


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16])
def test_agrees_with_torch(run, tmp_path, dtype):
    verdicts = set()
    for i, (a, b, rtol, atol) in enumerate(CASES):
        x, y = torch.tensor(a, dtype=dtype), torch.tensor(b, dtype=dtype)
        torch.save({"w": x, "same": torch.arange(5.0)}, tmp_path / f"{i}a.pt")
        torch.save({"w": y, "same": torch.arange(5.0)}, tmp_path / f"{i}b.pt")
        report = run("diff", tmp_path / f"{i}a.pt", tmp_path / f"{i}b.pt", "--rtol", str(rtol), "--atol", str(atol))
        expected = is_close(x, y, rtol, atol)
        assert report["verdict"] == ("close" if expected else "different"), CASES[i]
        assert report.status == (0 if expected else 1)
        assert report["tolerance"]["differing"] == 1
        assert report["tolerance"]["beyond"] == (0 if expected else 1)
        verdicts.add(report["verdict"])
    assert verdicts == {"close", "different"}


def test_what_is_no_number_is_never_close(run, tmp_path):
    """Another name, another shape, another mode: a tolerance says nothing of these."""
    weights = {"w": torch.arange(6.0).reshape(2, 3), "v": torch.ones(2)}
    torch.save(weights, tmp_path / "a.pt")
    others = {
        "more": {**weights, "u": torch.ones(3)},
        "shape": {**weights, "w": weights["w"].reshape(3, 2) + 1},
        "swapped rows": {**weights, "w": weights["w"].flip(0)},
    }
    for name, tensors in others.items():
        torch.save(tensors, tmp_path / "b.pt")
        assert run("diff", tmp_path / "a.pt", tmp_path / "b.pt", "--atol", "100")["verdict"] == "different", name
    model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Dropout(0.5)).eval()
    torch.save(model, tmp_path / "eval.pt")
    with torch.no_grad():
        model[0].weight += 1e-6
    torch.save(model, tmp_path / "moved.pt")
    torch.save(model.train(), tmp_path / "train.pt")
    assert run("diff", tmp_path / "eval.pt", tmp_path / "moved.pt", "--atol", "1e-4")["verdict"] == "close"
    assert run("diff", tmp_path / "eval.pt", tmp_path / "train.pt", "--atol", "1e-4")["verdict"] == "different"
