"""samebits explain --with torch of several subjects, of files that hold weights and no class, and of pictures."""

import json
import os

import numpy as np
import PIL.Image
import pytest
import safetensors.torch
import torch
import transformers

import samebits
from sampling import sample
from torch_models import MODELS, TEXT, VISION, causes, changed, explained, saved, with_fields, with_tensors  # noqa: F401

SIZE = {"height": 32, "width": 32}


def weights_of(directory):
    """What state_dict() of its model holds: tied tensors under every name."""
    return getattr(transformers, json.loads((directory / "config.json").read_text())["architectures"][0]).from_pretrained(directory).state_dict()


def causes_beside_alignment(report):
    """Tensors of a file of weights lie in memory of their own, and those of a directory in the mapped file: whether a kernel of PyTorch
    rounds otherwise there depends on the processor."""
    return [each for each in causes(report.data) if each != ("numerics.alignment", "proved")]


def is_alike(pair):
    return pair.verdict == "identical" or pair.max_abs < 1e-5


def saved_as(form, state, path):
    if form == "lightning":
        state = {"state_dict": {f"model.{name}": tensor for name, tensor in state.items()}, "pytorch-lightning_version": "2.4.0", "epoch": 1}
    if form == "safetensors":
        safetensors.torch.save_file({name: tensor.clone() for name, tensor in state.items()}, path)
    else:
        torch.save(state, path)
    return path


@pytest.mark.parametrize("form, name", sample([("state dict", "gpt2"), ("lightning", "bert"), ("safetensors", "t5"), ("state dict", "wav2vec2")], 2))
def test_weights_run_in_the_class_of_the_directory(form, name, saved, tmp_path):
    path = saved_as(form, weights_of(saved(name)), tmp_path / "b")
    report = samebits.explain(saved(name), path, with_="torch")
    assert causes_beside_alignment(report) == [] and report.not_checked in ([], [each for each in report.not_checked if "beside the weights" in each])
    assert report.outputs and all(is_alike(pair) for pair in report.outputs) and report.verdict == ("different" if causes(report.data) else "same")
    assert "B: config from A" in report.assumed and any("weights under the names of A" in sentence for sentence in report.assumed)


@pytest.mark.parametrize("name", sample(["llama", "resnet", "gpt2"], 2))
def test_outputs_of_weights_are_those_of_load_state_dict(name, saved, tmp_path):
    tensor, state = MODELS[name][1], weights_of(saved(name))
    own = next(each for each in state if state[each].shape == safetensors.torch.load_file(saved(name) / "model.safetensors")[tensor].shape
               and torch.equal(state[each], safetensors.torch.load_file(saved(name) / "model.safetensors")[tensor]))  # fmt: skip
    path = saved_as("lightning", state | {own: state[own] * 1.5}, tmp_path / "b.ckpt")
    report = samebits.explain(path, saved(name), with_="torch")
    assert causes_beside_alignment(report) == [("weights.changed", "proved")] and "A: config from B" in report.assumed
    model = type(MODELS[name][0]()).from_pretrained(saved(name))
    model.load_state_dict(state | {own: state[own] * 1.5}, strict=True)
    ran = samebits.explain_live(model, type(model).from_pretrained(saved(name)), given_of(report))
    assert (ran.outputs["differing"], ran.outputs["elements"]) == (report.outputs[0].differing, report.outputs[0].elements)


def given_of(report):
    """The input that the report names, made once more."""
    from samebits import live_inputs

    (model,) = [each for each in report.subjects if each.kind == "hf-directory"]
    kind = getattr(transformers, model.config.architectures[0])
    return live_inputs.made([kind.from_pretrained(model.path)], 42)[0]


def test_weights_that_do_not_fit_are_named_and_not_run(saved, tmp_path):
    state = weights_of(saved("bert"))
    bias, query = "bert.encoder.layer.1.output.dense.bias", "bert.encoder.layer.0.attention.self.query.weight"
    other = {
        "less": ({name: tensor for name, tensor in state.items() if name != bias}, f"1 tensor is missing: {bias}"),
        "more": (state | {"more.weight": torch.randn(4, 4)}, "is not what its model has there: more.weight"),
        "untied": (state | {"cls.predictions.decoder.weight": torch.randn(60, 32)}, "is not what its model has there: cls.predictions.decoder.weight"),
        "transposed": (state | {query: state[query].t().contiguous()}, f"are not rearranged: {query}"),
    }
    for name, (tensors, said) in other.items():
        torch.save(tensors, tmp_path / name)
        report = samebits.explain(saved("bert"), tmp_path / name, with_="torch")
        assert not report.outputs and any(said in sentence for sentence in report.not_checked), (name, report.not_checked)
        assert report.verdict in ("different", "unknown")
    torch.save(state | {"bert.embeddings.position_ids": torch.arange(24)[None]}, tmp_path / "computed")
    report = samebits.explain(saved("bert"), tmp_path / "computed", with_="torch")
    assert causes_beside_alignment(report) == [] and report.outputs and all(is_alike(pair) for pair in report.outputs)


def test_exchanged_blocks_run_as_they_are_named(saved, tmp_path):
    """The renaming by values would undo the exchange, and the outputs would agree."""
    state = weights_of(saved("bert"))
    names = {name: name.replace("layer.0.", "layer.x.").replace("layer.1.", "layer.0.").replace("layer.x.", "layer.1.") for name in state}
    torch.save({name: state[names[name]] for name in state}, tmp_path / "b")
    report = samebits.explain(saved("bert"), tmp_path / "b", with_="torch")
    assert causes_beside_alignment(report) == [("weights.rearranged", "proved")] and report.outputs[0].differing > 0


def test_weights_without_any_class_are_refused(saved, tmp_path):
    path = saved_as("state dict", weights_of(saved("bert")), tmp_path / "b")
    report = samebits.explain(path, path, with_="torch")
    assert report.verdict == "unknown" and "name a directory of transformers" in report.not_checked[0]


def test_a_pickle_of_weights_executes_nothing(saved, tmp_path):
    """With the flag that lets whole modules run, too."""

    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "ran"),)

    torch.save({"state_dict": weights_of(saved("bert")), "more": Evil()}, tmp_path / "b")
    for trust_code in (False, True):
        samebits.explain(saved("bert"), tmp_path / "b", with_="torch", trust_code=trust_code)
        assert not (tmp_path / "ran").exists()


def test_several_subjects_are_each_held_against_the_first(saved, tmp_path, program):
    field = with_fields(saved("swin"), tmp_path / "c", MODELS["swin"][2])
    tensor = with_tensors(saved("swin"), tmp_path / "d", changed(MODELS["swin"][1]))
    status, report = explained(program, saved("swin"), with_fields(saved("swin"), tmp_path / "b", {}), field, tensor, "--with", "torch")
    assert status == 1 and [(each["a"], each["b"], each["differing"] > 0) for each in report["outputs"]] == [
        ("A", "B", False), ("A", "C", True), ("A", "D", True)]  # fmt: skip
    found = {tuple(finding["subjects"]): finding for finding in report["findings"] if finding["role"] == "cause"}
    assert {labels: (finding["cause"], finding["proof"]) for labels, finding in found.items()} == {
        ("A", "C"): ("config.changed", "proved"), ("A", "D"): ("weights.changed", "proved")}  # fmt: skip
    assert "D with the weights of A gives A's outputs, bit for bit" in " ".join(found["A", "D"]["details"])
    lines = [line["run"] for line in report["runs"]]
    assert len(lines) == len(set(lines)) and lines.count("A twice, with fresh random numbers") == 1


def mae():
    sizes = dict(decoder_hidden_size=16, decoder_num_hidden_layers=1, decoder_num_attention_heads=2, decoder_intermediate_size=32)
    return transformers.ViTMAEForPreTraining(transformers.ViTMAEConfig(**VISION, **sizes))


def test_what_every_pass_draws_is_one_finding_of_all_and_other_numbers_in_each(tmp_path):
    torch.manual_seed(1)
    mae().eval().save_pretrained(tmp_path / "a")
    report = samebits.explain(*[tmp_path / "a"] * 3, with_="torch")
    (finding,) = [each for each in report.findings if each.cause == "rng.noise"]
    assert (finding.subjects, finding.proof) == (["A", "B", "C"], "proved") and finding.evidence.equal_with_one_seed
    assert "A and B give the same bits" in " ".join(finding.details) and "A and C give the same bits" in " ".join(finding.details)
    assert {(pair.b, pair.differing > 0) for pair in report.outputs if pair.point == "logits"} == {("B", True), ("C", True)}


def test_one_that_cannot_run_does_not_keep_the_others(saved):
    report = samebits.explain(saved("bert"), saved("swin"), saved("bert"), with_="torch")
    assert [(pair.b, pair.verdict) for pair in report.outputs] == [("C", "identical")] and report.outputs[0].elements > 60
    assert any(sentence.startswith("outputs: B was not run: ") for sentence in report.not_checked)
    report = samebits.explain(saved("bert"), saved("swin"), saved("bert"), with_="torch", x={"nothing": torch.ones(1)})
    assert any("A was not run: " in each and "the others are compared with it, and were not either" in each for each in report.not_checked)


@pytest.fixture
def pictures(tmp_path):
    generator, paths = np.random.default_rng(1), []
    for name, size in (("a.png", (40, 50, 3)), ("b.png", (33, 64, 3))):
        paths.append(tmp_path / name)
        PIL.Image.fromarray(generator.integers(0, 255, size, dtype=np.uint8)).save(paths[-1])
    return paths


def with_processor(directory, **fields):
    transformers.ViTImageProcessor(size=SIZE, **fields).save_pretrained(directory)
    return directory


def test_pictures_are_prepared_by_each_ones_own_processor(saved, pictures, tmp_path, program):
    a, b = (with_processor(with_fields(saved("swin"), tmp_path / name, {}), image_mean=mean) for name, mean in (("a", [0.5] * 3), ("b", [0.5, 0.4, 0.5])))
    path = saved_as("state dict", weights_of(a), tmp_path / "c.pth")
    status, report = explained(program, a, b, path, "--with", "torch", "--images", *pictures)
    (finding,) = [each for each in report["findings"] if each["cause"] == "input.preprocessing"]
    assert (status, finding["role"], finding["proof"], finding["subjects"]) == (1, "cause", "proved", ["A", "B"])
    images = [PIL.Image.open(each) for each in pictures]
    pixels = [transformers.AutoImageProcessor.from_pretrained(each)(images=images, return_tensors="pt").pixel_values for each in (a, b)]
    assert f"{int((pixels[0] != pixels[1]).sum())} of {pixels[0].numel()} numbers differ, up to 0.2" in finding["details"][-2]
    assert "on A's input the outputs are equal, bit for bit; on B's own 4 of 4 elements differ at logits" in finding["details"][-1]
    model = transformers.SwinForImageClassification.from_pretrained(a)
    with torch.no_grad():
        ours, theirs = (model(each).logits for each in pixels)
    assert report["outputs"][0]["max_abs"] == pytest.approx((ours.double() - theirs.double()).abs().max().item(), rel=1e-12)
    assert report["outputs"][1]["b"] == "C" and report["outputs"][1]["max_abs"] < 1e-5
    assert "images of C: as A's processor prepares them" in report["assumed"] and "B on what its own processor makes of the images" in str(report["runs"])
    one = samebits.explain(a, b, with_="torch", images=pictures, processor=a / "preprocessor_config.json")
    assert one.outputs[0].verdict == "identical" and one.findings[0].cause == "input.preprocessing" and one.findings[0].role == "risk"


def test_pictures_go_with_texts(saved, pictures, tmp_path):
    a = with_processor(with_fields(saved("clip"), tmp_path / "a", {}))
    report = samebits.explain(a, a, with_="torch", images=pictures)
    assert report.verdict == "same" and any("once for each of the 2 images" in sentence for sentence in report.assumed)


def test_pictures_that_cannot_be_an_input_are_said(saved, pictures, tmp_path):
    (tmp_path / "no.png").write_text("no picture")
    own = with_processor(with_fields(saved("swin"), tmp_path / "own", {}))
    broken = with_fields(own, tmp_path / "broken", {})
    (broken / "preprocessor_config.json").write_text('{"image_processor_type": "NoSuch"}')
    for paths, images, said in (
        ((saved("bert"), saved("bert")), pictures, "A was not run: its forward pass takes no images"),
        ((saved("swin"), own), pictures, "A was not run: it has no preprocessor_config.json"),
        ((own, own), [tmp_path / "no.png"], "no.png cannot be read as a picture"),
        ((broken, own), pictures, "A was not run: its processor prepares no images"),
        ((own, broken), pictures, "images of B: its processor prepares no images"),
    ):
        report = samebits.explain(*paths, with_="torch", images=images)
        assert report.verdict == "unknown" and any(said in sentence for sentence in report.not_checked), (said, report.not_checked)


def test_an_input_file_that_is_none_is_said(saved, tmp_path, program):
    (tmp_path / "x.safetensors").write_text("nothing")
    status, report = explained(program, saved("swin"), saved("swin"), "--with", "torch", "--input", tmp_path / "x.safetensors")
    assert status == 2 and report["verdict"] == "unknown" and "x.safetensors cannot be read" in report["not_checked"][0]


def test_a_class_that_is_not_there_is_said(saved, tmp_path):
    other = with_fields(saved("bert"), tmp_path / "b", {"architectures": ["BertForNothing"]})
    report = samebits.explain(saved("bert"), other, with_="torch")
    (said,) = [each for each in report.assumed if each.startswith("B: BertModel in")]
    assert "its config names BertForNothing, which this transformers has not: AutoModel chose the class" in said
    assert any("BertModel has no place for cls." in sentence for sentence in report.assumed)


def test_memory_that_is_not_there_is_said(saved, tmp_path):
    vast = with_fields(saved("llama"), tmp_path / "b", {"hidden_size": 1 << 20, "vocab_size": 1 << 28})
    report = samebits.explain(saved("llama"), vast, with_="torch")
    assert report.verdict != "same" and "B was not run: it cannot be loaded: " in " ".join(report.not_checked)


@pytest.mark.parametrize("function", ["explain", "check"])
def test_a_python_without_torch_says_so(function, bare, saved, wheel, tmp_path):
    import subprocess

    program = f"""
import sys; sys.path.insert(0, {str(wheel.parent / "site")!r})
import samebits
try:
    {"samebits.explain(sys.argv[1], sys.argv[1], with_='torch')" if function == "explain" else "samebits.check(sys.argv[1], 'transformers-5', with_='torch')"}
except samebits.Error as error:
    print(error.code, error)
"""
    done = subprocess.run([bare, "-P", "-c", program, saved("bert")], capture_output=True, text=True)
    assert done.stdout.startswith("unsupported") and "needs torch and transformers" in done.stdout, done
