"""Small models for the tests of live runs: of transformers at random initialization, and some of a user's own."""

import torch
import torch.nn.functional as F
import transformers

VISION = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64, image_size=32, patch_size=8)
TEXT = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64, max_position_embeddings=16)


def images(batch=2, size=32):
    return torch.randn(batch, 3, size, size, generator=torch.Generator().manual_seed(42))


def tokens(batch=2):
    return torch.arange(8 * batch).reshape(batch, 8) % 50


def vit():
    return transformers.ViTForImageClassification(transformers.ViTConfig(**VISION, num_labels=100)), (images(),)


def vit_mae():
    config = transformers.ViTMAEConfig(
        **VISION, decoder_hidden_size=32, decoder_num_hidden_layers=1, decoder_num_attention_heads=2, decoder_intermediate_size=64
    )
    return transformers.ViTMAEForPreTraining(config), (images(),)


def clip():
    config = transformers.CLIPConfig(text_config=dict(TEXT, vocab_size=60, eos_token_id=59), vision_config=VISION, projection_dim=16)
    return transformers.CLIPModel(config), {"input_ids": tokens(), "pixel_values": images()}


def swin():
    config = transformers.SwinConfig(image_size=32, patch_size=4, embed_dim=16, depths=[1, 1], num_heads=[2, 2], window_size=4)
    return transformers.SwinModel(config), (images(),)


def bert():
    return transformers.BertModel(transformers.BertConfig(**TEXT, vocab_size=60)), (tokens(),)


def gpt2():
    config = transformers.GPT2Config(n_embd=32, n_layer=2, n_head=2, n_positions=16, vocab_size=60)
    return transformers.GPT2LMHeadModel(config), (tokens(),)


class Block(torch.nn.Module):
    def __init__(self, width, stride):
        super().__init__()
        self.conv1 = torch.nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn1, self.bn2 = torch.nn.BatchNorm2d(width), torch.nn.BatchNorm2d(width)
        self.conv2 = torch.nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.shortcut = torch.nn.Conv2d(width, width, 1, stride) if stride > 1 else torch.nn.Identity()
        self.relu = torch.nn.ReLU(inplace=True)

    def forward(self, x):
        y = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        return self.relu(y + self.shortcut(x))


def resnet():
    model = torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 7, 2, 3), Block(8, 1), Block(8, 2), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(8, 10)
    )
    return model, (images(),)


class UNet(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.down = torch.nn.ModuleList([self.stage(3, 8), self.stage(8, 16)])
        self.middle = self.stage(16, 16)
        self.up = torch.nn.ModuleDict({"one": self.stage(32, 8), "two": self.stage(16, 4)})
        self.act = F.gelu  # a plain function as an attribute

    def stage(self, inputs, outputs):
        return torch.nn.Sequential(torch.nn.Conv2d(inputs, outputs, 3, padding=1), torch.nn.GroupNorm(2, outputs))

    def forward(self, x):
        one = self.act(self.down[0](x))
        two = self.act(self.down[1](F.max_pool2d(one, 2)))
        x = F.interpolate(self.act(self.middle(F.max_pool2d(two, 2))), scale_factor=2)
        x = F.interpolate(self.act(self.up["one"](torch.cat([x, two], 1))), scale_factor=2)
        return self.up["two"](torch.cat([x, one], 1))


def unet():
    return UNet(), (images(),)


class Dropping(torch.nn.Module):
    """Dropout that eval() does not turn off."""

    def __init__(self):
        super().__init__()
        self.fc = torch.nn.Linear(16, 16)

    def forward(self, x):
        return F.dropout(self.fc(x), 0.5, training=True)


class Buffered(torch.nn.Module):
    """A table that state_dict() leaves out."""

    def __init__(self):
        super().__init__()
        self.fc = torch.nn.Linear(16, 16)
        self.register_buffer("table", torch.linspace(0, 1, 16), persistent=False)

    def forward(self, x):
        return self.fc(x) * self.table


class Reading(torch.nn.Module):
    """Reads the state of the global generator, and draws nothing."""

    def __init__(self):
        super().__init__()
        self.fc = torch.nn.Linear(16, 16)

    def forward(self, x):
        return self.fc(x) + torch.get_rng_state()[24:40].float()


class LoraLinear(torch.nn.Module):
    def __init__(self, base, rank=2):
        super().__init__()
        self.base = base
        self.lora_A = torch.nn.Parameter(torch.randn(rank, base.in_features))
        self.lora_B = torch.nn.Parameter(torch.randn(base.out_features, rank))

    def forward(self, x):
        return self.base(x) + x @ self.lora_A.T @ self.lora_B.T


def vector():
    return torch.randn(3, 16, generator=torch.Generator().manual_seed(1))


FAMILIES = [vit, vit_mae, clip, swin, bert, gpt2, resnet, unet]
