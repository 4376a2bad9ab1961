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


TWICE = """
import torch

model = torch.nn.Linear(4, 2)
torch.nn.init.constant_(model.weight, 0.5)


def test_pass(same_bits):
    with same_bits.recorded(model{name}):
        model(torch.ones(3, 4))
    with same_bits.recorded(model{name}):
        model(torch.ones(3, 4) * 2)
"""


def test_two_blocks_of_one_test_have_two_recordings(pytester):
    text = TWICE.format(name="").replace("torch.nn.init", "torch.nn.init.zeros_(model.bias)\ntorch.nn.init")
    assert "1 passed" in ran(pytester, text, "--same-bits-update")
    assert sorted(path.name for path in (pytester.path / "same_bits").iterdir()) == ["test_pass-2.safetensors", "test_pass.safetensors"]
    assert "1 passed" in ran(pytester, text)
    named = text.replace("recorded(model)", "recorded(model, name='both')")
    assert "the model was given other inputs" in ran(pytester, named, "--same-bits-update")


def test_a_block_without_a_pass_fails_at_once(pytester):
    shown = ran(pytester, TWICE.format(name="").replace("        model(", "        print("), "--same-bits-update")
    assert "1 failed" in shown and "the block made no pass of the Linear" in shown and not (pytester.path / "same_bits").exists()


def test_tensors_that_cannot_be_read_are_named(pytester):
    text = "import torch\ndef test_a(same_bits):\n    same_bits(torch.ones(2).to_sparse(), torch.ones(2).to_sparse())"
    assert "a tensor of layout sparse_coo cannot be compared" in ran(pytester, text)


def test_the_document_shows_a_test_that_passes(pytester):
    ((code, _),) = [block for block in live_docs.blocks("record.md") if block[0].startswith("# model_test.py\n")]
    assert "2 passed" in ran(pytester, code, "--same-bits-update") and "2 passed" in ran(pytester, code)
