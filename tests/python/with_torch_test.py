"""samebits explain --with torch: directories of classes that the engine does not run, explained by runs in PyTorch."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest
import safetensors.torch
import torch
import transformers

import samebits
from sampling import sample
from torch_models import MODELS, bert, causes, changed, explained, saved, with_fields, with_tensors  # noqa: F401


@pytest.mark.parametrize("name", sample(MODELS, 3))
def test_equal_directories_are_the_same(name, saved, tmp_path):
    copied = with_fields(saved(name), tmp_path / "b", {})
    report = samebits.explain(saved(name), copied, with_="torch")
    assert (report.verdict, report.exit_status, report.not_checked) == ("same", 0, [])
    assert report.outputs[0].verdict == "identical" and report.outputs[0].elements > 0
    assert report.runs[-1].outcome == "the same bits"
    assert MODELS[name][0].__name__ in " ".join(report.assumed).lower()


@pytest.mark.parametrize("name", sample(MODELS, 2))
def test_one_changed_tensor_is_the_proved_cause(name, saved, tmp_path):
    tensor = MODELS[name][1]
    other = with_tensors(saved(name), tmp_path / "b", changed(tensor))
    report = samebits.explain(saved(name), other, with_="torch")
    assert report.verdict == "different" and report.outputs[0].differing > 0
    assert causes(report.data) == [("weights.changed", "proved")]
    assert report.findings[0].evidence.minimal == [tensor] and report.findings[0].evidence.is_minimal


@pytest.mark.parametrize("name", sample([*MODELS][::-1], 2))
def test_one_changed_field_is_the_proved_cause(name, saved, tmp_path):
    fields = MODELS[name][2]
    report = samebits.explain(saved(name), with_fields(saved(name), tmp_path / "b", fields), with_="torch")
    assert report.verdict == "different" and causes(report.data) == [("config.changed", "proved")]
    assert report.findings[0].evidence.minimal == list(fields)
    assert list(report.findings[0].evidence.fields) == list(fields)


def test_a_field_inside_a_field_is_proved_and_not_the_buffer_that_is_computed_of_it(saved, tmp_path):
    rope = json.loads((saved("llama") / "config.json").read_text())["rope_parameters"]
    other = with_fields(saved("llama"), tmp_path / "b", {"rope_parameters": rope | {"rope_theta": 500000.0}})
    report = samebits.explain(saved("llama"), other, with_="torch")
    assert causes(report.data) == [("config.changed", "proved")]
    assert list(report.findings[0].evidence.fields) == ["rope_parameters.rope_theta"]


@pytest.mark.parametrize("name", ["bert", "resnet"])
def test_outputs_are_those_of_from_pretrained(name, saved, tmp_path):
    other = with_tensors(saved(name), tmp_path / "b", changed(MODELS[name][1]))
    given = {"input_ids": torch.tensor([[3, 1, 4, 1, 5]])} if name == "bert" else {"pixel_values": torch.ones(1, 3, 32, 32)}
    report = samebits.explain(saved(name), other, with_="torch", x=given)
    kind = type(MODELS[name][0]())
    with torch.no_grad():
        a, b = (kind.from_pretrained(path)(**given).logits for path in (saved(name), other))
    assert report.outputs[0].point == "logits" and report.outputs[0].elements == a.numel()
    assert report.outputs[0].differing == int((a != b).sum())
    assert report.outputs[0].max_abs == pytest.approx((a.double() - b.double()).abs().max().item(), rel=1e-12)


def test_the_program_gives_what_the_function_gives(saved, tmp_path, program):
    other = with_tensors(saved("bert"), tmp_path / "b", changed(MODELS["bert"][1]))
    status, report = explained(program, saved("bert"), other, "--with", "torch", "--threads", "1")
    ours = samebits.explain(saved("bert"), other, with_="torch", threads=1)
    assert status == 1 and report == json.loads(ours.to_json())


def test_a_narrower_type_is_proved_with_its_field_and_its_weights(saved, tmp_path):
    transformers.GPT2LMHeadModel.from_pretrained(saved("gpt2")).to(torch.bfloat16).save_pretrained(tmp_path / "b")
    report = samebits.explain(saved("gpt2"), tmp_path / "b", with_="torch", budget=60)
    assert causes(report.data) == [("weights.rounded", "proved"), ("config.changed", "proved")] or causes(report.data) == [
        ("weights.rounded", "proved"),
        ("numerics.dtype", "proved"),
    ]
    assert report.findings[0].evidence.is_minimal and report.verdict == "different"


def test_fewer_layers_are_a_field_and_what_stands_in_one_file_alone(saved, tmp_path):
    model = transformers.BertForMaskedLM.from_pretrained(saved("bert"))
    model.bert.encoder.layer = model.bert.encoder.layer[:1]
    model.config.num_hidden_layers = 1
    model.save_pretrained(tmp_path / "b")
    report = samebits.explain(saved("bert"), tmp_path / "b", with_="torch")
    proved = {finding.cause: finding.evidence.minimal for finding in report.findings if finding.proof == "proved"}
    assert proved["config.changed"] == ["num_hidden_layers"]
    assert len(proved["weights.missing"]) > 1 and all(".layer.1." in name for name in proved["weights.missing"])


def test_tensors_that_files_lack_are_random_and_that_is_proved(saved, tmp_path):
    def without(tensors):
        return {name: tensor for name, tensor in tensors.items() if name != "cls.predictions.transform.dense.weight"}

    other = with_tensors(saved("bert"), tmp_path / "b", without)
    report = samebits.explain(saved("bert"), other, with_="torch")
    (finding,) = [finding for finding in report.findings if finding.cause == "weights.reinitialized"]
    assert (finding.proof, finding.role, finding.subjects) == ("proved", "cause", ["B"])
    assert finding.evidence.tensors == ["cls.predictions.transform.dense.weight"]


def test_constants_that_files_lack_are_not_said_to_be_random(saved, tmp_path):
    """A new norm has ones and zeros in every load, and outputs depend on it all the same."""
    source = with_tensors(saved("bert"), tmp_path / "a", lambda tensors: {n: t * 1.5 if "LayerNorm" in n else t for n, t in tensors.items()})
    other = with_tensors(saved("bert"), tmp_path / "b", lambda tensors: {n: t for n, t in tensors.items() if "output.LayerNorm" not in n})
    report = samebits.explain(source, other, with_="torch")
    said = [line for line in report.data["assumed"] if "none of its files" in line]
    assert report.verdict == "different" and len(said) == 1 and "left at the values of a new model, the same in every load" in said[0]
    assert not any(f.cause == "weights.reinitialized" and f.proof == "proved" for f in report.findings) and "drawn at random" not in str(report.data)


def test_a_part_that_the_input_does_not_reach_is_said(tmp_path, saved):
    vision = transformers.CLIPVisionConfig(hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64, image_size=32, patch_size=8)
    text = transformers.LlamaConfig(hidden_size=32, num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=2, intermediate_size=64, vocab_size=60)
    torch.manual_seed(0)
    model = transformers.LlavaForConditionalGeneration(transformers.LlavaConfig(vision_config=vision, text_config=text, image_token_index=59))
    model.save_pretrained(tmp_path / "a")
    model.save_pretrained(tmp_path / "b")
    report = samebits.explain(tmp_path / "a", tmp_path / "b", with_="torch")
    assert any("vision_tower did not run on this input" in line for line in report.data["assumed"])
    for name in ("bert", "t5", "gpt2"):
        assert not any("did not run" in line for line in samebits.explain(saved(name), saved(name), with_="torch").data["assumed"])


def test_running_statistics_are_found_and_proved(saved, tmp_path):
    model = transformers.ResNetForImageClassification.from_pretrained(saved("resnet")).train()
    with torch.no_grad():
        model(torch.randn(4, 3, 32, 32))
    model.save_pretrained(tmp_path / "b")
    report = samebits.explain(saved("resnet"), tmp_path / "b", with_="torch", x=torch.ones(1, 3, 32, 32), budget=100)
    assert causes(report.data) == [("state.buffers", "proved")]
    assert all(name.endswith(("running_mean", "running_var")) for name in report.findings[0].evidence.minimal)


@pytest.fixture
def modules(tmp_path):
    """A pickled module in eval mode, and the same one in training mode."""
    torch.manual_seed(1)
    model = bert().eval()
    torch.save(model, tmp_path / "eval.pth")
    torch.save(model.train(), tmp_path / "train.pth")
    return tmp_path / "eval.pth", tmp_path / "train.pth"


def test_a_pickled_module_is_run_where_that_is_allowed_and_its_mode_is_proved(modules):
    refused = samebits.explain(*modules, with_="torch")
    assert "--trust-code" in refused.not_checked[0] and not refused.outputs
    report = samebits.explain(*modules, with_="torch", trust_code=True)
    assert report.verdict == "different" and ("mode.training", "proved") in causes(report.data)
    assert "B run twice differs from itself" in str(report)


OWN_CODE = """
import pathlib, torch, transformers
pathlib.Path(__file__).parent  # somewhere
open({marker!r}, "a").write("ran")

class OwnConfig(transformers.PretrainedConfig):
    model_type = "own_model"
    width = 8

class OwnModel(transformers.PreTrainedModel):
    config_class = OwnConfig
    def __init__(self, config):
        super().__init__(config)
        self.fc = torch.nn.Linear(8, 8)
        self.post_init()
    def forward(self, pixel_values):
        return self.fc(pixel_values)
"""


def test_code_that_a_directory_brings_runs_where_that_is_allowed_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_MODULES_CACHE", str(tmp_path / "modules"))
    marker, weights = tmp_path / "marker", {"fc.weight": torch.randn(8, 8), "fc.bias": torch.randn(8)}
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / "own.py").write_text(OWN_CODE.format(marker=str(marker)))
        config = {"model_type": "own_model", "auto_map": {"AutoConfig": "own.OwnConfig", "AutoModel": "own.OwnModel"}}
        (tmp_path / name / "config.json").write_text(json.dumps(config))
        safetensors.torch.save_file(weights, tmp_path / name / "model.safetensors", metadata={"format": "pt"})
    refused = samebits.explain(tmp_path / "a", tmp_path / "b", with_="torch")
    assert refused.verdict == "unknown" and "--trust-code" in refused.not_checked[0] and not marker.exists()
    report = samebits.explain(tmp_path / "a", tmp_path / "b", with_="torch", trust_code=True, x=torch.ones(2, 8))
    assert marker.exists() and report.outputs[0].verdict == "identical" and report.outputs[0].point == "output"


def test_bin_files_are_loaded_where_that_is_allowed(saved, tmp_path):
    for name in "ab":
        subprocess.run(["cp", "-r", saved("bert"), tmp_path / name], check=True)
        tensors = safetensors.torch.load_file(tmp_path / name / "model.safetensors")
        torch.save(tensors, tmp_path / name / "pytorch_model.bin")
        (tmp_path / name / "model.safetensors").unlink()
    refused = samebits.explain(tmp_path / "a", tmp_path / "b", with_="torch")
    assert refused.verdict == "unknown" and "--trust-code" in refused.not_checked[0]
    report = samebits.explain(tmp_path / "a", tmp_path / "b", with_="torch", trust_code=True)
    assert report.outputs[0].verdict == "identical"


@pytest.mark.parametrize(
    "fields, said",
    [
        ({"num_attention_heads": 5}, "it cannot be loaded: ValueError"),
        ({"hidden_size": 64}, "it cannot be loaded: RuntimeError: its class has other shapes by its config"),
        ({"hidden_act": "nosuch"}, "it cannot be loaded: KeyError"),
        ({"model_type": "nosuch", "architectures": None}, f"transformers {transformers.__version__} has no model type nosuch"),
        ({"num_hidden_layers": "two"}, "it cannot be loaded: "),
    ],
)
def test_a_directory_that_cannot_be_loaded_is_said(fields, said, saved, tmp_path):
    report = samebits.explain(saved("bert"), with_fields(saved("bert"), tmp_path / "b", fields), with_="torch")
    assert f"outputs: B was not run: {said}" in " ".join(report.not_checked) and not report.outputs
    assert report.verdict in ("different", "unknown")


def test_a_class_that_is_no_model_is_not_called(saved, tmp_path):
    other = with_fields(saved("bert"), tmp_path / "b", {"architectures": ["AutoTokenizer"]})
    report = samebits.explain(saved("bert"), other, with_="torch")
    assert any("B: BertModel" in sentence for sentence in report.assumed)


def test_the_input_is_seeded_or_given(saved, tmp_path, program):
    other = with_tensors(saved("swin"), tmp_path / "b", changed(MODELS["swin"][1]))
    first, seeded = (samebits.explain(saved("swin"), other, with_="torch", seed=seed) for seed in (1, 2))
    assert first.outputs[0].max_abs != seeded.outputs[0].max_abs
    x = torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    safetensors.torch.save_file({"pixel_values": x}, tmp_path / "x.safetensors")
    status, report = explained(program, saved("swin"), other, "--with", "torch", "--input", tmp_path / "x.safetensors")
    assert status == 1 and report["outputs"] == first.data["outputs"]
    both = samebits.explain(saved("swin"), other, with_="torch", randn=[2, 3, 32, 32])
    assert both.outputs[0].elements == 2 * first.outputs[0].elements


def test_an_input_that_does_not_fit_is_said(saved):
    report = samebits.explain(saved("bert"), saved("bert"), with_="torch", x={"input_ids": torch.tensor([[1000]])})
    assert report.verdict == "unknown" and "A was not run: its forward pass raises IndexError" in report.not_checked[0]


def test_generators_threads_and_modes_are_left_as_they_were(saved):
    torch.manual_seed(3)
    before, threads = torch.get_rng_state(), torch.get_num_threads()
    samebits.explain(saved("gpt2"), saved("gpt2"), with_="torch", threads=1)
    assert torch.equal(torch.get_rng_state(), before) and torch.get_num_threads() == threads and torch.is_grad_enabled()


def test_an_unknown_names_this_where_it_would_help(saved, tmp_path, program):
    status, report = explained(program, saved("bert"), saved("bert"))
    assert status == 2 and "samebits explain --with torch" in report["not_checked"][0]
    bare = tmp_path / "a.safetensors"
    subprocess.run(["cp", saved("bert") / "model.safetensors", bare], check=True)
    status, report = explained(program, bare, bare)
    assert status == 2 and "--with torch" not in " ".join(report["not_checked"])


def test_without_an_interpreter_for_it_the_program_says_what_is_lacking(saved, tmp_path, program):
    for python, lack in (("/nowhere/python", "cannot be started"), ("/bin/false", "is no Python 3.11 or later")):
        status, report = explained(program, saved("bert"), saved("bert"), "--with", "torch", SAMEBITS_PYTHON=python)
        assert status == 2 and report["verdict"] == "unknown" and f"{python} {lack}" in report["not_checked"][0]
    status, report = explained(program, saved("bert"), saved("bert"), "--with", "torch", PYTHONPATH=str(tmp_path))
    assert status == 2 and f"{sys.executable} lacks samebits" in report["not_checked"][0]


def test_the_first_interpreter_that_can_is_taken(saved, tmp_path, program):
    """One beside the program that lacks everything, and one of the PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "python3").write_text(f"#!/bin/sh\nexec {sys.executable} \"$@\"\n")
    (folder / "python3").chmod(0o755)
    path = f"{folder}:{os.environ['PATH']}"
    status, report = explained(program, saved("bert"), saved("bert"), "--with", "torch", SAMEBITS_PYTHON="", PATH=path)
    assert status == 0 and report["verdict"] == "same"


def test_a_process_that_ends_badly_is_said_and_its_answer_is_not_believed(saved, tmp_path, program):
    def status_of(script):
        (tmp_path / "python").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "python").chmod(0o755)
        words = (saved("bert"), saved("bert"), "--with", "torch")
        status, report = explained(program, *words, SAMEBITS_PYTHON=str(tmp_path / "python"))
        assert status == 2 and report["verdict"] == "unknown" and not report["outputs"]
        return report["not_checked"][0]

    probe = 'test "$2" = -c && exit 0'
    assert "ended with status 3: no memory" in status_of(f"{probe}\necho no memory >&2\nexit 3")
    assert "ended by signal 9" in status_of(f"{probe}\nkill -9 $$")
    assert "what PyTorch's side answered cannot be read" in status_of(f"{probe}\nprintf '\\002\\000\\000\\000\\000\\000\\000\\000{{}}'")
    assert "outputs: " in status_of(f"{probe}\necho hello")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_the_process_ends_with_the_program(number, saved, tmp_path, program):
    told = tmp_path / "told"
    (tmp_path / "python").write_text(f'#!/bin/sh\ntest "$2" = -c && exit 0\necho $$ > {told}.new && mv {told}.new {told}\nexec sleep 600\n')
    (tmp_path / "python").chmod(0o755)
    environment = {**os.environ, "SAMEBITS_PYTHON": str(tmp_path / "python")}
    words = [program, "explain", saved("bert"), saved("bert"), "--with", "torch"]
    with subprocess.Popen(words, env=environment, stderr=subprocess.DEVNULL) as started:
        wait_for(told.exists)
        child = int(told.read_text())
        started.send_signal(number)
        assert started.wait(30) == -number
    wait_for(lambda: not is_running(child))


def wait_for(happened, seconds=30):
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.02)


def is_running(process):
    try:
        return pathlib.Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_no_module_of_the_current_folder_is_imported(saved, tmp_path, program, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("torch", "samebits", "json"):
        (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    status, report = explained(program, saved("bert"), saved("bert"), "--with", "torch")
    assert status == 0 and not (tmp_path / "ran").exists()


def test_what_does_not_go_together_is_a_usage_error(saved, program):
    for words in (
        (saved("bert"), saved("bert"), "--with", "torch", "--images", "a.png", "--pillow", "12"),
        (saved("bert"), saved("bert"), "--with", "jax"),
        (saved("bert"), saved("bert"), "--with", "torch", "--files-only"),
        (saved("bert"), saved("bert"), "--trust-code"),
        (saved("bert"), saved("bert"), "--with", "torch", "--eps", "1e-5"),
        (saved("bert"), saved("bert"), "--with", "torch", "--key", "model"),
    ):
        done = subprocess.run([program, "explain", *map(str, words)], capture_output=True, text=True)
        assert done.returncode == 2 and done.stderr.startswith("samebits: ")
    for asked in (dict(with_="jax"), dict(with_="torch", files_only=True), dict(with_="torch", key="model")):
        with pytest.raises(samebits.Error, match="with_ is"):
            samebits.explain(saved("bert"), saved("bert"), **asked)
