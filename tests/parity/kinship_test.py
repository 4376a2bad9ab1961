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


def test_kinship_is_what_epochs_and_norms_show(run, tmp_path):
    model = train(vit(10), 3)
    early = copy.deepcopy(model.state_dict())
    train(model, 1, lr=1e-4)
    late = model.state_dict()

    def summary(a, b):
        return pair(run, tmp_path, a, b).finding("file.mixup")["summary"]

    assert "two steps of one training" in summary({"model": early, "epoch": 1}, {"model": late, "epoch": 2})
    assert "both files name epoch 1" in summary({"model": early, "epoch": 1}, {"model": late, "epoch": 1})
    assert "nothing in the files shows" in summary(early, late)
    assert "initialized by other draws" in summary(vit(11).state_dict(), vit(12).state_dict())
