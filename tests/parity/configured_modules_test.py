"""A directory against a whole module of the same class: what the module computes beside its config is found, and what its class makes of the
config is not taken for a difference. The truth is the outputs of the real models."""

import copy

import pytest
import torch
import transformers
from torch import nn

SIZES = dict(hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4)
TEXT = dict(SIZES, vocab_size=50, max_position_embeddings=32)
PICTURE = dict(image_size=32, num_labels=3)

MODELS = {
    "llama": ("LlamaForCausalLM", "LlamaConfig", dict(TEXT, num_key_value_heads=2)),
    "gemma2": ("Gemma2ForCausalLM", "Gemma2Config", dict(TEXT, num_key_value_heads=2, head_dim=8)),
    "neox": ("GPTNeoXForCausalLM", "GPTNeoXConfig", TEXT),
    "gpt2": ("GPT2LMHeadModel", "GPT2Config", dict(vocab_size=50, n_embd=32, n_layer=2, n_head=4, n_positions=32)),
    "bert": ("BertForSequenceClassification", "BertConfig", TEXT),
    "distilbert": ("DistilBertForMaskedLM", "DistilBertConfig", dict(vocab_size=50, dim=32, n_layers=2, n_heads=4, hidden_dim=64)),
    "mamba": ("MambaForCausalLM", "MambaConfig", dict(vocab_size=50, hidden_size=32, num_hidden_layers=2, state_size=4)),
    "resnet": ("ResNetForImageClassification", "ResNetConfig", dict(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic", num_labels=3)),
    "convnext": ("ConvNextForImageClassification", "ConvNextConfig", dict(hidden_sizes=[8, 16], depths=[1, 1], num_stages=2, num_labels=3)),
    "swin": ("SwinForImageClassification", "SwinConfig", dict(PICTURE, patch_size=4, embed_dim=12, depths=[2, 1], num_heads=[2, 2], window_size=4)),
}


def built(name):
    kind, config, fields = MODELS[name]
    torch.manual_seed(len(name))
    model = getattr(transformers, kind)(getattr(transformers, config)(**fields)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape) * 0.05)
    return model


def outputs(model):
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        if model.main_input_name == "pixel_values":
            return model(torch.randn(2, 3, 32, 32, generator=generator)).logits
        return model(torch.randint(3, 50, (2, 9), generator=generator)).logits


@pytest.mark.parametrize("name", MODELS)
def test_what_a_class_makes_of_its_config_is_no_difference(name, run, tmp_path):
    model = built(name)
    model.save_pretrained(tmp_path / "hf")
    torch.save(model, tmp_path / "whole.pth")
    report = run("diff", tmp_path / "hf", tmp_path / "whole.pth")
    assert report["verdict"] == "same" and not report["not_checked"], report["diagnosis"]


def of_class(kind, **values):
    def change(model):
        for module in model.modules():
            if isinstance(module, kind):
                for name, value in values.items():
                    setattr(module, name, value)

    return change


def of_name(ending, **values):
    def change(model):
        for name, module in model.named_modules():
            if name.endswith(ending):
                for key, value in values.items():
                    setattr(module, key, value)

    return change


class Twice(nn.Module):
    def forward(self, module, args, output):
        return output * 2


def hooked(model):
    model.classifier.register_forward_hook(Twice())


def turned_faster(model):
    model.model.rotary_emb.inv_freq = model.model.rotary_emb.inv_freq * 2


PLANTED = {
    "eps": ("llama", lambda model: of_class(type(model.model.norm), variance_epsilon=1e-2)(model), "different", "variance_epsilon"),
    "scaling": ("llama", of_name("self_attn", scaling=0.7), "unknown", "scaling"),
    "function": ("llama", of_name("layers.0.mlp", act_fn=nn.ReLU()), "unknown", "relu"),
    "frequencies": ("llama", turned_faster, "different", "inv_freq"),
    "last norm": ("gpt2", of_name("ln_f", eps=1e-1), "different", "eps"),
    "flag": ("gpt2", of_name("attn", scale_attn_weights=False, scaling=1.0), "unknown", "scale_attn_weights"),
    "heads": ("bert", of_name("attention.self", num_attention_heads=2, attention_head_size=16, scaling=16**-0.5), "unknown", "num_attention_heads"),
    "hook": ("bert", hooked, "different", "hook"),
    "pooler": ("bert", of_name("pooler", activation=nn.Identity()), "unknown", "Identity"),
    "batch norm": ("resnet", of_class(nn.BatchNorm2d, eps=1e-1), "unknown", "eps"),
    "dilation": ("resnet", of_name("layers.0.layer.0.convolution", dilation=(2, 2), padding=(2, 2)), "unknown", "dilation"),
    "layer norm": ("convnext", of_name("layers.0.layernorm", eps=1e-1), "different", "eps"),
    "shifts": ("swin", of_name("blocks.1", shift_size=0), "unknown", "shift_size"),
}


@pytest.mark.parametrize("fault", PLANTED)
def test_what_modules_compute_beside_their_config_is_never_the_same(fault, run, tmp_path):
    name, change, verdict, word = PLANTED[fault]
    model = built(name)
    model.save_pretrained(tmp_path / "hf")
    other = copy.deepcopy(model)
    change(other)
    assert not torch.equal(outputs(model), outputs(other))
    torch.save(other, tmp_path / "whole.pth")
    report = run("diff", tmp_path / "hf", tmp_path / "whole.pth")
    said = str(report["findings"]) + str(report["not_checked"])
    assert report["verdict"] == verdict and word in said, report["diagnosis"]
    assert report["weights"][0]["verdict"] in ("identical", "same-values")
