"""Models of T5's kind with an output layer of their own: 4.57.6 goes by tie_word_embeddings, which 5.24.0 writes as true whatever it was."""

import json
import subprocess
import sys

import pytest

NAMES = {"t5": "T5", "umt5": "UMT5", "mt5": "MT5"}
MAKE = """
import sys, torch
import transformers as t
t.logging.set_verbosity_error()
fields = dict(vocab_size=40, d_model=16, d_kv=8, d_ff=24, num_layers=2, num_heads=2, feed_forward_proj="gated-gelu", decoder_start_token_id=0)
for name, prefix in {NAMES!r}.items():
    torch.manual_seed(1)
    config = getattr(t, prefix + "Config")(**fields, tie_word_embeddings=False)
    getattr(t, prefix + "ForConditionalGeneration")(config).save_pretrained(f"{sys.argv[1]}/{name}-4")
""".replace("{NAMES!r}", repr(NAMES))
RUN = """
import json, os, sys, torch
import transformers as t
t.logging.set_verbosity_error()
found = {}
for name, prefix in {NAMES!r}.items():
    for version in "45":
        path = f"{sys.argv[1]}/{name}-{version}"
        kind = getattr(t, prefix + "ForConditionalGeneration")
        if not os.path.isdir(path):
            kind.from_pretrained(f"{sys.argv[1]}/{name}-4").save_pretrained(path)
        ids = torch.arange(1, 9)[None]
        with torch.no_grad():
            found[f"{name}-{version}"] = kind.from_pretrained(path).eval()(input_ids=ids, decoder_input_ids=ids).logits.double().flatten().tolist()
print(json.dumps(found))
""".replace("{NAMES!r}", repr(NAMES))


def called(python, script, folder):
    done = subprocess.run([str(python), "-c", script, str(folder)], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory, python_t4):
    made = tmp_path_factory.mktemp("t5")
    called(python_t4, MAKE, made)
    return made


@pytest.fixture(scope="module")
def outputs(folder, python_t4):
    of_5 = json.loads(called(sys.executable, RUN, folder))  # which writes its own directories first
    return {5: of_5, 4: json.loads(called(python_t4, RUN, folder))}


@pytest.mark.parametrize("name", NAMES)
def test_the_version_that_goes_by_the_field_is_named(run, folder, outputs, name):
    a, b = f"{name}-4", f"{name}-5"
    assert outputs[5][a] == outputs[5][b] and outputs[4][a] == pytest.approx(outputs[5][a], abs=1e-3)
    assert max(abs(one - other) for one, other in zip(outputs[4][a], outputs[4][b])) > 0.1
    for pair in ((a, b), (b, a)):
        report = run("diff", *(folder / each for each in pair))
        moved = [finding for finding in report.findings("config.changed") if finding["role"] != "note"]
        assert [list(finding["evidence"]["fields"]) for finding in moved] == [["tie_word_embeddings"]]
        assert moved[0]["summary"].endswith("moves outputs in transformers 4 alone") and report["verdict"] == "different"
