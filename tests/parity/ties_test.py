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
