"""Weights as people bring them: cut, pruned, folded, permuted, interleaved, with a block or a row more. Held against torch."""

import copy
import json
import re
import subprocess
import sys
import textwrap
from collections import OrderedDict

import pytest
import torch
import transformers
from torch import nn
from torch.nn.utils import fusion, prune


def rand(*shape, seed):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


LLAMA = [("self_attn.q_proj", (32, 32)), ("self_attn.k_proj", (32, 32)), ("self_attn.v_proj", (32, 32)), ("self_attn.o_proj", (32, 32)),
         ("mlp.gate_proj", (64, 32)), ("mlp.up_proj", (64, 32)), ("mlp.down_proj", (32, 64)), ("input_layernorm", (32,)), ("post_attention_layernorm", (32,))]
META = [("self_attn.q_proj", "attention.wq"), ("self_attn.k_proj", "attention.wk"), ("self_attn.v_proj", "attention.wv"), ("self_attn.o_proj", "attention.wo"),
        ("mlp.gate_proj", "feed_forward.w1"), ("mlp.down_proj", "feed_forward.w2"), ("mlp.up_proj", "feed_forward.w3"),
        ("input_layernorm", "attention_norm"), ("post_attention_layernorm", "ffn_norm"), ("model.embed_tokens", "tok_embeddings"),
        ("model.norm", "norm"), ("lm_head", "output"), ("model.layers", "layers")]


def llama(blocks=2):
    """Names and shapes of LlamaForCausalLM's state_dict."""
    state = OrderedDict({"model.embed_tokens.weight": rand(99, 32, seed=1)})
    for i in range(blocks):
        for j, (name, shape) in enumerate(LLAMA):
            state[f"model.layers.{i}.{name}.weight"] = rand(*shape, seed=100 * i + j + 2)
    return state | {"model.norm.weight": rand(32, seed=900), "lm_head.weight": rand(99, 32, seed=901)}


def to_pairs(weight, heads=4):
    """What permute() of transformers' convert_llama_weights_to_hf.py undoes."""
    rows = weight.shape[0]
    return weight.view(heads, 2, rows // heads // 2, weight.shape[1]).transpose(1, 2).reshape(rows, weight.shape[1]).contiguous()


def metas(state, permuted=True):
    renamed = OrderedDict()
    for name, value in state.items():
        if permuted and ("q_proj" in name or "k_proj" in name):
            value = to_pairs(value)
        for own, meta in META:
            name = name.replace(own, meta)
        renamed[name] = value
    return renamed


@pytest.fixture
def diff(run, tmp_path):
    def compare(a, b):
        for name, each in (("a.pth", a), ("b.pth", b)):
            torch.save(each, tmp_path / name)
        return run("diff", tmp_path / "a.pth", tmp_path / "b.pth")

    return compare


def causes(report):
    return [f["cause"] for f in report["findings"] if f["role"] in ("cause", "contributes")]


@pytest.mark.parametrize("shared", [True, False])
def test_a_block_that_stands_twice_is_another_model(shared, diff):
    """Depth up-scaling: block 1 once more as block 2. The model of three blocks computes otherwise."""
    a, b = llama(), llama()
    for name, value in list(b.items()):
        if ".layers.1." in name:
            b[name.replace(".layers.1.", ".layers.2.")] = value if shared else value.clone()
    for pair in ((a, b), (b, a)):
        report = diff(*pair)
        assert (report["verdict"], report.status, causes(report)) == ("different", 1, ["weights.missing"])
        assert not report["weights"][0]["ties"] and not report.findings("weights.tied")
        assert any("model.layers.2 holds what model.layers.1 holds" in line for line in report.finding("weights.missing")["details"])


def test_a_block_more_is_not_filled_by_its_twin(run, tmp_path):
    """torch: a module of three blocks has three tensors, whatever storage its state_dict was saved from."""
    deeper = llama()
    for name, value in list(deeper.items()):
        if ".layers.1." in name:
            deeper[name.replace(".layers.1.", ".layers.2.")] = value
    for name, each in (("two.pth", llama()), ("three.pth", deeper)):
        torch.save(each, tmp_path / name)
    load = run("check", tmp_path / "two.pth", "--for", tmp_path / "three.pth")["loads"][0]
    assert len(load["random"]) == 9 and all(".layers.2." in name for name in load["random"])


DETR = '''
import sys
import torch, transformers as T
T.logging.set_verbosity_error()
c = T.DeformableDetrConfig(use_timm_backbone=False, backbone=None, use_pretrained_backbone=False, d_model=32, encoder_layers=1, decoder_layers=3, encoder_ffn_dim=32,
    decoder_ffn_dim=32, encoder_attention_heads=2, decoder_attention_heads=2, num_queries=5,
    backbone_config=T.ResNetConfig(embedding_size=8, hidden_sizes=[8, 16, 16, 16], depths=[1, 1, 1, 1], out_features=["stage2", "stage3", "stage4"]))
torch.manual_seed(0)
m = T.DeformableDetrForObjectDetection(c)
m.save_pretrained(sys.argv[1] + "/hf")
torch.save(m.state_dict(), sys.argv[1] + "/sd.pth")
'''


def test_heads_that_a_detector_shares_over_its_layers_are_tied(run, tmp_path):
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(DETR), str(tmp_path)], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    report = run("diff", tmp_path / "hf", tmp_path / "sd.pth")
    assert (report["verdict"], report.status) == ("same", 0), report["diagnosis"]


def test_metas_names_are_llamas_and_nothing_is_exchanged(diff):
    report = diff(llama(), metas(llama()))
    assert report["verdict"] == "same" and not causes(report) and not report["weights"][0]["exchanges"]
    assert report["weights"][0]["only_a"] == [] and report["weights"][0]["matched"] == 21
    assert "rotary halves to pairs" in report.finding("weights.rearranged")["summary"]
    assert diff(metas(llama()), llama())["verdict"] == "same"
    assert diff(llama(), metas(llama(), permuted=False))["verdict"] == "same"


def test_rows_in_metas_order_under_transformers_names_are_another_model(diff):
    b = OrderedDict((name, to_pairs(value) if "q_proj" in name or "k_proj" in name else value) for name, value in llama().items())
    report = diff(llama(), b)
    found = report.findings("weights.rearranged")
    assert report["verdict"] == "different" and [f["role"] for f in found] == ["cause"] and found[0]["evidence"]["count"] == 4
    assert all("rotary halves to pairs" in f["summary"] and "convert_llama_weights_to_hf" in f["remedy"] for f in found)


def fused(state, order):
    made = OrderedDict()
    for name, value in state.items():
        if "q_proj" in name:
            made[name.replace("q_proj", "query_key_value")] = order(*(state[name.replace("q_proj", each)] for each in ("q_proj", "k_proj", "v_proj")))
        elif "k_proj" not in name and "v_proj" not in name:
            made[name] = value
    return made


def by_head(*parts):
    """GPT-NeoX, BLOOM, Megatron: query, key and value of one head, then of the next."""
    return torch.stack([part.view(4, 8, *part.shape[1:]) for part in parts], 1).reshape(96, *parts[0].shape[1:])


@pytest.mark.parametrize("bias", [None, "random", "zero"])
def test_query_key_and_value_interleaved_by_heads_are_found(bias, diff):
    state = llama()
    for i in range(2):
        for j, name in enumerate("qkv" if bias else ""):
            state[f"model.layers.{i}.self_attn.{name}_proj.bias"] = rand(32, seed=500 + 10 * i + j) if bias == "random" else torch.zeros(32)
    for pair in ((state, fused(state, by_head)), (fused(state, by_head), state)):
        report = diff(*pair)
        assert report["verdict"] == "same" and report["weights"][0]["only_a"] == report["weights"][0]["only_b"] == []
        assert "q_proj, k_proj, v_proj interleaved, 8 at a time" in report.finding("weights.rearranged")["summary"]


def test_parts_interleaved_in_another_order_are_another_model(diff):
    report = diff(llama(), fused(llama(), lambda q, k, v: by_head(k, q, v)))
    assert report["verdict"] == "different" and report.finding("weights.rearranged")["role"] == "cause"


def test_one_row_of_an_interleaved_matrix_that_differs_is_seen(diff):
    b = fused(llama(), by_head)
    b["model.layers.0.self_attn.query_key_value.weight"][3, 5] += 1
    assert diff(llama(), b)["verdict"] == "different"


def test_rows_that_were_added_leave_the_others_compared(diff):
    b = llama()
    b["lm_head.weight"] = torch.cat([b["lm_head.weight"], rand(5, 32, seed=7)])
    report = diff(llama(), b)
    how = report["weights"][0]["tensors"][0]["how"]
    assert how == "shape [99, 32] became [104, 32]; the first 99 rows are equal bit for bit"
    b["lm_head.weight"][50] += 1
    assert "of the first 99 rows 98 are equal bit for bit" in diff(llama(), b)["weights"][0]["tensors"][0]["how"]


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8, eps=1e-3)
        self.conv2, self.bn2 = nn.Conv2d(8, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8)
        self.up, self.bn3 = nn.ConvTranspose2d(8, 6, 2), nn.BatchNorm2d(6)
        self.fc, self.bn4 = nn.Linear(6, 5), nn.BatchNorm1d(5)

    def forward(self, x):
        x = torch.relu(self.bn1(self.conv1(x)))
        x = self.bn3(self.up(torch.relu(self.bn2(self.conv2(x)))))
        return self.bn4(self.fc(x.mean((2, 3))))


def net():
    torch.manual_seed(0)
    model = Net()
    for _ in range(3):
        model(torch.randn(8, 3, 8, 8))
    with torch.no_grad():
        for i, p in enumerate(model.parameters()):
            p += 0.1 * rand(*p.shape, seed=i)
    return model.eval()


def folded(model):
    made = copy.deepcopy(model)
    made.conv1, made.bn1 = fusion.fuse_conv_bn_eval(made.conv1, made.bn1), nn.Identity()
    made.conv2, made.bn2 = fusion.fuse_conv_bn_eval(made.conv2, made.bn2), nn.Identity()
    made.up, made.bn3 = fusion.fuse_conv_bn_eval(made.up, made.bn3, transpose=True), nn.Identity()
    made.fc, made.bn4 = fusion.fuse_linear_bn_eval(made.fc, made.bn4), nn.Identity()
    return made


def test_batch_norms_that_were_folded_are_computed(diff):
    a, b = net(), folded(net())
    x = rand(2, 3, 8, 8, seed=1)
    with torch.no_grad():
        assert (a(x) - b(x)).abs().max() < 1e-5
    for pair, letters in (((a, b), "AB"), ((b, a), "BA")):
        report = diff(*(each.state_dict() for each in pair))
        assert causes(report) == ["weights.layout"] and report["verdict"] == "different"
        found = report.finding("weights.layout")
        assert found["evidence"]["count"] == 4 and found["summary"].startswith(f"4 batch norms of {letters[0]} are folded")
        assert "conv1" in found["summary"] and any("1e-05, 0.001" in line for line in found["details"])
    report = diff(a.state_dict(), b.half().state_dict())
    assert report.finding("weights.layout")["evidence"]["count"] == 4


def test_the_bias_of_a_folded_norm_is_not_that_of_its_layer(diff):
    """torchvision's ResNet has no bias in conv1, and a folded one has: bn1.bias is none of conv1 under another name."""
    torch.manual_seed(3)
    a = nn.Sequential(OrderedDict(conv1=nn.Conv2d(3, 8, 3, bias=False), bn1=nn.BatchNorm2d(8), conv2=nn.Conv2d(8, 8, 3, bias=False), bn2=nn.BatchNorm2d(8)))
    a(torch.randn(8, 3, 9, 9))
    with torch.no_grad():
        for p in a.parameters():
            p.add_(torch.randn_like(p) * 0.1)
    b = copy.deepcopy(a.eval())
    for n in "12":
        setattr(b, f"conv{n}", fusion.fuse_conv_bn_eval(getattr(b, f"conv{n}"), getattr(b, f"bn{n}")))
        setattr(b, f"bn{n}", nn.Identity())
    report = diff(a.state_dict(), b.state_dict())
    assert causes(report) == ["weights.layout"] and not report["weights"][0]["rules"]


def test_other_weights_in_front_of_a_norm_are_not_folded(diff):
    a, b = net().state_dict(), folded(net()).state_dict()
    b["conv2.weight"][3, 2, 1, 1] += 1e-4
    report = diff(a, b)
    found = report.finding("weights.layout")
    assert found["evidence"]["count"] == 3 and found["summary"].startswith("3 of 4 batch norms")
    assert "weights.changed" in causes(report) and "weights.missing" in causes(report)


def test_a_mask_and_a_division_leave_the_weight_itself_in_the_file(diff):
    a = net()
    pruned, normed, baked = copy.deepcopy(a), copy.deepcopy(a), copy.deepcopy(a)
    prune.l1_unstructured(pruned.conv1, "weight", 0.5)
    nn.utils.parametrizations.spectral_norm(normed.fc)
    assert torch.equal(pruned.conv1.weight_orig, a.conv1.weight) and torch.equal(normed.fc.parametrizations.weight.original, a.fc.weight)
    for other, factor in ((pruned, "conv1.weight_orig"), (normed, "fc.parametrizations.weight.original")):
        found = diff(a.state_dict(), other.state_dict()).finding("weights.layout")
        assert any(f"{factor} of B is" in line and "bit for bit" in line for line in found["details"])
        assert "before saving" not in found["remedy"] and factor in found["remedy"]
    prune.remove(prune.l1_unstructured(baked.conv1, "weight", 0.5), "weight")
    report = diff(a.state_dict(), baked.state_dict())
    assert "B has 0 there, and the others are equal bit for bit" in str(report.finding("weights.changed")["details"])
    assert "A has 0 there" in str(diff(baked.state_dict(), a.state_dict()).finding("weights.changed")["details"])


def test_counters_alone_move_no_output(diff):
    """torchvision's FrozenBatchNorm2d has none; a load of either state_dict into the other's model is complete."""
    a = net().state_dict()
    b = OrderedDict((name, value) for name, value in a.items() if not name.endswith("num_batches_tracked"))
    old, own = Net(), net()
    assert old.load_state_dict(b, strict=True) and own.state_dict().keys() == a.keys()
    for pair in ((a, b), (b, a)):
        report = diff(*pair)
        assert (report["verdict"], report.status) == ("same", 0) and not causes(report)
        assert "4 counters stand only in" in report.finding("weights.missing")["summary"]
    b.pop("bn1.running_var")
    assert diff(a, b)["verdict"] == "different"


def test_a_factor_is_said(diff):
    b = llama() | {"lm_head.weight": llama()["lm_head.weight"] * 0.5}
    report = diff(llama(), b)
    assert "0.5 times A's" in report["diagnosis"] and "0.5 times A's" in str(report.finding("weights.changed")["details"])


@pytest.mark.parametrize(("change", "word"), [
    (lambda s: s | {"patch.weight": s["patch.weight"].flip(1).contiguous()}, "RGB"),
    (lambda s: s | {"head.weight": s["head.weight"][[1, 0, 2]], "head.bias": s["head.bias"][[1, 0, 2]]}, "labels"),
])
def test_what_stands_in_another_order_inside_a_tensor_is_not_renamed(change, word, diff):
    state = {"patch.weight": rand(8, 3, 4, 4, seed=1), "head.weight": rand(3, 8, seed=2), "head.bias": rand(3, seed=3), "norm.weight": rand(8, seed=4)}
    found = diff(state, change(state)).finding("weights.rearranged")
    assert found["role"] == "cause" and word in found["remedy"] and "under the name" not in found["remedy"]


@pytest.mark.parametrize("share", [0.5, 0.999])
@pytest.mark.parametrize("order", ["acb", "bac", "cab"])
def test_an_average_of_two_of_three_subjects_is_computed(share, order, run, tmp_path):
    a, c = llama(), {name: value + 0.05 * rand(*value.shape, seed=i) for i, (name, value) in enumerate(llama().items())}
    states = {"a": a, "c": c, "b": {name: share * value + (1 - share) * c[name] for name, value in a.items()}}
    for name, state in states.items():
        torch.save(state, tmp_path / f"{name}.pth")
    report = run("explain", "--files-only", *(tmp_path / f"{name}.pth" for name in order))
    labels = {name: "ABC"[order.index(name)] for name in "abc"}
    found = report.findings("weights.averaged")
    assert len(found) == 2 and all(f"of {labels['b']} are an average" in f["summary"] for f in found) and not report.findings("file.mixup")
    assert sorted(round(each, 6) for each in found[0]["evidence"]["shares"]) == sorted((share, round(1 - share, 6)))
    states["b"]["model.norm.weight"] += 0.001
    torch.save(states["b"], tmp_path / "b.pth")
    assert not run("explain", "--files-only", *(tmp_path / f"{name}.pth" for name in order)).findings("weights.averaged")


# What libraries call query, key, value and output; gate and up; the two norms of a block.
ATTENTION = [("q_proj", "k_proj", "v_proj", "o_proj"), ("query", "key", "value", "dense"), ("to_q", "to_k", "to_v", "to_out"), ("q_lin", "k_lin", "v_lin", "out_lin"),
             ("wq", "wk", "wv", "wo"), ("linear_q", "linear_k", "linear_v", "linear_out"), ("query_proj", "key_proj", "value_proj", "output_proj"),
             ("W_Q", "W_K", "W_V", "W_O"), ("q_net", "k_net", "v_net", "o_net")]
GATED = [("gate_proj", "up_proj"), ("w1", "w3"), ("gate", "up"), ("wi_0", "wi_1")]
NORMS = [("norm1", "norm2"), ("ln_1", "ln_2"), ("input_layernorm", "post_attention_layernorm"), ("layernorm_before", "layernorm_after"),
         ("attention_norm", "ffn_norm"), ("self_attn_layer_norm", "final_layer_norm"), ("attn_norm", "mlp_norm"), ("attn_ln", "mlp_ln")]
CROSS = [("attn", "cross_attn"), ("self_attn", "encoder_attn"), ("SelfAttention", "EncDecAttention"), ("attn1", "attn2"), ("self_attention", "crossattention")]


@pytest.mark.parametrize("names", [ATTENTION, GATED, NORMS, CROSS], ids=["attention", "gates", "norms", "cross attention"])
def test_weights_under_one_anothers_names_are_exchanged_whatever_the_library_calls_them(names, diff):
    shape = (16,) if names is NORMS else (16, 16)
    values = {(i, j): rand(*shape, seed=10 * i + j) for i in range(3) for j in range(len(names[0]))}

    def state(words, order, prefix):
        return {f"{prefix}.{i}.part.{words[order[j]]}.weight": value for (i, j), value in values.items()}

    kept = list(range(len(names[0])))
    turned = [1, 0, *kept[2:]]
    for here in names:
        for there in names:
            right = diff(state(here, kept, "layers"), state(there, kept, "blocks"))
            assert (right["verdict"], right.pair("B")["verdict"]) == ("same", "identical"), (here, there)
            wrong = diff(state(here, kept, "layers"), state(there, turned, "blocks"))
            assert wrong["verdict"] == "different" and "exchanged" in wrong["diagnosis"], (here, there)


def test_the_weight_of_a_module_goes_with_its_bias(diff):
    """Of two modules whose names tell nothing."""
    values = {(i, name, leaf): rand(*shape, seed=100 * i + 10 * j + k) for i in range(2) for j, name in enumerate(("left", "right"))
              for k, (leaf, shape) in enumerate({"weight": (16, 16), "bias": (16,)}.items())}
    words = {"left": "alpha", "right": "beta"}
    a = {f"layers.{i}.{name}.{leaf}": value for (i, name, leaf), value in values.items()}
    b = {f"blocks.{i}.{words[name]}.{leaf}": value for (i, name, leaf), value in values.items()}
    assert diff(a, b)["verdict"] == "same"
    for i in range(2):
        b[f"blocks.{i}.alpha.weight"], b[f"blocks.{i}.beta.weight"] = b[f"blocks.{i}.beta.weight"], b[f"blocks.{i}.alpha.weight"]
    assert diff(a, b)["verdict"] == "different"


@pytest.mark.parametrize("blocks", [(0, 1), (1,)])
def test_rows_of_a_key_in_the_order_of_metas_code_are_no_query(blocks, diff):
    state = llama(3)
    moved = metas(state)
    assert diff(state, moved)["verdict"] == "same"
    for i in blocks:
        query, key = (f"layers.{i}.attention.{word}.weight" for word in ("wq", "wk"))
        moved[query], moved[key] = moved[key], moved[query]
    report = diff(state, moved)
    assert report["verdict"] == "different" and "holds the rows of" in str(report["findings"])


def test_layers_that_are_exchanged_in_the_order_of_metas_code(diff):
    state = llama(3)
    moved = metas(state)
    turned = {name.replace("layers.0.", "layers.x.").replace("layers.1.", "layers.0.").replace("layers.x.", "layers.1."): value for name, value in moved.items()}
    report = diff(state, turned)
    assert report["verdict"] == "different" and "layers.0 and layers.1 are exchanged" in str(report["findings"])


def test_metas_names_with_the_order_of_other_code_are_a_risk(diff):
    state = llama()
    report = diff(state, metas(state, permuted=False))
    (risk,) = [finding for finding in report["findings"] if finding["role"] == "risk"]
    assert report["verdict"] == "same" and risk["cause"] == "weights.rearranged" and "Meta's names" in risk["summary"]
    assert risk["evidence"]["count"] == 4


def perceptron():
    return nn.Sequential(OrderedDict(fc1=nn.Linear(24, 32), act=nn.GELU(), fc2=nn.Linear(32, 24))).eval()


@pytest.mark.parametrize("left_out", [None, "fc1.bias", "fc2.weight"])
def test_units_that_were_sorted_otherwise_compute_the_same(left_out, diff):
    torch.manual_seed(5)
    model, order = perceptron(), torch.randperm(32)
    state = model.state_dict()
    sorted_otherwise = {name: value if name in (left_out, "fc2.bias") else value[:, order] if name == "fc2.weight" else value[order] for name, value in state.items()}
    other = perceptron()
    other.load_state_dict(sorted_otherwise)
    x = rand(4, 24, seed=3)
    assert torch.allclose(model(x), other(x), rtol=1e-5, atol=1e-6) == (left_out is None)
    report = diff(state, sorted_otherwise)
    said = [f for f in report.findings("weights.rearranged") if f["evidence"].get("units")]
    assert len(said) == (left_out is None) and report["verdict"] == "different"
    if said:
        assert report["diagnosis"] == "the rows of fc1 and the columns of fc2 stand in one other order: the same units, sorted otherwise"
        assert said[0]["remedy"].startswith("Nothing where outputs may differ by rounding")


@pytest.mark.parametrize("stacked", [False, True])
@pytest.mark.parametrize("left_out", [None, "gate"])
def test_experts_that_moved_with_their_router_compute_the_same(left_out, stacked, run, tmp_path):
    """transformers 5 saves experts one by one and holds them in one tensor."""
    torch.manual_seed(6)
    config = transformers.MixtralConfig(hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
                                        num_local_experts=4, vocab_size=100)
    model = transformers.MixtralForCausalLM(config).eval()
    order = torch.tensor([2, 0, 3, 1])
    moved = {name: value[order] if ".mlp." in name and not (left_out and left_out in name.split(".")) else value for name, value in model.state_dict().items()}
    other = transformers.MixtralForCausalLM(config).eval()
    other.load_state_dict(moved)
    x = torch.arange(10)[None]
    assert torch.allclose(model(x).logits, other(x).logits, rtol=1e-4, atol=1e-5) == (left_out is None)
    for name, each in (("a", model), ("b", other)):
        torch.save(each.state_dict(), tmp_path / name) if stacked else each.save_pretrained(tmp_path / name)
    report = run("diff", tmp_path / "a", tmp_path / "b")
    said = report.findings("weights.rearranged")
    assert report["verdict"] == "different" and any(f["evidence"].get("experts", False) for f in said) == (left_out is None)
    if left_out is None:
        assert len(said) == 1 and report["diagnosis"].endswith("stand in another order, and the rows of their routers with them")
        assert said[0]["evidence"]["count"] == (6 if stacked else 26)
    elif not stacked:
        assert report["diagnosis"] == "model.layers.{n}.block_sparse_moe.experts.* are exchanged among themselves, n = 0, 1"


@pytest.mark.parametrize("name, remedy", [
    ("embeddings.word_embeddings.weight", "Take the weights and the tokenizer of one of the two on both sides"),
    ("embeddings.position_embeddings.weight", "Take one of the two files on both sides: a row belongs to the position"),
    ("classifier.weight", "Bring the rows of the classifier into the order of one list of labels"),
    ("encoder.layer.0.attention.self.query.weight", "Bring them into one order on both sides, that in which the model's code"),
])
def test_the_remedy_of_permuted_rows_says_what_a_row_is(name, remedy, diff):
    torch.manual_seed(7)
    state = {"encoder.layer.0.attention.self.key.weight": torch.randn(24, 32), name: torch.randn(24, 32)}
    report = diff(state, {**state, name: state[name][torch.randperm(24)]})
    assert report["findings"][0]["cause"] == "weights.rearranged" and report["findings"][0]["remedy"].startswith(remedy)


def test_norms_that_a_load_left_are_told(run, tmp_path):
    """Checkpoints of old BERT say gamma and beta, and a loader by name leaves every norm as it was built."""
    torch.manual_seed(8)
    config = transformers.BertConfig(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64, vocab_size=100)
    model = transformers.BertModel(config)
    with torch.no_grad():
        for value in model.parameters():
            value.add_(torch.randn_like(value) * 0.05)
    other = transformers.BertModel(config)
    renamed = {name.replace("LayerNorm.weight", "LayerNorm.scale").replace("LayerNorm.bias", "LayerNorm.shift"): value for name, value in model.state_dict().items()}
    left = other.load_state_dict(renamed, strict=False).missing_keys
    for name, each in (("a", model), ("b", other)):
        each.save_pretrained(tmp_path / name)
    report = run("diff", tmp_path / "a", tmp_path / "b")
    (said,) = report.findings("weights.reinitialized")
    assert said["evidence"]["side"] == "B" and set(said["evidence"]["tensors"]) == set(left) and not report.findings("weights.changed")


def resnet_of_torchvision(state):
    """The names of torchvision's ResNet for those of transformers' (resnet.py of torchvision 0.29)."""
    renamed = {}
    for name, value in state.items():
        name = name.replace("resnet.embedder.embedder.convolution", "conv1").replace("resnet.embedder.embedder.normalization", "bn1").replace("classifier.1", "fc")
        found = re.fullmatch(r"resnet\.encoder\.stages\.(\d)\.layers\.(\d)\.(?:layer\.(\d)|shortcut)\.(convolution|normalization)\.(.*)", name)
        if found:
            stage, block, n, kind, leaf = found.groups()
            number = int(kind[0] == "n")
            module = f"downsample.{number}" if n is None else f"{'bn' if number else 'conv'}{int(n) + 1}"
            name = f"layer{int(stage) + 1}.{block}.{module}.{leaf}"
        renamed[name] = value
    return renamed


@pytest.mark.parametrize("x, y", [("", ""), ("layer1.0.conv1.", "layer1.0.conv2."), ("layer1.0.", "layer1.1."), ("layer2.1.", "layer1.1.")])
def test_layers_exchanged_under_the_names_of_another_library_are_seen(x, y, diff):
    torch.manual_seed(9)
    config = transformers.ResNetConfig(embedding_size=8, hidden_sizes=[8, 8], depths=[2, 2], layer_type="basic", num_labels=3)
    model = transformers.ResNetForImageClassification(config)
    with torch.no_grad():
        for value in model.parameters():
            value.add_(torch.randn_like(value) * 0.05)
    state = model.state_dict()
    other = resnet_of_torchvision(state)
    if x:
        other |= {y + name.removeprefix(x): value for name, value in other.items() if name.startswith(x)} | \
                 {x + name.removeprefix(y): value for name, value in other.items() if name.startswith(y)}
    report = diff(state, other)
    assert report["verdict"] == ("different" if x else "same")
    if x:
        assert any(f"{x.rstrip('.').split('.')[-1]}" in f["summary"] and "exchanged" in f["summary"] for f in report.findings("weights.rearranged"))


def test_nan_of_other_bits_is_equal_to_nothing(run, tmp_path):
    a = {"w": rand(4, seed=1), "v": rand(4, seed=2)}
    a["w"][0] = float("nan")
    b = {name: value.clone() for name, value in a.items()}
    b["w"].view(torch.int32)[0] = 0x7FC00001
    for name, each in (("a.pth", a), ("b.pth", b)):
        torch.save(each, tmp_path / name)
    import conftest

    shown = subprocess.run([str(conftest.PROGRAM), "diff", tmp_path / "a.pth", tmp_path / "b.pth"], capture_output=True, text=True).stdout
    assert "1 with NaN of other bits" in shown and "equal as numbers" not in shown


def test_a_file_that_one_side_lacks_is_not_said_to_differ(run, tmp_path):
    """sentence-transformers: a Dense module behind the pooling, on one side only."""
    from safetensors.torch import save_file

    modules = [{"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
               for i, (path, kind) in enumerate((("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Dense", "Dense")))]
    for name, count in (("a", 3), ("b", 2)):
        for each in modules[:count]:
            (tmp_path / name / each["path"]).mkdir(parents=True, exist_ok=True)
        (tmp_path / name / "config.json").write_text(json.dumps({"model_type": "bert"}))
        (tmp_path / name / "modules.json").write_text(json.dumps(modules[:count]))
        (tmp_path / name / "1_Pooling" / "config.json").write_text(json.dumps({"word_embedding_dimension": 8, "pooling_mode_mean_tokens": True}))
        save_file({"w": rand(4, 4, seed=1)}, tmp_path / name / "model.safetensors")
    (tmp_path / "a" / "2_Dense" / "config.json").write_text(json.dumps({"in_features": 8, "out_features": 4}))
    save_file({"linear.weight": rand(4, 8, seed=2), "linear.bias": rand(4, seed=3)}, tmp_path / "a" / "2_Dense" / "model.safetensors")
    report = run("diff", tmp_path / "a", tmp_path / "b")
    found = [f for f in report["findings"] if "2_Dense/model.safetensors" in f["summary"]]
    assert len(found) == 1 and "B has no such file" in found[0]["summary"] and "samebits diff takes" not in found[0]["remedy"]


def bert(lived_in=True, **sizes):
    import transformers as t

    torch.manual_seed(3)
    model = t.BertModel(t.BertConfig(**{"vocab_size": 50, "hidden_size": 24, "num_hidden_layers": 6, "num_attention_heads": 2, "intermediate_size": 32,
                                        "max_position_embeddings": 20} | sizes))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape) if lived_in else 0)
    return model.eval()


@pytest.mark.parametrize("lived_in", (True, False))  # False: every bias is zero, and every norm one
@pytest.mark.parametrize("kept", ([0, 2, 4], [1, 2, 5], [0, 5], [0, 1, 2]))
def test_blocks_that_a_student_keeps_are_equal_under_other_numbers(kept, lived_in, diff):
    model = bert(lived_in)
    student = copy.deepcopy(model)
    student.encoder.layer = nn.ModuleList(student.encoder.layer[i] for i in kept)
    teacher, state = model.state_dict(), student.state_dict()
    gone = [i for i in range(6) if i not in kept]
    for a, b, side, more in ((teacher, state, "only_a", "A"), (state, teacher, "only_b", "B")):
        report = diff(a, b)
        found = report.pair("B")
        assert not found["changed"] and not found["exchanges"]
        assert {int(name.split(".")[2]) for name in found[side]} == set(gone)
        assert len(found["rules"]) == sum(i != at for at, i in enumerate(kept))
        assert f"only in {more}" in report["diagnosis"]
        assert "as many blocks" in report.finding("weights.missing")["remedy"]


def test_blocks_of_which_one_was_trained_are_not_taken_for_others(diff):
    model = bert()
    student = copy.deepcopy(model)
    student.encoder.layer = nn.ModuleList(student.encoder.layer[i] for i in (0, 2, 4))
    with torch.no_grad():
        student.encoder.layer[1].output.dense.weight.add_(0.01)
    found = diff(model.state_dict(), student.state_dict()).pair("B")
    assert found["verdict"] == "different" and found["changed"]


@pytest.mark.parametrize("factor", (0.999, -2.0))
def test_one_factor_for_all_is_said_once_and_makes_no_other_training(factor, diff):
    state = bert().state_dict()
    report = diff(state, {name: factor * value if value.is_floating_point() else value for name, value in state.items()})
    assert report["diagnosis"] == f"every weight of B is {factor:g} times A's"
    assert "file.mixup" not in causes(report)
    decayed = {name: 0.99 * value if value.dim() > 1 else value for name, value in state.items()}
    assert "are 0.99 times A's; all else is identical" in diff(state, decayed)["diagnosis"]
    decayed["pooler.dense.weight"] = 0.98 * state["pooler.dense.weight"]
    assert "times A's" not in diff(state, decayed)["diagnosis"]


@pytest.mark.parametrize("value, word", ((float("inf"), "0 infinite in A, 1 in B"), (float("nan"), "0 NaN in A, 1 in B")))
def test_one_number_that_is_not_finite_is_named(value, word, diff):
    state = bert().state_dict()
    broken = dict(state) | {"pooler.dense.weight": state["pooler.dense.weight"].clone()}
    broken["pooler.dense.weight"][3, 4] = value
    assert diff(state, broken)["diagnosis"] == f"only pooler.dense.weight differs: {word}"


def saved_as(folder, name, cls, config, **fields):
    torch.manual_seed(2)
    getattr(transformers, cls)(getattr(transformers, config)(**fields)).save_pretrained(folder / name)


SWIN = {"image_size": 32, "patch_size": 2, "embed_dim": 16, "depths": [1, 1], "num_heads": [2, 2]}
BART = {"vocab_size": 60, "d_model": 32, "encoder_layers": 1, "encoder_attention_heads": 2, "decoder_attention_heads": 2, "encoder_ffn_dim": 48,
        "decoder_ffn_dim": 48, "max_position_embeddings": 24}


@pytest.mark.parametrize("cls, config, fields, field, values", [
    ("SwinModel", "SwinConfig", SWIN, "window_size", (4, 8)), ("BartModel", "BartConfig", BART, "decoder_layers", (3, 2)),
    ("CLIPVisionModel", "CLIPVisionConfig", {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 1, "num_attention_heads": 2, "patch_size": 8},
     "image_size", (32, 64)),
])
def test_sizes_that_the_weights_need_are_not_to_be_made_equal(cls, config, fields, field, values, run, tmp_path):
    for name, value in zip("ab", values, strict=True):
        saved_as(tmp_path, name, cls, config, **fields, **{field: value})
    held = [{name: value.shape for name, value in safetensors_of(tmp_path / each).items()} for each in "ab"]
    assert held[0] != held[1]
    said = run("diff", tmp_path / "a", tmp_path / "b").finding("config.changed")
    assert said["remedy"] == "The config of each fits its own weights: give neither file that of the other"


def safetensors_of(folder):
    from safetensors.torch import load_file

    return load_file(folder / "model.safetensors")


def test_a_vocabulary_that_was_enlarged_is_in_the_shapes_and_in_the_config(run, tmp_path):
    model = bert()
    model.save_pretrained(tmp_path / "a")
    model.resize_token_embeddings(56)
    model.save_pretrained(tmp_path / "b")
    report = run("diff", tmp_path / "a", tmp_path / "b")
    field, = (f for f in report["config"][0]["fields"] if f["field"] == "vocab_size")
    assert field["why"] == "the shapes of the weights change"
    assert not any("is not known" in finding["summary"] for finding in report["findings"])
