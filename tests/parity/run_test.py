"""samebits run: what it prints and saves, over routes, instruction sets, threads and batches."""

import json
import re
import subprocess

import conftest
import pytest
import safetensors.torch
import torch
import transformers
from transformers import ViTMAEForPreTraining
from vit_test import isas

TINY = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "image_size": 16, "patch_size": 8}
EXAMPLE = conftest.ROOT / "examples" / "vit-mae-tiny"


def run(*arguments, status=0):
    words = [str(conftest.PROGRAM), "run", *map(str, arguments)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120)
    assert done.returncode == status, done.stderr
    return done


def report(*arguments):
    return json.loads(run(*arguments, "--json").stdout)


def digests(*arguments):
    return {output["name"]: output["sha256"] for output in report(*arguments)["outputs"]}


def test_the_schema():
    found = report(EXAMPLE / "hf", "--repeat", 3, "--threads", 2, "--isa", "scalar")
    assert found["schema"] == "samebits.run/1" and found["isa"] == "scalar" and found["threads"] == 2
    assert len(found["timing"]["forward_s"]) == 3 and found["timing"]["load_s"] > 0
    shapes = {output["name"]: (output["dtype"], output["shape"]) for output in found["outputs"]}
    assert shapes == {
        "logits": ("float32", [1, 16, 192]), "loss": ("float32", []), "last_hidden_state": ("float32", [1, 5, 32]),
        "mask": ("float32", [1, 16]), "ids_restore": ("int64", [1, 16]),
    }
    assert found["assumed"] == ["input: torch.randn(1, 3, 32, 32), seed 42", "noise: torch.rand(1, 16), seed 42"]


def test_every_route_isa_and_thread_count_gives_the_same_bits():
    given = ["--randn", "5x3x32x32", "--seed", 3, "--noise-seed", 9]
    wanted = digests(EXAMPLE / "hf", *given)
    for isa in isas():
        for threads in (1, 2, 3, 7):
            assert digests(EXAMPLE / "hf", *given, "--isa", isa, "--threads", threads) == wanted
            assert report(EXAMPLE / "hf", "--isa", isa)["isa"] == isa
    assert digests(EXAMPLE / "whole.pth", *given) == wanted
    assert digests(EXAMPLE / "statedict.pth", *given, "--config", EXAMPLE / "hf" / "config.json") == wanted


def test_the_kernels_that_ran_have_a_reason():
    assert report(EXAMPLE / "hf", "--isa", "scalar")["isa_reason"] == "--isa"
    found = report(EXAMPLE / "hf")
    measured = re.fullmatch(r"measured: a product takes (\d+\.\d\d) of its time with (\w+)", found["isa_reason"])
    vectors = set(isas()) - {"scalar"}
    if len(vectors) > 1:
        assert {found["isa"], measured[2]} <= vectors and found["isa"] != measured[2] and 0 < float(measured[1]) < 1.04
    else:
        assert measured is None and "only" in found["isa_reason"]


GIVEN = ["--heads", 4, "--eps", "1e-12", "--act", "gelu", "--image-size", 32, "--decoder-heads", 2, "--mask-ratio", 0.75]


def test_options_say_what_a_state_dict_does_not():
    given = ["--randn", "2x3x32x32", "--seed", 3, "--noise-seed", 9]
    found = report(EXAMPLE / "statedict.pth", *given, *GIVEN)
    assert {output["name"]: output["sha256"] for output in found["outputs"]} == digests(EXAMPLE / "hf", *given)
    assert "config: num_attention_heads 4, as given" in found["assumed"]
    other = digests(EXAMPLE / "statedict.pth", *given, "--heads", 2, *GIVEN[2:])
    assert other["last_hidden_state"] != digests(EXAMPLE / "hf", *given)["last_hidden_state"]


def test_a_state_dict_without_them_is_refused_by_name():
    complaint = run(EXAMPLE / "statedict.pth", status=2).stderr
    for option in ("--heads N", "--eps X", "--act NAME", "--image-size N", "--decoder-heads N", "--mask-ratio R"):
        assert option in complaint
    assert "layer_norm_eps" in complaint
    complaint = run(EXAMPLE / "statedict.pth", *GIVEN[2:], status=2).stderr
    assert "nothing says num_attention_heads, and" in complaint and "--eps" not in complaint
    assert "it takes a whole number" in run(EXAMPLE / "hf", "--heads", 0, status=2).stderr


@pytest.mark.parametrize("option, said", [(["--decoder-heads", 2], "the model has no decoder"), (["--mask-ratio", 0.5], "the model masks no patches"),
                                          (["--act", "relu"], "a gated perceptron is computed with silu alone")])
def test_an_option_that_is_not_read_is_no_assumption(tmp_path, option, said):
    gated = transformers.Dinov2Config(**TINY, use_swiglu_ffn=True)
    transformers.Dinov2Model(gated).save_pretrained(tmp_path)
    assert said in run(tmp_path, *option, status=2).stderr


def test_what_the_names_of_timm_leave_open_is_said(tmp_path):
    transformers.ViTForImageClassification(transformers.ViTConfig(**TINY, intermediate_size=32)).save_pretrained(tmp_path / "hf")
    subprocess.run([str(conftest.PROGRAM), "convert", str(tmp_path / "hf"), str(tmp_path / "timm.pth"), "--to", "timm"], check=True, capture_output=True)
    given = ["--heads", 2, "--eps", "1e-6", "--act", "gelu", "--image-size", 16]
    (said,) = [text for text in report(tmp_path / "timm.pth", *given)["assumed"] if "timm builds the class" in text]
    assert "norms before attention" in said and "global_pool='token'" in said
    assert not [text for text in report(tmp_path / "hf")["assumed"] if "timm" in text]


def test_explain_takes_the_same_options():
    words = [str(conftest.PROGRAM), "explain", *[str(EXAMPLE / "statedict.pth")] * 2, *map(str, GIVEN), "--json"]
    found = json.loads(subprocess.run(words, capture_output=True, text=True, timeout=120).stdout)
    assert found["outputs"] and "A: config from the options" in found["assumed"]


def test_saved_outputs_are_those_of_transformers(tmp_path):
    out = tmp_path / "out.safetensors"
    run(EXAMPLE / "hf", "--randn", "4x3x32x32", "--seed", 42, "--noise-seed", 7, "--mask-ratio", 0.5, "--save", out)
    found = safetensors.torch.load_file(out)
    torch.manual_seed(42)
    images = torch.randn(4, 3, 32, 32)
    torch.manual_seed(7)
    noise = torch.rand(4, 16)
    model = ViTMAEForPreTraining.from_pretrained(EXAMPLE / "hf", mask_ratio=0.5).eval()
    with torch.no_grad():
        wanted = model(images, noise=noise)
    assert torch.equal(found["ids_restore"], wanted.ids_restore) and torch.equal(found["mask"], wanted.mask)
    for name in ("logits", "loss"):
        torch.testing.assert_close(found[name], wanted[name], rtol=1e-5, atol=1e-5)


def test_an_input_file_is_the_input(tmp_path):
    torch.manual_seed(42)
    safetensors.torch.save_file({"pixel_values": torch.randn(2, 3, 32, 32)}, tmp_path / "input.safetensors")
    torch.manual_seed(42)
    safetensors.torch.save_file({"noise": torch.rand(2, 16)}, tmp_path / "noise.safetensors")
    given = ["--input", tmp_path / "input.safetensors", "--noise", tmp_path / "noise.safetensors"]
    found = report(EXAMPLE / "hf", *given)
    assert found["assumed"] == []
    assert {o["name"]: o["sha256"] for o in found["outputs"]} == digests(EXAMPLE / "hf", "--randn", "2x3x32x32")


def test_tied_noise_is_said(tmp_path):
    noise = torch.linspace(0, 1, 16).reshape(1, 16)
    noise[0, 3] = noise[0, 9]
    safetensors.torch.save_file({"noise": noise}, tmp_path / "noise.safetensors")
    assert "two equal numbers" in report(EXAMPLE / "hf", "--noise", tmp_path / "noise.safetensors")["notes"][0]


def save(path, **tensors):
    safetensors.torch.save_file(tensors, path)
    return path


@pytest.mark.parametrize("arguments, message", [
    (["hf", "--randn", "1x4x32x32"], "another shape"), (["hf", "--randn", "1x3xx32"], "no shape"), (["statedict.pth"], "config"),
    (["hf", "--mask-ratio", "1.5"], "--mask-ratio"), (["nosuch"], "No such file"), (["hf", "--isa", "mmx"], "--isa"),
    (["hf", "--randn", "0x3x32x32"], "no shape"), (["hf", "--noise", "nan"], "not finite"), (["hf", "--noise", "short"], "another shape"),
    (["hf", "--input", "half"], "float32"), (["hf", "--input", "two"], "pixel_values"), (["hf", "--save", "/nowhere/out"], "/nowhere"),
    (["hf", "--only", "logit"], "expected last_hidden_state, loss, logits, mask, ids_restore"), (["hf", "--top", "3"], "no classes"),
])
def test_what_cannot_be_run_is_an_error(tmp_path, arguments, message):
    files = {
        "nan": save(tmp_path / "nan", noise=torch.full((1, 16), float("nan"))), "short": save(tmp_path / "short", noise=torch.rand(1, 15)),
        "half": save(tmp_path / "half", pixel_values=torch.rand(1, 3, 32, 32).half()), "two": save(tmp_path / "two", a=torch.ones(1), b=torch.ones(1)),
    }
    words = [files.get(word, EXAMPLE / word if i == 0 else word) for i, word in enumerate(arguments)]
    done = run(*words, status=2)
    assert message in done.stderr and not done.stdout


def test_a_model_of_another_kind_is_refused(tmp_path):
    torch.save(torch.nn.Linear(2, 2).state_dict(), tmp_path / "linear.pth")
    assert "not those of a ViT" in run(tmp_path / "linear.pth", status=2).stderr


def test_the_terminal_report_says_what_ran():
    done = run(EXAMPLE / "hf", "--threads", 1, "--isa", "scalar")
    lines = done.stdout.splitlines()
    assert all(len(line) <= 80 for line in lines)
    assert any("scalar" in line and "1 thread" in line for line in lines)
    assert any(line.split()[:2] == ["logits", "float32"] for line in lines)


def test_weights_that_no_table_knows_may_stand_in_front_of_the_classifier(tmp_path):
    """As timm's attention pooling does: logits without it would be others."""
    torch.manual_seed(1)
    state = {"cls_token": torch.randn(1, 1, 16), "pos_embed": torch.randn(1, 5, 16), "patch_embed.proj.weight": torch.randn(16, 3, 4, 4),
             "patch_embed.proj.bias": torch.randn(16), "norm.weight": torch.randn(16), "norm.bias": torch.randn(16),
             "head.weight": torch.randn(3, 16), "head.bias": torch.randn(3)}
    for name, shape in {"norm1": (16,), "attn.qkv": (48, 16), "attn.proj": (16, 16), "norm2": (16,), "mlp.fc1": (32, 16), "mlp.fc2": (16, 32)}.items():
        state |= {f"blocks.0.{name}.weight": torch.randn(*shape), f"blocks.0.{name}.bias": torch.randn(shape[0])}
    torch.save(state, tmp_path / "plain.pth")
    torch.save(state | {"attn_pool.latent": torch.randn(1, 1, 16), "attn_pool.q.weight": torch.randn(16, 16)}, tmp_path / "pooled.pth")
    torch.save({f"vit.{k}": v for k, v in state.items()} | {"loss.weight": torch.randn(3)}, tmp_path / "beside.pth")
    options = ["--heads", 2, "--eps", 1e-6, "--act", "gelu", "--image-size", 8]
    assert digests(tmp_path / "plain.pth", *options)["logits"] == digests(tmp_path / "beside.pth", *options)["logits"]
    said = run(tmp_path / "pooled.pth", *options, status=2).stderr
    assert "names that no table of VisionTransformer knows: attn_pool.latent and 1 more" in said
