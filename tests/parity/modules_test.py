"""Whole modules whose attributes, parts and hooks are not what their config says; configs that do not fit the weights; and other
things that a file can say otherwise than the model runs."""

import copy
import functools
import json
import shutil
import subprocess
import zipfile

import conftest
import numpy
import own_modules
import pytest
import safetensors.torch
import torch
import transformers
from PIL import Image
from transformers import (
    DeiTConfig,
    DeiTForImageClassification,
    DeiTForImageClassificationWithTeacher,
    DeiTModel,
    Dinov2Config,
    Dinov2Model,
    ViTConfig,
    ViTForImageClassification,
    ViTImageProcessorPil,
    ViTMAEConfig,
    ViTMAEForPreTraining,
    ViTMAEModel,
    ViTModel,
)
from vit_test import DECODER, DINO, TINY, spread


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(1)
    return spread(ViTForImageClassification(ViTConfig(**TINY, num_labels=5))).eval()


def report(command, *words, status):
    done = subprocess.run([str(conftest.PROGRAM), command, *map(str, words), "--json"], capture_output=True, text=True, timeout=60)
    assert done.returncode == status, done.stdout + done.stderr
    return json.loads(done.stdout)


def causes(found):
    return [finding["cause"] for finding in found["findings"] if finding["role"] in ("cause", "contributes")]


def logits(model):
    images = torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        return model(images).logits


def heads(model):
    attention = model.vit.layers[1].attention
    attention.num_attention_heads, attention.head_dim = 4, 8


CHANGES = {
    "eps": (lambda m: setattr(m.vit.layers[0].layernorm_before, "eps", 0.1), "config.changed", "vit.layers.0.layernorm_before"),
    "activation": (lambda m: setattr(m.vit.layers[0].mlp, "activation_fn", torch.nn.ReLU()), "config.changed", "vit.layers.0.mlp.activation_fn"),
    "heads": (heads, "config.changed", "vit.layers.1.attention"),
    "scaling": (lambda m: setattr(m.vit.layers[0].attention, "scaling", 1.0), "config.changed", "vit.layers.0.attention"),
    "hook": (lambda m: m.vit.layers[0].register_forward_hook(own_modules.doubled), "code.version", "vit.layers.0"),
    "class": (lambda m: setattr(m.vit.layers[0].mlp, "__class__", own_modules.OwnMlp), "code.version", "vit.layers.0.mlp"),
}


def plain_activation(model):
    del model.vit.layers[0].mlp.activation_fn
    model.vit.layers[0].mlp.activation_fn = torch.nn.functional.relu


CHANGES |= {
    "forward": (lambda m: setattr(m.vit.layernorm, "forward", own_modules.twice), "code.version", "vit.layernorm"),
    "function": (plain_activation, "code.version", "vit.layers.0.mlp"),
    "inner function": (lambda m: setattr(m.vit.layers[0].mlp.activation_fn, "act", own_modules.twice), "config.changed", "vit.layers.0.mlp"),
    "dropout": (lambda m: setattr(m.vit.embeddings, "dropout", torch.nn.ReLU()), "code.version", "vit.embeddings.dropout"),
    "head": (lambda m: setattr(m, "classifier", torch.nn.Sequential(m.classifier, torch.nn.Softmax(-1))), "code.version", "classifier"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_modules_that_compute_something_else_are_named(model, tmp_path, change):
    how, cause, module = CHANGES[change]
    other = copy.deepcopy(model)
    how(other)
    assert not torch.equal(logits(model), logits(other))  # the change is one
    torch.save(model, tmp_path / "a")
    torch.save(other, tmp_path / "b")
    for command in ("diff", "explain"):
        found = report(command, tmp_path / "a", tmp_path / "b", status=1)
        assert found["verdict"] == "different" and cause in causes(found), found["findings"]
        assert module in found["findings"][0]["details"][0]
    assert "was not run" in found["not_checked"][0]
    done = subprocess.run([str(conftest.PROGRAM), "run", str(tmp_path / "b")], capture_output=True, text=True)
    assert done.returncode == 2 and module in done.stderr
    assert report("explain", tmp_path / "b", tmp_path / "b", status=2)["verdict"] == "unknown"


@pytest.mark.parametrize("make", [lambda: ViTModel(ViTConfig(**TINY)), lambda: DeiTModel(DeiTConfig(**TINY))])
def test_a_pooler_is_no_deviation(tmp_path, make):
    torch.manual_seed(1)
    model = spread(make()).eval()
    model.save_pretrained(tmp_path / "a")
    torch.save(model, tmp_path / "b")
    assert report("explain", tmp_path / "a", tmp_path / "b", status=0)["verdict"] == "same"
    config = json.loads((tmp_path / "a" / "config.json").read_text())
    (tmp_path / "a" / "config.json").write_text(json.dumps(config | {"pooler_act": "relu"}))
    done = subprocess.run([str(conftest.PROGRAM), "run", str(tmp_path / "a")], capture_output=True, text=True)
    assert done.returncode == 2 and "pooler" in done.stderr


def saved_both_ways(tmp_path, model):
    model.save_pretrained(tmp_path / "a")
    torch.save(model, tmp_path / "b")
    return tmp_path / "a", tmp_path / "b"


@pytest.mark.parametrize("activation", ["gelu_pytorch_tanh", "gelu_new", "gelu", "relu", "silu"])
def test_an_activation_module_is_no_risk(tmp_path, activation):
    torch.manual_seed(1)
    model = spread(ViTForImageClassification(ViTConfig(**TINY, hidden_act=activation))).eval()
    found = report("explain", *saved_both_ways(tmp_path, model), status=0)
    assert found["verdict"] == "same" and {finding["role"] for finding in found["findings"]} <= {"note"}
    assert [output["verdict"] for output in found["outputs"]] == ["identical"]


@pytest.mark.parametrize("activation", sorted(set(transformers.activations.ACT2FN) - {"prelu", "xielu"}))  # these have weights
def test_a_model_is_itself_with_every_activation(tmp_path, activation):
    torch.manual_seed(1)
    model = spread(ViTForImageClassification(ViTConfig(**TINY, hidden_act=activation))).eval()
    a, b = saved_both_ways(tmp_path, model)
    found = json.loads(subprocess.run([str(conftest.PROGRAM), "explain", str(a), str(b), "--json"], capture_output=True, text=True).stdout)
    assert found["verdict"] != "different" and "config.changed" not in [finding["cause"] for finding in found["findings"]]


def replace_activation(function):
    def change(model):
        for layer in model.vit.layers:
            del layer.mlp.activation_fn
            layer.mlp.activation_fn = function

    return change


def replace_inner(model):
    for layer in model.vit.layers:
        layer.mlp.activation_fn.act = functools.partial(torch.nn.functional.gelu, approximate="none")


@pytest.mark.parametrize("config, change", [
    ("gelu", replace_activation(functools.partial(torch.nn.functional.leaky_relu, negative_slope=0.3))),
    ("gelu", replace_activation(functools.partial(torch.nn.functional.gelu, approximate="tanh"))),
    ("gelu", replace_activation(torch.relu)),
    ("gelu_pytorch_tanh", replace_inner),
    ("leaky_relu", lambda model: setattr(model.vit.layers[0].mlp.activation_fn, "negative_slope", 0.3)),
])
def test_functions_that_are_no_modules_are_seen(tmp_path, config, change):
    torch.manual_seed(1)
    model = spread(ViTForImageClassification(ViTConfig(**TINY, hidden_act=config))).eval()
    other = copy.deepcopy(model)
    change(other)
    assert not torch.equal(logits(model), logits(other))
    model.save_pretrained(tmp_path / "a")
    torch.save(other, tmp_path / "b")
    assert report("explain", tmp_path / "a", tmp_path / "b", status=1)["verdict"] == "different"
    done = subprocess.run([str(conftest.PROGRAM), "run", str(tmp_path / "b")], capture_output=True, text=True)
    assert done.returncode == 2


def test_what_modules_compute_is_not_called_a_field_of_the_config(model, tmp_path):
    other = copy.deepcopy(model)
    for layer in other.vit.layers:
        layer.mlp.activation_fn = torch.nn.ReLU()
    model.save_pretrained(tmp_path / "a")
    torch.save(other, tmp_path / "b")
    finding = report("explain", tmp_path / "a", tmp_path / "b", status=1)["findings"][0]
    assert finding["cause"] == "config.changed" and finding["proof"] == "proved"
    assert finding["summary"].startswith("what modules compute as hidden_act differs")


@pytest.mark.parametrize("loaded", [True, False])
def test_a_masked_encoder_keeps_its_mask_whatever_its_config_is_named_after(tmp_path, loaded):
    """ViTMAEModel of a pretraining checkpoint: config.architectures stays ["ViTMAEForPreTraining"]."""
    torch.manual_seed(1)
    whole = spread(ViTMAEForPreTraining(ViTMAEConfig(**TINY, **DECODER))).eval()
    whole.save_pretrained(tmp_path / "whole")
    model = ViTMAEModel.from_pretrained(tmp_path / "whole").eval() if loaded else ViTMAEForPreTraining.from_pretrained(tmp_path / "whole").vit
    torch.save(model, tmp_path / "module")
    torch.save(model.state_dict(), tmp_path / "state")
    for path in ("module", "state"):
        words = ["run", tmp_path / path, "--config", tmp_path / "whole" / "config.json", "--json"][: 5 if path == "state" else 2]
        done = subprocess.run([str(conftest.PROGRAM), *map(str, words), *(["--json"] if path == "module" else [])], capture_output=True, text=True)
        shapes = {output["name"]: output["shape"] for output in json.loads(done.stdout)["outputs"]}
        assert shapes["last_hidden_state"] == [1, 5, 48] and "ids_restore" in shapes
    found = report("explain", tmp_path / "module", tmp_path / "state", "--config", tmp_path / "whole" / "config.json", status=1)
    assert [finding["cause"] for finding in found["findings"] if finding["role"] == "cause"] == ["rng.noise"]


@pytest.mark.parametrize("size", [(32, 48), (32, 32)])
def test_an_image_size_of_two_numbers_is_read_from_every_route(tmp_path, size):
    torch.manual_seed(1)
    model = spread(ViTForImageClassification(ViTConfig(**TINY | {"image_size": list(size)}))).eval()
    found = report("explain", *saved_both_ways(tmp_path, model), status=0)
    assert found["verdict"] == "same" and [output["verdict"] for output in found["outputs"]] == ["identical"]


def test_the_embeddings_own_config_is_followed(tmp_path):
    """random_masking reads mask_ratio from the config that the embeddings hold."""
    torch.manual_seed(1)
    model = spread(ViTMAEForPreTraining(ViTMAEConfig(**TINY, **DECODER))).eval()
    model.save_pretrained(tmp_path / "a")
    model.config = copy.deepcopy(model.config)
    model.vit.embeddings.config.mask_ratio = 0.5
    with torch.no_grad():
        kept = model.vit(torch.randn(1, 3, 32, 32)).last_hidden_state.shape[1] - 1
    assert kept == 8
    torch.save(model, tmp_path / "b")
    done = subprocess.run([str(conftest.PROGRAM), "run", str(tmp_path / "b"), "--json"], capture_output=True, text=True)
    shapes = {output["name"]: output["shape"] for output in json.loads(done.stdout)["outputs"]}
    assert shapes["last_hidden_state"] == [1, 9, 48]
    found = report("explain", tmp_path / "a", tmp_path / "b", status=1)
    assert "config.changed" in [finding["cause"] for finding in found["findings"] if finding["proof"] == "proved"]
    assert report("explain", tmp_path / "b", tmp_path / "b", status=1)["findings"][-1]["cause"] == "config.changed"


def test_the_config_of_a_wrapper_is_not_the_models(model, tmp_path):
    model.save_pretrained(tmp_path / "a")
    wrapper = own_modules.Wrapper(model)
    wrapper.config = own_modules.TrainingConfig()
    torch.save(wrapper, tmp_path / "b")
    assert report("explain", tmp_path / "a", tmp_path / "b", status=0)["verdict"] == "same"


def test_a_training_throughout_is_shown_by_blocks(model, tmp_path):
    model.save_pretrained(tmp_path / "a")
    other = copy.deepcopy(model)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter += 0.01 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(3))
    other.save_pretrained(tmp_path / "b")
    finding = report("explain", tmp_path / "a", tmp_path / "b", status=1)["findings"][0]
    assert finding["proof"] == "proved" and finding["evidence"]["minimal_by"] == "block"
    assert len(finding["evidence"]["minimal"]) == finding["evidence"]["count"] == len(model.state_dict())
    assert any("without that of any one block or layer, it does not" in line for line in finding["details"])


def test_a_wrapper_is_said(model, tmp_path):
    model.save_pretrained(tmp_path / "a")
    torch.save(own_modules.Wrapper(model), tmp_path / "b")
    found = report("explain", tmp_path / "a", tmp_path / "b", status=0)
    assert "B: Wrapper gives what the model in it gives; its own code is not known" in found["assumed"]


def test_a_config_that_all_modules_contradict_is_not_followed(model, tmp_path):
    other = copy.deepcopy(model)
    other.config.hidden_act = "relu"
    assert torch.equal(logits(model), logits(other))
    torch.save(model, tmp_path / "a")
    torch.save(other, tmp_path / "b")
    found = report("explain", tmp_path / "a", tmp_path / "b", status=1)
    (finding,) = found["findings"]
    assert found["verdict"] == "same" and finding["role"] == "risk"
    assert finding["evidence"]["fields"] == {"hidden_act": ["relu", "gelu"]}


def test_the_forward_pass_of_an_own_class_is_not_guessed(model, tmp_path):
    other = copy.deepcopy(model)
    other.__class__ = own_modules.OwnClassifier
    assert not torch.equal(logits(model), logits(other))
    torch.save(model, tmp_path / "a")
    torch.save(other, tmp_path / "b")
    found = report("explain", tmp_path / "a", tmp_path / "b", status=1)
    assert causes(found) == ["code.version"]


CONFIGS = [
    ("num_hidden_layers", 1), ("qkv_bias", False), ("hidden_size", 96), ("intermediate_size", 128), ("num_channels", 1), ("patch_size", 4),
    ("model_type", "swin"), ("image_size", 64),
]


@pytest.mark.parametrize("field, value", CONFIGS)
def test_a_config_that_does_not_fit_the_weights_is_refused(model, tmp_path, field, value):
    model.save_pretrained(tmp_path / "a")
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    config = json.loads((tmp_path / "b" / "config.json").read_text())
    (tmp_path / "b" / "config.json").write_text(json.dumps(config | {field: value}))
    done = subprocess.run([str(conftest.PROGRAM), "run", str(tmp_path / "b")], capture_output=True, text=True)
    assert done.returncode == 2 and not done.stdout
    found = report("explain", tmp_path / "a", tmp_path / "b", status=1)
    assert not found["outputs"] and found["findings"][0]["proof"] != "proved"


@pytest.mark.parametrize("make", [
    lambda size: ViTModel(ViTConfig(**TINY | size)), lambda size: DeiTModel(DeiTConfig(**TINY | size)),
    lambda size: Dinov2Model(Dinov2Config(**DINO | size)), lambda size: ViTMAEForPreTraining(ViTMAEConfig(**TINY | size, **DECODER)),
])
@pytest.mark.parametrize("size", [(8, 72), (32, 8), (16, 64)])  # of a square number of patches: no other can ViT-MAE be made with
def test_images_that_are_no_squares_are_run_where_torch_runs_them(tmp_path, make, size):
    torch.manual_seed(1)
    model = spread(make({"image_size": size})).eval()
    model.save_pretrained(tmp_path / "a")
    words = [str(conftest.PROGRAM), "run", str(tmp_path / "a"), "--randn", f"1x3x{size[0]}x{size[1]}", "--seed", "3", "--save", str(tmp_path / "out")]
    done = subprocess.run(words, capture_output=True, text=True)
    if isinstance(model, (ViTMAEForPreTraining, Dinov2Model)):  # torch raises, or takes the positions for a square
        assert done.returncode == 2 and "this image_size of" in done.stderr
        return
    with torch.no_grad():
        theirs = model(torch.randn(1, 3, *size, generator=torch.Generator().manual_seed(3))).last_hidden_state
    assert done.returncode == 0, done.stderr
    torch.testing.assert_close(safetensors.torch.load_file(tmp_path / "out")["last_hidden_state"], theirs, rtol=1e-4, atol=1e-5)


def test_a_decoder_that_the_config_does_not_describe_is_refused(tmp_path):
    torch.manual_seed(1)
    spread(ViTMAEForPreTraining(ViTMAEConfig(**TINY, **DECODER))).save_pretrained(tmp_path / "a")
    config = json.loads((tmp_path / "a" / "config.json").read_text())
    (tmp_path / "a" / "config.json").write_text(json.dumps(config | {"decoder_num_hidden_layers": 1}))
    done = subprocess.run([str(conftest.PROGRAM), "run", str(tmp_path / "a")], capture_output=True, text=True)
    assert done.returncode == 2 and "decoder_num_hidden_layers" in done.stderr


QUERY = "vit.layers.1.attention.q_proj.weight"


def test_a_transposed_square_matrix_is_a_difference(model, tmp_path):
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    torch.save(state, tmp_path / "a")
    state[QUERY] = state[QUERY].T.contiguous()
    torch.save(state, tmp_path / "b")
    model.save_pretrained(tmp_path / "hf")  # under the names of transformers 4
    assert causes(report("diff", tmp_path / "a", tmp_path / "b", status=1)) == ["weights.rearranged"]
    found = report("explain", tmp_path / "hf", tmp_path / "b", status=1)
    assert causes(found) == ["weights.rearranged"] and found["findings"][0]["proof"] == "proved"


def test_of_a_fused_layer_only_what_differs_is_exchanged(model, tmp_path):
    torch.save(model.state_dict(), tmp_path / "a")
    model.save_pretrained(tmp_path / "hf")
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    for role in ("q_proj.bias", "v_proj.weight"):
        state[QUERY.replace("q_proj.weight", role)] += 0.5
    torch.save(state, tmp_path / "b")
    found = report("explain", tmp_path / "a", tmp_path / "b", "--config", tmp_path / "hf" / "config.json", status=1)
    assert sorted(found["findings"][0]["evidence"]["minimal"]) == ["vit.layers.1.attention.q_proj.bias", "vit.layers.1.attention.v_proj.weight"]
    assert found["findings"][0]["evidence"]["is_minimal"]


def test_dropout_that_the_engine_does_not_know_is_not_run_in_eval_mode(model, tmp_path):
    torch.manual_seed(1)
    config = Dinov2Config(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, mlp_ratio=2, image_size=32, patch_size=8, drop_path_rate=0.5)
    dino = spread(Dinov2Model(config))
    dino.save_pretrained(tmp_path / "dino")
    torch.save(dino.train(), tmp_path / "dino.pth")
    other = copy.deepcopy(model)
    other.vit.layers[0].dropout.p = 0.5
    torch.save(other.train(), tmp_path / "other.pth")
    model.save_pretrained(tmp_path / "hf")
    for a, b in (("dino", "dino.pth"), ("hf", "other.pth")):
        found = report("explain", tmp_path / a, tmp_path / b, status=2)
        assert found["verdict"] == "unknown" and not found["outputs"]
        assert "dropout is active" in found["not_checked"][0]


def test_one_subject_that_cannot_be_run_does_not_cancel_the_others(model, tmp_path):
    model.save_pretrained(tmp_path / "a")
    other = copy.deepcopy(model)
    other.vit.layers[0].attention.scaling = 1.0
    torch.save(other, tmp_path / "b")
    changed = copy.deepcopy(model)
    with torch.no_grad():
        changed.vit.layers[0].attention.q_proj.weight += 0.25
    changed.save_pretrained(tmp_path / "c")
    found = report("explain", tmp_path / "a", tmp_path / "b", tmp_path / "c", status=1)
    proved = [finding for finding in found["findings"] if finding["proof"] == "proved"]
    assert [(finding["cause"], finding["subjects"]) for finding in proved] == [("weights.changed", ["A", "C"])]
    assert found["not_checked"][0].startswith("outputs: ") and "B was not run" in found["not_checked"][0]


def test_outputs_that_both_give_are_compared(tmp_path):
    torch.manual_seed(1)
    mae = spread(ViTMAEForPreTraining(ViTMAEConfig(**TINY, **DECODER))).eval()
    mae.save_pretrained(tmp_path / "mae")
    mae.vit.save_pretrained(tmp_path / "encoder")
    found = report("explain", tmp_path / "mae", tmp_path / "encoder", status=1)
    noise = next(finding for finding in found["findings"] if finding["cause"] == "rng.noise")
    assert noise["evidence"]["equal_with_one_noise"] is True
    deit = spread(DeiTForImageClassificationWithTeacher(DeiTConfig(**TINY, num_labels=3))).eval()
    deit.save_pretrained(tmp_path / "teacher")
    student = DeiTForImageClassification(DeiTConfig(**TINY, num_labels=3)).eval()
    state = {name.replace("cls_classifier", "classifier"): value for name, value in deit.state_dict().items() if not name.startswith("dist")}
    student.load_state_dict(state)
    student.save_pretrained(tmp_path / "student")
    found = report("explain", tmp_path / "teacher", tmp_path / "student", status=1)
    assert any("the two first differ at logits" in detail for detail in found["findings"][0]["details"])
    assert "deit.layernorm" in [pair["point"] for pair in found["outputs"]]  # as its class calls it


@pytest.mark.parametrize("a, b, role", [("swish", "silu", "note"), ("gelu_new", "gelu_pytorch_tanh", "risk"), ("gelu", "gelu_new", "cause")])
def test_names_of_one_activation(model, tmp_path, a, b, role):
    for name in (a, b):
        model.save_pretrained(tmp_path / name)
        config = json.loads((tmp_path / name / "config.json").read_text())
        (tmp_path / name / "config.json").write_text(json.dumps(config | {"hidden_act": name}))
    found = report("explain", tmp_path / a, tmp_path / b, status={"note": 0, "risk": 1, "cause": 1}[role])
    (finding,) = found["findings"]
    assert finding["cause"] == "config.changed" and finding["role"] == role


def test_processors_that_make_other_inputs_of_the_images_at_hand(model, tmp_path):
    processor = {
        "do_normalize": True, "do_rescale": True, "do_resize": True, "image_mean": [0.5] * 3, "image_std": [0.5] * 3, "resample": 2,
        "image_processor_type": "ViTImageProcessor", "rescale_factor": 1 / 255, "size": {"height": 32, "width": 32},
    }
    for name, mean in (("a", [0.5] * 3), ("b", [0.9, 0.1, 0.4])):
        model.save_pretrained(tmp_path / name)
        (tmp_path / name / "preprocessor_config.json").write_text(json.dumps(processor | {"image_mean": mean}))
    pixels = numpy.random.default_rng(0).integers(0, 255, (48, 64, 3), dtype=numpy.uint8)
    Image.fromarray(pixels).save(tmp_path / "picture.png")
    found = report("explain", tmp_path / "a", tmp_path / "b", "--images", tmp_path / "picture.png", status=1)
    assert found["verdict"] == "different" and causes(found) == ["input.preprocessing"]
    (finding,) = found["findings"]
    assert finding["role"] == "cause" and finding["proof"] == "proved" and "3072 of 3072 numbers differ" in finding["details"][-2]
    apart = [model(pixel_values=prepared(pixels, mean)).logits for mean in ([0.5] * 3, [0.9, 0.1, 0.4])]
    outputs = {point["point"]: point for point in found["outputs"]}
    assert outputs["logits"]["max_abs"] == pytest.approx(float((apart[0] - apart[1]).abs().max().detach()), abs=1e-5)
    assert "on B's own" in finding["details"][-1] and not any("images of B" in line for line in found["assumed"])


def prepared(pixels, mean):
    processor = ViTImageProcessorPil(size={"height": 32, "width": 32}, image_mean=mean, image_std=[0.5] * 3)
    return processor(images=Image.fromarray(pixels), return_tensors="pt")["pixel_values"]


def test_of_several_changes_those_that_matter_are_named(tmp_path):
    torch.manual_seed(1)
    config = Dinov2Config(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, mlp_ratio=2, image_size=32, patch_size=8)
    dino = spread(Dinov2Model(config)).eval()
    dino.save_pretrained(tmp_path / "a")
    with torch.no_grad():
        dino.embeddings.mask_token += 1  # which no forward pass without a mask reads
        dino.encoder.layer[1].mlp.fc1.weight[3, 4] += 1
    dino.save_pretrained(tmp_path / "b")
    found = report("explain", tmp_path / "a", tmp_path / "b", status=1)
    finding = found["findings"][0]
    assert finding["evidence"]["count"] == 2 and finding["evidence"]["minimal"] == ["encoder.layer.1.mlp.fc1.weight"]
    assert any(detail.endswith("bit for bit: encoder.layer.1.mlp.fc1.weight") for detail in finding["details"])


def test_a_layer_scale_that_is_missing_is_not_left_out(tmp_path):
    torch.manual_seed(1)
    config = Dinov2Config(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, mlp_ratio=2, image_size=32, patch_size=8)
    state = spread(Dinov2Model(config)).state_dict()
    del state["encoder.layer.1.layer_scale1.lambda1"]
    torch.save(state, tmp_path / "a")
    (tmp_path / "config.json").write_text(json.dumps(config.to_dict()))
    words = [str(conftest.PROGRAM), "run", str(tmp_path / "a"), "--config", str(tmp_path / "config.json")]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 2 and not done.stdout


@pytest.mark.parametrize("field, value", [("pooler_act", "relu"), ("pooler_output_size", 7), ("encoder_stride", 8)])
def test_fields_that_the_class_does_not_read_are_notes(model, tmp_path, field, value):
    for name in ("a", "b"):
        model.save_pretrained(tmp_path / name)
    config = json.loads((tmp_path / "b" / "config.json").read_text())
    (tmp_path / "b" / "config.json").write_text(json.dumps(config | {field: value}))
    (finding,) = report("explain", tmp_path / "a", tmp_path / "b", status=0)["findings"]
    assert finding["role"] == "note"


def test_a_damaged_pickle_is_a_risk(model, tmp_path):
    torch.save(model.state_dict(), tmp_path / "a")
    data = bytearray((tmp_path / "a").read_bytes())
    with zipfile.ZipFile(tmp_path / "a") as archive:
        at = data.index(b"layernorm_after", archive.getinfo("a/data.pkl").header_offset)
    data[at + 3] = ord("x")
    (tmp_path / "b").write_bytes(data)
    found = report("diff", tmp_path / "a", tmp_path / "b", status=1)
    assert any(finding["cause"] == "weights.invalid" and "data.pkl" in finding["summary"] for finding in found["findings"])


def test_inputs_are_never_overwritten(model, tmp_path):
    model.save_pretrained(tmp_path / "a")
    before = {path.name: path.read_bytes() for path in (tmp_path / "a").iterdir()}
    for words in (
        ("explain", "a", "a", "--html", "a/config.json"), ("inspect", "a", "--html", "a/model.safetensors"),
        ("run", "a", "--save", "a/model.safetensors"), ("run", "a/model.safetensors", "--config", "a/config.json", "--trace", "a/model.safetensors"),
    ):
        done = subprocess.run([str(conftest.PROGRAM), *words], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 2 and "not overwritten" in done.stderr, words
    assert {path.name: path.read_bytes() for path in (tmp_path / "a").iterdir()} == before
