"""One ViT as a whole module of timm and of torchvision, which do not import beside this torch: their classes by name, part and attribute."""

import collections
import functools
import json
import subprocess
import sys
import types
import unittest.mock

import conftest
import pytest
import torch
from torch import nn

WIDTH, HEADS, DEPTH, CLASSES = 16, 2, 2, 3
LIBRARIES = {}  # modules by name, which pickle imports while it writes


def of_library(path, base, **attributes):
    """A module whose class has the name of a library's, so that pickle writes that name."""
    folder, _, name = path.rpartition(".")
    for end in [at for at, letter in enumerate(folder) if letter == "."]:
        LIBRARIES.setdefault(folder[:end], types.ModuleType(folder[:end]))
    module = LIBRARIES.setdefault(folder, types.ModuleType(folder))
    if not hasattr(module, name):
        setattr(module, name, type(name, (base,), {"__module__": folder, "__qualname__": name}))
    made = getattr(module, name).__new__(getattr(module, name))
    nn.Module.__init__(made)
    made.__dict__.update(attributes)
    return made


def with_parts(module, **parts):
    for name, part in parts.items():
        setattr(module, name, part)
    return module


def torchvision_vit(eps=1e-6, heads=HEADS, act=nn.GELU):
    norm = functools.partial(nn.LayerNorm, eps=eps)
    blocks = collections.OrderedDict()
    for i in range(DEPTH):
        mlp = of_library("torchvision.models.vision_transformer.MLPBlock", nn.Sequential)
        layers = [nn.Linear(WIDTH, 2 * WIDTH), act(), nn.Dropout(0.0), nn.Linear(2 * WIDTH, WIDTH), nn.Dropout(0.0)]
        for place, layer in enumerate(layers):
            mlp.add_module(str(place), layer)
        block = of_library("torchvision.models.vision_transformer.EncoderBlock", nn.Module, num_heads=heads)
        blocks[f"encoder_layer_{i}"] = with_parts(
            block, ln_1=norm(WIDTH), self_attention=nn.MultiheadAttention(WIDTH, heads, batch_first=True), dropout=nn.Dropout(0.0), ln_2=norm(WIDTH), mlp=mlp)
    encoder = of_library("torchvision.models.vision_transformer.Encoder", nn.Module)
    encoder.pos_embedding = nn.Parameter(torch.randn(1, 17, WIDTH))
    with_parts(encoder, dropout=nn.Dropout(0.0), layers=nn.Sequential(blocks), ln=norm(WIDTH))
    root = of_library(
        "torchvision.models.vision_transformer.VisionTransformer", nn.Module, image_size=16, patch_size=4, hidden_dim=WIDTH, mlp_dim=2 * WIDTH,
        attention_dropout=0.0, dropout=0.0, num_classes=CLASSES, representation_size=None, norm_layer=norm, seq_length=17)
    root.class_token = nn.Parameter(torch.randn(1, 1, WIDTH))
    head = nn.Sequential(collections.OrderedDict(head=nn.Linear(WIDTH, CLASSES)))
    return with_parts(root, conv_proj=nn.Conv2d(3, WIDTH, 4, 4), encoder=encoder, heads=head).eval()


def timm_norm(eps):
    norm = of_library("timm.layers.norm.LayerNorm", nn.LayerNorm, _fast_norm=False)
    nn.LayerNorm.__init__(norm, WIDTH, eps=eps)
    return norm


def timm_vit(eps=1e-6, heads=HEADS, act=nn.GELU, pool="token", block="Block"):
    path = "timm.models.vision_transformer."
    blocks = []
    for _ in range(DEPTH):
        attention = of_library("timm.layers.attention.Attention", nn.Module, num_heads=heads, head_dim=WIDTH // heads, scale=(WIDTH // heads) ** -0.5, fused_attn=True)
        with_parts(attention, qkv=nn.Linear(WIDTH, 3 * WIDTH), q_norm=nn.Identity(), k_norm=nn.Identity(), attn_drop=nn.Dropout(0.0),
                   norm=nn.Identity(), proj=nn.Linear(WIDTH, WIDTH), proj_drop=nn.Dropout(0.0))
        mlp = with_parts(of_library("timm.layers.mlp.Mlp", nn.Module), fc1=nn.Linear(WIDTH, 2 * WIDTH), act=act(), drop1=nn.Dropout(0.0),
                         norm=nn.Identity(), fc2=nn.Linear(2 * WIDTH, WIDTH), drop2=nn.Dropout(0.0))
        blocks.append(with_parts(of_library(path + block, nn.Module), norm1=timm_norm(eps), attn=attention, ls1=nn.Identity(), drop_path1=nn.Identity(),
                                 norm2=timm_norm(eps), mlp=mlp, ls2=nn.Identity(), drop_path2=nn.Identity()))
    patches = of_library("timm.layers.patch_embed.PatchEmbed", nn.Module, img_size=(16, 16), patch_size=(4, 4), grid_size=(4, 4), num_patches=16, flatten=True,
                         strict_img_size=True, dynamic_img_pad=False)
    with_parts(patches, proj=nn.Conv2d(3, WIDTH, 4, 4), norm=nn.Identity())
    root = of_library(path + "VisionTransformer", nn.Module, num_classes=CLASSES, global_pool=pool, num_features=WIDTH, embed_dim=WIDTH, num_prefix_tokens=1,
                      num_reg_tokens=0, has_class_token=True, no_embed_class=False, dynamic_img_size=False, grad_checkpointing=False)
    root.cls_token = nn.Parameter(torch.randn(1, 1, WIDTH))
    root.pos_embed = nn.Parameter(torch.randn(1, 17, WIDTH))
    return with_parts(root, patch_embed=patches, pos_drop=nn.Dropout(0.0), patch_drop=nn.Identity(), norm_pre=nn.Identity(), blocks=nn.Sequential(*blocks),
                      norm=timm_norm(eps), fc_norm=nn.Identity(), head_drop=nn.Dropout(0.0), head=nn.Linear(WIDTH, CLASSES)).eval()


NAMES = {
    "class_token": "cls_token", "encoder.pos_embedding": "pos_embed", "conv_proj.": "patch_embed.proj.", "encoder.ln.": "norm.", "heads.head.": "head.",
    "encoder.layers.encoder_layer_": "blocks.", ".ln_1.": ".norm1.", ".ln_2.": ".norm2.", ".self_attention.in_proj_": ".attn.qkv.",
    ".self_attention.out_proj.": ".attn.proj.", ".mlp.0.": ".mlp.fc1.", ".mlp.3.": ".mlp.fc2.",
}


def name_in_timm(name):
    for old, new in NAMES.items():
        name = name.replace(old, new)
    return name


def saved(folder, left, right):
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in left.parameters():
            parameter.copy_(torch.randn(parameter.shape) * 0.1)
    right.load_state_dict({name_in_timm(name): value for name, value in left.state_dict().items()})
    with unittest.mock.patch.dict(sys.modules, LIBRARIES):
        torch.save(left, folder / "torchvision.pth")
        torch.save(right, folder / "timm.pth")
    return folder / "torchvision.pth", folder / "timm.pth"


@pytest.mark.parametrize("turned", [False, True])
def test_attributes_of_other_spelling_are_no_difference(run, tmp_path, turned):
    paths = saved(tmp_path, torchvision_vit(), timm_vit())
    report = run("diff", *(reversed(paths) if turned else paths))
    assert report["verdict"] == "same" and report.status == 0, report["findings"]
    assert report.pair("B")["verdict"] == "identical"
    assert any("heads, eps, activation and pooling are the same" in finding["summary"] for finding in report.findings("code.version"))


@pytest.mark.parametrize("change, field", [
    ({"eps": 1e-5}, "eps"), ({"heads": 4}, "num_heads"), ({"act": nn.ReLU}, "activation"), ({"act": lambda: nn.GELU(approximate="tanh")}, "activation"),
    ({"pool": "avg"}, "pooling"),
])
def test_what_both_state_is_compared(run, tmp_path, change, field):
    report = run("diff", *saved(tmp_path, torchvision_vit(), timm_vit(**change)))
    assert report["verdict"] == "different"
    assert set(report.finding("config.changed")["evidence"]["fields"]) == {field}


def test_a_hook_is_no_spelling(run, tmp_path):
    right = timm_vit()
    right.head.register_forward_hook(torch.nn.functional.relu)
    report = run("diff", *saved(tmp_path, torchvision_vit(), right))
    assert report["verdict"] != "same"


def digests(*words, status=0):
    done = subprocess.run([str(conftest.PROGRAM), "run", *map(str, words), "--json"], capture_output=True, text=True, timeout=60)
    assert done.returncode == status, done.stderr
    return {output["name"]: output["sha256"] for output in json.loads(done.stdout)["outputs"]} if status == 0 else done.stderr


@pytest.mark.parametrize("which", ["timm", "torchvision"])
@pytest.mark.parametrize("change, said", [({}, {}), ({"eps": 1e-3}, {"--eps": "1e-3"}), ({"heads": 4}, {"--heads": "4"}), ({"act": nn.ReLU}, {"--act": "relu"})])
def test_modules_are_run_by_what_they_state(run, tmp_path, which, change, said):
    """Without a config: eps, heads, activation and image size stand in the modules."""
    saved(tmp_path, torchvision_vit(**change), timm_vit(**change))
    torch.save(state_of(tmp_path, which), tmp_path / "state.pth")
    options = {"--heads": str(HEADS), "--eps": "1e-6", "--act": "gelu", "--image-size": "16"} | said
    expected = digests(tmp_path / "state.pth", *(word for option in options.items() for word in option))
    assert digests(tmp_path / f"{which}.pth") == expected
    report = run("explain", tmp_path / f"{which}.pth", tmp_path / "state.pth")
    assert report["verdict"] == "same" and [pair["verdict"] for pair in report["outputs"]] == ["identical"]
    assert "B: config from A" in report["assumed"]
    if change:
        saved(tmp_path, torchvision_vit(), timm_vit())
        assert digests(tmp_path / f"{which}.pth") != expected


def state_of(folder, which):
    with unittest.mock.patch.dict(sys.modules, LIBRARIES):
        return torch.load(folder / f"{which}.pth", weights_only=False).state_dict()


@pytest.mark.parametrize("change, named", [
    (lambda: timm_vit(pool="avg"), "its global_pool is avg"), (lambda: timm_vit(block="ResPostBlock"), "ResPostBlock"),
    (lambda: other_scale(timm_vit()), "its scale is"), (lambda: hooked(timm_vit()), "a hook is registered"),
    (lambda: stretched(timm_vit()), "its stride is"), (lambda: other_eps(timm_vit()), "layer_norm_eps is"),
])
def test_modules_with_another_pass_are_not_run(tmp_path, change, named):
    saved(tmp_path, torchvision_vit(), change())
    assert named in digests(tmp_path / "timm.pth", status=2)


def other_scale(model):
    model.blocks[1].attn.scale = 1.0
    return model


def hooked(model):
    model.norm.register_forward_hook(torch.nn.functional.relu)
    return model


def stretched(model):
    model.patch_embed.proj.stride = (2, 2)
    return model


def other_eps(model):
    model.blocks[1].norm2.eps = 1e-3
    return model


class Own(nn.Module):
    """A ViT of one's own, with the names of timm."""

    def __init__(self):
        super().__init__()
        self.__dict__.update({name: value for name, value in timm_vit().__dict__.items() if name != "training"})


def test_a_class_of_ones_own_under_a_librarys_names_is_said(run, tmp_path):
    model = Own()
    with unittest.mock.patch.dict(sys.modules, LIBRARIES):
        torch.save(model, tmp_path / "own.pth")
    torch.save(model.state_dict(), tmp_path / "state.pth")
    report = run("explain", tmp_path / "own.pth", tmp_path / "state.pth")
    assert report["outputs"] and any("Own is run as the ViT whose names its weights have" in text for text in report["assumed"])
