"""What people add to a library's modules, picklable: used by modules_test.py."""

import torch
from transformers import ViTForImageClassification
from transformers.models.vit.modeling_vit import ViTMLP


def doubled(module, arguments, output):
    return (output[0] * 2, *output[1:]) if isinstance(output, tuple) else output * 2


def twice(x):
    return 2 * x


class Wrapper(torch.nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, images):
        return self.model(images).logits * 2


class OwnMlp(ViTMLP):
    def forward(self, *arguments, **named):
        return 3 * super().forward(*arguments, **named)


class OwnClassifier(ViTForImageClassification):
    def forward(self, *arguments, **named):
        output = super().forward(*arguments, **named)
        output.logits = 3 * output.logits + 1
        return output


class TrainingConfig:
    """What a training was told, beside the model."""

    def __init__(self):
        self.learning_rate = 1e-4
        self.hidden_size = 7
