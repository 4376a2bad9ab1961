"""Pairs of small models with equal tensors, picklable: used by module_trees_test.py.

`OTHER` and `ALIKE` hold name -> (model A, model B, input): the two give other outputs, or the same outputs with only harmless
attributes between them. `OPEN` pairs give the same outputs, and only their code could say so."""

import argparse
import collections
import copy
import dataclasses
import enum
import functools
import math
import operator
import pathlib
import types

import numpy
import torch
from torch import nn
from torch.nn import functional

VECTORS = torch.linspace(-2, 2, 48).reshape(3, 16)
IMAGES = torch.linspace(-1, 1, 2 * 4 * 8 * 8).reshape(2, 4, 8, 8)
TOKENS = torch.linspace(-1, 1, 2 * 5 * 16).reshape(2, 5, 16).sin()


class Kind(enum.Enum):
    DOUBLE = 2
    TRIPLE = 3


@dataclasses.dataclass
class Settings:
    scale: float = 1.0
    run_name: str = "a"
    notes: dict = dataclasses.field(default_factory=dict)


class Slotted:
    __slots__ = ("scale", "unused")

    def __init__(self, scale):
        self.scale, self.unused = scale, None


class Stateful:
    """Its state is neither a dict nor a pair of them."""

    def __init__(self, scale):
        self.scale = scale

    def times(self, x):
        return x * self.scale

    def __getstate__(self):
        return (self.scale, {"unit": "px"})

    def __setstate__(self, state):
        self.scale = state[0]


class Scales(dict):
    """A dict that also holds what it was made with."""

    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def __reduce__(self):
        return Scales, (self.factor,), None, None, iter(self.items())


Pair = collections.namedtuple("Pair", "scale shift")


class Gain(nn.Module):
    """A weight, for models that have no other."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, x):
        return x * self.weight


class Own(nn.Module):
    """A user's module: one layer, and whatever it is given, read by `scale_of`."""

    def __init__(self, layer=None, **attributes):
        super().__init__()
        self.layer = Gain() if layer is None else layer
        for name, value in attributes.items():
            setattr(self, name, value)

    def forward(self, x):
        return scale_of(self)(self.layer(x).double())


def scale_of(module):
    """What the attributes make of a tensor."""

    def apply(x):
        for name, value in vars(module).items():
            if not name.startswith("_") and name not in HARMLESS | {"training"}:
                x = effect_of(value)(x)
        return x

    return apply


HARMLESS = {"run_name", "log_dir", "epoch", "global_step", "lr", "history", "output_dir", "train_losses", "tags"}


def effect_of(value):
    if isinstance(value, dict) and "scale" in value:
        return lambda x: x * value["scale"]
    if isinstance(value, (bool, int, float, numpy.number)):
        return lambda x: torch.copysign(x, torch.tensor(float(value))) * float(value) + math.copysign(0.5, value)
    if isinstance(value, nn.Module):
        return value.double()
    if isinstance(value, torch.Tensor):
        return lambda x: x * value.float().mean()
    if isinstance(value, numpy.ndarray):
        return lambda x: x * float(value.astype("float64").sum())
    if isinstance(value, enum.Enum):
        return lambda x: x * value.value
    if isinstance(value, (str, bytes)):
        return lambda x: x * len(value) + sum(value.encode() if isinstance(value, str) else value)
    if isinstance(value, (functools.partial, types.FunctionType, types.BuiltinFunctionType, types.MethodType, operator.methodcaller)):
        return value
    if isinstance(value, Scales):
        return lambda x: x * value.factor
    if isinstance(value, dict):
        return lambda x: functools.reduce(lambda y, item: effect_of(item[1])(effect_of(item[0])(y)), value.items(), x)
    if isinstance(value, (set, frozenset)):
        return lambda x: x * sum(value)
    if isinstance(value, (list, tuple, collections.deque)):
        return lambda x: functools.reduce(lambda y, item: effect_of(item)(y), value, x)
    if isinstance(value, torch.dtype):
        return lambda x: x.to(value)
    if isinstance(value, torch.Generator):
        return lambda x: x + torch.rand(1, generator=value)
    if isinstance(value, numpy.random.RandomState):
        return lambda x: x + value.rand()
    if isinstance(value, (Settings, Slotted, Stateful, argparse.Namespace)):
        return lambda x: x * value.scale
    if isinstance(value, slice):
        return lambda x: x[value]
    if isinstance(value, complex):
        return lambda x: x * value
    if value is None or isinstance(value, (torch.device, pathlib.PurePath)):
        return lambda x: x
    raise TypeError(type(value))


class Buffered(nn.Module):
    """Multiplies by its buffers, of which none is saved by state_dict()."""

    def __init__(self, **buffers):
        super().__init__()
        self.gain = Gain()
        for name, value in buffers.items():
            self.register_buffer(name, value, persistent=False)

    def forward(self, x):
        for buffer in self.buffers():
            x = x * buffer
        return self.gain(x)


class Chain(nn.Sequential):
    """A user's Sequential."""


class LayerNorm(nn.LayerNorm):
    """A user's class by the name of torch's."""

    def forward(self, x):
        return super().forward(x) * 2


class Branches(nn.Module):
    """Runs what its ModuleDict holds, in its order."""

    def __init__(self, **branches):
        super().__init__()
        self.branches = nn.ModuleDict(branches)

    def forward(self, x):
        for branch in self.branches.values():
            x = branch(x)
        return x


class Children(nn.Module):
    """Runs its children in the order in which they were registered."""

    def __init__(self, **children):
        super().__init__()
        for name, child in children.items():
            self.add_module(name, child)

    def forward(self, x):
        for child in self.children():
            x = child(x)
        return x


class Block(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        self.linear = nn.Linear(4, 4)

    def forward(self, x):
        return self.linear(x) * self.config["scale"]


def deep(scale=1.0, blocks=120, fields=120):
    """Every block holds one large config."""
    config = {f"field_{i}": i for i in range(fields)} | {"scale": scale}
    return nn.Sequential(*[Block(config) for _ in range(blocks)])


def doubled(module, inputs, output):
    return output * 2


def untouched(module, inputs, output):
    return None


def shifted(module, inputs):
    return (inputs[0] + 1,)


def named(module, inputs, kwargs, output=None):
    return output * 2 if output is not None else None


def twice(x):
    return 2 * x


def thrice(x):
    return 3 * x


def times(x, factor, shift=0.0):
    return x * factor + shift


def power(factor, x, shift=0.0):
    return x * factor + shift


def changed(make, change):
    """A model, and the same with one change."""
    torch.manual_seed(3)
    a = make()
    b = copy.deepcopy(a)
    change(b)
    return a, b


def built(*models):
    """Models with the first one's tensors."""
    for model in models[1:]:
        model.load_state_dict(models[0].state_dict())
    return models


def layers(make, *arguments):
    """Sequentials of one layer, made with each of the arguments, on the same weights."""
    return built(*(nn.Sequential(Gain(), make(**a)) for a in arguments))


def encoder(**named_arguments):
    return nn.TransformerEncoderLayer(16, **({"nhead": 2, "dim_feedforward": 24, "batch_first": True, "dropout": 0.0} | named_arguments))


def own(a, b, name="value", layer=None):
    return Own(layer, **{name: a}), Own(copy.deepcopy(layer), **{name: b})


def attribute(path, value):
    def change(model):
        place, _, last = path.rpartition(".")
        setattr(model.get_submodule(place), last, value)

    return change


def spectral_steps(model):
    (norm,) = model[0]._forward_pre_hooks.values()
    norm.n_power_iterations = 5


def scripted(model):
    model = copy.deepcopy(model)
    torch.jit.script(model)
    assert "__overloads__" in vars(model)
    return model


def conv():
    return nn.Sequential(nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.1))


def mlp():
    return nn.Sequential(nn.Linear(16, 16), nn.LayerNorm(16), nn.GELU(), nn.Linear(16, 16))


def hook(kind, function, **named_arguments):
    return lambda model: getattr(model[1], kind)(function, **named_arguments)


def generator(seed):
    return torch.Generator().manual_seed(seed)


def conv_forward(x, weight, bias):
    return functional.conv2d(x, weight, bias, padding=1) * 2


def ordered(cls, *names):
    torch.manual_seed(4)
    parts = {"norm": nn.LayerNorm(16), "line": nn.Linear(16, 16), "act": nn.ReLU()}
    if issubclass(cls, nn.Sequential):
        return cls(collections.OrderedDict((name, parts[name]) for name in names))
    return cls(**{name: parts[name] for name in names})


def ragged(*parts):
    array = numpy.empty(len(parts), dtype=object)
    array[:] = parts
    return array


OTHER = {
    "statistics on one side": (*changed(conv, lambda m: m.__setitem__(1, nn.BatchNorm2d(4, track_running_stats=False))), IMAGES),
    "statistics of InstanceNorm that are not read": (
        *changed(lambda: nn.Sequential(Gain(), nn.InstanceNorm2d(4, track_running_stats=True)), attribute("1.track_running_stats", False)), IMAGES),
    "output_padding": (*changed(lambda: nn.Sequential(nn.ConvTranspose2d(4, 4, 3, stride=2)), attribute("0.output_padding", (1, 1))), IMAGES),
    "eps of RMSNorm": (*changed(lambda: nn.Sequential(nn.RMSNorm(16)), attribute("0.eps", 1e-3)), VECTORS),
    # torch's own layers
    "LayerNorm eps": (*layers(nn.LayerNorm, {"normalized_shape": 16}, {"normalized_shape": 16, "eps": 0.1}), VECTORS),
    "GroupNorm groups": (*layers(nn.GroupNorm, {"num_groups": 2, "num_channels": 4}, {"num_groups": 4, "num_channels": 4}), IMAGES),
    "BatchNorm eps": (*changed(conv, attribute("1.eps", 0.1)), IMAGES),
    "RMSNorm eps": (*layers(nn.RMSNorm, {"normalized_shape": 16, "eps": 0.1}, {"normalized_shape": 16, "eps": 0.2}), VECTORS),
    "GELU": (*layers(nn.GELU, {}, {"approximate": "tanh"}), VECTORS),
    "LeakyReLU": (*layers(nn.LeakyReLU, {}, {"negative_slope": 0.2}), VECTORS),
    "Softmax dim": (*layers(nn.Softmax, {"dim": 0}, {"dim": 1}), VECTORS),
    "Flatten": (*layers(nn.Flatten, {}, {"start_dim": 2}), IMAGES),
    "ReLU and Tanh": (nn.Sequential(Gain(), nn.ReLU()), nn.Sequential(Gain(), nn.Tanh()), VECTORS),
    "conv stride": (*changed(conv, attribute("0.stride", (2, 2))), IMAGES),
    "conv padding": (*changed(conv, attribute("0.padding", (0, 0))), IMAGES),
    "conv dilation": (*changed(conv, attribute("0.dilation", (2, 2))), IMAGES),
    "conv padding mode": (*layers(nn.Conv2d, *({"in_channels": 4, "out_channels": 4, "kernel_size": 3, "padding": 1, "padding_mode": m} for m in ("zeros", "circular"))), IMAGES),
    "conv groups": (*layers(nn.Conv2d, {"in_channels": 4, "out_channels": 4, "kernel_size": 1, "groups": 4}, {"in_channels": 1, "out_channels": 4, "kernel_size": 1}), IMAGES[:, :1]),
    "pool": (*layers(nn.MaxPool2d, {"kernel_size": 2}, {"kernel_size": 2, "stride": 1}), IMAGES),
    "average pool": (nn.Sequential(Gain(), nn.AvgPool2d(2)), nn.Sequential(Gain(), nn.MaxPool2d(2)), IMAGES),
    "Upsample": (*layers(nn.Upsample, {"scale_factor": 2}, {"scale_factor": 2, "mode": "bilinear"}), IMAGES),
    "heads": (*layers(encoder, {}, {"nhead": 4}), TOKENS),
    "norm_first": (*layers(encoder, {}, {"norm_first": True}), TOKENS),
    "encoder activation": (*layers(encoder, {}, {"activation": "gelu"}), TOKENS),
    "encoder activation, both functions": (*layers(encoder, {"activation": torch.tanh}, {"activation": torch.sigmoid}), TOKENS),
    "buffer that is not persistent": (Buffered(mask=torch.ones(16)), Buffered(mask=torch.arange(16.0)), VECTORS),
    "one more buffer that is not persistent": (Buffered(), Buffered(mask=torch.arange(16.0)), VECTORS),
    "position_ids by which a user multiplies": (Buffered(position_ids=torch.arange(16)), Buffered(position_ids=torch.arange(16) + 1), VECTORS),
    # order, parts
    "order of a Sequential": (ordered(nn.Sequential, "norm", "line", "act"), ordered(nn.Sequential, "norm", "act", "line"), VECTORS),
    "order of a user's Sequential": (ordered(Chain, "norm", "line", "act"), ordered(Chain, "norm", "act", "line"), VECTORS),
    "order of a ModuleDict": (ordered(Branches, "norm", "line", "act"), ordered(Branches, "norm", "act", "line"), VECTORS),
    "order of children": (ordered(Children, "norm", "line", "act"), ordered(Children, "norm", "act", "line"), VECTORS),
    "an extra layer": (*changed(mlp, lambda m: m.append(nn.Tanh())), VECTORS),
    "a layer less": (*changed(mlp, lambda m: m.pop(2)), VECTORS),
    "one module twice": (*changed(mlp, lambda m: m.append(m[2])), VECTORS),
    "a user's class by torch's name": (nn.Sequential(nn.LayerNorm(16)), nn.Sequential(LayerNorm(16)), VECTORS),
    # hooks, functions
    "forward hook": (*changed(mlp, hook("register_forward_hook", doubled)), VECTORS),
    "forward pre-hook": (*changed(mlp, hook("register_forward_pre_hook", shifted)), VECTORS),
    "two hooks": (*changed(mlp, lambda m: (hook("register_forward_hook", doubled)(m), hook("register_forward_hook", doubled)(m))), VECTORS),
    "forward": (*changed(mlp, attribute("1.forward", twice)), VECTORS),
    "forward by another function": (Own(layer=None, forward=twice), Own(layer=None, forward=thrice), VECTORS),
    "a private method": (*changed(conv, attribute("0._conv_forward", conv_forward)), IMAGES),
    "a partial forward": (Own(forward=functools.partial(times, factor=2)), Own(forward=functools.partial(times, factor=3)), VECTORS),
    "partial's arguments": (*own(functools.partial(power, 2.0, shift=1.0), functools.partial(power, 3.0, shift=1.0)), VECTORS),
    "partial's function": (*own(functools.partial(torch.mul, other=2.0), functools.partial(torch.add, other=2.0)), VECTORS),
    "function": (*own(twice, thrice), VECTORS),
    "builtin function": (*own(torch.tanh, torch.sigmoid), VECTORS),
    # values
    "float": (*own(1.0, 1.5), VECTORS),
    "last bit of a float": (*own(0.1, float(numpy.nextafter(0.1, 1))), VECTORS),
    "list": (*own([1.0, 2.0], [2.0, 1.0]), VECTORS),
    "longer list": (*own([1.0, 2.0], [1.0, 2.0, 1.0]), VECTORS),
    "long list": (*own([0.5] * 300, [0.5] * 299 + [0.25]), VECTORS),
    "dict": (*own({"a": 1.0, "b": 2.0}, {"a": 1.0, "b": 3.0}), VECTORS),
    "order of a dict": (*own({"a": 1.0, "b": 2.0}, {"b": 2.0, "a": 1.0}), VECTORS),
    "order of an OrderedDict": (*own(collections.OrderedDict(a=1.0, b=2.0), collections.OrderedDict(b=2.0, a=1.0)), VECTORS),
    "keys of a dict": (*own({1: 2.0}, {"1": 2.0}), VECTORS),
    "number and text as keys": (*own({1: 2.0, "1": 3.0}, {1: 4.0, "1": 3.0}), VECTORS),
    "dict of tuples": (*own({(1, 2): 3.0}, {(1, 3): 3.0}), VECTORS),
    "a dict's own argument": (*own(Scales(2.0), Scales(3.0)), VECTORS),
    "set": (*own({1, 2, 3}, {1, 2, 4}), VECTORS),
    "tensor": (*own(torch.ones(3), torch.arange(3) + 1.0), VECTORS),
    "part of a larger tensor": (*own(torch.arange(6.0)[:3], torch.arange(6.0)[3:]), VECTORS),
    "numpy": (*own(numpy.arange(3.0), numpy.arange(3.0) + 1), VECTORS),
    "numpy's scalar": (*own(numpy.float64(2), numpy.float64(3)), VECTORS),
    "numpy of objects": (*own([ragged(1.0, 2.0)[0]], [ragged(3.0, 2.0)[0]]), VECTORS),
    "Enum": (*own(Kind.DOUBLE, Kind.TRIPLE), VECTORS),
    "dtype": (*own(torch.float32, torch.float64), VECTORS),
    "Generator": (*own(generator(1), generator(2)), VECTORS),
    "RandomState": (*own(numpy.random.RandomState(1), numpy.random.RandomState(2)), VECTORS),
    "dataclass": (*own(Settings(scale=1.0), Settings(scale=2.0)), VECTORS),
    "Namespace": (*own(argparse.Namespace(scale=1.0), argparse.Namespace(scale=2.0)), VECTORS),
    "slots": (*own(Slotted(1.0), Slotted(2.0)), VECTORS),
    "state of a tuple": (*own(Stateful(1.0), Stateful(2.0)), VECTORS),
    "namedtuple": (*own(Pair(1.0, 2.0), Pair(1.0, 3.0)), VECTORS),
    "deque": (*own(collections.deque([1.0]), collections.deque([2.0])), VECTORS),
    "slice": (*own(slice(0, 2), slice(0, 1)), VECTORS),
    "complex": (*own(1 + 2j, 1 + 3j), VECTORS),
    "sign of zero": (*own(0.0, -0.0), VECTORS),
    "bound method": (*own(Stateful(2.0).times, Stateful(3.0).times), VECTORS),
    "callable of a call": (*own(operator.methodcaller("clamp", min=0), operator.methodcaller("clamp", min=1)), VECTORS),
    "plain list of modules": (*own([nn.LayerNorm(16)], [nn.LayerNorm(16, eps=0.1)]), VECTORS),
    "text": (*own("ab", "ba"[:1]), VECTORS),
    "long text": (*own("a" * 1000, "a" * 999 + "b"), VECTORS),
    "bytes": (*own(b"ab", b"ac"), VECTORS),
    "big integer": (*own(2**70, 2**71), VECTORS),
    "a scale in what names a run": (*own({"scale": 1.0}, {"scale": 2.0}, "experiment"), VECTORS),
    "many harmless fields and one other": (
        *own([{"epoch": i} for i in range(40)] + [1.0], [{"epoch": i + 1} for i in range(40)] + [2.0], "values"), VECTORS),
    "a config that every block holds": (*built(deep(1.0), deep(2.0)), VECTORS[:, :4]),
}
for value in OTHER["a dict's own argument"][:2]:
    value.value["a"] = 1

ALIKE = {
    "power steps of an old spectral norm": (
        *changed(lambda: nn.Sequential(nn.utils.spectral_norm(nn.Linear(16, 16))), spectral_steps), VECTORS),
    "what torch.jit.script leaves": (Gain(), scripted(Gain()), VECTORS),
    "what torch.compile leaves": (*changed(Gain, attribute("_is_torch_compile", True)), VECTORS),
    "equal buffers": (Buffered(mask=torch.ones(16)), Buffered(mask=torch.ones(16)), VECTORS),
    "nothing": (*changed(mlp, lambda m: None), VECTORS),
    "run_name": (*own("first", "second", "run_name", nn.Linear(16, 16)), VECTORS),
    "log folder": (*own("/logs/1", "/logs/2", "log_dir"), VECTORS),
    "Path": (*own(pathlib.PurePosixPath("/a"), pathlib.PurePosixPath("/b"), "output_dir"), VECTORS),
    "counter": (*own(1, 2, "global_step"), VECTORS),
    "losses": (*own([1.0, 0.5], [1.0, 0.5, 0.25], "train_losses"), VECTORS),
    "history": (*own({"loss": [1.0]}, {"loss": [1.0, 0.5]}, "history"), VECTORS),
    "a run's name in a dataclass": (*own(Settings(run_name="a"), Settings(run_name="b")), VECTORS),
    "dropout in evaluation": (*changed(conv, attribute("3.p", 0.5)), IMAGES),
    "Identity for dropout": (*changed(conv, lambda m: m.__setitem__(3, nn.Identity())), IMAGES),
    "inplace": (*changed(conv, attribute("2.inplace", True)), IMAGES),
    "momentum": (*changed(conv, attribute("1.momentum", 0.5)), IMAGES),
    "requires_grad": (*changed(mlp, lambda m: m.requires_grad_(False)), VECTORS),
    "backward hook": (*changed(mlp, lambda m: m[1].register_full_backward_hook(doubled)), VECTORS),
    "padding_idx": (*built(*(nn.Sequential(nn.Embedding(8, 4, padding_idx=p)) for p in (None, 0))), torch.arange(8)),
    "statistics that are kept as they are": (*changed(conv, attribute("1.track_running_stats", False)), IMAGES),
    "kernel_size, which the weight says": (*changed(conv, attribute("0.kernel_size", (5, 5))), IMAGES),
    "output_padding of no transposed convolution": (*changed(conv, attribute("0.output_padding", (1, 1))), IMAGES),
    "norm_type without max_norm": (*changed(lambda: nn.Sequential(nn.Embedding(8, 4)), attribute("0.norm_type", 1.0)), torch.arange(8)),
    "eps of RMSNorm that is the type's own": (*changed(lambda: nn.Sequential(nn.RMSNorm(16)), attribute("0.eps", torch.finfo(torch.float32).eps)), VECTORS),
    "num_parameters of PReLU": (*changed(lambda: nn.Sequential(nn.PReLU()), attribute("0.num_parameters", 4)), VECTORS),
    "num_layers beside the list of layers": (*changed(lambda: nn.TransformerEncoder(encoder(), 2), attribute("num_layers", 1)), TOKENS),
    "kdim beside equal weights": (*changed(encoder, attribute("self_attn.kdim", 8)), TOKENS),
    "padding by name": (*layers(nn.Conv2d, *({"in_channels": 4, "out_channels": 4, "kernel_size": 3, "padding": p} for p in (1, "same"))), IMAGES),
    "set in another order": (*own({"a", "b"}, {"b", "a"}, "tags"), VECTORS),
    "a config that every block holds": (*built(deep(), deep()), VECTORS[:, :4]),
    "many fields": (*own({f"f{i}": float(i) for i in range(5000)}, {f"f{i}": float(i) for i in range(5000)}), VECTORS * 0),
    **{f"equal {name}": (*own(value, copy.deepcopy(value)), VECTORS)
       for name, value in {
           "partial": functools.partial(power, 2.0, shift=1.0), "numpy": numpy.arange(3.0), "Enum": Kind.DOUBLE, "state": Stateful(2.0),
           "Scales": Scales(2.0), "tensor": torch.ones(3), "dict": {1: 2.0, (1, 2): 3.0}, "RandomState": numpy.random.RandomState(1),
           "Generator": generator(1), "dtype": torch.float64, "device": torch.device("cpu"), "nan": float("nan"), "cycle": 1.0}.items()},
}

OPEN = {
    "learning rate": (*own(1e-3, 1e-4, "lr"), VECTORS),
    "a hook that changes nothing": (*changed(mlp, hook("register_forward_hook", untouched)), VECTORS),
    "a text that nobody reads": (*own(None, pathlib.PurePosixPath("/a"), "place"), VECTORS),
    "a user's wrapper": (Gain(), Children(gain=Gain()), VECTORS),
}

# In training mode, where outputs are of the batch alone and what these say moves gradients or running statistics.
ALIKE_IN_TRAINING = {
    "padding_idx": (*changed(lambda: nn.Sequential(nn.Embedding(8, 4)), attribute("0.padding_idx", 0)), torch.arange(8)),
    "sparse": (*changed(lambda: nn.Sequential(nn.Embedding(8, 4)), attribute("0.sparse", True)), torch.arange(8)),
    "scale_grad_by_freq": (*changed(lambda: nn.Sequential(nn.Embedding(8, 4)), attribute("0.scale_grad_by_freq", True)), torch.arange(8)),
    "momentum": (*changed(lambda: conv()[:3], attribute("1.momentum", 0.5)), IMAGES),
    "track_running_stats": (*changed(lambda: conv()[:3], attribute("1.track_running_stats", False)), IMAGES),
}
