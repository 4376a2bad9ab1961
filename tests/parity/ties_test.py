"""Tied weights: what transformers 5.24.0 and 4.57.6 leave out of a directory, and what then stands under which names."""

import subprocess
import textwrap

import pytest

SAVE = '''
import json, sys
import torch, transformers as T
from safetensors.torch import save_file, save_model
T.logging.set_verbosity_error()
T.logging.disable_progress_bar()
out, (name, config, fields) = sys.argv[1], json.loads(sys.argv[2])
torch.manual_seed(1)
model = getattr(T, name)(getattr(T, config)(**fields)).eval()
with torch.no_grad():
    for p in model.parameters():
        p.add_(torch.randn(p.shape) * 0.05)
model.save_pretrained(out + "/hf")
torch.save(model.state_dict(), out + "/shared.pth")
save_file({k: v.clone().contiguous() for k, v in model.state_dict().items()}, out + "/apart.safetensors")
save_model(model, out + "/one.safetensors")
'''
TEXT = {"vocab_size": 60, "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 48, "max_position_embeddings": 24}
SEQ = {"vocab_size": 60, "d_model": 32, "encoder_layers": 1, "decoder_layers": 1, "encoder_attention_heads": 2, "decoder_attention_heads": 2,
       "encoder_ffn_dim": 48, "decoder_ffn_dim": 48, "max_position_embeddings": 24}
T5 = {"vocab_size": 60, "d_model": 32, "d_kv": 16, "d_ff": 48, "num_layers": 1, "num_heads": 2}
GPT2 = {"vocab_size": 60, "n_positions": 16, "n_embd": 32, "n_layer": 1, "n_head": 2}
CLASSES = [
    ("BertForMaskedLM", "BertConfig", TEXT), ("RobertaForMaskedLM", "RobertaConfig", TEXT), ("GPT2LMHeadModel", "GPT2Config", GPT2),
    ("T5ForConditionalGeneration", "T5Config", T5), ("MT5ForConditionalGeneration", "MT5Config", T5),
    ("BartForConditionalGeneration", "BartConfig", SEQ), ("LlamaForCausalLM", "LlamaConfig", {**TEXT, "tie_word_embeddings": True}),
]
NO_TIE = [("BartForConditionalGeneration", "BartConfig", {**SEQ, "tie_word_embeddings": False})]


def saved(python, folder, case):
    import json

    folder.mkdir()
    done = subprocess.run([str(python), "-c", textwrap.dedent(SAVE), str(folder), json.dumps(case)], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    return folder


def check(run, folder):
    for name in ("shared.pth", "apart.safetensors", "one.safetensors"):
        for a, b in (("hf", name), (name, "hf")):
            report = run("diff", folder / a, folder / b)
            assert (report["verdict"], report.status) == ("same", 0), (folder.name, a, b)
            assert {f["role"] for f in report["findings"]} <= {"note"}
            assert "random" not in str(report["findings"])


@pytest.mark.parametrize("case", CLASSES, ids=lambda case: case[0])
def test_a_tied_tensor_saved_once_is_the_same_model(case, run, tmp_path):
    import sys

    check(run, saved(sys.executable, tmp_path / "five", case))


@pytest.mark.parametrize("case", CLASSES[:5:2], ids=lambda case: case[0])
def test_transformers_4_ties_alike(case, run, tmp_path, python_t4):
    check(run, saved(python_t4, tmp_path / "four", case))


def test_a_config_that_does_not_tie_leaves_names_without_values(run, tmp_path, python_t4):
    """4.57.6 leaves BART's second tables out of the file, and loads them at random values."""
    folder = saved(python_t4, tmp_path / "four", NO_TIE[0])
    report = run("diff", folder / "hf", folder / "shared.pth")
    assert report.finding("weights.tied")["role"] == "risk" and report.status == 1


HELD = '''
import sys
import torch, transformers as T
from safetensors.torch import load_file
T.logging.set_verbosity_error()
T.logging.disable_progress_bar()
state, loaded = load_file(sys.argv[1] + "/model.safetensors"), T.T5ForConditionalGeneration.from_pretrained(sys.argv[1]).state_dict()
print(torch.equal(loaded[sys.argv[2]], state[sys.argv[2]]), torch.equal(loaded[sys.argv[2]], state["shared.weight"]))
'''


@pytest.mark.parametrize("name", ["encoder.embed_tokens.weight", "lm_head.weight"])
def test_a_second_table_of_t5_with_values_of_its_own(name, run, tmp_path, python_t4):
    """5.24.0 keeps what the file has, 4.57.6 takes `shared` for all: as the report says."""
    import shutil
    import sys

    import safetensors.torch
    import torch

    folder = saved(sys.executable, tmp_path / "five", CLASSES[3])
    state = safetensors.torch.load_file(folder / "apart.safetensors")
    state[name] = torch.randn(60, 32, generator=torch.Generator().manual_seed(2))
    shutil.copytree(folder / "hf", tmp_path / "own")
    safetensors.torch.save_file(state, tmp_path / "own" / "model.safetensors", metadata={"format": "pt"})
    held = [subprocess.run([str(p), "-c", HELD, str(tmp_path / "own"), name], capture_output=True, text=True).stdout.split() for p in (sys.executable, python_t4)]
    assert held == [["True", "False"], ["False", "True"]]
    torch.save(state, tmp_path / "own.pth")
    for other in ("own", "own.pth"):
        report = run("diff", folder / "hf", tmp_path / other)
        said = [f for f in report.findings("weights.tied") if f["role"] == "cause"]
        assert report["verdict"] == "different" and not report.findings("weights.missing")
        assert [f["evidence"]["tensors"] for f in said] == [[name]]
        assert report["diagnosis"].startswith(f"{name} has values of its own in B; in A, whose config ties it, it is shared.weight")


MOVE = '''
import sys
import torch, transformers as T
T.logging.set_verbosity_error()
m = T.GPT2LMHeadModel.from_pretrained(sys.argv[1])
print(m.transformer.wte.weight.is_meta)
'''


def test_the_output_layers_name_alone_is_noted_for_transformers_4(run, tmp_path, python_t4):
    import sys

    import safetensors.torch

    folder = saved(sys.executable, tmp_path / "five", CLASSES[2])
    state = safetensors.torch.load_file(folder / "hf" / "model.safetensors")
    (tmp_path / "head").mkdir()
    (tmp_path / "head" / "config.json").write_bytes((folder / "hf" / "config.json").read_bytes())
    state["lm_head.weight"] = state.pop("transformer.wte.weight")
    safetensors.torch.save_file(state, tmp_path / "head" / "model.safetensors", metadata={"format": "pt"})
    meta = [subprocess.run([str(p), "-c", MOVE, str(tmp_path / "head")], capture_output=True, text=True).stdout.split()[-1] for p in (sys.executable, python_t4)]
    assert meta == ["False", "True"]
    report = run("diff", folder / "hf", tmp_path / "head")
    assert report["verdict"] == "same" and report.status == 0
    assert "4.57.6 leaves both without values" in report.finding("weights.tied")["summary"]


# ---- an output layer of its own against a tied one

LLAMA = {**TEXT, "num_key_value_heads": 2}


def llama(tied, head=None):
    import torch
    import transformers as t

    torch.manual_seed(1)
    model = t.LlamaForCausalLM(t.LlamaConfig(**LLAMA, tie_word_embeddings=tied)).eval()
    if not tied:
        model.lm_head.weight.data = model.model.embed_tokens.weight.data.clone() if head is None else head
    return model


def other_head():
    import torch

    return torch.randn(60, 32, generator=torch.Generator().manual_seed(5))


@pytest.fixture(scope="module")
def heads(tmp_path_factory):
    """Directories of one Llama: tied, with an output layer that holds the embeddings' values, with another, and configs that say otherwise."""
    import json

    import torch

    folder = tmp_path_factory.mktemp("heads")
    for name, model in (("tied", llama(True)), ("equal", llama(False)), ("own", llama(False, other_head()))):
        model.save_pretrained(folder / name)
        torch.save(model.state_dict(), folder / f"{name}.pth")
    for name, source, tied in (("says-tied", "own", True), ("says-untied", "tied", False)):
        (folder / name).mkdir()
        (folder / name / "model.safetensors").write_bytes((folder / source / "model.safetensors").read_bytes())
        config = json.loads((folder / source / "config.json").read_text())
        (folder / name / "config.json").write_text(json.dumps(config | {"tie_word_embeddings": tied}))
    return folder


def outputs(folder):
    import torch
    import transformers as t

    with torch.no_grad():
        return t.AutoModelForCausalLM.from_pretrained(folder)(torch.arange(9)[None]).logits


@pytest.mark.parametrize("b", ["equal", "own", "says-tied", "says-untied"])
def test_a_head_of_its_own_against_a_tied_one(heads, run, b):
    import torch

    same = torch.equal(outputs(heads / "tied"), outputs(heads / b))
    assert same == (b == "equal")
    for pair in ((heads / "tied", heads / b), (heads / b, heads / "tied")):
        report = run("diff", *pair)
        assert (report["verdict"] == "same") == same, pair
        assert "at random values" not in str([f for f in report["findings"] if f["role"] == "cause"])
        if b in ("own", "says-tied"):
            own = [f for f in report.findings("weights.tied") if f["role"] == "cause"]
            assert [f["evidence"]["source"] for f in own] == ["model.embed_tokens.weight"] and "lm_head.weight" in own[0]["summary"]
            assert not report.findings("weights.missing")
        if b == "says-untied":
            assert "leaves it at random values, with a warning" in report.finding("weights.missing")["summary"]


TIED = '''
import sys
import torch, transformers as t
t.logging.set_verbosity_error()
m = t.AutoModelForCausalLM.from_pretrained(sys.argv[1])
print(t.__version__, torch.equal(m.lm_head.weight, m.model.embed_tokens.weight))
'''


def test_a_config_that_ties_what_the_file_has_apart(heads, run, python_t4):
    import sys

    seen = [subprocess.run([str(p), "-c", TIED, str(heads / "says-tied")], capture_output=True, text=True).stdout.split()[-2:]
            for p in (sys.executable, python_t4)]
    assert seen == [["5.24.0", "False"], ["4.57.6", "True"]]
    for command in ("inspect", "check"):
        words = [command, heads / "says-tied"] + (["--for", heads / "own"] if command == "check" else [])
        finding = run(*words).finding("weights.tied")
        assert finding["role"] == "risk" and "4.57.6 takes model.embed_tokens.weight for both, 5.24.0 keeps both" in finding["summary"]
    for name in ("tied", "equal", "own"):
        assert not run("inspect", heads / name).findings("weights.tied")


@pytest.mark.parametrize("target", ["tied", "tied.pth"])
@pytest.mark.parametrize("source", ["own", "own.pth", "equal.pth"])
def test_two_values_for_one_tensor_of_the_target(heads, run, source, target):
    import torch

    model = llama(True)
    state = llama(False, None if "equal" in source else other_head()).state_dict()
    outcome = model.load_state_dict(state, strict=False)
    assert not outcome.missing_keys and not outcome.unexpected_keys
    lost = not torch.equal(model.model.embed_tokens.weight, state["model.embed_tokens.weight"])
    report = run("check", heads / source, "--for", heads / target)
    ties = report.findings("weights.tied")
    assert bool(ties) == lost == (source != "equal.pth") and not report.findings("weights.missing")
    if lost:
        assert torch.equal(model.model.embed_tokens.weight, state["lm_head.weight"])
        assert ties[0]["evidence"]["tensors"] == ["lm_head.weight"] and "loaded last" in ties[0]["summary"]


def test_a_tied_checkpoint_fills_a_head_by_a_copy(heads, run):
    report = run("check", heads / "tied", "--for", heads / "own.pth")
    finding = report.finding("weights.reinitialized")
    assert finding["evidence"]["tensors"] == ["lm_head.weight"]
    assert 'state["lm_head.weight"] = state["model.embed_tokens.weight"]' in finding["remedy"]
