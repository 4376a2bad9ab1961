"""What fields of configs do: the table against models of both versions, built with other values, and against their code."""

import json
import os
import pathlib
import re
import subprocess
import sys

import pytest
from conftest import PROGRAM
from field_zoo import MODELS

HERE = pathlib.Path(__file__).resolve().parent
FIELDS = pathlib.Path(os.environ.get("SAMEBITS_FIELDS", PROGRAM.parent / "compare_fields_json"))
# Types and the fields of each that are measured here; measured_fields.py measures all.
SAMPLE = {
    "gpt2": "activation_function,attn_pdrop,initializer_range,layer_norm_epsilon,n_head,n_inner,reorder_and_upcast_attn,scale_attn_weights",
    "llama": "attention_bias,attention_dropout,head_dim,hidden_act,intermediate_size,max_position_embeddings,num_key_value_heads,pretraining_tp,rms_norm_eps",
    "qwen2": "max_window_layers,sliding_window,use_sliding_window",
    "qwen3_moe": "norm_topk_prob,num_experts_per_tok,moe_intermediate_size",
    "gemma": "hidden_act,hidden_activation",
    "gemma2": "attn_logit_softcapping,final_logit_softcapping,query_pre_attn_scalar,hidden_activation",
    "gemma3_text": "attn_logit_softcapping,sliding_window",
    "granite": "attention_multiplier,embedding_multiplier,logits_scaling,residual_multiplier",
    "deepseek_v3": "n_group,routed_scaling_factor,topk_group,first_k_dense_replace",
    "bart": "activation_dropout,decoder_attention_heads,encoder_layers,encoder_layerdrop,init_std,scale_embedding",
    "t5": "dense_act_fn,dropout_rate,feed_forward_proj,layer_norm_epsilon,num_heads,relative_attention_max_distance",
    "whisper": "scale_embedding,encoder_attention_heads,mask_time_prob",
    "distilbert": "activation,n_heads,sinusoidal_pos_embds,seq_classif_dropout",
    "segformer": "layer_norm_eps,strides",
    "convnext": "image_size,layer_norm_eps,layer_scale_init_value",
    "mpt": "logit_scale,norm_type,n_heads",
}
MOVES = {"outputs", "shapes", "raises"}


def measured_by(python, out, names):
    return subprocess.Popen([str(python), str(HERE / "measured_fields.py"), str(out), *names], stderr=subprocess.PIPE, text=True)


@pytest.fixture(scope="module")
def measured(python_t4, tmp_path_factory):
    """measured[version][type][field]"""
    folder = tmp_path_factory.mktemp("measured")
    names = [f"{name}:{fields}" for name, fields in SAMPLE.items()]
    started = {version: measured_by(python, folder / f"{version}.json", names) for version, python in ((4, python_t4), (5, sys.executable))}
    for process in started.values():
        _, text = process.communicate(timeout=300)
        assert process.returncode == 0, text[-2000:]
    return {version: json.loads((folder / f"{version}.json").read_text()) for version in started}


def ask(requests):
    lines = "".join(json.dumps(request) + "\n" for request in requests)
    done = subprocess.run([str(FIELDS)], input=lines, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def allowed(by_version):
    """Effects that a row may have beside what was measured: {version: {effects of all other values}}."""
    moves = {version: bool(effects & MOVES) for version, effects in by_version.items()}
    if any(moves.values()):
        return {"outputs"} if len(set(moves.values())) == 1 else {"outputs", "version"}
    effects = set().union(*by_version.values())
    if "rounding" in effects:
        return {"numerics"}
    return {"training"} if "training" in effects else {"nothing", "training", "numerics"}


def judged(measured):
    """[(type, field, what the program says, what it may say)] of every pair of values of one field in a model's config."""
    asked, found = [], []
    for name in measured[5]:
        for field in measured[5][name].keys() | measured[4].get(name, {}).keys():
            fields = MODELS[name][2] | {"model_type": name, "architectures": [MODELS[name][0]]}
            pairs, effects = [], {}
            for version in (4, 5):
                known = measured[version].get(name, {}).get(field)
                if known is not None:
                    pairs += [(known["value"], other) for other, effect, _ in known["others"] if effect != "refused"]
                    effects[version] = {effect for _, effect, _ in known["others"]} - {"refused"}
            if not pairs or not all(effects.values()):
                continue
            for value, other in pairs:
                asked.append({"what": "config", "a": fields | {field: value}, "b": fields | {field: other}})
                found.append((name, field, effects))
    said = [{answer["effect"] for key, answer in each.items() if not key.startswith("architectures")} for each in ask(asked)]
    return [(name, field, effects, answer) for (name, field, effects), answer in zip(found, said, strict=True)]


def test_rows_say_what_models_do(measured):
    wrong, moved = [], set()
    for name, field, effects, said in judged(measured):
        strongest = next((each for each in ("outputs", "version", "numerics", "training", "nothing") if each in said), "unknown" if said else "no difference")
        may = allowed(effects)
        # Two names of one activation, and one value of two that are the same, are weaker than the row.
        weaker = field in ("hidden_act", "activation_function", "activation", "dense_act_fn", "hidden_activation") and strongest in ("numerics", "nothing", "version")
        if strongest not in may and not weaker:
            wrong.append((name, field, effects, said))
        moved.add((name, field))
    assert not wrong, wrong[:10]
    assert len(moved) > 60


BESIDE = {
    "use_sliding_window": ("qwen2", {"use_sliding_window": False}, "sliding_window", 4, 8),
    "layers without one": ("qwen2", {"use_sliding_window": False}, "max_window_layers", 1, 2),
    "no layer with one": ("qwen3", {"layer_types": ["full_attention"] * 3, "sliding_window": 3}, "use_sliding_window", False, True),
    "the activation itself": ("t5", {"dense_act_fn": "relu", "is_gated_act": False}, "feed_forward_proj", "relu", "gelu"),
    "no bottlenecks": ("resnet", {"layer_type": "basic"}, "downsample_in_bottleneck", False, True),
    "default": ("llama", {"rope_parameters": {"rope_type": "default", "rope_theta": 10000.0}}, "max_position_embeddings", 64, 128),
    "linear": ("llama", {"rope_parameters": {"rope_type": "linear", "factor": 2.0, "rope_theta": 10000.0}}, "max_position_embeddings", 64, 128),
    "dynamic": ("llama", {"rope_parameters": {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 10000.0}}, "max_position_embeddings", 16, 128),
}
DOES = r'''
import json, sys
sys.path.insert(0, sys.argv[1])
import measured_fields as m
made = {}
for case, (name, beside, field, a, b) in json.loads(sys.argv[2]).items():
    cls, config, fields, kind = m.MODELS[name]
    m.MODELS[case] = (cls, config, {**fields, **beside, field: a}, kind)
    made[case] = m.Measured(case).effect({field: b})[0]
print(json.dumps(made))
'''


def test_a_field_beside_another_says_what_models_do():
    done = subprocess.run([sys.executable, "-c", DOES, str(HERE), json.dumps(BESIDE)], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    effects = json.loads(done.stdout.splitlines()[-1])
    assert effects.pop("dynamic") == "outputs" and set(effects.values()) == {"nothing"}
    pairs = {case: tuple({"model_type": name, field: value} | beside for value in (a, b)) for case, (name, beside, field, a, b) in BESIDE.items()}
    said = dict(zip(pairs, ask({"what": "config", "a": a, "b": b} for a, b in pairs.values()), strict=True))
    effect = {case: said[case][BESIDE[case][2]]["effect"] for case in BESIDE}
    assert effect.pop("dynamic") == "unknown" and set(effect.values()) == {"nothing"}


# Prints {model type: text of its modeling files}.
CODE = r'''
import json, pathlib, sys
import transformers
from transformers.models.auto.configuration_auto import model_type_to_module_name
folder = pathlib.Path(transformers.__file__).parent / "models"
print(json.dumps({each: "\n".join(path.read_text() for path in (folder / model_type_to_module_name(each)).glob("modeling_*.py")
                                  if not path.name.startswith(("modeling_tf_", "modeling_flax_"))) for each in json.loads(sys.argv[1])}))
'''
READ_AND_UNUSED = {("whisper", "scale_embedding"), ("gemma3_text", "attn_logit_softcapping"), ("dinov3_vit", "image_size")}  # measured above, or a grid that stays unused


def test_what_is_said_to_do_nothing_is_in_no_code(python_t4):
    rows = [(types.split(), field) for types, field, effect, why in ask([{"what": "tables"}])[0]["fields"]
            if effect == "nothing" and types not in ("", "*") and ("not read" in why or "instead" in why or "of their own" in why)]
    types = sorted({each for row, _ in rows for each in row})
    checked = 0
    for python in (python_t4, sys.executable):
        done = subprocess.run([str(python), "-c", CODE, json.dumps(types)], capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr[-2000:]
        code = json.loads(done.stdout.splitlines()[-1])
        for row, field in rows:
            for each in row:
                if code[each] and (each, field) not in READ_AND_UNUSED:
                    checked += 1
                    assert not re.search(rf"""[."']{re.escape(field)}\b""", code[each]), (each, field)
    assert checked > 120
