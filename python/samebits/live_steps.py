"""What an optimizer's steps did, for record_step()."""

from . import live_tensors
from .live_recorder import describe_leaf


def hooked(optimizer):
    """The torch optimizer that makes the steps: the one inside of what accelerate's prepare() gives. TypeError of what makes none."""
    import torch

    inside = optimizer
    while not hasattr(inside, "_optimizer_step_pre_hooks") and hasattr(inside, "optimizer"):
        inside = inside.optimizer
    if not isinstance(inside, torch.optim.Optimizer) or not hasattr(inside, "_optimizer_step_pre_hooks"):
        raise TypeError(f"{type(optimizer).__name__} is no torch.optim.Optimizer, and holds none as .optimizer")
    return inside


def demand_own(model, optimizer):
    """ValueError where no parameter of the optimizer is one of the model."""
    own = {id(parameter) for parameter in model.parameters()}
    if not any(id(parameter) in own for group in hooked(optimizer).param_groups for parameter in group["params"]):
        raise ValueError("the optimizer has no parameter of the model: it is built of another one, or of a copy")


class StepRecorder:
    """Hooks before and behind optimizer.step(); `steps` is what they saw."""

    def __init__(self, model, optimizer, recorder):
        optimizer = hooked(optimizer)
        self.optimizer, self.recorder = optimizer, recorder
        self.names = names_of(model, optimizer)
        self.steps = []
        self._handles = [
            optimizer.register_step_pre_hook(lambda *_: self._before()),
            optimizer.register_step_post_hook(lambda *_: self._after()),
        ]

    def detach(self):
        for handle in self._handles:
            handle.remove()

    def _parameters(self):
        for group in self.optimizer.param_groups:
            yield from group["params"]

    def _before(self):
        self._weights = {id(parameter): parameter.detach().clone() for parameter in self._parameters()}
        self._groups = [plain_group(group) for group in self.optimizer.param_groups]

    def _after(self):
        entries = [self._entry(parameter) for parameter in self._parameters()]
        self.steps.append(
            {"step": self.recorder.step, "optimizer": type(self.optimizer).__name__, "groups": self._groups, "parameters": entries}
        )
        self.recorder.step += 1
        self._weights = None

    def _entry(self, parameter):
        import torch

        statistics = self.recorder.options.statistics
        before, gradient = self._weights[id(parameter)], parameter.grad  # which a closure may have computed inside the step
        with torch.no_grad():
            update = live_tensors.statistics(parameter - before) if statistics else None
        state = self.optimizer.state.get(parameter, {})
        return {
            "name": self.names[id(parameter)],
            "gradient": None if gradient is None else describe_leaf("", gradient, statistics),
            "before": describe_leaf("", before, False),
            "after": describe_leaf("", parameter.detach(), statistics),
            "update": update,
            "state": {name: leaf for name, value in state.items() for leaf in [describe_leaf("", value, False)]},
        }


def names_of(model, optimizer):
    """id of a parameter -> its name in the model, or its place in the optimizer's groups where the model has no such parameter."""
    names = {}
    for index, group in enumerate(optimizer.param_groups):
        for place, parameter in enumerate(group["params"]):
            names[id(parameter)] = f"param_groups[{index}][{place}]"
    for name, parameter in model.named_parameters():
        if id(parameter) in names:
            names[id(parameter)] = name
    return names


def plain_group(group):
    """The settings of a parameter group: numbers, texts and tensors of one element by value."""
    import torch

    settings = {}
    for name, value in group.items():
        if name == "params":
            continue
        settings[name] = value.item() if isinstance(value, torch.Tensor) and value.numel() == 1 else value
        if not isinstance(settings[name], (bool, int, float, str, tuple, list, type(None))):
            settings[name] = repr(value)
    return settings
