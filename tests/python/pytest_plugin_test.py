"""The fixture same_bits, in a pytest inside this one."""

import re

import live_docs
import torch  # noqa: F401  (the inner pytest forgets what it imports itself, and torch can be imported but once)

import samebits.pytest_plugin  # noqa: F401

pytest_plugins = ["pytester"]

BEGINNING = """
import torch
net = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.ReLU())
for p in net.parameters():
    torch.nn.init.constant_(p, {value})
def test_pass(same_bits):
    with same_bits.recorded(net, values="small"):
        net(torch.ones(2, 4))
"""


def ran(pytester, text, *options):
    """The words of a pytest that runs `text`."""
    pytester.path.joinpath("bits_test.py").write_text(text)
    return pytester.runpytest_inprocess("-p", "samebits.pytest_plugin", "-p", "no:cacheprovider", "bits_test.py", *options).stdout.str()


def test_a_pass_is_held_to_its_recording(pytester):
    first = ran(pytester, BEGINNING.format(value=0.5))
    assert "1 failed" in first and "pytest --same-bits-update writes it" in first
    assert "1 passed" in ran(pytester, BEGINNING.format(value=0.5), "--same-bits-update")
    assert [path.name for path in (pytester.path / "same_bits").iterdir()] == ["test_pass.safetensors"]
    assert "1 passed" in ran(pytester, BEGINNING.format(value=0.5))
    other = ran(pytester, BEGINNING.format(value=0.25))
    assert "1 failed" in other and re.search(r"part at   0 \(Linear\)\s+E\s+value: 8 of 8 elements, up to 1.25", other), other


def test_two_values_are_compared_by_bits(pytester):
    pairs = {
        "equal": ("{'x': (t, 1)}", "{'x': (t.clone(), 1)}", None),
        "nan": ("t * float('nan')", "t * float('nan')", None),
        "ulp": ("{'x': (t, 1)}", "{'x': (torch.nextafter(t, t + 1), 1)}", "['x'][0]: 3 of 3 elements differ, by up to 1.19e-07"),
        "zero": ("t * 0", "-t * 0", "the values: the same numbers with other bits (-0 and 0, or another NaN)"),
        "dtype": ("t", "t.double()", "the values: float32[3] and float64[3]"),
        "parts": ("[t]", "[t, t]", "the two have other parts: [1] is in one of them alone"),
        "plain": ("[t, 1]", "[t, 1.0]", "[1]: 1 and 1.0"),
    }
    lines = ["import torch", "t = torch.ones(3)"]
    lines += [f"def test_{name}(same_bits):\n    same_bits({a}, {b})" for name, (a, b, _) in pairs.items()]
    shown = ran(pytester, "\n".join(lines))
    assert "2 passed" in shown and "5 failed" in shown
    assert all(f"Failed: {sentence}" in shown for _, _, sentence in pairs.values() if sentence), shown


def test_the_document_shows_a_test_that_passes(pytester):
    ((code, _),) = [block for block in live_docs.blocks("record.md") if block[0].startswith("# model_test.py\n")]
    assert "2 passed" in ran(pytester, code, "--same-bits-update") and "2 passed" in ran(pytester, code)
