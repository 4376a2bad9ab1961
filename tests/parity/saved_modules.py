"""Modules and training states that torch can save; adds them to the objects of saved_objects.py."""

import warnings

import torch
from saved_objects import saved, seeded
from torch import nn

# Modules.


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.1))
        self.head = nn.Linear(4, 2)
        self.scale = nn.Parameter(torch.ones(1))
        self.register_parameter("absent", None)
        self.register_buffer("mean", torch.zeros(3))
        self.register_buffer("cache", torch.arange(4), persistent=False)
        self.register_buffer("nothing", None)
        self.plain = torch.arange(5.0)  # an attribute: not in state_dict()
        self.names = ["a", "b"]


def fixed(module):
    """The module with values that do not depend on anything drawn before."""
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    return module


def forward_hook(module, inputs, output):
    return output


def register_module(name, make):
    def whole():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return fixed(make())

    whole.__name__ = f"module_{name}"
    saved(whole)


def padded():
    return nn.Embedding(5, 3, padding_idx=0)


def tied():
    module = nn.ModuleDict({"embed": nn.Embedding(6, 4), "out": nn.Linear(4, 6, bias=False)})
    module["out"].weight = module["embed"].weight
    return module


def shared():
    layer = nn.Linear(3, 3)
    return nn.Sequential(layer, nn.ReLU(), layer)


def hooked():
    module = nn.Sequential(nn.Linear(2, 2))
    module[0].register_forward_hook(forward_hook)
    module.register_forward_pre_hook(forward_hook)
    module.register_full_backward_hook(forward_hook)
    return module


def parameter_containers():
    module = nn.Module()
    module.list = nn.ParameterList([nn.Parameter(seeded(2)), nn.Parameter(seeded(3))])
    module.dict = nn.ParameterDict({"left": nn.Parameter(seeded(1)), "right": nn.Parameter(seeded(2))})
    module.modules_list = nn.ModuleList([nn.Linear(1, 2), nn.Identity()])
    return module


for module_name, module_maker in {
    "linear": lambda: nn.Linear(3, 2), "linear_without_bias": lambda: nn.Linear(3, 2, bias=False),
    "batch_norm": lambda: nn.BatchNorm1d(4), "batch_norm_without_statistics": lambda: nn.BatchNorm1d(4, track_running_stats=False),
    "layer_norm": lambda: nn.LayerNorm((2, 3)), "attention": lambda: nn.MultiheadAttention(8, 2),
    "attention_own_widths": lambda: nn.MultiheadAttention(8, 2, kdim=4, vdim=6, add_bias_kv=True),
    "gru": lambda: nn.GRU(3, 4, num_layers=2), "lstm_projected": lambda: nn.LSTM(3, 4, bidirectional=True, proj_size=2),
    "embedding": padded, "embedding_bag": lambda: nn.EmbeddingBag(5, 3),
    "weight_norm_old": lambda: torch.nn.utils.weight_norm(nn.Linear(3, 2)),
    "spectral_norm_old": lambda: torch.nn.utils.spectral_norm(nn.Linear(3, 2)),
    "containers": parameter_containers, "shared": shared, "tied": tied, "hooks": hooked, "net": Net, "net_eval": lambda: Net().eval(),
    "transformer": lambda: nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16), 2), "half": lambda: nn.Linear(3, 2).half(),
    "frozen": lambda: nn.Linear(3, 2).requires_grad_(False), "data_parallel": lambda: nn.DataParallel(nn.Linear(3, 2)),
    "empty": lambda: nn.Identity(), "conv_channels_last": lambda: nn.Conv2d(3, 4, 3).to(memory_format=torch.channels_last),
    "compiled": lambda: torch.compile(nn.Linear(3, 2)),
}.items():
    register_module(module_name, module_maker)


@saved
def modules_inside_a_checkpoint():
    return {"model": fixed(Net()), "heads": [fixed(nn.Linear(2, 2)), fixed(nn.Linear(2, 1))], "epoch": 2, "best": {"ema": fixed(nn.Linear(1, 1))}}


@saved
def state_dict_with_metadata():
    return fixed(Net()).state_dict()


@saved
def state_dicts_of_parametrizations():
    weight = fixed(torch.nn.utils.parametrizations.weight_norm(nn.Linear(3, 2)))
    spectral = fixed(torch.nn.utils.parametrizations.spectral_norm(nn.Linear(3, 2)))
    return {"weight": weight.state_dict(), "spectral": spectral.state_dict()}


class Extra(nn.Linear):
    def get_extra_state(self):
        return {"scale": torch.tensor([2.0]), "steps": 4}

    def set_extra_state(self, state):
        pass


@saved
def state_dict_with_extra_state():
    return fixed(nn.Sequential(Extra(2, 2))).state_dict()


# Training.


def trained(make_optimizer):
    model = fixed(nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 1)))
    optimizer = make_optimizer(model.parameters())
    for _ in range(2):
        optimizer.zero_grad()
        model(seeded(5, 3)).sum().backward()
        optimizer.step()
    return model, optimizer


for optimizer_name, optimizer_maker in {
    "sgd": lambda p: torch.optim.SGD(p, 0.1), "sgd_momentum": lambda p: torch.optim.SGD(p, 0.1, momentum=0.9, nesterov=True),
    "adam": lambda p: torch.optim.Adam(p, 1e-3, amsgrad=True), "adamw": lambda p: torch.optim.AdamW(p, torch.tensor(1e-3), foreach=False, capturable=False),
    "rmsprop": lambda p: torch.optim.RMSprop(p, 0.01), "adafactor": lambda p: torch.optim.Adafactor(p),
}.items():

    def optimizer_state(maker=optimizer_maker):
        return trained(maker)[1].state_dict()

    optimizer_state.__name__ = f"optimizer_{optimizer_name}"
    saved(optimizer_state)


@saved
def training_checkpoint():
    model, optimizer = trained(lambda p: torch.optim.AdamW(p, 1e-3))
    schedulers = torch.optim.lr_scheduler
    chain = schedulers.SequentialLR(optimizer, [schedulers.ConstantLR(optimizer), schedulers.StepLR(optimizer, 2)], [1])
    return {
        "state_dict": model.state_dict(), "optimizer": optimizer.state_dict(), "scheduler": chain.state_dict(), "epoch": 3, "best_acc1": torch.tensor(71.5),
        "scaler": torch.amp.GradScaler("cpu").state_dict(), "rng": torch.get_rng_state(), "cuda_rng": [torch.get_rng_state()],
        "loader": torch.Generator().manual_seed(4).get_state(), "arch": "vit",
    }


@saved
def averaged_model():
    averaged = torch.optim.swa_utils.AveragedModel(fixed(nn.Linear(2, 3)))
    averaged.update_parameters(fixed(nn.Linear(2, 3)))
    return {"ema": averaged.state_dict(), "model": fixed(nn.Linear(2, 3)).state_dict()}
