"""What stands around equal weights and changes what people see: names of classes, tokenizers, code, sound, files inside of files."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (CLIPConfig, CLIPModel, CLIPVisionModel, PreTrainedTokenizerFast, ViTConfig, ViTForImageClassification,
                          Wav2Vec2FeatureExtractor)

TINY = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16, "image_size": 16, "patch_size": 8}


@pytest.fixture(scope="module")
def vit(tmp_path_factory):
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("vit") / "hf"
    ViTForImageClassification(ViTConfig(**TINY)).save_pretrained(folder)
    return folder


@pytest.fixture
def pair(vit, tmp_path):
    """Two copies, of which each may be changed."""
    return [pathlib_copy(vit, tmp_path / name) for name in "ab"]


def pathlib_copy(source, target):
    shutil.copytree(source, target)
    return target


def change(folder, **fields):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def risks(report):
    return [finding for finding in report["findings"] if finding["role"] != "note"]


def test_the_same_names_of_other_outputs_are_a_risk(run, pair):
    a, b = pair
    change(a, id2label={"0": "cat", "1": "dog"}, label2id={"cat": 0, "dog": 1})
    change(b, id2label={"0": "dog", "1": "cat"}, label2id={"dog": 0, "cat": 1})
    for command in ("diff", "explain"):
        report = run(command, a, b)
        (finding,) = risks(report)
        assert report["verdict"] == "same" and finding["cause"] == "config.changed" and "named otherwise" in finding["summary"]


def test_names_beside_made_up_ones_are_a_note(run, pair):
    a, b = pair
    change(b, id2label={"0": "dog", "1": "cat"}, label2id={"dog": 0, "cat": 1})
    assert not risks(run("diff", a, b))


def write_tokenizer(folder, vocab, **more):
    model = {"type": "WordLevel", "vocab": vocab, "unk_token": "[UNK]"}
    (folder / "tokenizer.json").write_text(json.dumps({"version": "1.0", "added_tokens": [], "normalizer": None, "model": model} | more))


def test_tokens_with_other_ids_are_another_input(run, pair):
    a, b = pair
    write_tokenizer(a, {"[UNK]": 0, "cat": 1, "dog": 2})
    write_tokenizer(b, {"[UNK]": 0, "cat": 2, "dog": 1})
    report = run("diff", a, b)
    (finding,) = risks(report)
    assert report["verdict"] == "different" and finding["cause"] == "input.preprocessing"
    assert finding["evidence"]["moved"] == 2 and '"cat": 1 against 2' in str(finding["details"])
    assert [f["role"] for f in run("explain", a, b).findings("input.preprocessing")] == ["risk"]


def test_one_tokenizer_written_otherwise_is_none(run, pair):
    a, b = pair
    write_tokenizer(a, {"[UNK]": 0, "cat": 1})
    write_tokenizer(b, {"cat": 1, "[UNK]": 0}, truncation={"max_length": 5})
    assert not run("diff", a, b).findings("input.preprocessing")


VOCABULARY = {"[UNK]": 0, "[PAD]": 1, "cat": 2}


@pytest.mark.parametrize("field, change", {
    "model.unk_token": lambda folder: write_tokenizer(folder, VOCABULARY, model={"type": "WordLevel", "vocab": VOCABULARY, "unk_token": "[PAD]"}),
    "vocabulary": lambda folder: (folder / "added_tokens.json").write_text('{"<x>": 202}'),
    "pad_token": lambda folder: (folder / "special_tokens_map.json").write_text('{"pad_token": {"content": "[UNK]"}}'),
}.items())
def test_what_gives_a_text_other_ids_is_no_footnote(run, pair, field, change):
    a, b = pair
    for folder in pair:
        write_tokenizer(folder, VOCABULARY)
        (folder / "special_tokens_map.json").write_text('{"pad_token": "[PAD]"}')
    before = transformers_ids(b)
    change(b)
    assert transformers_ids(b) != before
    (finding,) = risks(run("diff", a, b))
    assert finding["cause"] == "input.preprocessing" and list(finding["evidence"]["fields"]) == [field]


def transformers_ids(folder):
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    return tokenizer("cat <x> zzz").input_ids, tokenizer.pad_token_id


def test_one_model_of_a_tokenizer_in_two_spellings(run, pair):
    a, b = pair
    common = {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}}
    write_tokenizer(a, {}, model=common | {"merges": ["a b"], "dropout": None, "byte_fallback": False})
    write_tokenizer(b, {}, model=common | {"merges": [["a", "b"]]})
    assert not risks(run("diff", a, b))
    write_tokenizer(b, {}, model=common | {"merges": []})
    assert list(risks(run("diff", a, b))[0]["evidence"]["fields"]) == ["model.merges"]


@pytest.mark.parametrize("name, change, cause, verdict", [
    ("open_clip_config.json", {"model_cfg": {"embed_dim": 8, "quick_gelu": True}}, "config.changed", "different"),
    ("open_clip_config.json", {"preprocess_cfg": {"mean": [0.5]}}, "input.preprocessing", "different"),
    ("sentence_bert_config.json", {"max_seq_length": 8}, "input.preprocessing", "different"),
    ("params.json", {"norm_eps": 1e-6}, "config.changed", "different"),
])
def test_settings_of_other_libraries_are_compared(run, pair, name, change, cause, verdict):
    own = {"model_cfg": {"embed_dim": 8, "quick_gelu": False}, "preprocess_cfg": {"mean": [0.4]}, "max_seq_length": 32, "norm_eps": 1e-5}
    a, b = pair
    for folder in pair:
        (folder / name).write_text(json.dumps(own))
    assert not risks(run("diff", a, b))
    (b / name).write_text(json.dumps(own | change, indent=1))
    report = run("diff", a, b)
    (finding,) = risks(report)
    assert (report["verdict"], finding["cause"]) == (verdict, cause) and name in finding["summary"]
    assert list(change)[0] in str(finding["evidence"]["fields"])


def test_names_that_are_made_up_are_shown(run, pair):
    a, b = pair
    change(a, id2label={"0": "LABEL_0", "1": "LABEL_1"}, label2id={"LABEL_0": 0, "LABEL_1": 1})
    change(b, id2label={"0": "cat", "1": "dog"}, label2id={"cat": 0, "dog": 1})
    details = str(run("diff", a, b).finding("config.changed")["details"])
    assert "LABEL_0" in details and "absent" not in details


def test_code_beside_the_weights_has_no_known_defaults(run, pair):
    a, b = pair
    change(b, auto_map={"AutoModel": "own.Own"})
    assert "absent against absent" not in str(run("diff", a, b)["findings"])


@pytest.mark.parametrize("name", ["vocab.txt", "merges.txt", "spiece.model"])
def test_older_files_of_a_tokenizer_count(run, pair, name):
    for folder, text in zip(pair, ("cat\ndog\n", "dog\ncat\n"), strict=True):
        (folder / name).write_text(text)
    assert name in run("diff", *pair).finding("input.preprocessing")["summary"]


def test_code_beside_the_weights_is_named_and_compared(run, pair):
    for folder, act in zip(pair, ("gelu", "relu"), strict=True):
        change(folder, auto_map={"AutoModelForImageClassification": "modeling_my.MyViT"})
        (folder / "modeling_my.py").write_text(f'class MyViT:\n    act = "{act}"\n')
    report = run("inspect", pair[0])
    assert "modeling_my.py" in report["answers"]["trust"] and report["verdict"] == "clean"
    report = run("diff", *pair)
    assert report["verdict"] == "different" and "modeling_my.py differs" in report.finding("code.version")["summary"]
    shutil.copy(pair[0] / "modeling_my.py", pair[1])
    assert run("diff", *pair)["verdict"] == "same"


def test_sound_is_no_image(run, pair):
    for folder, normalize in zip(pair, (True, False), strict=True):
        Wav2Vec2FeatureExtractor(do_normalize=normalize).save_pretrained(folder)
    finding = run("diff", *pair).finding("input.preprocessing")
    assert finding["summary"] == "audio is prepared differently: do_normalize" and "pixel" not in str(finding)


def test_a_state_dict_inside_of_a_bin_is_not_loaded(run, vit, tmp_path):
    weights = load_file(vit / "model.safetensors")
    folder = tmp_path / "hf"
    folder.mkdir()
    shutil.copy(vit / "config.json", folder)
    torch.save({"state_dict": weights}, folder / "pytorch_model.bin")
    _, real = ViTForImageClassification.from_pretrained(folder, output_loading_info=True)
    load = run("check", folder, "--for", "transformers-5")["loads"][0]
    assert set(load["random"]) == set(real["missing_keys"]) and load["loaded"] == 0
    assert "state_dict" in run("inspect", folder).finding("file.incomplete")["summary"]


def test_a_whole_module_as_bin_is_refused(run, vit, tmp_path):
    folder = tmp_path / "hf"
    folder.mkdir()
    shutil.copy(vit / "config.json", folder)
    torch.save(ViTForImageClassification.from_pretrained(vit), folder / "pytorch_model.bin")
    with pytest.raises(Exception, match="[Ww]eights"):
        ViTForImageClassification.from_pretrained(folder)
    for target in ("transformers-5", "transformers-4"):
        report = run("check", folder, "--for", target)
        assert report["verdict"] == "risk" and "whole module" in report["loads"][0]["raises"]


def test_metadata_that_transformers_4_refuses(run, vit, tmp_path):
    folder = pathlib_copy(vit, tmp_path / "hf")
    save_file(load_file(vit / "model.safetensors"), folder / "model.safetensors", metadata={"format": "np"})
    assert ViTForImageClassification.from_pretrained(folder) is not None  # 5.24.0 does not look
    assert run("check", folder, "--for", "transformers-5")["verdict"] == "clean"
    report = run("check", folder, "--for", "transformers-4")
    assert report["verdict"] == "risk" and "format np" in report["loads"][0]["raises"]


def test_a_matrix_under_a_generators_name_is_a_weight(run, tmp_path):
    net = torch.randn(4, 4)
    for name in "ab":
        torch.save({"net.weight": net, "random_state_proj.weight": torch.randn(5, 5)}, tmp_path / f"{name}.pth")
    report = run("diff", tmp_path / "a.pth", tmp_path / "b.pth")
    assert report["verdict"] == "different" and report["weights"][0]["changed"] == 1
    torch.save({"model": {"w": net}, "rng_state": torch.get_rng_state()}, tmp_path / "c.pth")
    roles = {entry["name"]: entry["role"] for entry in run("inspect", tmp_path / "c.pth").part("entries")}
    assert roles["rng_state"] == "rng"


def test_one_size_for_both_sides_is_one_size(run, tmp_path):
    conv = torch.nn.Conv2d(3, 4, 3)
    for name, pool in (("a", torch.nn.MaxPool2d(2)), ("b", torch.nn.MaxPool2d((2, 2))), ("c", torch.nn.MaxPool2d((2, 3)))):
        torch.save(torch.nn.Sequential(conv, pool, torch.nn.AdaptiveAvgPool2d(1 if name == "a" else (1, 1))), tmp_path / f"{name}.pth")
    assert run("diff", tmp_path / "a.pth", tmp_path / "b.pth")["verdict"] == "same"
    assert run("diff", tmp_path / "a.pth", tmp_path / "c.pth")["verdict"] == "different"


def test_tables_of_older_versions_are_no_loss(run, tmp_path):
    model = {"wte.weight": torch.randn(4, 4)}
    torch.save(model, tmp_path / "new.pth")
    torch.save(model | {"h.0.attn.bias": torch.ones(8, 8).tril().view(1, 1, 8, 8).bool()}, tmp_path / "old.pth")
    report = run("check", tmp_path / "old.pth", "--for", tmp_path / "new.pth")
    assert report["verdict"] == "clean" and not report["loads"][0]["dropped"]
    torch.save(model | {"h.0.attn.bias": torch.randn(8)}, tmp_path / "bias.pth")
    assert run("check", tmp_path / "bias.pth", "--for", tmp_path / "new.pth")["verdict"] == "risk"


@pytest.mark.parametrize("name, library", [("flax_model.msgpack", "Flax"), ("tf_model.h5", "TensorFlow"), ("_CHECKPOINT_METADATA", "Orbax")])
def test_directories_of_other_libraries_are_named(run, tmp_path, name, library):
    (tmp_path / name).write_bytes(b"\x81\xa1a")
    report = run("inspect", tmp_path)
    assert report.status == 2 and library in str(report["not_checked"]) and "save_pretrained() wrote" not in str(report["not_checked"])


def test_a_module_in_a_plain_list_is_in_no_state_dict(run, tmp_path):
    model = torch.nn.Sequential(torch.nn.Linear(3, 4))
    model.layers = [torch.nn.Linear(3, 3)]
    model.first = [model[0]]  # registered under another name
    torch.save(model, tmp_path / "whole.pth")
    report = run("inspect", tmp_path / "whole.pth")
    (finding,) = report.findings("file.incomplete")
    assert "layers.0" in finding["summary"] and "2 tensors" in finding["summary"]
    torch.save(model.state_dict(), tmp_path / "sd.pth")
    assert run("diff", tmp_path / "sd.pth", tmp_path / "whole.pth").findings("file.incomplete")
    model.layers = torch.nn.ModuleList(model.layers)
    torch.save(model, tmp_path / "list.pth")
    assert not run("inspect", tmp_path / "list.pth").findings("file.incomplete")


def test_a_processor_of_several_parts_holds_the_image_processor(run, pair):
    for folder, mean in zip(pair, (0.5, 0.4), strict=True):
        parts = {"image_processor": {"image_processor_type": "ViTImageProcessor", "image_mean": [mean] * 3}, "processor_class": "CLIPProcessor"}
        (folder / "processor_config.json").write_text(json.dumps(parts))
    report = run("diff", *pair)
    assert report["verdict"] == "different" and "image_mean" in report.finding("input.preprocessing")["summary"]


def test_weights_in_folders_are_named(run, pair):
    for folder, seed in zip(pair, (0, 1), strict=True):
        torch.manual_seed(seed)
        (folder / "projector").mkdir()
        save_file({"w": torch.randn(2, 2)}, folder / "projector" / "model.safetensors")
    assert "projector/model.safetensors differs" in str(run("diff", *pair)["not_checked"])


def test_one_object_under_two_keys_is_both(run, tmp_path):
    s = {"a.weight": torch.randn(3, 3)}
    other = {"a.weight": torch.randn(3, 3)}
    for name, x, y in (("ema", {"model": s, "ema": s}, {"model": s, "ema": other}), ("list", [s, s, s], [s, s, other])):
        torch.save(x, tmp_path / f"{name}_a.pth")
        torch.save(y, tmp_path / f"{name}_b.pth")
        assert run("diff", tmp_path / f"{name}_a.pth", tmp_path / f"{name}_b.pth")["verdict"] == "different"


def test_no_element_of_a_long_list_is_passed_over(run, tmp_path):
    states = [{"w": torch.full((2,), float(i))} for i in range(70)]
    torch.save(states, tmp_path / "a.pth")
    states[-1]["w"] += 1
    torch.save(states, tmp_path / "b.pth")
    assert run("diff", tmp_path / "a.pth", tmp_path / "b.pth")["verdict"] == "different"


def test_a_tower_saved_alone_is_held_against_its_own_config(run, tmp_path):
    tower = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    config = CLIPConfig(text_config=tower | {"vocab_size": 99, "max_position_embeddings": 8}, vision_config=tower | {"image_size": 16, "patch_size": 8}, projection_dim=8)
    torch.manual_seed(0)
    CLIPModel(config).save_pretrained(tmp_path / "clip")
    CLIPVisionModel.from_pretrained(tmp_path / "clip").save_pretrained(tmp_path / "tower")
    report = run("diff", tmp_path / "clip", tmp_path / "tower")
    assert not [finding for finding in report.findings("config.changed") if finding["role"] in ("cause", "contributes")]


@pytest.mark.parametrize("linked", [False, True])
def test_a_second_model_below_is_named(run, vit, pair, linked):
    a, b = pair
    (a / "teacher").symlink_to(vit) if linked else shutil.copytree(vit, a / "teacher")
    torch.save(load_file(b / "model.safetensors"), b.parent / "file.pth")
    for other in (b, b.parent / "file.pth"):
        for words in ((a, other), (other, a)):
            report = run("diff", *words)
            assert report["verdict"] == "same" and "teacher" in str(report["not_checked"])
    assert "the weights in teacher were not read" in str(run("inspect", a)["not_checked"])
    assert "teacher" not in str(run("inspect", b)["not_checked"])
    shutil.copytree(vit, b / "teacher")
    assert "teacher" not in str(run("diff", a, b)["not_checked"])


def test_a_lock_file_beside_the_weights_is_no_difference(run, pair):
    import subprocess

    from conftest import PROGRAM

    a, b = pair
    subprocess.run([str(PROGRAM), "lock", str(a), "-o", str(a / "samebits.lock")], check=True, capture_output=True)
    report = run("diff", a, b)
    assert report["verdict"] == "same" and "lock" not in str(report["not_checked"])
    (b / "samebits.lock").write_text("something else")
    assert "samebits.lock differs" in str(run("diff", a, b)["not_checked"])


TIMM = {"architecture": "vit_tiny_patch16_224", "num_classes": 2, "num_features": 12, "global_pool": "token",
        "model_args": {"img_size": 8, "patch_size": 4, "embed_dim": 12, "depth": 1, "num_heads": 2},
        "pretrained_cfg": {"tag": "augreg", "input_size": [3, 8, 8], "interpolation": "bicubic", "crop_pct": 0.9, "mean": [0.5] * 3, "std": [0.5] * 3}}


def test_a_config_of_timm_is_judged_as_such(run, vit, tmp_path):
    """Fields as timm.models.save_for_hf writes them."""
    import subprocess

    from conftest import PROGRAM

    for name, fields in (("a", {}), ("pool", {"global_pool": "avg"}), ("mean", {"pretrained_cfg": TIMM["pretrained_cfg"] | {"mean": [0.4] * 3}}),
                         ("tag", {"pretrained_cfg": TIMM["pretrained_cfg"] | {"tag": "x"}})):
        (tmp_path / name).mkdir()
        subprocess.run([str(PROGRAM), "convert", str(vit), str(tmp_path / name / "model.safetensors"), "--to", "timm"], check=True, capture_output=True)
        (tmp_path / name / "config.json").write_text(json.dumps(TIMM | fields))
    assert run("diff", tmp_path / "a", tmp_path / "tag")["verdict"] == "same"
    assert run("diff", tmp_path / "a", tmp_path / "pool").finding("config.changed")["role"] == "cause"
    assert run("diff", tmp_path / "a", tmp_path / "mean").finding("input.preprocessing")["role"] == "contributes"
    converted = run("diff", tmp_path / "a", vit)
    assert converted["verdict"] == "unknown" and not converted.findings("config.changed") and "is timm's" in str(converted["not_checked"])
    assert "timm" in run("inspect", tmp_path / "a")["answers"]["load"]
