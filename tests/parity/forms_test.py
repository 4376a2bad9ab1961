"""One model in forms that people bring: factors that torch computes weights from, flax's names and shapes, modules behind a model,
averages, names that are other names in one block alone. What is said is held against what the libraries compute and load."""

import collections
import copy
import json
import shutil
import subprocess

import conftest
import numpy
import pytest
import safetensors.torch
import torch
import transformers as t
from torch import nn
from torch.nn.utils import parametrizations, prune

VIT = dict(image_size=16, patch_size=4, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24, num_labels=3)
TEXT = dict(hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24, vocab_size=40, max_position_embeddings=32)


@torch.no_grad()
def spread(model, seed=1):
    generator = torch.Generator().manual_seed(seed)
    for parameter in model.parameters():
        parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.05)
    return model.eval()


def vit(seed=0, **fields):
    torch.manual_seed(seed)
    return spread(t.ViTForImageClassification(t.ViTConfig(**VIT, **fields)), seed)


def net(first=lambda: nn.Linear(6, 8)):
    torch.manual_seed(3)
    return nn.Sequential(first(), nn.ReLU(), nn.Linear(8, 3)).eval()


def with_module(how):
    model = net()
    how(model[0])
    return model.eval()


FORMS = {
    "weight norm": (nn.utils.weight_norm, 1), "weight norm, parametrized": (parametrizations.weight_norm, 1),
    "spectral norm": (nn.utils.spectral_norm, 0), "spectral norm, parametrized": (parametrizations.spectral_norm, 0),
    "pruning": (lambda module: prune.l1_unstructured(module, "weight", amount=0.5), 0),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("turned", [False, True])
def test_factors_of_a_weight_are_computed(run, tmp_path, form, turned):
    how, equals_plain = FORMS[form]
    model = with_module(how)
    model(torch.zeros(1, 6))  # the older ones compute the weight in a hook
    plain = net()
    unlike = copy.deepcopy(plain.state_dict())
    plain[0].weight.data.copy_(model[0].weight.detach())
    torch.save(plain.state_dict(), tmp_path / "plain.pth")
    torch.save(model.state_dict(), tmp_path / "factors.pth")
    torch.save(unlike, tmp_path / "unlike.pth")
    words = ["plain.pth", "factors.pth"]
    report = run("diff", *(tmp_path / word for word in (reversed(words) if turned else words)))
    finding = report.finding("weights.layout")
    assert report["verdict"] == "different" and finding["evidence"]["tensors"] == ["0.weight"]
    assert "up to rounding" in json.dumps(report["findings"]) or form == "pruning"
    assert not report.findings("weights.missing") and not report.findings("weights.changed") and not report.findings("weights.renamed")
    assert all(finding["role"] == "note" or finding["cause"] == "weights.layout" for finding in report["findings"])
    assert report["weights"][0]["rules"] == []


def test_factors_of_another_weight_are_said_to_differ(run, tmp_path):
    torch.save(net().state_dict(), tmp_path / "plain.pth")
    model = with_module(parametrizations.spectral_norm)
    torch.save(model.state_dict(), tmp_path / "factors.pth")
    assert not torch.allclose(model[0].weight, net()[0].weight, atol=1e-3)
    done = run("diff", tmp_path / "plain.pth", tmp_path / "factors.pth")
    assert "spectral norm" in done.finding("weights.layout")["summary"] and done["verdict"] == "different"


def test_a_newer_weight_norm_loads_the_older_one(run, tmp_path):
    old, new = with_module(nn.utils.weight_norm), with_module(parametrizations.weight_norm)
    torch.save(old.state_dict(), tmp_path / "old.pth")
    torch.save(new.state_dict(), tmp_path / "new.pth")
    for source, target, model, status in (("old", "new", new, 0), ("new", "old", old, 1)):
        missing, unexpected = model.load_state_dict(torch.load(tmp_path / f"{source}.pth"), strict=False)
        load = run("check", tmp_path / f"{source}.pth", "--for", tmp_path / f"{target}.pth")
        assert load["loads"][0]["random"] == missing and load["loads"][0]["dropped"] == unexpected and load.status == status


def test_the_names_of_a_newer_weight_norm_are_written_for_the_older_one(run, tmp_path):
    """Values are of two models: the names alone tell."""
    torch.save(with_module(parametrizations.weight_norm).state_dict(), tmp_path / "new.pth")
    torch.manual_seed(77)
    old = with_module(nn.utils.weight_norm)
    nn.init.normal_(old[0].weight_v)
    torch.save(old.state_dict(), tmp_path / "old.pth")
    load = run("check", tmp_path / "new.pth", "--for", tmp_path / "old.pth")["loads"][0]
    assert load["repair"]
    words = [str(conftest.PROGRAM), "check", tmp_path / "new.pth", "--for", tmp_path / "old.pth", "--write", tmp_path / "out.pth"]
    assert subprocess.run([str(word) for word in words], capture_output=True, text=True).returncode == 0
    old.load_state_dict(torch.load(tmp_path / "out.pth"), strict=True)
    source = torch.load(tmp_path / "new.pth")
    assert torch.equal(old[0].weight_g, source["0.parametrizations.weight.original0"])
    assert torch.equal(old[0].weight_v, source["0.parametrizations.weight.original1"])


def test_an_attribute_that_stands_for_a_parameter_is_not_absent(run, tmp_path):
    model = with_module(nn.utils.weight_norm)
    torch.save(model, tmp_path / "factors.pth")
    torch.save(net(), tmp_path / "plain.pth")
    report = run("diff", tmp_path / "factors.pth", tmp_path / "plain.pth")
    assert not report.findings("config.changed")


def flax_names(model, slash="/"):
    """As ViT's authors write it: the names of flax, matrices the other way, heads apart."""
    state = {name: value.numpy() for name, value in model.state_dict().items()}
    heads, width = model.config.num_attention_heads, model.config.hidden_size
    names = {"cls": state["vit.embeddings.cls_token"], "head/kernel": state["classifier.weight"].T, "head/bias": state["classifier.bias"],
             "embedding/kernel": state["vit.embeddings.patch_embeddings.projection.weight"].transpose(2, 3, 1, 0),
             "embedding/bias": state["vit.embeddings.patch_embeddings.projection.bias"],
             "Transformer/posembed_input/pos_embedding": state["vit.embeddings.position_embeddings"],
             "Transformer/encoder_norm/scale": state["vit.layernorm.weight"], "Transformer/encoder_norm/bias": state["vit.layernorm.bias"]}
    for i in range(model.config.num_hidden_layers):
        front, block = f"Transformer/encoderblock_{i}/", f"vit.layers.{i}."
        for flax, name in (("LayerNorm_0", "layernorm_before"), ("LayerNorm_2", "layernorm_after")):
            names[f"{front}{flax}/scale"], names[f"{front}{flax}/bias"] = state[f"{block}{name}.weight"], state[f"{block}{name}.bias"]
        attention = front + "MultiHeadDotProductAttention_1/"
        for flax, name in (("query", "q_proj"), ("key", "k_proj"), ("value", "v_proj")):
            names[f"{attention}{flax}/kernel"] = state[f"{block}attention.{name}.weight"].T.reshape(width, heads, -1)
            names[f"{attention}{flax}/bias"] = state[f"{block}attention.{name}.bias"].reshape(heads, -1)
        names[attention + "out/kernel"] = state[f"{block}attention.o_proj.weight"].T.reshape(heads, -1, width)
        names[attention + "out/bias"] = state[f"{block}attention.o_proj.bias"]
        for flax, name in (("Dense_0", "mlp.fc1"), ("Dense_1", "mlp.fc2")):
            names[f"{front}MlpBlock_3/{flax}/kernel"], names[f"{front}MlpBlock_3/{flax}/bias"] = state[f"{block}{name}.weight"].T, state[f"{block}{name}.bias"]
    return {name.replace("/", slash): value for name, value in names.items()}


@pytest.mark.parametrize("slash", ["/", "."])
def test_names_and_shapes_of_flax_are_one_model(run, tmp_path, slash):
    model = vit()
    torch.save(model.state_dict(), tmp_path / "model.pth")
    numpy.savez(tmp_path / "flax.npz", **flax_names(model, slash))
    for a, b in (("model.pth", "flax.npz"), ("flax.npz", "model.pth")):
        report = run("diff", tmp_path / a, tmp_path / b)
        pair = report["weights"][0]
        assert report["verdict"] == "same" and pair["verdict"] == "same-values" and pair["matched"] == 40, report["findings"]
        assert all("_0." not in rule["from"].split("LayerNorm_")[0].split("Dense_")[0] for rule in pair["rules"]), pair["rules"]
        assert len(pair["rules"]) < 27
    other = flax_names(vit(seed=5), slash)
    numpy.savez(tmp_path / "other.npz", **other)
    assert run("diff", tmp_path / "model.pth", tmp_path / "other.npz")["verdict"] == "different"


def test_a_prefix_with_a_number_is_one_rule(run, tmp_path):
    """What nn.Sequential(normalize, model) and sentence-transformers give: "1.", "0.auto_model."."""
    state = vit().state_dict()
    torch.save(state, tmp_path / "a.pth")
    torch.save({f"0.auto_model.{name}": value for name, value in state.items()}, tmp_path / "b.pth")
    pair = run("diff", tmp_path / "a.pth", tmp_path / "b.pth")["weights"][0]
    assert pair["verdict"] == "identical" and [(rule["from"], rule["to"]) for rule in pair["rules"]] == [("", "0.auto_model.")]


@pytest.mark.parametrize("change, count", [
    ({"layers.0.layernorm_before": "layers.0.layer_norm_before"}, 2),
    ({"layers.0.layernorm_before": "layers.0.norm1", "layers.1.layernorm_after": "layers.1.norm2"}, 4),
    ({"layers.1.": "layers.1._checkpoint_wrapped_module."}, 16),
])
def test_names_of_one_block_that_others_keep_are_a_risk(run, tmp_path, change, count):
    model, other = vit(), vit(seed=4)
    renamed = collections.OrderedDict()
    for name, value in model.state_dict().items():
        for old, new in change.items():
            name = name.replace(old, new)
        renamed[name] = value
    torch.save(model.state_dict(), tmp_path / "a.pth")
    torch.save(renamed, tmp_path / "b.pth")
    assert len(other.load_state_dict(renamed, strict=False).missing_keys) == count
    report = run("diff", tmp_path / "a.pth", tmp_path / "b.pth")
    risk = next(finding for finding in report.findings("weights.renamed") if finding["role"] == "risk")
    assert report["verdict"] == "same" and report.status == 1 and risk["evidence"]["count"] == count
    assert "other blocks" in risk["summary"]
    assert all(rule["from"] != rule["to"] for rule in report["weights"][0]["rules"])


def sentence_model(folder, pooling="mean", dense=0):
    torch.manual_seed(0)
    spread(t.BertModel(t.BertConfig(**TEXT))).save_pretrained(folder)
    modules = [("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Dense", "Dense")]
    (folder / "modules.json").write_text(json.dumps(
        [{"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{name}"} for i, (path, name) in enumerate(modules)]))
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(
        {"word_embedding_dimension": 16, "pooling_mode_cls_token": pooling == "cls", "pooling_mode_mean_tokens": pooling == "mean"}))
    (folder / "2_Dense").mkdir()
    (folder / "2_Dense" / "config.json").write_text(json.dumps({"in_features": 16, "out_features": 8, "bias": True}))
    generator = torch.Generator().manual_seed(dense)
    safetensors.torch.save_file({"linear.weight": torch.randn(8, 16, generator=generator)}, folder / "2_Dense" / "model.safetensors")
    return folder


def test_modules_behind_a_model_are_part_of_it(run, tmp_path):
    a, b = sentence_model(tmp_path / "a"), sentence_model(tmp_path / "b")
    pooling, dense = sentence_model(tmp_path / "c", pooling="cls"), sentence_model(tmp_path / "d", dense=1)
    assert run("diff", a, b)["verdict"] == "same"
    report = run("diff", a, pooling)
    assert report["verdict"] == "different" and "pooling_mode_mean_tokens" in json.dumps(report["findings"])
    assert "2_Dense/model.safetensors" in run("diff", a, dense).finding("weights.changed")["summary"]
    own = safetensors.torch.load_file(b / "2_Dense" / "model.safetensors")
    torch.save(own, b / "2_Dense" / "pytorch_model.bin")
    (b / "2_Dense" / "model.safetensors").unlink()
    assert run("diff", a, b)["verdict"] == "same"  # one module in another container
    torch.save({name: value + 1 for name, value in own.items()}, b / "2_Dense" / "pytorch_model.bin")
    assert run("diff", a, b)["verdict"] == "different"
    (b / "modules.json").unlink()  # loaded as the model alone, as transformers does
    report = run("diff", a, b)
    assert report["verdict"] == "same" and any("modules.json" in text for text in report["not_checked"])
    (b / "modules.json").write_text(json.dumps([{"idx": 0, "path": "../a", "type": "x"}]))
    assert not [file for file in run("inspect", b)["subjects"][0]["entries"] if ".." in file["name"]]


def test_folders_of_modules_that_no_list_names_are_no_same(run, tmp_path):
    a, b = sentence_model(tmp_path / "a"), sentence_model(tmp_path / "b", pooling="cls")
    for folder in (a, b):
        (folder / "modules.json").unlink()
    report = run("diff", a, b)
    assert report["verdict"] == "unknown" and "1_Pooling/config.json differs" in str(report["not_checked"])
    shutil.copy(a / "1_Pooling" / "config.json", b / "1_Pooling" / "config.json")
    assert run("diff", a, b)["verdict"] == "same"
    (b / "extra").mkdir()
    (b / "extra" / "config.json").write_text("{}")
    report = run("diff", a, b)
    assert report["verdict"] == "same" and "extra/config.json stands only in B" in str(report["not_checked"])


def test_an_averaged_model_is_known_by_its_count(run, tmp_path):
    model = vit()
    average = torch.optim.swa_utils.AveragedModel(model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.9))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    for _ in range(3):
        model(torch.randn(2, 3, 16, 16)).logits.square().mean().backward()
        optimizer.step()
        average.update_parameters(model)
    torch.save(model.state_dict(), tmp_path / "raw.pth")
    torch.save(average.state_dict(), tmp_path / "average.pth")
    report = run("diff", tmp_path / "raw.pth", tmp_path / "average.pth")
    found = report.finding("weights.averaged")
    assert found["proof"] == "suspected" and found["summary"].startswith("B holds averaged weights") and not report.findings("file.mixup")


def test_a_teacher_with_a_head_of_its_own_is_found(run, tmp_path):
    model = vit()
    state = model.state_dict()
    torch.save({"teacher": {**state, "dino_head.weight": torch.randn(4, 16)},
                "student": {name: value + 0.01 if value.dtype.is_floating_point else value for name, value in state.items()}}, tmp_path / "both.pth")
    torch.save(state, tmp_path / "exported.pth")
    report = run("diff", tmp_path / "exported.pth", tmp_path / "both.pth")
    found = report["findings"][0]
    assert found["cause"] == "weights.averaged" and "under teacher" in found["summary"] and not report.findings("file.mixup")


def test_settings_of_an_average_are_no_optimizer(run, tmp_path):
    """What EMAModel of diffusers writes."""
    torch.save({"decay": 0.9, "optimization_step": 5, "use_ema_warmup": False, "shadow_params": list(vit().parameters())}, tmp_path / "ema.pth")
    training = run("inspect", tmp_path / "ema.pth").part("training")
    assert training["optimizer"] is None and training["ema"] == "shadow_params"
    report = run("diff", tmp_path / "ema.pth", tmp_path / "ema.pth")
    assert report["verdict"] == "unknown" and "shadow_params is a list of 40 tensors" in report["not_checked"][0]


def test_a_whole_module_has_no_version_of_its_config(run, tmp_path):
    model = vit()
    model.save_pretrained(tmp_path / "hf")
    config = json.loads((tmp_path / "hf" / "config.json").read_text())
    (tmp_path / "hf" / "config.json").write_text(json.dumps(config | {"transformers_version": "4.57.6"}))
    loaded = t.ViTForImageClassification.from_pretrained(tmp_path / "hf")
    assert loaded.config.transformers_version == "4.57.6" != t.__version__
    torch.save(loaded, tmp_path / "whole.pth")
    report = run("diff", tmp_path / "hf", tmp_path / "whole.pth")
    assert [(subject["producer"] or {}).get("transformers") for subject in report["subjects"]] == ["4.57.6", None]


def test_an_unfinished_save_is_named(run, tmp_path):
    model = with_module(parametrizations.weight_norm)
    with pytest.raises(RuntimeError):
        torch.save(model, tmp_path / "model.pth")
    assert "a torch.save that ended with an error" in run("inspect", tmp_path / "model.pth")["not_checked"][0]


def test_zeros_beside_values_that_were_filled_in_may_be_values(run, tmp_path):
    state = net().state_dict() | {"0.bias": torch.zeros(8)}
    torch.save(state, tmp_path / "whole.pth")
    with torch.serialization.skip_data():
        torch.save(state, tmp_path / "empty.pth")
    path = tmp_path / "empty.pth"
    kinds = [odd["kind"] for odd in run("inspect", path).subject["oddities"]]
    assert kinds.count("unwritten") == 4 and "skipped" not in kinds
    data = bytearray(path.read_bytes())
    for entry in run("inspect", path).part("entries"):
        values = state[entry["name"]].numpy().tobytes()
        data[entry["offset"]:entry["offset"] + len(values)] = values
    path.write_bytes(data)
    assert all(torch.equal(value, state[name]) for name, value in torch.load(path).items())
    kinds = [odd["kind"] for odd in run("inspect", path).subject["oddities"]]
    assert "unwritten" not in kinds and "skipped" in kinds
    assert run("diff", tmp_path / "whole.pth", path)["verdict"] == "same"


def test_an_eps_of_scripted_modules_is_said_once(run, tmp_path):
    def scripted(eps, name):
        torch.jit.script(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4, eps=eps)).eval()).save(tmp_path / name)

    torch.manual_seed(0)
    scripted(1e-5, "a.pt")
    torch.manual_seed(0)
    scripted(1e-3, "b.pt")
    report = run("diff", tmp_path / "a.pt", tmp_path / "b.pt")
    assert [finding["cause"] for finding in report["findings"]] == ["config.changed"] and report["not_checked"] == []


def test_a_synchronized_batch_norm_in_training_is_no_cause(run, tmp_path):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    torch.save(model, tmp_path / "a.pth")
    torch.save(nn.SyncBatchNorm.convert_sync_batchnorm(copy.deepcopy(model)), tmp_path / "b.pth")
    assert run("diff", tmp_path / "a.pth", tmp_path / "b.pth")["verdict"] == "same"


def test_fields_that_follow_the_weights_are_not_to_be_exchanged(run, tmp_path):
    vit().save_pretrained(tmp_path / "three")
    t.ViTForImageClassification.from_pretrained(tmp_path / "three", num_labels=7, ignore_mismatched_sizes=True).save_pretrained(tmp_path / "seven")
    report = run("diff", tmp_path / "three", tmp_path / "seven")
    assert report.finding("config.changed")["remedy"].startswith("The config of each fits its own weights")
    assert report.finding("weights.changed")["summary"] == "2 of 40 weights have other shapes"


def two(name):
    torch.manual_seed(2)
    text = t.BertConfig(**TEXT)
    image = t.ViTConfig(**VIT)
    return {
        "vit": lambda: t.ViTModel(image), "bert": lambda: t.BertModel(text),
        "llama": lambda: t.LlamaForCausalLM(t.LlamaConfig(**TEXT, num_key_value_heads=1)),
        "pair": lambda: t.VisionEncoderDecoderModel(t.VisionEncoderDecoderConfig.from_encoder_decoder_configs(
            image, t.GPT2Config(n_embd=16, n_layer=1, n_head=2, vocab_size=40, n_positions=32))),
    }[name]()


@pytest.mark.parametrize("fresh", [False, True])
def test_two_architectures_are_no_renaming_and_no_kin(run, tmp_path, fresh):
    for name in ("vit", "bert", "llama"):
        model = (two(name) if fresh else spread(two(name))).eval()
        model.save_pretrained(tmp_path / name)
        torch.save(model.state_dict(), tmp_path / f"{name}.pth")
        torch.save(model, tmp_path / f"{name}-whole.pth")
    for command in ("diff", "explain"):
        for a, b in (("vit", "bert"), ("vit", "llama"), ("vit.pth", "bert.pth"), ("vit-whole.pth", "bert-whole.pth")):
            report = run(command, tmp_path / a, tmp_path / b)
            assert report["verdict"] == "different" and "are two architectures" in report["findings"][0]["summary"], (a, b)
            assert report["weights"][0]["rules"] == [] and report["weights"][0]["renamed"] == 0
            assert report.causes("cause", "contributes", "risk") <= {"weights.missing", "config.changed", "file.calls"}, (a, b)
            assert {finding["remedy"] for finding in report["findings"] if finding["role"] == "cause"} == {report["findings"][0]["remedy"]}


def test_an_encoder_with_a_decoder_is_no_vit(run, tmp_path):
    model = spread(two("pair"))
    model.save_pretrained(tmp_path / "hf")
    torch.save(model, tmp_path / "whole.pth")
    torch.save(model.state_dict(), tmp_path / "state.pth")
    for other in ("whole.pth", "state.pth", "hf"):
        report = run("explain", tmp_path / "hf", tmp_path / other)
        assert report["weights"][0]["verdict"] in ("identical", "same-values") and report["outputs"] == []
        assert not any("nothing says" in text for text in report["not_checked"])
        assert not any("gives what the model in it gives" in text for text in report["assumed"])


def test_the_class_of_a_config_that_is_not_covered_is_named(run, tmp_path):
    t.BeitModel(t.BeitConfig(**{name: value for name, value in VIT.items() if name != "num_labels"})).save_pretrained(tmp_path)
    report = run("check", tmp_path, "--for", "transformers-5")
    assert report.status == 2 and "the config names BeitModel" in report["not_checked"][0]


def test_metadata_of_names_that_were_taken_is_no_remainder(run, tmp_path):
    model = spread(t.GPT2LMHeadModel(t.GPT2Config(n_embd=16, n_layer=1, n_head=2, vocab_size=40, n_positions=32)))
    safetensors.torch.save_model(model, tmp_path / "a.safetensors")
    torch.save(model.state_dict(), tmp_path / "b.pth")
    report = run("diff", tmp_path / "a.safetensors", tmp_path / "b.pth")
    assert report["verdict"] == "same" and report["not_checked"] == []


def test_a_shard_of_another_save_is_seen(run, tmp_path):
    vit().save_pretrained(tmp_path / "a", max_shard_size="8KB")
    vit(seed=1).save_pretrained(tmp_path / "b", max_shard_size="8KB")
    shard = sorted(path.name for path in (tmp_path / "b").glob("model-0*"))[0]
    shutil.copytree(tmp_path / "a", tmp_path / "mixed")
    shutil.copy(tmp_path / "b" / shard, tmp_path / "mixed" / shard)
    details = run("diff", tmp_path / "a", tmp_path / "mixed").finding("weights.changed")["details"]
    assert any(text.startswith(f"in B they are all that {shard} holds") for text in details)
    assert not any("all that" in text for text in run("diff", tmp_path / "a", tmp_path / "b").finding("weights.changed")["details"])
