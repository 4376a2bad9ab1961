"""Fields that one config has and the other has not, or has as null: what is said of them against what transformers makes of both."""

import json
import subprocess
import sys

import pytest

# Writes directories FOLDER/CASE-a and FOLDER/CASE-b that differ in one field, and prints {case: what transformers makes of the pair}.
MAKE = r'''
import copy, json, pathlib, shutil, sys
import torch, transformers as t
t.logging.set_verbosity_error()
t.logging.disable_progress_bar()
out, cases = pathlib.Path(sys.argv[1]), json.loads(sys.argv[2])
BODY = dict(hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24)
TEXT = dict(BODY, vocab_size=40, max_position_embeddings=32)
IMAGE = dict(BODY, image_size=16, patch_size=4)
PAIR = dict(d_model=16, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2, decoder_attention_heads=2, encoder_ffn_dim=24, decoder_ffn_dim=24,
            vocab_size=40, max_position_embeddings=32, pad_token_id=0, bos_token_id=1, eos_token_id=2)
IDS = torch.tensor([[5, 9, 11, 3, 0, 0]])
PIXELS = torch.linspace(-1, 1, 768).reshape(1, 3, 16, 16)
MODELS = {
    "llama": ("LlamaForCausalLM", "LlamaConfig", TEXT, dict(input_ids=IDS)),
    "llama-classes": ("LlamaForSequenceClassification", "LlamaConfig", dict(TEXT, num_labels=3), dict(input_ids=IDS)),
    "mistral": ("MistralForCausalLM", "MistralConfig", dict(TEXT, num_key_value_heads=2), dict(input_ids=IDS)),
    "smollm3": ("SmolLM3ForCausalLM", "SmolLM3Config", dict(TEXT, num_hidden_layers=4, num_key_value_heads=2, pad_token_id=0, bos_token_id=1, eos_token_id=2), dict(input_ids=IDS)),
    "gemma3": ("Gemma3ForCausalLM", "Gemma3TextConfig", dict(TEXT, num_hidden_layers=4, num_key_value_heads=2, head_dim=8, sliding_window=2), dict(input_ids=IDS)),
    "bart": ("BartModel", "BartConfig", PAIR, dict(input_ids=IDS)),
    "bert": ("BertModel", "BertConfig", TEXT, dict(input_ids=IDS)),
    "tapas": ("TapasForQuestionAnswering", "TapasConfig", TEXT, dict(input_ids=IDS, token_type_ids=torch.zeros(1, 6, 7, dtype=torch.long))),
    "vit": ("ViTForImageClassification", "ViTConfig", dict(IMAGE, num_labels=3), dict(pixel_values=PIXELS)),
    "spectrogram": ("ASTForAudioClassification", "ASTConfig", dict(BODY, patch_size=4, max_length=32, num_mel_bins=16), dict(input_values=torch.ones(1, 32, 16))),
}

def build(name, dtype):
    cls, config, fields, _ = MODELS[name]
    torch.manual_seed(3)
    model = getattr(t, cls)(getattr(t, config)(**fields)).eval()
    with torch.no_grad():
        for p in model.parameters():
            p.add_(torch.randn(p.shape) * 0.3)
    return model.to(getattr(torch, dtype))

def change(folder, fields):
    path = folder / "config.json"
    config = json.loads(path.read_text())
    for field, value in fields.items():
        if value == "ABSENT":
            config.pop(field, None)
        else:
            config[field] = value
    path.write_text(json.dumps(config))

def outputs(name, folder):
    cls, _, _, inputs = MODELS[name]
    torch.manual_seed(7)
    try:
        with torch.no_grad():
            model = getattr(t, cls).from_pretrained(folder).eval()
            inputs = {k: v.to(model.dtype) if v.is_floating_point() else v for k, v in inputs.items()}
            return model(**inputs).to_tuple()[0].float()
    except Exception as error:
        return type(error).__name__

def truth(a, b):
    if isinstance(a, str) or isinstance(b, str):
        return "raises" if isinstance(a, torch.Tensor) or isinstance(b, torch.Tensor) else "both raise"
    if a.shape != b.shape:
        return "differ"
    return "equal" if torch.equal(a, b) else "round" if torch.allclose(a, b, rtol=1e-5, atol=1e-5) else "differ"

made = {}
for case, (name, a, b, leave_out, dtype) in cases.items():
    model = build(name, dtype)
    for side, fields in (("a", a), ("b", b)):
        folder = out / f"{case}-{side}"
        state = {k: v for k, v in model.state_dict().items() if not (leave_out and k.endswith(leave_out))}
        model.save_pretrained(folder, state_dict=state)
        change(folder, fields)
    made[case] = truth(outputs(name, out / f"{case}-a"), outputs(name, out / f"{case}-b"))
print(json.dumps(made))
'''
GONE = "ABSENT"
F32, BF16 = "float32", "bfloat16"


def only(field, a, b):
    return {field: a}, {field: b}


# Case: model, fields of A and B, the tensor that the files lack, their type; what transformers 5.24.0 makes of it; role and effect that are said.
CASES = {
    "pad-null": (("llama-classes", *only("pad_token_id", None, 0), "", F32), "differ", "cause", "pad_token_id"),
    "pad-gone": (("llama-classes", *only("pad_token_id", 0, GONE), "", F32), "differ", "cause", "pad_token_id"),
    "pad-none": (("llama-classes", *only("pad_token_id", None, GONE), "", F32), "equal", None, ""),
    "start-null": (("bart", *only("decoder_start_token_id", 2, None), "", F32), "raises", "cause", "decoder_start_token_id"),
    "start-gone": (("bart", *only("decoder_start_token_id", 2, GONE), "", F32), "equal", None, ""),
    "tie-no-head": (("llama", *only("tie_word_embeddings", GONE, True), "lm_head.weight", F32), "differ", "cause", "tie_word_embeddings"),
    "tie-default": (("llama", *only("tie_word_embeddings", GONE, False), "", F32), "equal", None, ""),
    "kernel": (("vit", *only("attn_implementation", GONE, "eager"), "", F32), "round", "risk", "attn_implementation"),
    "kernel-private": (("vit", *only("_attn_implementation", "eager", GONE), "", F32), "round", "risk", "attn_implementation"),
    "kernel-default": (("vit", *only("attn_implementation", GONE, "sdpa"), "", F32), "equal", None, ""),
    "dtype": (("vit", *only("dtype", "float32", GONE), "", BF16), "differ", "risk", "dtype"),
    "dtype-default": (("vit", *only("dtype", "bfloat16", GONE), "", BF16), "equal", None, ""),
    "temperature": (("tapas", *only("temperature", 1.0, 2.0), "", F32), "differ", "cause", "temperature"),
    "temperature-gone": (("tapas", *only("temperature", GONE, 1.0), "", F32), "equal", None, ""),
    "temperature-text": (("llama", *only("temperature", 0.5, 2.0), "", F32), "equal", "note", "temperature"),
    "spectrogram": (("spectrogram", *only("max_length", 32, 48), "", F32), "raises", "cause", "max_length"),
    "layers": (("smollm3", {"no_rope_layers": GONE, "no_rope_layer_interval": 4, "layer_types": GONE},
                {"no_rope_layers": GONE, "no_rope_layer_interval": 2, "layer_types": GONE}, "", F32), "differ", "cause", "no_rope_layer_interval"),
    "layers-listed": (("smollm3", *only("no_rope_layer_interval", 4, 2), "", F32), "equal", "note", "no_rope_layer_interval"),
    "window": (("gemma3", {"layer_types": GONE, "sliding_window_pattern": 6}, {"layer_types": GONE, "sliding_window_pattern": 2}, "", F32), "differ", "cause",
               "sliding_window_pattern"),
    "window-private": (("gemma3", {"layer_types": GONE, "_sliding_window_pattern": 6}, {"layer_types": GONE, "_sliding_window_pattern": 2}, "", F32), "equal", "note",
                       "_sliding_window_pattern"),
    "tuple": (("vit", *only("return_dict", GONE, False), "", F32), "raises", "risk", "return_dict"),
    "act-gone": (("mistral", *only("hidden_act", "silu", GONE), "", F32), "equal", None, ""),
    "act-other": (("mistral", *only("hidden_act", "gelu", GONE), "", F32), "differ", "cause", "hidden_act"),
    "eps-gone": (("mistral", *only("rms_norm_eps", 1e-6, GONE), "", F32), "equal", None, ""),
    "eps-other": (("mistral", *only("rms_norm_eps", 1e-3, GONE), "", F32), "differ", "cause", "rms_norm_eps"),
    "kv-heads-gone": (("llama", *only("num_key_value_heads", 2, GONE), "", F32), "equal", None, ""),
    "window-null": (("mistral", *only("sliding_window", None, GONE), "", F32), "equal", "cause", "sliding_window"),
    "usual-name": (("bart", {"encoder_attention_heads": GONE, "num_attention_heads": 2}, {"encoder_attention_heads": 2}, "", F32), "equal", None, ""),
    "attentions": (("vit", *only("output_attentions", GONE, True), "", F32), "equal", "note", "output_attentions"),
    "heads": (("vit", *only("pruned_heads", GONE, {"0": [1]}), "", F32), "equal", "contributes", "pruned_heads.0"),
    "positions": (("bert", *only("position_embedding_type", GONE, "relative_key"), "", F32), "equal", "contributes", "position_embedding_type"),
    "positions-default": (("bert", *only("position_embedding_type", GONE, "absolute"), "", F32), "equal", None, ""),
}
# What 4.57.6 makes of them otherwise.
IN_4 = {"heads": "raises", "positions": "differ"}


def made(python, folder, names):
    done = subprocess.run([str(python), "-c", MAKE, str(folder), json.dumps({name: CASES[name][0] for name in names})], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("absent")


@pytest.fixture(scope="module")
def truths(folder):
    return made(sys.executable, folder, CASES)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("turned", [False, True])
def test_what_is_said_is_what_transformers_makes_of_it(run, folder, truths, name, turned):
    _, truth, role, field = CASES[name]
    assert truths[name] == truth
    a, b = (folder / f"{name}-{side}" for side in ("ba" if turned else "ab"))
    report = run("diff", a, b)
    said = {field: finding["role"] for finding in report.findings("config.changed") for field in finding["evidence"]["fields"]}
    assert said == ({field: role} if role else {})
    if role in (None, "note"):
        assert (report["verdict"], report.status) == ("same", 0)
    else:
        assert report.status == 1 and report["verdict"] == ("same" if role == "risk" else "different")


def test_transformers_4_makes_the_other_thing_of_them(folder, python_t4, tmp_path):
    assert made(python_t4, tmp_path, IN_4) == IN_4


def test_a_directory_whose_class_does_not_tie_lacks_its_head(run, folder, truths):
    report = run("inspect", folder / "tie-no-head-a")
    assert report.finding("weights.missing")["role"] == "risk" and report.status == 1
    assert not run("inspect", folder / "tie-no-head-b").findings("weights.missing")


def test_a_processor_in_one_directory_alone_is_named(run, folder, truths, tmp_path):
    import shutil

    own = tmp_path / "own"
    shutil.copytree(folder / "kernel-default-a", own)
    (own / "preprocessor_config.json").write_text(json.dumps({"image_processor_type": "ViTImageProcessor", "size": 16}))
    for a, b, side in ((own, folder / "kernel-default-a", "A"), (folder / "kernel-default-a", own, "B")):
        report = run("diff", a, b)
        assert any(f"preprocessor_config.json stands only in {side}" in line for line in report["not_checked"])
    assert not any("preprocessor" in line for line in run("diff", own, own)["not_checked"])


LABELS = '''
import sys, torch, transformers as t
t.logging.set_verbosity_error()
a, b = (t.ViTForImageClassification.from_pretrained(path).eval() for path in sys.argv[1:])
x = torch.ones(1, 3, 16, 16)
with torch.no_grad():
    one, two = a(x).logits[0], b(x).logits[0]
named = lambda model, logits: sorted((model.config.id2label[i], float(v)) for i, v in enumerate(logits))
print(named(a, one) == named(b, two), torch.equal(one, two))
'''


def test_classes_that_are_sorted_otherwise_with_their_rows_keep_their_names(run, folder, truths, tmp_path):
    import shutil

    from safetensors.torch import load_file, save_file

    a, b = tmp_path / "a", tmp_path / "b"
    order, names = [2, 0, 1], ["cat", "dog", "hen"]
    for path, labels in ((a, names), (b, [names[i] for i in order])):
        shutil.copytree(folder / "kernel-default-a", path)
        config = json.loads((path / "config.json").read_text()) | {"id2label": {str(i): name for i, name in enumerate(labels)}}
        (path / "config.json").write_text(json.dumps(config | {"label2id": {name: i for i, name in enumerate(labels)}}))
    tensors = load_file(b / "model.safetensors")
    save_file({k: v[order].contiguous() if k.startswith("classifier") else v for k, v in tensors.items()}, b / "model.safetensors", {"format": "pt"})
    done = subprocess.run([sys.executable, "-c", LABELS, str(a), str(b)], capture_output=True, text=True, timeout=120)
    assert done.stdout.split() == ["True", "False"], done.stderr[-2000:]
    report = run("diff", a, b)
    rows = report.finding("weights.rearranged")
    assert report["verdict"] == "different" and rows["evidence"]["labels"] and rows["remedy"].startswith("Nothing where outputs are read by label")
    assert {finding["role"] for finding in report.findings("config.changed")} == {"note"}
    # The other names for these rows are a risk, as before.
    shutil.copyfile(a / "config.json", b / "config.json")
    report = run("diff", a, b)
    assert "labels" not in report.finding("weights.rearranged")["evidence"]
