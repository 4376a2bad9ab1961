"""Traces: what samebits run --trace writes, against hooks on the real modules, and diff of two traces."""

import copy
import functools
import hashlib
import json
import re
import subprocess

import conftest
import numpy
import pytest
import safetensors
import safetensors.numpy
import safetensors.torch
import torch
from run_test import EXAMPLE, digests, run
from transformers import ViTConfig, ViTForImageClassification, ViTMAEConfig, ViTMAEForPreTraining
from vit_test import DECODER, TINY, spread


def diff(a, b, status):
    done = subprocess.run([str(conftest.PROGRAM), "diff", str(a), str(b), "--json"], capture_output=True, text=True, timeout=120)
    assert done.returncode == status, done.stdout + done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """Our trace of the example, and one that hooks on the real model record."""
    folder = tmp_path_factory.mktemp("trace")
    run(EXAMPLE / "hf", "--randn", "2x3x32x32", "--seed", 3, "--noise-seed", 9, "--trace", folder / "ours")
    model = ViTMAEForPreTraining.from_pretrained(EXAMPLE / "hf").eval()
    torch.manual_seed(3)
    images = torch.randn(2, 3, 32, 32)
    torch.manual_seed(9)
    noise = torch.rand(2, 16)
    points = {}

    def note(name):
        def hook(module, arguments, output):
            value = output[0] if isinstance(output, tuple) else output
            if isinstance(value, torch.Tensor):
                points[name] = value.detach().contiguous().clone()

        return hook

    for name, module in model.named_modules():
        module.register_forward_hook(note(name))
    with torch.no_grad():
        model(images, noise=noise)
    safetensors.torch.save_file(points, folder / "torch")
    return folder, points, images, noise


def test_the_points_are_the_modules_of_transformers(pair):
    folder, points, images, noise = pair
    ours = safetensors.torch.load_file(folder / "ours")
    assert torch.equal(ours.pop("pixel_values"), images) and torch.equal(ours.pop("noise"), noise)
    assert ours.keys() <= points.keys() and len(ours) == 25
    for name, value in ours.items():
        torch.testing.assert_close(value, points[name], rtol=1e-4, atol=1e-5)


def test_the_metadata_describe_points_and_run(pair):
    folder = pair[0]
    with safetensors.safe_open(folder / "ours", "np") as file:
        trace = json.loads(file.metadata()["samebits.trace"])
        assert trace["schema"] == "samebits.trace/1"
        assert {point["name"] for point in trace["points"]} == set(file.keys())
        for point in trace["points"]:
            value = file.get_tensor(point["name"])
            assert point["sha256"] == hashlib.sha256(value.tobytes()).hexdigest()
            assert point["mean"] == pytest.approx(float(value.mean(dtype=numpy.float64)), abs=1e-9)
            assert (point["min"], point["max"], point["not_finite"]) == (value.min(), value.max(), 0)
    assert [point["name"] for point in trace["points"]][:4] == ["pixel_values", "noise", "vit.embeddings", "vit.layers.0.layernorm_before"]
    assert trace["run"]["mode"] == "eval" and trace["run"]["mask_ratio"] == 0.75 and trace["run"]["config"]["hidden_size"] == 32


def test_a_trace_does_not_change_the_outputs(tmp_path):
    given = ["--randn", "12x3x32x32", "--noise-seed", 4]
    assert digests(EXAMPLE / "hf", *given, "--trace", tmp_path / "t") == digests(EXAMPLE / "hf", *given)


def test_equal_runs_are_the_same(tmp_path):
    run(EXAMPLE / "hf", "--trace", tmp_path / "a", "--isa", "scalar", "--threads", 1)
    run(EXAMPLE / "whole.pth", "--trace", tmp_path / "b", "--threads", 3)
    found = diff(tmp_path / "a", tmp_path / "b", 0)
    assert found["verdict"] == "same" and {point["verdict"] for point in found["outputs"]} == {"identical"}
    assert [subject["kind"] for subject in found["subjects"]] == ["trace", "trace"]
    assert found["outputs"][0]["point"] == "pixel_values" and found["outputs"][-1]["point"] == "decoder.decoder_pred"


def test_a_trace_of_torch_parts_by_rounding_alone(pair):
    found = diff(pair[0] / "ours", pair[0] / "torch", 1)
    assert found["verdict"] == "different" and len(found["outputs"]) == 25
    assert all(point["max_abs"] < 1e-5 and point["cosine"] > 1 - 1e-9 for point in found["outputs"])


def changed(path, out, change):
    """A copy of a trace in which `change` alters the tensors; the metadata stay."""
    with safetensors.safe_open(path, "np") as file:
        metadata = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}
    change(tensors)
    safetensors.numpy.save_file(tensors, out, metadata=metadata)
    return out


def from_layer(tensors, change):
    for name in ("vit.layers.1.layernorm_after", "vit.layers.1.mlp", "vit.layers.1"):
        tensors[name] = numpy.ascontiguousarray(change(tensors[name]))


def bfloat16(values):
    return torch.from_numpy(values).bfloat16().float().numpy()


@pytest.mark.parametrize("change, looks, verdict, cause", [
    (lambda x: -x, "sign", "different", "code.version"),
    (lambda x: x * numpy.float32(1.5), "scale", "different", "code.version"),
    (lambda x: x[:, ::-1], "rows permuted", "permuted", "order.tokens"),
    (bfloat16, "B is A rounded to bfloat16", "rounding", "numerics.dtype"),
    (lambda x: numpy.where(numpy.arange(x.shape[1])[:, None] == 2, x + 1, x), "few rows", "different", "code.version"),
    (lambda x: numpy.where(x > 0, numpy.float32("nan"), x), "nan", "different", "code.version"),
    (lambda x: x + numpy.float32(0.25), "all", "different", "code.version"),
])
def test_the_first_point_that_differs_is_found_and_described(pair, tmp_path, change, looks, verdict, cause):
    out = changed(pair[0] / "ours", tmp_path / "b", lambda tensors: from_layer(tensors, change))
    found = diff(pair[0] / "ours", out, 1)
    first = next(point for point in found["outputs"] if point["differing"])
    assert (first["point"], first["looks_like"], first["verdict"]) == ("vit.layers.1.layernorm_after", looks, verdict)
    (finding,) = found["findings"]
    assert finding["cause"] == cause and (cause != "code.version" or (finding["proof"], bool(finding["settle"])) == ("suspected", True))


@pytest.mark.parametrize("change, where", [
    (lambda x: numpy.where(numpy.arange(x.shape[1])[:, None] == 2, x + 1, x), "token 2"),
    (lambda x: numpy.where(numpy.arange(x.shape[2]) == 3, x + 1, x), "column 3 of 32"),
    (lambda x: numpy.where(numpy.arange(x.shape[2]) // 8 == 2, x + 1, x), "columns 16 to 23 of 32"),
    (lambda x: numpy.where((numpy.arange(x.shape[1]) // 2 == 1)[:, None] & (numpy.arange(x.shape[2]) == 0), -x, x), "tokens 2 to 3, column 0 of 32"),
    (lambda x: x + 1, ""), (lambda x: numpy.where(numpy.arange(x.shape[2]) % 7 == 0, x + 1, x), ""),
])
def test_where_the_difference_is_confined(pair, tmp_path, change, where):
    out = changed(pair[0] / "ours", tmp_path / "b", lambda tensors: from_layer(tensors, change))
    first = next(point for point in diff(pair[0] / "ours", out, 1)["outputs"] if point["differing"])
    assert first["where"] == where


def test_other_noise_is_named(tmp_path):
    run(EXAMPLE / "hf", "--trace", tmp_path / "a", "--noise-seed", 1)
    run(EXAMPLE / "hf", "--trace", tmp_path / "b", "--noise-seed", 2)
    assert [finding["cause"] for finding in diff(tmp_path / "a", tmp_path / "b", 1)["findings"]] == ["rng.seed"]


def test_another_config_is_named(tmp_path):
    for name, act in (("a", "gelu"), ("b", "gelu_new")):
        torch.manual_seed(1)
        spread(ViTForImageClassification(ViTConfig(**TINY | {"hidden_act": act}, num_labels=3))).save_pretrained(tmp_path / name)
        run(tmp_path / name, "--trace", tmp_path / f"{name}.trace")
    found = diff(tmp_path / "a.trace", tmp_path / "b.trace", 1)
    assert found["findings"][0]["cause"] == "config.changed" and found["findings"][0]["evidence"]["fields"] == {"hidden_act": ["gelu", "gelu_new"]}
    first = next(point for point in found["outputs"] if point["differing"])
    assert first["point"] == "vit.layers.0.mlp"


def test_what_has_no_partner_is_not_called_the_same(pair, tmp_path):
    out = changed(pair[0] / "ours", tmp_path / "b", lambda tensors: tensors.pop("vit.layernorm"))
    found = diff(pair[0] / "ours", out, 2)
    assert found["verdict"] == "unknown" and found["not_checked"] == ["vit.layernorm: only in A"]


def test_training_mode_is_written_down(tmp_path):
    run(EXAMPLE / "hf", "--trace", tmp_path / "t", "--train", 5)
    with safetensors.safe_open(tmp_path / "t", "np") as file:
        described = json.loads(file.metadata()["samebits.trace"])["run"]
    assert described["mode"] == "train" and described["dropout_seed"] == 5


def recorded(path, model, pixel_values):
    """What the snippet of docs/causes.md records."""
    snippet = re.search(r"```python\n(.*?)```", (conftest.ROOT / "docs" / "causes.md").read_text(), re.DOTALL).group(1)
    exec(snippet, {"torch": torch, "save_file": safetensors.torch.save_file, "path": str(path), "model": model, "pixel_values": pixel_values})
    return path


def relabelled(source, path, **metadata):
    with safetensors.safe_open(source, "pt") as file:
        safetensors.torch.save_file(safetensors.torch.load_file(source), path, file.metadata() | metadata)
    return path


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    """One model under both attention kernels; pictures alone and in a batch."""
    folder = tmp_path_factory.mktemp("recordings")
    torch.manual_seed(1)
    model = spread(ViTForImageClassification(ViTConfig(**TINY, num_labels=3)))
    model.save_pretrained(folder / "hf")
    images = torch.randn(3, 3, 32, 32, generator=torch.Generator().manual_seed(4))
    for attention in ("eager", "sdpa"):
        model = ViTForImageClassification.from_pretrained(folder / "hf", attn_implementation=attention).eval()
        recorded(folder / attention, model, images)
    recorded(folder / "alone", model, images[1:2])
    recorded(folder / "reversed", model, images.flip(0))
    other = copy.deepcopy(model)
    with torch.no_grad():
        other.vit.layers[1].attention.q_proj.weight[3, 4] += 0.5
    recorded(folder / "query", other, images)
    other = copy.deepcopy(model)
    with torch.no_grad():
        other.vit.layers[1].mlp.fc1.weight *= 1.001
    recorded(folder / "fc1", other, images)
    recorded(folder / "bfloat16", copy.deepcopy(model).bfloat16(), images.bfloat16())
    return folder


def causes(report):
    return [finding["cause"] for finding in report["findings"]]


def test_the_attention_kernel_is_named(recordings):
    assert causes(diff(recordings / "eager", recordings / "sdpa", 1)) == ["numerics.attention"]


@pytest.mark.parametrize("key, cause", [("threads", "numerics.threads"), ("cpu", "numerics.hardware"), ("device", "numerics.hardware")])
def test_what_rounding_depends_on_is_named(recordings, tmp_path, key, cause):
    first = relabelled(recordings / "eager", tmp_path / "a", attention="sdpa", **{key: "one"})
    other = relabelled(recordings / "sdpa", tmp_path / "b", **{key: "other"})
    report = diff(first, other, 1)
    assert causes(report) == [cause] and report["findings"][0]["proof"] == "suspected"


def test_rounding_that_nothing_explains_is_called_so(recordings, tmp_path):
    first = relabelled(recordings / "eager", tmp_path / "a", attention="sdpa")
    assert causes(diff(first, recordings / "sdpa", 1)) == ["numerics.rounding"]


def test_one_image_is_compared_with_its_place_in_a_batch(recordings):
    report = diff(recordings / "alone", recordings / "sdpa", 1)
    assert "the one image of A is image 1 of 3 in B" in report["assumed"]
    assert len(report["outputs"]) > 30 and report["outputs"][0]["differing"] == 0
    assert causes(report) in (["numerics.batch"], [])
    reverse = diff(recordings / "sdpa", recordings / "alone", 1)
    assert [p["differing"] for p in reverse["outputs"]] == [p["differing"] for p in report["outputs"]]


def test_rounding_does_not_hide_what_comes_after_it(recordings, tmp_path):
    tensors = safetensors.torch.load_file(recordings / "sdpa")
    tensors["classifier"][1, 0] += 0.4
    safetensors.torch.save_file(tensors, tmp_path / "t")
    (finding,) = diff(recordings / "eager", tmp_path / "t", 1)["findings"]
    assert finding["cause"] == "code.version" and finding["evidence"]["point"] == "classifier"


def test_images_in_another_order_are_no_tokens_in_another_order(recordings):
    report = diff(recordings / "sdpa", recordings / "reversed", 1)
    assert causes(report) == ["input.preprocessing"]


@pytest.mark.parametrize("name, point", [("query", "vit.layers.1.attention.q_proj"), ("fc1", "vit.layers.1.mlp.fc1")])
def test_modules_of_one_block_stand_in_the_order_in_which_they_run(recordings, name, point):
    report = diff(recordings / "sdpa", recordings / name, 1)
    assert next(each["point"] for each in report["outputs"] if each["differing"]) == point


def explain(*paths, status):
    done = subprocess.run([str(conftest.PROGRAM), "explain", *map(str, paths), "--json"], capture_output=True, text=True, timeout=60)
    assert done.returncode == status, done.stdout + done.stderr
    return json.loads(done.stdout)


def test_a_run_in_bfloat16_is_named(recordings):
    assert causes(explain(recordings / "hf", recordings / "bfloat16", status=1)) == ["numerics.dtype"]
    assert causes(diff(recordings / "sdpa", recordings / "bfloat16", 1)) == ["numerics.dtype"]


def test_recordings_are_compared_with_what_they_can_be(recordings):
    assert explain(recordings / "sdpa", recordings / "query", status=1)["verdict"] == "different"
    assert "name two subjects" in explain(recordings / "hf", recordings / "sdpa", recordings / "query", status=2)["not_checked"][0]
    assert "samebits explain MODEL TRACE" in diff(recordings / "hf", recordings / "sdpa", 2)["not_checked"][0]


def test_a_recording_without_its_input_or_its_noise_is_not_judged(recordings, pair, tmp_path):
    for source, lacking, model in ((recordings / "sdpa", "pixel_values", recordings / "hf"), (pair[0] / "ours", "noise", EXAMPLE / "hf")):
        out = tmp_path / lacking
        tensors = safetensors.torch.load_file(source)
        del tensors[lacking]
        safetensors.torch.save_file(tensors, out)
        report = explain(model, out, status=2)
        assert not report["findings"] and f"does not hold its {lacking}" in report["not_checked"][0]


def model_with_dropout(path):
    images = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(4))
    torch.manual_seed(1)
    model = spread(ViTForImageClassification(ViTConfig(**TINY, hidden_dropout_prob=0.1)))
    model.save_pretrained(path)
    return model, images


@pytest.fixture(scope="module")
def dropping(tmp_path_factory):
    """Models with dropout in eval() and left in train(): in all places, and in the blocks alone."""
    folder = tmp_path_factory.mktemp("dropping")
    model, images = model_with_dropout(folder / "hf")
    for name, training in (("eval", False), ("train", True), ("again", True)):
        recorded(folder / name, model.train(training), images)
    masked = ViTMAEForPreTraining(ViTMAEConfig(**TINY, **DECODER, hidden_dropout_prob=0.3))
    spread(masked).save_pretrained(folder / "mae")
    noise = torch.rand(2, 16)
    masked.forward = functools.partial(masked.forward, noise=noise)
    for name, training in (("mae eval", False), ("mae train", True)):
        points = safetensors.torch.load_file(recorded(folder / name, masked.train(training), images))
        safetensors.torch.save_file(points | {"noise": noise}, folder / name)
    return folder


@pytest.mark.parametrize("a, b, who, rate", [
    ("eval", "train", "B", 0.1), ("train", "eval", "A", 0.1), ("train", "again", "A and B", 0.1), ("mae eval", "mae train", "B", 0.3),
    ("mae train", "mae eval", "A", 0.3),
])
def test_a_module_left_in_training_mode_is_named(dropping, a, b, who, rate):
    (finding,) = diff(dropping / a, dropping / b, 1)["findings"]
    assert finding["cause"] == "mode.training" and finding["role"] == "cause" and finding["proof"] == "observed"
    assert finding["summary"] == f"dropout was active when {who} {'were' if ' ' in who else 'was'} recorded"
    assert finding["evidence"]["modules"] == []
    assert numpy.array(finding["evidence"]["rate"]) == pytest.approx(rate, abs=0.03)


def test_what_dropout_looks_like(dropping):
    points = {point["point"]: point for point in diff(dropping / "eval", dropping / "train", 1)["outputs"]}
    assert points["vit.embeddings"]["looks_like"] == "B is A behind dropout of about 0.1"
    points = {point["point"]: point for point in diff(dropping / "again", dropping / "train", 1)["outputs"]}
    assert points["vit.embeddings"]["looks_like"] == "equal but for dropout in both"


@pytest.mark.parametrize("model, trace, point", [("hf", "train", "vit.embeddings"), ("mae", "mae train", ".dropout")])
def test_a_recording_in_training_mode_is_named(dropping, model, trace, point):
    (finding,) = explain(dropping / model, dropping / trace, status=1)["findings"]
    assert (finding["cause"], finding["proof"]) == ("mode.training", "observed") and finding["evidence"]["point"].endswith(point)
    assert causes(explain(dropping / model, dropping / trace.replace("train", "eval"), status=1)) == ["numerics.rounding"]


def edited(model, change):
    other = copy.deepcopy(model)
    with torch.no_grad():
        change(other)
    return other


def scaled(name, factor):
    return lambda model: model.get_parameter(name).mul_(factor)


def recorded_with_seed(path, model, images, seed=None):
    if seed is not None:
        torch.manual_seed(seed)
    return recorded(path, model.train(seed is not None), images)


@pytest.fixture(scope="module")
def faulty(tmp_path_factory):
    """Faults before and behind dropout, recorded in training mode or not."""
    folder = tmp_path_factory.mktemp("faulty")
    model, images = model_with_dropout(folder / "hf")
    recorded_with_seed(folder / "eval", model, images)
    recorded_with_seed(folder / "train", model, images, seed=4)
    for name, weight in (("fc1", "vit.layers.0.mlp.fc1.weight"), ("patches", "vit.embeddings.patch_embeddings.projection.weight"),
                         ("norm", "vit.layers.1.layernorm_before.weight")):
        other = edited(model, scaled(weight, 1.5))
        recorded_with_seed(folder / name, other, images, seed=4)
    for name, heads in (("head 0", slice(0, 16)), ("head 1", slice(16, 32))):
        def prune(model, heads=heads):
            model.vit.layers[0].attention.v_proj.weight[heads] = 0
            model.vit.layers[0].attention.v_proj.bias[heads] = 0

        recorded_with_seed(folder / name, edited(model, prune), images)
    other = ViTForImageClassification.from_pretrained(folder / "hf", hidden_dropout_prob=0.3)
    recorded_with_seed(folder / "more", other, images, seed=4)
    return folder


def test_equal_draws_of_dropout_are_no_cause(faulty):
    found = diff(faulty / "train", faulty / "fc1", 1)
    assert "mode.training" not in causes(found)
    assert next(point["point"] for point in found["outputs"] if point["differing"]) == "vit.layers.0.mlp.fc1"


def test_a_fault_before_dropout_is_not_blamed_on_it(faulty):
    found = diff(faulty / "eval", faulty / "patches", 1)
    assert [(finding["cause"], finding["role"]) for finding in found["findings"]] == [("code.version", "cause"), ("mode.training", "contributes")]
    assert found["findings"][0]["summary"].startswith("the two runs first differ at vit.embeddings.patch_embeddings.projection")
    screen = subprocess.run([str(conftest.PROGRAM), "diff", str(faulty / "eval"), str(faulty / "patches")], capture_output=True, text=True).stdout
    assert screen.startswith("different: the two runs first differ at") and "contributes\n            dropout was active" in screen
    found = explain(faulty / "hf", faulty / "patches", status=1)
    assert [(finding["cause"], finding["role"]) for finding in found["findings"]] == [("code.version", "cause"), ("mode.training", "contributes")]
    assert found["findings"][0]["evidence"]["point"] == "vit.embeddings"


def test_a_fault_behind_dropout_is_proved_where_no_dropout_reaches(faulty):
    fault, dropout = explain(faulty / "hf", faulty / "norm", status=1)["findings"]
    assert (dropout["cause"], fault["cause"], fault["proof"]) == ("mode.training", "code.version", "proved")
    assert fault["evidence"]["point"] == "vit.layers.1.layernorm_before"
    assert causes(explain(faulty / "hf", faulty / "train", status=1)) == ["mode.training"]


def test_rounding_of_half_types_behind_dropout_is_no_fault(faulty, tmp_path):
    torch.manual_seed(1)
    model = ViTForImageClassification.from_pretrained(faulty / "hf").bfloat16().train()
    images = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(4)).bfloat16()
    assert causes(explain(faulty / "hf", recorded(tmp_path / "half", model, images), status=1)) == ["mode.training"]
    with torch.no_grad():
        model.eval().vit.layers[0].layernorm_before.weight.mul_(1e4)
    narrow, fault = explain(faulty / "hf", recorded(tmp_path / "fault", model, images), status=1)["findings"]
    assert narrow["cause"] == "numerics.dtype" and (fault["cause"], fault["proof"]) == ("code.version", "suspected")
    assert fault["evidence"]["point"] == "vit.layers.0.layernorm_before"


def test_pruned_heads_are_no_dropout(faulty):
    assert "mode.training" not in causes(diff(faulty / "head 0", faulty / "head 1", 1))
    assert "mode.training" not in causes(diff(faulty / "eval", faulty / "head 1", 1))


def test_dropout_of_two_rates_is_not_called_one(faulty):
    for finding in diff(faulty / "train", faulty / "more", 1)["findings"]:
        assert finding["cause"] == "mode.training" and "A and B were recorded" in finding["summary"]


def test_other_shapes_are_no_rounding(recordings, tmp_path):
    tensors = safetensors.torch.load_file(recordings / "sdpa")
    tensors["vit.layers.1"] = tensors["vit.layers.1"].transpose(1, 2).contiguous()
    safetensors.torch.save_file(tensors, tmp_path / "t")
    (finding,) = explain(recordings / "hf", tmp_path / "t", status=1)["findings"]
    assert finding["cause"] == "config.changed" and finding["evidence"]["point"] == "vit.layers.1"


def test_a_nan_is_named(recordings, tmp_path):
    tensors = safetensors.torch.load_file(recordings / "sdpa")
    tensors["vit.layers.1"][2, 5, 7] = float("nan")
    safetensors.torch.save_file(tensors, tmp_path / "t")
    (finding,) = explain(recordings / "hf", tmp_path / "t", status=1)["findings"]
    assert finding["evidence"]["point"] == "vit.layers.1" and "NaN" in finding["details"][0]


def with_points(source, path, **points):
    safetensors.torch.save_file(safetensors.torch.load_file(source) | points, path)
    return path


def test_complex_points_are_compared_as_far_as_they_can_be(recordings, tmp_path):
    spectrum = torch.complex(torch.rand(4, 50), torch.rand(4, 50))
    other = spectrum.clone()
    other[1, 3] += 1
    first = with_points(recordings / "sdpa", tmp_path / "a", fft=spectrum, **{"vit.dropout": torch.complex(torch.zeros(9, 9), torch.zeros(9, 9))})
    second = with_points(recordings / "sdpa", tmp_path / "b", fft=other, **{"vit.dropout": torch.complex(torch.zeros(9, 9), torch.ones(9, 9))})
    points = {point["point"]: point for point in diff(first, second, 1)["outputs"]}
    assert points["fft"]["differing"] == 1 and points["vit.dropout"]["differing"] == 81
    third = with_points(recordings / "eager", tmp_path / "c", fft=other)
    assert "code.version" in causes(diff(first, third, 1))  # beyond rounding at fft


@pytest.mark.parametrize("point, status", [("pixel_values", 2), ("vit.layers.0.mlp", 1)])
def test_a_point_in_complex_numbers_is_not_checked(recordings, tmp_path, point, status):
    values = safetensors.torch.load_file(recordings / "sdpa")[point]
    report = explain(recordings / "hf", with_points(recordings / "sdpa", tmp_path / "t", **{point: values.to(torch.complex64)}), status=status)
    assert any(point in line for line in report["not_checked"])


def test_a_point_that_could_not_be_compared_is_not_the_same(tmp_path):
    run(EXAMPLE / "hf", "--trace", tmp_path / "t")
    values = safetensors.torch.load_file(tmp_path / "t")["vit.layers.0.mlp"]
    report = explain(EXAMPLE / "hf", with_points(tmp_path / "t", tmp_path / "u", **{"vit.layers.0.mlp": values.to(torch.complex64)}), status=2)
    assert report["verdict"] == "unknown" and "vit.layers.0.mlp: complex64" in report["not_checked"][0]


@pytest.fixture(scope="module")
def narrow(tmp_path_factory):
    """One model in half precision: other attention kernels, autocast, and one head's values off by a tenth."""
    folder = tmp_path_factory.mktemp("narrow")
    torch.manual_seed(2)
    model = spread(ViTForImageClassification(ViTConfig(**TINY, num_labels=3))).eval()
    model.save_pretrained(folder / "hf")
    images = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(4))
    for name, dtype in (("bfloat16", torch.bfloat16), ("float16", torch.float16)):
        for attention in ("eager", "sdpa"):
            load = functools.partial(ViTForImageClassification.from_pretrained, folder / "hf", attn_implementation=attention)
            recorded(folder / f"{name} {attention}", load(dtype=dtype).eval(), images.to(dtype))
            with torch.autocast("cpu", dtype):
                recorded(folder / f"{name} autocast {attention}", load().eval(), images)
        other = edited(model, lambda model: model.vit.layers[1].attention.v_proj.weight[:16].mul_(1.1))
        recorded(folder / f"{name} head", other.to(dtype), images.to(dtype))
    return folder


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize("how", ["", " autocast"])
def test_the_attention_kernel_is_named_in_half_precision(narrow, dtype, how):
    (finding,) = diff(narrow / f"{dtype}{how} eager", narrow / f"{dtype}{how} sdpa", 1)["findings"]
    assert finding["cause"] == "numerics.attention" and finding["proof"] == "suspected" and f"units of {dtype}" in finding["details"][0]
    assert "attention eager in A, sdpa in B" in finding["details"][1]


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_a_run_under_autocast_is_told_from_one_without(narrow, dtype):
    assert causes(diff(narrow / f"{dtype} sdpa", narrow / f"{dtype} autocast sdpa", 1)) == ["numerics.dtype"]


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_a_head_that_is_off_is_found_behind_rounding_of_half_precision(narrow, dtype, attention):
    (finding,) = diff(narrow / f"{dtype} {attention}", narrow / f"{dtype} head", 1)["findings"]
    assert (finding["cause"], finding["proof"], finding["evidence"]["heads"]) == ("code.version", "suspected", [0])
    assert finding["evidence"]["point"] == "vit.layers.1.attention.v_proj" and finding["settle"]
