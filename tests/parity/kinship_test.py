"""What two files say of each other's history, where the real libraries made them."""

import copy

import pytest
import torch
import transformers
from torch import nn

SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
PIXELS, LABELS = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(1)), torch.tensor([0, 1, 0, 1])


def vit(seed):
    torch.manual_seed(seed)
    config = transformers.ViTConfig(image_size=32, patch_size=8, num_labels=2, hidden_dropout_prob=0.0, **SMALL)
    return transformers.ViTForImageClassification(config)


class Convolutions(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 8, 3, bias=False), nn.BatchNorm2d(8)
        self.conv2, self.bn2 = nn.Conv2d(8, 8, 3, bias=False), nn.BatchNorm2d(8)
        self.fc = nn.Linear(8, 2)

    def forward(self, x):
        x = torch.relu(self.bn1(self.conv1(x)))
        return self.fc(torch.relu(self.bn2(self.conv2(x))).mean((2, 3)))


def convolutions(seed):
    torch.manual_seed(seed)
    return Convolutions()


def train(model, steps, average=None, lr=1e-2):
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr)
    for _ in range(steps):
        output = model(PIXELS)
        loss = nn.functional.cross_entropy(getattr(output, "logits", output), LABELS)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if average is not None:
            average.update_parameters(model)
    return model


def pair(run, folder, a, b):
    torch.save(a, folder / "a.pth")
    torch.save(b, folder / "b.pth")
    return run("diff", folder / "a.pth", folder / "b.pth")


def constant(tensor):
    return bool((tensor == tensor.flatten()[0]).all())


def test_two_fresh_architectures_share_only_constants(run, tmp_path):
    gpt2 = transformers.GPT2LMHeadModel(transformers.GPT2Config(vocab_size=50, n_embd=32, n_layer=2, n_head=2, n_positions=16, bos_token_id=0, eos_token_id=0))
    vit(1).save_pretrained(tmp_path / "vit")
    gpt2.save_pretrained(tmp_path / "gpt2")
    report = run("diff", tmp_path / "vit", tmp_path / "gpt2")
    weights = report["weights"][0]
    assert (weights["matched"], weights["renamed"], weights["exchanges"]) == (0, 0, [])
    assert "two architectures, vit and gpt2" in report["findings"][0]["summary"]
    assert not report.findings("weights.renamed") and not report.findings("file.mixup")


@pytest.mark.parametrize("make", [vit, convolutions], ids=["vit", "convolutions"])
def test_constants_follow_the_names_of_the_others(run, tmp_path, make):
    state = make(2).state_dict()
    assert sum(map(constant, state.values())) > len(state) / 3
    report = pair(run, tmp_path, state, {"backbone." + name: tensor for name, tensor in state.items()})
    assert report["verdict"] == "same" and report["weights"][0]["renamed"] == len(state)


def test_norms_of_another_name_are_paired_where_all_else_is(run, tmp_path):
    state = convolutions(3).state_dict()
    report = pair(run, tmp_path, state, {name.replace("bn", "n_"): tensor for name, tensor in state.items()})
    assert report["verdict"] == "same" and report["weights"][0]["matched"] == len(state)


@pytest.mark.parametrize("make", [vit, convolutions], ids=["vit", "convolutions"])
def test_a_fresh_model_is_named_with_its_side(run, tmp_path, make):
    trained, fresh = train(make(4), 3).state_dict(), make(5).state_dict()
    for report, side in ((pair(run, tmp_path, trained, fresh), "B"), (pair(run, tmp_path, fresh, trained), "A")):
        finding = report.finding("weights.reinitialized")
        assert (finding["evidence"]["side"], finding["role"]) == (side, "cause")
        assert not report.findings("file.mixup") and not report.findings("weights.changed")


def test_a_load_under_a_wrong_prefix_leaves_a_fresh_encoder(run, tmp_path):
    trained, loaded = train(vit(6), 3), vit(7)
    state = {name.replace("vit.", "model.vit."): tensor for name, tensor in trained.state_dict().items()}
    loaded.load_state_dict(state, strict=False)
    report = pair(run, tmp_path, state, loaded.state_dict())
    finding = report.finding("weights.reinitialized")
    assert finding["evidence"]["side"] == "B" and finding["evidence"]["count"] == len(state) - 2
    assert all(name.startswith("vit.") for name in finding["evidence"]["tensors"])


def averages():
    model = vit(8)
    average = torch.optim.swa_utils.AveragedModel(model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.9))
    train(model, 4, average)
    raw, mean = model.state_dict(), {name[7:]: tensor for name, tensor in average.state_dict().items() if name.startswith("module.")}
    yield "averaged-model", {"model": raw, "ema": average.state_dict(), "epoch": 1}, mean, "ema"
    yield "timm", {"state_dict": raw, "state_dict_ema": mean, "epoch": 1}, mean, "state_dict_ema"
    yield "nested", {"net": raw, "trainer": {"ema_model": mean}}, mean, "trainer.ema_model"
    yield "callback", {"state_dict": raw, "callbacks": {"EMA": {"ema_state_dict": mean}}, "epoch": 1}, mean, "callbacks.EMA.ema_state_dict"
    both = {**{f"online_model.{name}": tensor for name, tensor in raw.items()}, **{f"ema_model.{name}": tensor for name, tensor in mean.items()}}
    yield "flat", {"model": raw, "ema": {**both, "initted": torch.tensor(True), "step": torch.tensor(6)}}, mean, "ema.ema_model"
    lightning = {"state_dict": mean, "current_model_state": raw, "averaging_state": {"n_averaged": average.n_averaged}, "epoch": 1}
    yield "lightning", lightning, raw, "current_model_state"


def test_the_other_weights_of_the_file_come_first(run, tmp_path):
    for name, checkpoint, exported, key in averages():
        report = pair(run, tmp_path, exported, checkpoint)
        first = report["findings"][0]
        assert (first["cause"], first["role"], first["evidence"]["key"]) == ("weights.averaged", "cause", key), name
        assert not report.findings("weights.changed") and not report.findings("file.mixup"), name


@pytest.mark.parametrize("passes", [1, 4])
def test_running_statistics_are_no_trained_weights(run, tmp_path, passes):
    model = train(convolutions(9), 2)
    before = copy.deepcopy(model.state_dict())
    for _ in range(passes):
        model(PIXELS.flip(2))
    report = pair(run, tmp_path, before, model.state_dict())
    finding = report.finding("state.buffers")
    assert (finding["role"], finding["evidence"]["steps"], finding["evidence"]["count"]) == ("cause", passes, 6)
    assert report["verdict"] == "different" and not report.findings("weights.changed")
    train(model, 1)
    report = pair(run, tmp_path, before, model.state_dict())
    assert report.finding("state.buffers")["role"] == "contributes" and report.finding("state.buffers")["evidence"]["steps"] == passes + 1
    assert not any("running" in name for name in report.finding("weights.changed")["evidence"]["tensors"])


def test_counters_of_batches_alone_move_no_output(run, tmp_path):
    model = train(convolutions(9), 2).eval()
    state = copy.deepcopy(model.state_dict())
    other = {name: torch.zeros_like(value) if name.endswith("num_batches_tracked") else value for name, value in state.items()}
    expected = model(PIXELS)
    model.load_state_dict(other)
    assert torch.equal(model(PIXELS), expected)
    report = pair(run, tmp_path, state, other)
    finding = report.finding("state.buffers")
    assert "only counters of batches" in finding["summary"] and "running statistics" not in finding["summary"]
    assert "outputs do not depend" in str(finding["details"]) and "model.eval()" not in finding["remedy"]


def test_statistics_of_a_new_model_are_called_so(run, tmp_path):
    model = train(convolutions(9), 2)
    state = copy.deepcopy(model.state_dict())
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.reset_running_stats()
    report = pair(run, tmp_path, state, model.state_dict())
    finding = report.finding("state.buffers")
    assert finding["evidence"]["initial"] == "B" and "B's are those of a new model" in finding["summary"]
    assert "model.eval()" not in finding["remedy"] and "named_parameters()" in finding["remedy"]
    assert pair(run, tmp_path, model.state_dict(), state).finding("state.buffers")["evidence"]["initial"] == "A"


def test_kinship_is_what_epochs_and_norms_show(run, tmp_path):
    model = train(vit(10), 3)
    early = copy.deepcopy(model.state_dict())
    train(model, 1, lr=1e-4)
    late = model.state_dict()

    def summary(a, b):
        return pair(run, tmp_path, a, b).finding("file.mixup")["summary"]

    assert "two steps of one training" in summary({"model": early, "epoch": 1}, {"model": late, "epoch": 2})
    assert "both files name epoch 1" in summary({"model": early, "epoch": 1}, {"model": late, "epoch": 1})
    assert "how they are related was not found" in summary(early, late)
    assert "initialized by other draws" in summary(vit(11).state_dict(), vit(12).state_dict())


# ---- norms that are zero when they are new, and hidden states that were turned

TEXT = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 2, "intermediate_size": 48, "vocab_size": 60,
        "max_position_embeddings": 32}
WORDS = torch.randint(0, 60, (4, 12), generator=torch.Generator().manual_seed(1))


def language(name, seed, steps=0, **fields):
    torch.manual_seed(seed)
    model = getattr(transformers, name + "ForCausalLM")(getattr(transformers, name + "Config")(**TEXT, **fields)).eval()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for _ in range(steps):
        model(WORDS, labels=WORDS).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    return model


@pytest.mark.parametrize("name,value", [("Gemma", 0), ("Gemma2", 0), ("Llama", 1)])
def test_a_fresh_norm_is_ones_or_zeros_as_its_class_scales(run, tmp_path, name, value):
    fields = {"head_dim": 16} if name != "Llama" else {}
    trained, fresh, other = language(name, 0, 6, **fields), language(name, 3, **fields), language(name, 4, **fields)
    assert all(bool((p == value).all()) for n, p in fresh.named_parameters() if n.endswith("norm.weight"))
    finding = pair(run, tmp_path, trained.state_dict(), fresh.state_dict()).finding("weights.reinitialized")
    assert finding["evidence"]["side"] == "B" and ("all zeros" if value == 0 else "all ones") in finding["details"][0]
    mixup = pair(run, tmp_path, fresh.state_dict(), other.state_dict()).finding("file.mixup")
    assert mixup["evidence"]["both_initial"] and ("all zeros" if value == 0 else "all ones") in mixup["summary"]


def fold_norms(model):
    """Norms of ones, and the same function: what stands behind a norm takes its scale."""
    for layer in model.model.layers:
        for norm, behind in ((layer.input_layernorm, [layer.self_attn.q_proj, layer.self_attn.k_proj, layer.self_attn.v_proj]),
                             (layer.post_attention_layernorm, [layer.mlp.gate_proj, layer.mlp.up_proj]), ):
            for linear in behind:
                linear.weight.data *= norm.weight.data
            norm.weight.data.fill_(1)
    model.lm_head.weight.data *= model.model.norm.weight.data
    model.model.norm.weight.data.fill_(1)
    return model


def turn(model):
    """QuaRot's first step: hidden states times an orthogonal matrix."""
    q = torch.linalg.qr(torch.randn(32, 32, generator=torch.Generator().manual_seed(7)))[0]
    model.model.embed_tokens.weight.data @= q
    model.lm_head.weight.data @= q
    for layer in model.model.layers:
        for linear in (layer.self_attn.q_proj, layer.self_attn.k_proj, layer.self_attn.v_proj, layer.mlp.gate_proj, layer.mlp.up_proj):
            linear.weight.data @= q
        for linear in (layer.self_attn.o_proj, layer.mlp.down_proj):
            linear.weight.data = q.T @ linear.weight.data
    return model


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_turned_model_is_no_fresh_one(run, tmp_path, dtype):
    base = language("Llama", 0, 6)
    turned = turn(fold_norms(copy.deepcopy(base)))
    assert torch.allclose(base(WORDS).logits, turned(WORDS).logits, atol=1e-4)
    report = pair(run, tmp_path, base.to(dtype).state_dict(), turned.to(dtype).state_dict())
    assert not report.findings("weights.reinitialized") and not report.findings("file.mixup")
    finding = report.finding("weights.changed")
    assert "model.embed_tokens.weight" in finding["evidence"]["turned"] and "explain_live" in finding["remedy"]
    unlike = pair(run, tmp_path, base.state_dict(), language("Llama", 9, 6).to(dtype).state_dict())
    assert not [f for f in unlike["findings"] if "turned" in f["evidence"]]
