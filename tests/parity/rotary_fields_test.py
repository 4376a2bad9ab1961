"""Rotary embeddings as 4.57.6 and 5.24.0 write and read them: what is one config in both, and what 4.57.6 does not find in the files of 5."""

import json
import shutil
import struct
import subprocess
import sys

import pytest

MODELS = {  # type: class of a small model that is run in both versions
    "llama": "LlamaForCausalLM", "qwen2": "Qwen2ForCausalLM", "mistral": "MistralForCausalLM", "gemma2": "Gemma2ForCausalLM",
    "gpt_neox": "GPTNeoXForCausalLM", "phi": "PhiForCausalLM", "gemma3_text": "Gemma3ForCausalLM", "stablelm": "StableLmForCausalLM",
    "mixtral": "MixtralForCausalLM",
}
SCALINGS = {
    "plain": None, "type": {"type": "linear", "factor": 2.0}, "linear": {"rope_type": "linear", "factor": 2.0},
    "yarn": {"rope_type": "yarn", "factor": 2.0}, "dynamic": {"rope_type": "dynamic", "factor": 2.0},
    "llama3": dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=32),
}
CASES = [("llama", each) for each in SCALINGS] + [("llama", "default"), ("gemma3_text", "default"), ("gpt_neox", "default"), ("phi", "default")]
CASES += [(name, each) for name in MODELS if name != "llama" for each in ("plain", "linear")]
CASES = [case for case in CASES if case != ("gemma3_text", "dynamic")]

MAKE = f"""
import json, sys, torch
import transformers as t
t.logging.set_verbosity_error()
MODELS, SCALINGS = {MODELS!r}, {SCALINGS!r}
BODY = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=48, vocab_size=40, max_position_embeddings=64)
for name, kind in {CASES!r}:
    fields = dict(BODY) if name in ("gpt_neox", "phi") else dict(BODY, num_key_value_heads=2)
    if name.startswith("gemma"):
        fields["head_dim"] = 8
    if name == "mixtral":
        fields["num_local_experts"] = 2
    if kind != "default":
        fields |= dict(rotary_emb_base=20000, rotary_pct=0.5) if name == "gpt_neox" else dict(rope_theta=54321.0)
        fields |= dict(rope_scaling=dict(SCALINGS[kind])) if SCALINGS[kind] else {{}}
        fields |= dict(partial_rotary_factor=0.75) if name in ("phi", "stablelm") else {{}}
        fields |= dict(rope_local_base_freq=4321.0) if name == "gemma3_text" else {{}}
    torch.manual_seed(1)
    kind_of = getattr(t, MODELS[name])
    kind_of(kind_of.config_class(**fields)).save_pretrained(f"{{sys.argv[1]}}/{{name}}-{{kind}}-4")
"""
RESAVE = f"""
import sys
import transformers as t
t.logging.set_verbosity_error()
for name, kind in {CASES!r}:
    path = f"{{sys.argv[1]}}/{{name}}-{{kind}}-"
    getattr(t, {MODELS!r}[name]).from_pretrained(path + "4").save_pretrained(path + "5")
"""
RUN = f"""
import json, os, sys, torch
import transformers as t
t.logging.set_verbosity_error()
found = {{}}
for folder in sys.argv[2:]:
    model = getattr(t, {MODELS!r}[folder.split("-")[0]]).from_pretrained(f"{{sys.argv[1]}}/{{folder}}", attn_implementation="eager", dtype=torch.float32).eval()
    with torch.no_grad():
        found[folder] = model(torch.arange(30)[None]).logits.double().flatten().tolist()
print(json.dumps(found))
"""


def called(python, script, *words):
    done = subprocess.run([str(python), "-c", script, *map(str, words)], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def with_fields(source, target, remedy):
    """The directory with what the remedy says beside rope_parameters."""
    shutil.copytree(source, target)
    config = json.loads((target / "config.json").read_text())
    (target / "config.json").write_text(json.dumps(config | json.loads("{" + remedy.split(" looks: ")[1] + "}")))


@pytest.fixture(scope="module")
def folder(tmp_path_factory, python_t4):
    made = tmp_path_factory.mktemp("rotary")
    called(python_t4, MAKE, made)
    called(sys.executable, RESAVE, made)
    return made


@pytest.fixture(scope="module")
def reports(run, folder):
    """Of each case that of diff; beside what 5 wrote, the same with the remedy's fields."""
    found = {}
    for name, kind in CASES:
        path = folder / f"{name}-{kind}"
        found[name, kind] = run("diff", f"{path}-4", f"{path}-5")
        for finding in found[name, kind].findings("code.version"):
            if finding["role"] == "risk":
                with_fields(folder / f"{name}-{kind}-5", folder / f"{name}-{kind}-mended", finding["remedy"])
    return found


@pytest.fixture(scope="module")
def outputs(folder, reports, python_t4):
    names = [path.name for path in sorted(folder.iterdir())]
    return {version: json.loads(called(python, RUN, folder, *names)) for version, python in ((4, python_t4), (5, sys.executable))}


@pytest.mark.parametrize("name, kind", CASES)
def test_a_config_written_again_is_the_same_and_what_4_does_not_read_is_told(run, folder, reports, outputs, name, kind):
    case, report = f"{name}-{kind}", reports[name, kind]
    first, again = f"{case}-4", f"{case}-5"
    assert outputs[5][first] == outputs[5][again] and report["verdict"] == "same"
    risks = [finding for finding in report.findings("code.version") if finding["role"] == "risk"]
    assert bool(risks) == (outputs[4][first] != outputs[4][again]) == (kind != "default")
    checked = [finding for finding in run("check", folder / again, "--for", "transformers-4").findings("code.version") if finding["role"] == "risk"]
    assert [each["evidence"] for each in checked] == [each["evidence"] for each in risks]
    assert not run("check", folder / again, "--for", "transformers-5").findings("code.version")
    assert not run("check", folder / first, "--for", "transformers-4").findings("code.version")
    if risks:  # what the remedy writes gives 4 what 5 has, and leaves 5 as it is
        mended = f"{case}-mended"
        assert outputs[4][mended] == outputs[4][first] and outputs[5][mended] == outputs[5][again]
        assert not run("diff", folder / first, folder / mended).findings("config.changed")[1:]
        assert not run("check", folder / mended, "--for", "transformers-4").findings("code.version")


DEFAULTS = '''
import json, sys
import transformers as t
from transformers.models.auto.configuration_auto import CONFIG_MAPPING, CONFIG_MAPPING_NAMES
t.logging.set_verbosity_error()
for name in CONFIG_MAPPING_NAMES:
    try:
        config = CONFIG_MAPPING[name]()
        read = CONFIG_MAPPING[name].from_dict({"rope_parameters": {"rope_theta": 777.0, "rope_type": "default", "partial_rotary_factor": 0.125}})
    except Exception:  # of a class that wants fields, or another library
        continue
    stated = {key: vars(config).get(key, "absent") for key in json.loads(sys.argv[1])}
    same = all(vars(read).get(key, "absent") == value for key, value in stated.items())
    print(json.dumps([name, {key: value for key, value in stated.items() if value != "absent"}, same]))
'''
KEYS = ["rope_theta", "rotary_emb_base", "rotary_pct", "partial_rotary_factor", "rope_local_base_freq", "global_rope_theta", "local_rope_theta", "rope_scaling"]
BY_LAYER = {"gemma3_text": ("rope_theta", "rope_local_base_freq"), "gemma3n_text": ("rope_theta", "rope_local_base_freq"), "olmo3": ("rope_theta", None),
            "modernbert": ("global_rope_theta", "local_rope_theta"), "modernbert-decoder": ("global_rope_theta", "local_rope_theta")}
# Whose files keep the names of 4, that have no rotary embeddings of this kind, or that 5.24.0 has not.
OTHER = {"dinov3_vit", "fuyu", "efficientloftr", "open-llama", "code_llama"}
UNTOLD = {"bamba": {"partial_rotary_factor"}, "gpt_neox": {"rope_theta", "partial_rotary_factor"}, "gpt_neox_japanese": {"rope_theta", "partial_rotary_factor"},
          "modernbert": {"rope_theta"}, "modernbert-decoder": {"rope_theta"}}


def test_no_class_of_4_reads_rope_parameters_and_the_defaults_are_its_own(run, python_t4, tmp_path):
    """A file with all defaults of 4 in rope_parameters is no risk, and each with one other number is, with the default that 4 takes."""
    rows = [json.loads(line) for line in called(python_t4, DEFAULTS, json.dumps(KEYS)).splitlines()]
    rows = [(name, stated) for name, stated, same in rows if stated and name not in OTHER and (same or pytest.fail(name))]
    assert len(rows) > 80
    header = json.dumps({"__metadata__": {"format": "pt"}, "w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode()
    (tmp_path / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + struct.pack("<2f", 1, 2))

    def told(name, rope):
        (tmp_path / "config.json").write_text(json.dumps({"model_type": name, "rope_parameters": rope}))
        return [each["evidence"]["unread"] for each in run("check", tmp_path, "--for", "transformers-4").findings("code.version")]

    for name, stated in rows:
        scaling = stated.get("rope_scaling") or {"rope_type": "default"}
        bases = BY_LAYER.get(name)
        if bases:
            rope = {"full_attention": {"rope_theta": stated[bases[0]]} | scaling}
            if bases[1]:
                rope["sliding_attention"] = {"rope_theta": stated[bases[1]], "rope_type": "default"}
        else:
            rope = {"rope_theta": stated.get("rotary_emb_base", stated["rope_theta"])} | scaling
            if "partial_rotary_factor" in stated:
                rope["partial_rotary_factor"] = stated["partial_rotary_factor"]
        assert not told(name, rope), name
        holder = rope["full_attention"] if bases else rope
        field = "rotary_emb_base" if "rotary_emb_base" in stated else bases[0] if bases else "rope_theta"
        default, holder["rope_theta"] = holder["rope_theta"], 4242.0
        assert told(name, rope) == [{field: [4242.0, default]}], name
        holder["rope_theta"] = default
        if "rope_scaling" in stated and not stated["rope_scaling"]:
            holder |= {"rope_type": "linear", "factor": 3.0}
            assert told(name, rope) == [{"rope_scaling": [{"rope_type": "linear", "factor": 3.0}, None]}], name
            holder["rope_type"] = "default"
            del holder["factor"]
        if "partial_rotary_factor" in rope and name not in UNTOLD:
            rope["partial_rotary_factor"] = 0.125
            assert told(name, rope) == [{"partial_rotary_factor": [0.125, stated["partial_rotary_factor"]]}], name


def test_the_config_of_a_part_is_read_as_its_own(run, python_t4, tmp_path):
    said = {"model_type": "llava", "text_config": {"model_type": "llama", "rope_parameters": {"rope_theta": 4242.0, "rope_type": "default"}}}
    (tmp_path / "config.json").write_text(json.dumps(said))
    header = json.dumps({"__metadata__": {"format": "pt"}, "w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode()
    (tmp_path / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + struct.pack("<2f", 1, 2))
    (found,) = run("check", tmp_path, "--for", "transformers-4").findings("code.version")
    taken = called(python_t4, "import sys, transformers; print(transformers.LlavaConfig.from_pretrained(sys.argv[1]).text_config.rope_theta)", tmp_path)
    assert found["evidence"]["unread"] == {"text_config.rope_theta": [4242.0, float(taken)]}
    assert "text_config of config.json" in found["remedy"]
