"""Files of kinds that people bring: what they hold is read, compared, or named for what it is."""

import copy
import json
import pickle
import shutil

import numpy
import pytest
import safetensors.torch
import torch
import transformers as t
from torch import nn

TINY = {"hidden_size": 12, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16, "image_size": 8, "patch_size": 4}


def net(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3))


def weights(report):
    return report["weights"][0]


def not_checked(report):
    return " ".join(report["not_checked"])


# ---- pickle.dump


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_tensors_of_a_plain_pickle_are_read(run, tmp_path, protocol):
    for name, value in (("a", net().state_dict()), ("m", net()), ("k", {"model": net().state_dict(), "epoch": 3})):
        (tmp_path / f"{name}.pkl").write_bytes(pickle.dumps(value, protocol=protocol))
    (tmp_path / "b.pkl").write_bytes(pickle.dumps(net(1).state_dict(), protocol=protocol))
    torch.save(net().state_dict(), tmp_path / "a.pth")
    for name in ("a.pkl", "m.pkl", "k.pkl"):
        report = run("diff", tmp_path / name, tmp_path / "a.pth")
        assert report["verdict"] == "same" and weights(report)["verdict"] == "identical"
    assert weights(run("diff", tmp_path / "b.pkl", tmp_path / "a.pth"))["verdict"] == "different"
    report = run("inspect", tmp_path / "a.pkl")
    assert report["verdict"] == "clean" and report.subject["tensors"] == 4
    assert all(call["plain"] for call in report.part("calls"))


def test_bytes_for_load_from_bytes_that_are_no_storage_are_listed(run, tmp_path):
    class Nested:
        def __reduce__(self):
            return torch.storage._load_from_bytes, (pickle.dumps({"a": 1}),)

    (tmp_path / "a.pkl").write_bytes(pickle.dumps({"w": net().state_dict(), "x": Nested()}))
    report = run("inspect", tmp_path / "a.pkl")
    calls = [call for call in report.part("calls") if call["global"] == "torch.storage._load_from_bytes"]
    assert report["verdict"] == "unknown" and {call["plain"] for call in calls} == {True, False}
    assert report.finding("file.calls")["role"] == "risk"


# ---- several models in one file


@pytest.mark.parametrize("keys", [("model", "teacher"), ("generator", "discriminator"), ("student", "teacher"), ("state_dict", "ema")])
def test_a_second_model_under_another_key_is_compared(run, tmp_path, keys):
    first, second = keys
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        torch.save({first: net().state_dict(), second: net(seed).state_dict(), "epoch": 3}, tmp_path / name)
    torch.save({first: net().state_dict()}, tmp_path / "d")
    same = run("diff", tmp_path / "a", tmp_path / "b")
    assert same["verdict"] == "same" and second not in not_checked(same)
    report = run("diff", tmp_path / "a", tmp_path / "c")
    finding = report.finding("weights.changed")
    assert report["verdict"] == "different" and weights(report)["verdict"] == "identical"
    assert second in finding["summary"] and finding["evidence"]["count"] == 4 and finding["role"] == "contributes"
    chosen = run("diff", tmp_path / "a", tmp_path / "c", "--key", first)
    assert chosen["verdict"] == "same" and f"the weights under {second}" in not_checked(chosen)
    alone = run("diff", tmp_path / "a", tmp_path / "d")
    assert alone["verdict"] == "same" and f"the weights under {second}" in not_checked(alone)
    explained = run("explain", tmp_path / "a", tmp_path / "c", "--files-only")
    assert explained.finding("weights.changed")["role"] == "risk"


def test_parts_of_what_was_compared_are_no_second_model(run, tmp_path):
    for name in ("a", "b"):
        torch.save({"encoder": net().state_dict(), "decoder": net(1).state_dict()}, tmp_path / name)
    report = run("diff", tmp_path / "a", tmp_path / "b")
    assert report["verdict"] == "same" and report["not_checked"] == []


PLACES = {
    "beside": lambda s: {"model": net().state_dict(), "torch_state": s},
    "among": lambda s: net().state_dict() | {"gen": s},
    "in a dict": lambda s: {"model": net().state_dict(), "states": {"cpu": s, "cuda": [torch.zeros(16, dtype=torch.uint8)]}},
    "by its key": lambda s: {"model": net().state_dict(), "rng_state": s},
}


@pytest.mark.parametrize("where", PLACES)
def test_a_state_of_torchs_generator_is_no_weight(run, tmp_path, where):
    for name, seed in (("a", 1), ("b", 2)):
        torch.save(PLACES[where](torch.Generator().manual_seed(seed).get_state()), tmp_path / name)
    report = run("diff", tmp_path / "a", tmp_path / "b")
    assert report["verdict"] == "same" and weights(report)["matched"] == 4
    assert "states of random generators" in not_checked(report)
    roles = {entry["name"] or entry["path"]: entry["role"] for entry in run("inspect", tmp_path / "a").part("entries")}
    assert list(roles.values()).count("rng") == 1


def test_bytes_of_that_size_that_are_no_generator_are_weights(run, tmp_path):
    for name, value in (("a", 1), ("b", 2)):
        torch.save({"w": torch.full((5056,), value, dtype=torch.uint8), "v": torch.ones(3)}, tmp_path / name)
    assert run("diff", tmp_path / "a", tmp_path / "b")["verdict"] == "different"


def test_numbers_that_a_callback_keeps_are_no_second_model(run, tmp_path):
    for name, score in (("a", 0.3), ("b", 0.4)):
        torch.save({"pytorch-lightning_version": "2.6.6", "state_dict": net().state_dict(), "epoch": 1, "global_step": 2,
                    "callbacks": {"ModelCheckpoint": {"best_model_score": torch.tensor(score)}}}, tmp_path / name)
    report = run("diff", tmp_path / "a", tmp_path / "b")
    assert report["verdict"] == "same" and "weights under callbacks" not in not_checked(report)
    assert "best_model_score differs" in not_checked(report)


def test_arrays_that_were_compared_stand_on_both_sides(run, tmp_path):
    state = {name: value.numpy() for name, value in net().state_dict().items()}
    (tmp_path / "a.pkl").write_bytes(pickle.dumps({"model": state, "__author__": "x"}))
    torch.save(net().state_dict(), tmp_path / "b.pth")
    report = run("diff", tmp_path / "a.pkl", tmp_path / "b.pth")
    assert report["verdict"] == "same" and "__author__ stands only in A" in not_checked(report) and "weight" not in not_checked(report).replace(
        "the weights", "")


# ---- TorchScript


def script(path, module, **files):
    torch.jit.save(torch.jit.script(module), str(path), _extra_files={name.replace("_", "."): text for name, text in files.items()})


def test_extra_files_of_an_archive_are_named_and_compared(run, tmp_path):
    script(tmp_path / "a", net(), labels_json='["cat"]', note_txt="one")
    script(tmp_path / "b", net(), labels_json='["dog"]', note_txt="one")
    script(tmp_path / "c", net())
    report = run("diff", tmp_path / "a", tmp_path / "b")
    assert report["verdict"] == "same" and 'extra/labels.json: ["cat"] in A, ["dog"] in B' in not_checked(report)
    assert "note.txt" not in not_checked(report)
    assert "extra/labels.json stands only in A" in not_checked(run("diff", tmp_path / "a", tmp_path / "c"))
    odd = [each["summary"] for each in run("inspect", tmp_path / "a").subject["oddities"]]
    assert any("labels.json" in text and "note.txt" in text for text in odd)


class TwoBlocks(nn.Module):
    """Traced in one process its classes share a file with others, in an order that changes."""

    def __init__(self):
        super().__init__()
        self.one, self.two = net(), net(1)
        self.norm = nn.BatchNorm1d(3)

    def forward(self, x):
        return self.norm(self.one(x) + self.two(x)).softmax(-1)


def test_two_traces_of_one_model_are_the_same(run, tmp_path):
    torch.manual_seed(0)
    model = TwoBlocks().eval()
    for name in ("a", "b", "c"):
        torch.jit.save(torch.jit.trace(model, torch.randn(2, 4)), str(tmp_path / name))
    for name in ("b", "c"):
        assert run("diff", tmp_path / "a", tmp_path / name)["verdict"] == "same"
    model.norm.eps = 1e-3
    torch.jit.save(torch.jit.trace(model, torch.randn(2, 4)), str(tmp_path / "d"))
    report = run("diff", tmp_path / "a", tmp_path / "d")
    text = " ".join(report.finding("code.version")["details"])
    a, b = (part.strip("`") for part in text.split(": ", 1)[1].split("` against `"))
    assert report["verdict"] == "different" and a != b and "0.001" in b


@pytest.mark.parametrize("dtype", [torch.qint8, torch.float16])
def test_what_a_quantized_layer_packed_is_a_weight(run, tmp_path, dtype):
    def quantized(seed):
        return torch.ao.quantization.quantize_dynamic(net(seed), {nn.Linear}, dtype=dtype)

    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        torch.save(quantized(seed), tmp_path / f"{name}.pth")
        torch.save(quantized(seed).state_dict(), tmp_path / f"{name}.sd")
        torch.jit.save(torch.jit.script(quantized(seed)), str(tmp_path / f"{name}.pt"))
    for kind in ("pth", "pt", "sd"):
        assert run("inspect", tmp_path / f"a.{kind}").subject["tensors"] >= 4
        assert run("diff", tmp_path / f"a.{kind}", tmp_path / f"b.{kind}")["verdict"] == "same"
        report = run("diff", tmp_path / f"a.{kind}", tmp_path / f"c.{kind}")
        assert report["verdict"] == "different" and weights(report)["changed"] == 4
    for kind in ("pt", "sd"):
        assert weights(run("diff", tmp_path / "a.pth", tmp_path / f"a.{kind}"))["verdict"] == "identical"


def test_a_synchronized_batch_norm_computes_as_a_batch_norm(run, tmp_path):
    def model(kind, eps=1e-5):
        torch.manual_seed(0)
        return nn.Sequential(nn.Conv2d(3, 4, 1), kind(4, eps=eps)).eval()

    torch.save(model(nn.BatchNorm2d), tmp_path / "a")
    torch.save(model(nn.SyncBatchNorm), tmp_path / "b")
    torch.save(model(nn.SyncBatchNorm, 1e-3), tmp_path / "c")
    assert torch.equal(model(nn.BatchNorm2d)(torch.ones(1, 3, 2, 2)), model(nn.SyncBatchNorm)(torch.ones(1, 3, 2, 2)))
    assert run("diff", tmp_path / "a", tmp_path / "b")["verdict"] == "same"
    assert "eps" in run("diff", tmp_path / "a", tmp_path / "c")["findings"][0]["summary"]


# ---- sparse

MATRIX = torch.tensor([[0, 2.0, 0, 0], [0, 0, -1, 0], [0, 0, 0, 0], [3, 0, 0, 5], [0, 0, 0, 0], [0, 7, 0, 0]])
LAYOUTS = {
    "dense": lambda m: m, "coo": lambda m: m.to_sparse(), "csr": lambda m: m.to_sparse_csr(), "csc": lambda m: m.to_sparse_csc(),
    "bsr": lambda m: m.to_sparse_bsr((2, 2)), "bsc": lambda m: m.to_sparse_bsc((3, 2)), "hybrid": lambda m: m.to_sparse(1),
}


@pytest.mark.parametrize("b", LAYOUTS)
@pytest.mark.parametrize("a", LAYOUTS)
def test_two_layouts_of_one_matrix_are_compared_by_their_numbers(run, tmp_path, a, b):
    other = MATRIX.clone()
    other[3, 3] = 6
    for name, layout, matrix in (("a", a, MATRIX), ("b", b, MATRIX), ("c", b, other)):
        torch.save({"w": LAYOUTS[layout](matrix), "bias": torch.ones(2)}, tmp_path / name)
    same = run("diff", tmp_path / "a", tmp_path / "b")
    assert same["verdict"] == "same" and weights(same)["verdict"] in ("identical", "same-values")
    if a != b:
        assert weights(same)["verdict"] == "same-values" and same.finding("weights.layout")["role"] == "risk" and same.status == 1
        with pytest.raises(RuntimeError):
            LAYOUTS[a](MATRIX).clone().copy_(LAYOUTS[b](MATRIX))
    different = run("diff", tmp_path / "a", tmp_path / "c")
    assert different["verdict"] == "different"
    if a != b:
        assert weights(different)["changed"] == 1 and different.finding("weights.changed")["evidence"]["tensors"] == ["w"]


# ---- directories


def saved(folder, model, **options):
    model.save_pretrained(folder, **options)
    return folder


def test_without_a_config_from_pretrained_builds_the_default_sizes(run, tmp_path):
    model = t.Dinov2Model(t.Dinov2Config(hidden_size=24, num_hidden_layers=1, num_attention_heads=2, image_size=28, patch_size=14))
    saved(tmp_path / "a", model)
    (tmp_path / "a" / "config.json").unlink()
    with pytest.raises(RuntimeError, match="ignore_mismatched_sizes"):
        t.Dinov2Model.from_pretrained(tmp_path / "a")
    report = run("check", tmp_path / "a", "--for", "transformers-5")
    load = report["loads"][0]
    assert report["verdict"] == "risk" and load["way"] == "from_pretrained" and "size" in load["raises"] and load["mismatched"]
    assert "no config.json" in " ".join(report["assumed"])
    finding = report.finding("load.refused")
    assert "config.json" in finding["remedy"] and report["findings"][0] == finding and not load["repair"]


def test_a_wrapped_model_is_recognized_by_what_it_wraps(run, tmp_path):
    model = t.ViTForImageClassification(t.ViTConfig(**TINY))
    names = {name: name.replace("layers.0.", "layers.0._fsdp_wrapped_module.") for name in model.state_dict()}
    torch.save({"_fsdp_wrapped_module." + names[name]: value for name, value in model.state_dict().items()}, tmp_path / "a")
    report = run("check", tmp_path / "a", "--for", "transformers-5")
    load = report["loads"][0]
    assert load["target"] == "transformers-5:ViTForImageClassification" and load["loaded"] == 0
    assert load["restored"] == load["target_tensors"] == len(model.state_dict())


def test_a_model_of_another_family_is_not_taken_for_one_of_this(run, tmp_path):
    saved(tmp_path / "a", t.BeitModel(t.BeitConfig(**TINY)))
    (tmp_path / "a" / "config.json").unlink()
    report = run("check", tmp_path / "a", "--for", "transformers-5")
    assert report["verdict"] == "unknown" and "nothing says which class" in not_checked(report) and not report["loads"]


def sharded(folder):
    model = t.ViTForImageClassification(t.ViTConfig(**TINY))
    saved(folder, model, max_shard_size="4KB")
    index = json.loads((folder / "model.safetensors.index.json").read_text())["weight_map"]
    return model, index, sorted(set(index.values()))


def test_an_absent_shard_is_named_with_its_index_and_the_file_that_holds_its_tensors(run, tmp_path):
    _, index, shards = sharded(tmp_path / "a")
    count = list(index.values()).count(shards[0])
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    (tmp_path / "a" / shards[0]).unlink()
    (tmp_path / "b" / shards[0]).rename(tmp_path / "b" / "part.safetensors")
    for folder, words in (("a", "Download or copy"), ("b", f"Rename part.safetensors to {shards[0]}")):
        report = run("inspect", tmp_path / folder)
        finding = report.finding("file.incomplete")
        assert report["verdict"] == "unknown" and shards[0] in finding["summary"] and "model.safetensors.index.json" in finding["summary"]
        assert words in finding["remedy"] and "Keep only" not in finding["remedy"]
        with pytest.raises(FileNotFoundError):
            t.ViTForImageClassification.from_pretrained(tmp_path / folder)
        check = run("check", tmp_path / folder, "--for", "transformers-5")
        assert "FileNotFoundError" in check["loads"][0]["raises"] and words in check.finding("load.refused")["remedy"]
    assert f"part.safetensors, which the index does not name, holds {count} of them" in finding["summary"]


def test_shards_without_their_index_are_read_and_refused(run, tmp_path):
    _, _, shards = sharded(tmp_path / "a")
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    (tmp_path / "b" / "model.safetensors.index.json").unlink()
    with pytest.raises(OSError, match="no file named model.safetensors"):
        t.ViTForImageClassification.from_pretrained(tmp_path / "b")
    report = run("diff", tmp_path / "a", tmp_path / "b")
    assert report["verdict"] == "same" and weights(report)["verdict"] == "identical" and report.status == 1
    assert "model.safetensors.index.json" in report.finding("file.incomplete")["summary"]
    assert "OSError" in run("check", tmp_path / "b", "--for", "transformers-5")["loads"][0]["raises"]
    (tmp_path / "b" / shards[0]).unlink()
    report = run("diff", tmp_path / "a", tmp_path / "b")
    assert report["verdict"] == "unknown" and shards[0] in not_checked(report)


def test_names_that_cannot_be_read_are_counted(run, tmp_path):
    _, _, shards = sharded(tmp_path / "a")
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    for shard in shards:
        (tmp_path / "b" / shard).unlink()
    lines = [line for line in run("diff", tmp_path / "a", tmp_path / "b")["not_checked"] if "could not be read" in line]
    assert len(lines) == 1 and "and " in lines[0]


# ---- a tensor under two names


def test_identical_are_the_same_names(run, tmp_path):
    class Twice(nn.Module):
        def __init__(self, both):
            super().__init__()
            torch.manual_seed(0)
            self.encoder = nn.Linear(4, 4)
            if both:
                self.decoder = self.encoder

    torch.save(Twice(False).state_dict(), tmp_path / "a")
    torch.save(Twice(True).state_dict(), tmp_path / "b")
    for pair in ("ab", "ba"):
        found = weights(run("diff", tmp_path / pair[0], tmp_path / pair[1]))
        assert found["verdict"] == "same-values" and found["only_a"] + found["only_b"] == ["decoder.weight", "decoder.bias"]
    assert weights(run("diff", tmp_path / "b", tmp_path / "b"))["verdict"] == "identical"


# ---- what is no error of the command line is a report


@pytest.mark.parametrize("words", [["inspect", "a", "--key", "no"], ["diff", "a", "a", "--key", "C=x"], ["check", "a", "--for", "transformers-5"],
                                   ["explain", "a", "a", "--config", "no"], ["resume", "a", "--html", "no/such/page"]])
def test_an_error_is_a_report(run, tmp_path, monkeypatch, words):
    monkeypatch.chdir(tmp_path)
    torch.save({"x": torch.ones(3)}, "a")
    report = run(*words)
    assert report["verdict"] == "unknown" and report.status == 2 and report["not_checked"]


def test_a_model_that_cannot_be_run_is_an_object(tmp_path):
    import subprocess

    from conftest import PROGRAM

    torch.save({"x": torch.ones(3)}, tmp_path / "a")
    for path in (tmp_path / "a", tmp_path / "none"):
        done = subprocess.run([str(PROGRAM), "run", str(path), "--json"], capture_output=True, text=True)
        value = json.loads(done.stdout)
        assert done.returncode == 2 and done.stderr and value["schema"] == "samebits.run/1"
        assert value["outputs"] == [] and len(value["not_checked"]) == 1 and value["model"] == str(path)


# ---- optimizers


def trained(make, steps, groups=None):
    model = net()
    optimizer = make(groups(model) if groups else model.parameters())
    for _ in range(steps):
        optimizer.zero_grad()
        model(torch.randn(2, 4, generator=torch.Generator().manual_seed(1))).pow(2).mean().backward()
        optimizer.step()
    return model, optimizer


def checkpoint(path, model, optimizer, step):
    torch.save({"model": model.state_dict(), "optimizer": copy.deepcopy(optimizer.state_dict()), "global_step": step}, path)


OPTIMIZERS = {
    "Adam": lambda p: torch.optim.Adam(p), "AdamW": lambda p: torch.optim.AdamW(p), "NAdam": lambda p: torch.optim.NAdam(p),
    "RAdam": lambda p: torch.optim.RAdam(p), "Adamax": lambda p: torch.optim.Adamax(p), "Adadelta": lambda p: torch.optim.Adadelta(p),
    "RMSprop": lambda p: torch.optim.RMSprop(p), "ASGD": lambda p: torch.optim.ASGD(p), "Rprop": lambda p: torch.optim.Rprop(p),
    "SGD": lambda p: torch.optim.SGD(p, 0.1, momentum=0.9), "Adafactor": lambda p: torch.optim.Adafactor(p),
    "Muon": lambda p: torch.optim.Muon([each for each in p if each.ndim == 2]),
    "transformers' Adafactor": lambda p: t.optimization.Adafactor(p),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_fresh_optimizer_is_fresh_whatever_it_keeps(run, tmp_path, name):
    for steps in (0, 2):
        model, optimizer = trained(OPTIMIZERS[name], steps)
        checkpoint(tmp_path / str(steps), model, optimizer, 30)
        row = next(row for row in run("resume", tmp_path / str(steps))["resume"] if row["part"] == "optimizer moments")
        fresh = [f for f in run("inspect", tmp_path / str(steps)).findings("resume.missing") if "fresh" in f["summary"]]
        if steps == 0:
            assert row["state"] == "fresh" and fresh
        else:
            assert row["state"] != "fresh" and not fresh and (name.split()[-1] + ",") in row["detail"]


def test_one_state_for_all_parameters_lacks_none(run, tmp_path):
    model = net()
    optimizer = torch.optim.LBFGS(model.parameters())

    def loss():
        optimizer.zero_grad()
        value = model(torch.ones(2, 4)).pow(2).mean()
        value.backward()
        return value

    optimizer.step(loss)
    checkpoint(tmp_path / "a", model, optimizer, 1)
    report = run("resume", tmp_path / "a")
    row = next(row for row in report["resume"] if row["part"] == "optimizer moments")
    assert row["state"] == "present" and "LBFGS, one state for 4 parameters" in row["detail"]


def test_moments_that_are_no_numbers_are_a_risk(run, tmp_path):
    model, optimizer = trained(OPTIMIZERS["AdamW"], 2)
    checkpoint(tmp_path / "a", model, optimizer, 2)
    optimizer.state[model[0].bias]["exp_avg"][1] = float("nan")
    optimizer.state[model[2].weight]["exp_avg_sq"][0, 0] = float("inf")
    checkpoint(tmp_path / "b", model, optimizer, 2)
    assert not any("NaN" in f["summary"] for f in run("resume", tmp_path / "a")["findings"])
    finding = next(f for f in run("resume", tmp_path / "b")["findings"] if "NaN" in f["summary"])
    assert finding["role"] == "risk" and finding["evidence"]["not_finite"] == ["1", "2"] and "0.bias, 2.weight" in " ".join(finding["details"])
    deep = run("inspect", tmp_path / "b", "--deep").finding("weights.invalid")
    assert "2 tensors hold values that are not finite" in deep["summary"] and "before the training diverged" in deep["remedy"]


def by_decay(model, swapped=False, rate=1e-3):
    weights = {"params": [p for p in model.parameters() if p.ndim == 2], "weight_decay": 0.1, "lr": rate}
    biases = {"params": [p for p in model.parameters() if p.ndim == 1], "weight_decay": 0.0, "lr": 1e-4}
    return [biases, weights] if swapped else [weights, biases]


def test_groups_in_another_order_are_said(run, tmp_path):
    for name, steps, groups in (("a", 2, by_decay), ("b", 4, by_decay), ("c", 4, lambda m: by_decay(m, True)),
                                ("d", 4, lambda m: by_decay(m, rate=5e-3))):
        checkpoint(tmp_path / name, *trained(torch.optim.AdamW, steps, groups), steps)
    assert run("resume", tmp_path / "a", tmp_path / "b")["verdict"] == "clean"
    report = run("resume", tmp_path / "a", tmp_path / "c")
    moved = report.finding("file.mixup")
    assert report["verdict"] == "risk" and moved["evidence"]["order"] == [1, 0] and not report.findings("config.changed")
    report = run("resume", tmp_path / "a", tmp_path / "d")
    note = report.finding("config.changed")
    assert note["role"] == "note" and note["evidence"]["fields"] == {"optimizer.param_groups.0.lr": [1e-3, 5e-3]}
    # What torch makes of it: the moments of one group reach the other's parameters.
    model = net()
    other = torch.optim.AdamW(by_decay(model, True))
    other.load_state_dict(torch.load(tmp_path / "a")["optimizer"])
    assert other.state[model[0].bias]["exp_avg"].shape != model[0].bias.shape


def test_a_count_of_averages_is_no_state_of_a_training(run, tmp_path):
    torch.save(torch.optim.swa_utils.AveragedModel(net()).state_dict(), tmp_path / "a")
    assert run("inspect", tmp_path / "a").subject["kind"] == "state-dict"


def test_the_optimizer_is_what_has_its_form(run, tmp_path):
    model, optimizer = trained(OPTIMIZERS["AdamW"], 1)
    torch.save({"optimizer_history": [{"num_updates": 3}], "model": model.state_dict(), "last_optimizer_state": optimizer.state_dict()},
               tmp_path / "a")
    assert run("inspect", tmp_path / "a").part("training")["optimizer"] == "last_optimizer_state"


# ---- adapters


@pytest.mark.parametrize("rank", [4, 20, 40])
def test_a_merged_adapter_is_known_by_its_rank_up_to_three_quarters(run, tmp_path, rank):
    torch.manual_seed(rank)
    base = {f"layers.{i}.{name}.weight": torch.randn(64, 64) for i in range(2) for name in ("q", "v", "o")}
    merged = {name: value + (torch.randn(64, rank) @ torch.randn(rank, 64) * 0.02 if ".o." not in name else 0) for name, value in base.items()}
    trained_further = {name: value + torch.randn(64, 64) * 0.02 for name, value in base.items()}
    for name, state in (("a", base), ("b", merged), ("c", trained_further)):
        safetensors.torch.save_file(state, tmp_path / name)
    finding = run("diff", tmp_path / "a", tmp_path / "b").finding("weights.adapted")
    assert finding["evidence"]["rank"] == rank and finding["evidence"]["count"] == 4
    assert not run("diff", tmp_path / "a", tmp_path / "c").findings("weights.adapted")


def test_an_array_file_accounts_for_its_weights(run, tmp_path):
    arrays = {"w": numpy.arange(6.0), "b": numpy.ones(3)}
    numpy.savez(tmp_path / "a.npz", **arrays)
    (tmp_path / "b.pkl").write_bytes(pickle.dumps(arrays))
    for name in ("a.npz", "b.pkl"):
        assert run("inspect", tmp_path / name).subject["bytes"][0]["uses"]["weights"] == 72
