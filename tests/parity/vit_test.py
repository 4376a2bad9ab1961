"""The forward pass against transformers: our error at most PyTorch's own, the same masks, and the same bits everywhere.

The truth is the same model in float64. SAMEBITS_VIT_RUN names the program vit_run (default: beside the program under test).
"""

import copy
import json
import os
import pathlib
import subprocess

import conftest
import numpy
import pytest
import torch
from transformers import (
    DeiTConfig, DeiTForImageClassification, DeiTForImageClassificationWithTeacher, DeiTModel, Dinov2Config, Dinov2ForImageClassification,
    Dinov2Model, Dinov2WithRegistersConfig, Dinov2WithRegistersForImageClassification, Dinov2WithRegistersModel, ViTConfig,
    ViTForImageClassification, ViTMAEConfig, ViTMAEForPreTraining, ViTMAEModel, ViTModel,
)

RUN = pathlib.Path(os.environ.get("SAMEBITS_VIT_RUN", conftest.PROGRAM.parent / "vit_run"))
TINY = dict(hidden_size=48, num_attention_heads=3, num_hidden_layers=3, intermediate_size=96, image_size=32, patch_size=8)
DINO = dict(hidden_size=48, num_attention_heads=3, num_hidden_layers=3, mlp_ratio=2, image_size=32, patch_size=8)
DECODER = dict(decoder_hidden_size=32, decoder_num_attention_heads=2, decoder_num_hidden_layers=2, decoder_intermediate_size=64)


def isas():
    flags = pathlib.Path("/proc/cpuinfo").read_text()
    return ["scalar"] + ["avx2"] * (" avx2 " in flags) + ["avx512"] * (" avx512vl " in flags)


def spread(model):
    """Weights of the size that trained models have: at initialization every layer does nearly nothing."""
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "decoder_pos_embed" not in name:
                parameter.add_(torch.randn(parameter.shape, generator=generator) * (0.1 if parameter.dim() > 1 else 0.3))
    return model.eval()


MODELS = {
    "ViTModel": lambda: ViTModel(ViTConfig(**TINY)),
    "ViTModel-without-pooler": lambda: ViTModel(ViTConfig(**TINY), add_pooling_layer=False),
    "ViTModel-without-qkv-bias": lambda: ViTModel(ViTConfig(**TINY | {"qkv_bias": False})),
    "ViTForImageClassification": lambda: ViTForImageClassification(ViTConfig(**TINY, num_labels=7)),
    "ViTMAEModel": lambda: ViTMAEModel(ViTMAEConfig(**TINY)),
    "ViTMAEForPreTraining": lambda: ViTMAEForPreTraining(ViTMAEConfig(**TINY, **DECODER)),
    "DeiTModel": lambda: DeiTModel(DeiTConfig(**TINY)),
    "DeiTForImageClassification": lambda: DeiTForImageClassification(DeiTConfig(**TINY, num_labels=7)),
    "DeiTForImageClassificationWithTeacher": lambda: DeiTForImageClassificationWithTeacher(DeiTConfig(**TINY, num_labels=7)),
    "Dinov2Model": lambda: Dinov2Model(Dinov2Config(**DINO)),
    "Dinov2Model-swiglu": lambda: Dinov2Model(Dinov2Config(**DINO, use_swiglu_ffn=True)),
    "Dinov2ForImageClassification": lambda: Dinov2ForImageClassification(Dinov2Config(**DINO, num_labels=7)),
    "Dinov2WithRegistersModel": lambda: Dinov2WithRegistersModel(Dinov2WithRegistersConfig(**DINO, num_register_tokens=3)),
    "Dinov2WithRegistersForImageClassification": lambda: Dinov2WithRegistersForImageClassification(
        Dinov2WithRegistersConfig(**DINO, num_register_tokens=4, num_labels=7)),
    "ViTMAEForPreTraining-norm-pix": lambda: ViTMAEForPreTraining(ViTMAEConfig(**TINY, **DECODER, norm_pix_loss=True, mask_ratio=0.5)),
}


@pytest.fixture(scope="module", params=MODELS)
def saved(request, tmp_path_factory):
    torch.manual_seed(1)
    model = spread(MODELS[request.param]())
    folder = tmp_path_factory.mktemp("vit") / request.param
    model.save_pretrained(folder)
    return model, folder


def inputs(config, batch, seed=5):
    generator = torch.Generator().manual_seed(seed)
    images = torch.randn(batch, config.num_channels, config.image_size, config.image_size, generator=generator)
    return images, torch.rand(batch, (config.image_size // config.patch_size) ** 2, generator=generator)


def run(path, images, noise, out, isa="avx2", threads=2, config="-", ratio=0.75, dropout_seed=None):
    out.mkdir(parents=True, exist_ok=True)
    (out / "images").write_bytes(images.numpy().tobytes())
    (out / "noise").write_bytes(noise.numpy().tobytes())
    batch = f"{len(images)}:{images.shape[2]}x{images.shape[3]}"
    threads = threads if dropout_seed is None else f"{threads}:{dropout_seed}"
    words = [RUN, path, config, out / "images", out / "noise", batch, ratio, isa, threads, out]
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return {file.stem: numpy.frombuffer(file.read_bytes(), dtype="f4") for file in out.glob("*.f32")}


def traced(model, images, noise, **arguments):
    """Outputs of transformers, and what every traced module gives."""
    points, hooks = {}, []

    def note(name):
        def hook(module, arguments, output):
            value = output[0] if isinstance(output, tuple) else output
            if isinstance(value, torch.Tensor):
                points["trace." + name] = value.detach()

        return hook

    # A model without a head is what others have under its name.
    headless = model.base_model_prefix + "." if model.base_model is model else ""
    for name, module in model.named_modules():
        if name:
            hooks.append(module.register_forward_hook(note(headless + name)))
    arguments |= {"noise": noise} if "MAE" in type(model).__name__ else {}
    with torch.no_grad():
        output = model(images, **arguments)
    for hook in hooks:
        hook.remove()
    named = {name: value for name, value in output.items() if isinstance(value, torch.Tensor)}
    return points | named


def worst(found, truth):
    return float((torch.as_tensor(found, dtype=torch.float64).reshape(-1) - truth.reshape(-1).double()).abs().max())


def rms(found, truth):
    return float((torch.as_tensor(found, dtype=torch.float64).reshape(-1) - truth.reshape(-1)).pow(2).mean().sqrt())


def assert_as_near(found, theirs, truth, names):
    for name in names:
        # Few numbers, each a few roundings off: chance decides who is nearer. Base size tells.
        floor = 8 * numpy.finfo("f4").eps * float(truth[name].abs().max())
        assert worst(found[name], truth[name]) <= max(1.5 * worst(theirs[name].numpy(), truth[name]), floor), name


def test_error_is_at_most_that_of_pytorch(saved, tmp_path):
    model, folder = saved
    images, noise = inputs(model.config, 3)
    ratio = getattr(model.config, "mask_ratio", 0)
    found = run(folder, images, noise, tmp_path, ratio=ratio)
    theirs = traced(model, images, noise)
    truth = traced(copy.deepcopy(model).double(), images.double(), noise.double())
    compared = [name for name in found if name in truth and truth[name].is_floating_point() and name != "mask"]
    assert len(compared) >= 5 * model.config.num_hidden_layers
    assert_as_near(found, theirs, truth, compared)
    if "mask" in found:
        assert (found["mask"] == truth["mask"].numpy().reshape(-1)).all()
        assert (found["ids_restore"] == truth["ids_restore"].numpy().reshape(-1)).all()


def test_same_bits_on_every_isa_thread_count_and_batch(saved, tmp_path):
    model, folder = saved
    images, noise = inputs(model.config, 4)
    first = run(folder, images, noise, tmp_path / "first", isa="scalar", threads=1)
    for isa in isas():
        for threads in (1, 2, 3, 7):
            again = run(folder, images, noise, tmp_path / f"{isa}{threads}", isa, threads)
            assert {n: v.tobytes() for n, v in again.items()} == {n: v.tobytes() for n, v in first.items()}
    for place in range(4):
        one = run(folder, images[place : place + 1], noise[place : place + 1], tmp_path / f"one{place}")
        for name, value in one.items():
            if name != "loss":
                assert value.tobytes() == first[name].reshape(4, -1)[place].tobytes(), name


def test_an_output_alone_has_the_bits_that_it_has_among_all(saved, tmp_path):
    model, folder = saved
    config = model.config
    shape = f"3x{config.num_channels}x{config.image_size}x{config.image_size}"

    def outputs(*more):
        words = [conftest.PROGRAM, "run", folder, "--randn", shape, "--json", *more]
        done = subprocess.run(list(map(str, words)), capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return {output["name"]: output["sha256"] for output in json.loads(done.stdout)["outputs"]}

    every = outputs()
    for isa in isas():
        for name, digest in every.items():
            assert outputs("--only", name, "--isa", isa) == {name: digest}
    others = {name: digest for name, digest in every.items() if name != "last_hidden_state"}
    assert not others or outputs("--only", ",".join(others)) == others


def test_same_bits_on_every_route(saved, tmp_path):
    model, folder = saved
    images, noise = inputs(model.config, 2)
    wanted = run(folder, images, noise, tmp_path / "hf")
    torch.save(model, tmp_path / "whole.pth")
    torch.save(model.state_dict(), tmp_path / "state.pth")
    torch.save({"state_dict": model.state_dict(), "epoch": 1}, tmp_path / "training.pth", _use_new_zipfile_serialization=False)
    for name in ("whole.pth", "state.pth", "training.pth"):
        found = run(tmp_path / name, images, noise, tmp_path / ("out" + name), config=folder / "config.json")
        assert {n: v.tobytes() for n, v in found.items()} == {n: v.tobytes() for n, v in wanted.items()}, name


def test_a_whole_module_is_what_its_directory_is(saved, tmp_path):
    model, folder = saved
    torch.save(model.eval(), tmp_path / "whole.pth")
    done = subprocess.run([str(conftest.PROGRAM), "explain", str(folder), str(tmp_path / "whole.pth"), "--json"], capture_output=True, text=True, timeout=60)
    report = json.loads(done.stdout)
    masked = "MAE" in type(model).__name__
    assert report["verdict"] == ("different" if masked else "same") and not report["not_checked"]
    assert [finding["cause"] for finding in report["findings"] if finding["role"] != "note"] == ["rng.noise"] * masked


@pytest.mark.parametrize("activation", ["gelu_new", "gelu_pytorch_tanh", "quick_gelu", "silu", "relu"])
def test_activations(activation, tmp_path):
    torch.manual_seed(1)
    model = spread(ViTForImageClassification(ViTConfig(**TINY | {"hidden_act": activation}, num_labels=7)))
    model.save_pretrained(tmp_path / "hf")
    images, noise = inputs(model.config, 3)
    found = run(tmp_path / "hf", images, noise, tmp_path / "out")
    assert_as_near(found, traced(model, images, noise), traced(copy.deepcopy(model).double(), images.double(), noise.double()),
                   ["last_hidden_state", "logits"] if "last_hidden_state" in traced(model, images, noise) else ["logits", "trace.vit.layers.0.mlp"])


@pytest.mark.parametrize("kind", ["ViTForImageClassification", "ViTMAEForPreTraining", "ViTMAEModel", "Dinov2Model", "Dinov2WithRegistersModel"])
@pytest.mark.parametrize("size", [(48, 48), (16, 24), (40, 56), (8, 64)])
def test_other_image_sizes_resample_the_positions(kind, size, tmp_path):
    torch.manual_seed(1)
    model = spread(MODELS[kind]())
    model.save_pretrained(tmp_path / "hf")
    generator = torch.Generator().manual_seed(3)
    images = torch.randn(2, model.config.num_channels, *size, generator=generator)
    patch = model.config.patch_size
    noise = torch.rand(2, (size[0] // patch) * (size[1] // patch), generator=generator)
    flag = {} if "Dino" in kind else {"interpolate_pos_encoding": True}
    ratio = getattr(model.config, "mask_ratio", 0)
    found = run(tmp_path / "hf", images, noise, tmp_path / "out", ratio=ratio)
    theirs = traced(model, images, noise, **flag)
    # Its own interpolation is done in float32 by DINOv2 even in a float64 model.
    truth = traced(copy.deepcopy(model).double(), images.double(), noise.double(), **flag)
    compared = [name for name in found if name in truth and truth[name].is_floating_point() and name not in ("mask", "loss")]
    assert len(compared) > 10
    assert_as_near(found, theirs, truth, compared)


def test_timm_resamples_with_antialias(tmp_path):
    torch.manual_seed(1)
    model = spread(ViTForImageClassification(ViTConfig(**TINY, num_labels=7)))
    model.save_pretrained(tmp_path / "hf")
    torch.save(timm_names(model.state_dict(), 3), tmp_path / "timm.pth")
    for size in (16, 48):
        cells = size // model.config.patch_size
        images = torch.randn(1, 3, size, size)
        double = copy.deepcopy(model).double()
        positions = double.vit.embeddings.position_embeddings.data
        grid = int((positions.shape[1] - 1) ** 0.5)
        square = positions[:, 1:].reshape(1, grid, grid, -1).permute(0, 3, 1, 2)
        square = torch.nn.functional.interpolate(square, size=(cells, cells), mode="bicubic", antialias=True)
        resized = torch.cat([positions[:, :1], square.permute(0, 2, 3, 1).reshape(1, cells * cells, -1)], 1)
        double.vit.embeddings.position_embeddings = torch.nn.Parameter(resized)
        double.config.image_size = size
        double.vit.embeddings.patch_embeddings.image_size = (size, size)
        double.vit.embeddings.image_size = (size, size)
        double.vit.embeddings.patch_embeddings.num_patches = cells * cells
        with torch.no_grad():
            truth = double(images.double()).logits
        found = run(tmp_path / "timm.pth", images, torch.rand(1, cells * cells), tmp_path / f"out{size}", config=tmp_path / "hf" / "config.json")
        assert worst(found["logits"], truth) < 1e-5 * float(truth.abs().max())


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("kind", ["ViTForImageClassification", "ViTMAEForPreTraining", "DeiTForImageClassification"])
@pytest.mark.parametrize("hidden,probs", [(0.1, 0.0), (0.0, 0.2), (0.1, 0.1)])
def test_training_mode_draws_torchs_masks(kind, hidden, probs, attention, tmp_path):
    torch.manual_seed(1)
    model = spread(MODELS[kind]())
    model.config.hidden_dropout_prob, model.config.attention_probs_dropout_prob = hidden, probs
    model = spread(type(model)._from_config(model.config, attn_implementation=attention))
    model.save_pretrained(tmp_path / "hf")
    images, noise = inputs(model.config, 3)
    ratio = getattr(model.config, "mask_ratio", 0)
    found = run(tmp_path / "hf", images, noise, tmp_path / "out", ratio=ratio, dropout_seed=11)
    evaluated = run(tmp_path / "hf", images, noise, tmp_path / "eval", ratio=ratio)
    model.train()
    torch.manual_seed(11)
    theirs = traced(model, images, noise)
    compared = [name for name in found if name in theirs and theirs[name].is_floating_point() and name != "mask"]
    assert len(compared) > 10
    for name in compared:  # a wrong mask moves the outputs by their own size
        size = float(theirs[name].abs().max())
        assert worst(found[name], theirs[name]) < 2e-5 * size, name
    assert any(worst(evaluated[name], theirs[name]) > 1e-2 * float(theirs[name].abs().max()) for name in compared)


def timm_names(state, layers):
    """A ViTForImageClassification's state dict under timm's names, qkv fused."""
    outer = {
        "cls_token": "vit.embeddings.cls_token", "pos_embed": "vit.embeddings.position_embeddings",
        "patch_embed.proj": "vit.embeddings.patch_embeddings.projection", "norm": "vit.layernorm", "head": "classifier",
    }
    inner = {"norm1": "layernorm_before", "norm2": "layernorm_after", "attn.proj": "attention.o_proj", "mlp.fc1": "mlp.fc1", "mlp.fc2": "mlp.fc2"}
    found = {}
    for own, other in outer.items():
        found |= {own + name[len(other):]: value for name, value in state.items() if name.startswith(other)}
    for n in range(layers):
        for kind in ("weight", "bias"):
            for own, other in inner.items():
                found[f"blocks.{n}.{own}.{kind}"] = state[f"vit.layers.{n}.{other}.{kind}"]
            found[f"blocks.{n}.attn.qkv.{kind}"] = torch.cat([state[f"vit.layers.{n}.attention.{part}_proj.{kind}"] for part in "qkv"])
    return found


def test_timm_names_and_half_types_give_the_bits_of_their_values(tmp_path):
    torch.manual_seed(1)
    model = spread(ViTForImageClassification(ViTConfig(**TINY, num_labels=7)).bfloat16().float())
    model.load_state_dict({name: value.bfloat16().float() for name, value in model.state_dict().items()})
    model.save_pretrained(tmp_path / "hf")
    config = tmp_path / "hf" / "config.json"
    images, noise = inputs(model.config, 2)
    wanted = run(tmp_path / "hf", images, noise, tmp_path / "wanted")
    timm = timm_names(model.state_dict(), 3)
    torch.save(timm, tmp_path / "timm.pth")
    torch.save({name: value.bfloat16() for name, value in timm.items()}, tmp_path / "timm-bf16.pth")
    torch.save({name: value.double() for name, value in model.state_dict().items()}, tmp_path / "double.pth")
    for name in ("timm.pth", "timm-bf16.pth", "double.pth"):
        found = run(tmp_path / name, images, noise, tmp_path / ("out" + name), config=config)
        assert {n: v.tobytes() for n, v in found.items()} == {n: v.tobytes() for n, v in wanted.items()}, name


BASE = {
    "ViTForImageClassification": (lambda: ViTForImageClassification(ViTConfig(num_labels=1000)), 5 * 12 + 4),
    "ViTMAEForPreTraining": (lambda: ViTMAEForPreTraining(ViTMAEConfig()), 5 * (12 + 8) + 6),
    "DeiTForImageClassificationWithTeacher": (lambda: DeiTForImageClassificationWithTeacher(DeiTConfig(num_labels=1000)), 5 * 12 + 7),
    "Dinov2ForImageClassification": (lambda: Dinov2ForImageClassification(Dinov2Config(num_labels=1000)), 5 * 12 + 4),
    "Dinov2WithRegistersModel": (lambda: Dinov2WithRegistersModel(Dinov2WithRegistersConfig()), 5 * 12 + 3),
}


@pytest.mark.parametrize("kind", BASE)
def test_base_size(kind, tmp_path):
    """Our error, as a root mean square at every point, is at most PyTorch's."""
    make, points = BASE[kind]
    torch.manual_seed(1)
    model = spread(make())
    model.save_pretrained(tmp_path / "hf")
    images, noise = inputs(model.config, 2)
    found = run(tmp_path / "hf", images, noise, tmp_path / "out", isa=isas()[-1], ratio=getattr(model.config, "mask_ratio", 0))
    theirs = traced(model, images, noise)
    truth = traced(model.double(), images.double(), noise.double())
    compared = [name for name in found if name in truth and truth[name].is_floating_point() and name not in ("mask", "loss")]
    assert len(compared) == points
    for name in compared:
        # A head's few numbers of two images are too few for a mean: chance decides by some percent.
        slack = 1.5 if found[name].size < 5000 else 1
        assert rms(found[name], truth[name]) <= slack * rms(theirs[name].numpy(), truth[name]), name


def test_the_case_end_to_end(tmp_path):
    """ViT-MAE base, eight images, three routes, one noise: 0 of 307,200 elements differ."""
    torch.manual_seed(1)
    model = spread(ViTMAEForPreTraining(ViTMAEConfig()))
    model.save_pretrained(tmp_path / "hf")
    torch.save(model, tmp_path / "whole.pth")
    torch.save(model.state_dict(), tmp_path / "state.pth")
    images, noise = inputs(model.config, 8)
    config = tmp_path / "hf" / "config.json"
    found = [run(tmp_path / route, images, noise, tmp_path / f"out-{route}", isa=isas()[-1], config=config) for route in ("hf", "whole.pth", "state.pth")]
    assert found[0]["last_hidden_state"].size == 307_200
    for other in found[1:]:
        assert {name: value.tobytes() for name, value in other.items()} == {name: value.tobytes() for name, value in found[0].items()}
    with torch.no_grad():
        theirs = model(images, noise=noise)
    assert (found[0]["ids_restore"] == theirs.ids_restore.numpy().reshape(-1)).all()
    assert worst(found[0]["logits"], theirs.logits) < 1e-4 * float(theirs.logits.abs().max())


@pytest.mark.parametrize("change, message", [
    ({"hidden_act": "mish"}, "activation"), ({"num_attention_heads": 5}, "num_attention_heads"), ({"image_size": 64}, "image_size"),
    ({"layer_norm_eps": None}, "layer_norm_eps"), ({"hidden_act": None}, "hidden_act"),
])
def test_what_does_not_fit_is_refused_by_name(tmp_path, change, message):
    import json

    ViTModel(ViTConfig(**TINY)).save_pretrained(tmp_path / "hf")
    config = json.loads((tmp_path / "hf" / "config.json").read_text()) | change
    (tmp_path / "config.json").write_text(json.dumps({k: v for k, v in config.items() if v is not None}))
    words = [RUN, tmp_path / "hf", tmp_path / "config.json", "/dev/null", "-", 1, 0, "scalar", 1, tmp_path]
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and message in done.stderr
