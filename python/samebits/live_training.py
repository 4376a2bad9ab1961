"""The state of a training, part by part: digests of each, copies of each, and giving one part to another process's training.

Parts: "weights", "buffers", "moments" (the optimizer's state), "groups" (its settings), "gradients" (accumulated ones), every further object
by its name ("scheduler"), and generators: "rng.torch", "rng.numpy", "rng.python", "rng.cuda:0", "rng.loader".
"""

import copy
import hashlib

from . import live_facts, live_rng, live_tensors
from .live_steps import hooked, names_of, plain_group

RNG_NAMES = {"cpu": "rng.torch", "python": "rng.python", "numpy": "rng.numpy"}


class Training:
    """A model, its optimizer and further objects with state_dict() and load_state_dict()."""

    def __init__(self, model, optimizer, others):
        optimizer = hooked(optimizer)
        others = {name: with_state(name, value) for name, value in others.items()}
        self.model, self.optimizer, self.others = model, optimizer, others
        self.names = names_of(model, optimizer)
        self.parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]

    def tensors(self, kinds):
        """name -> tensor; tied ones and frozen parameters under their first name, too."""
        return {name: tensor for name, kind, tensor in live_facts.tensors_of(self.model) if kind in kinds}

    def digests(self):
        """part -> {name: digest} of everything but the generators."""
        weights, buffers = self.tensors({"parameter"}), self.tensors({"buffer", "non-persistent buffer"})
        found = {
            "weights": {name: live_tensors.digest(tensor) for name, tensor in weights.items()},
            "buffers": {name: live_tensors.digest(tensor) for name, tensor in buffers.items()},
            "moments": {self.names[id(p)]: digest_of(self.optimizer.state.get(p, {})) for p in self.parameters},
            "groups": self.groups(),
            "gradients": self.gradients(),
        }
        return {**found, **{name: {name: digest_of(value.state_dict())} for name, value in self.others.items()}}

    def groups(self):
        return {
            f"param_groups[{i}].{name}": repr(value)
            for i, group in enumerate(self.optimizer.param_groups)
            for name, value in plain_group(group).items()
        }

    def gradients(self):
        """Of parameters that have one which is not all zero: zeroed and absent gradients are the same to a step that adds to them."""
        held = {self.names[id(p)]: p.grad for p in self.parameters if p.grad is not None}
        return {name: digest_of(gradient) for name, gradient in held.items() if bool((gradient != 0).any())}

    def copies(self):
        """part -> a copy of its state, which give() takes."""
        return {
            "weights": {name: tensor.detach().clone() for name, tensor in self.tensors({"parameter"}).items()},
            "buffers": {name: tensor.detach().clone() for name, tensor in self.tensors({"buffer", "non-persistent buffer"}).items()},
            "moments": [copy.deepcopy(self.optimizer.state.get(p)) for p in self.parameters],
            "groups": [
                {name: copy.deepcopy(value) for name, value in group.items() if name != "params"} for group in self.optimizer.param_groups
            ],
            "gradients": [None if p.grad is None else p.grad.detach().clone() for p in self.parameters],
            **self.flags(),
            **{name: copy.deepcopy(value.state_dict()) for name, value in self.others.items()},
        }

    def flags(self):
        """Parts that no checkpoint holds and that a program sets: they are compared where nothing else makes a training exact."""
        return {
            "requires_grad": {name: tensor.requires_grad for name, tensor in self.tensors({"parameter"}).items()},
            "mode": {name: module.training for name, module in self.model.named_modules()},
        }

    def ties(self):
        """Names of each parameter that has several."""
        names = {}
        for name, tensor in self.tensors({"parameter"}).items():
            names.setdefault(id(tensor), []).append(name)
        return sorted(each for each in names.values() if len(each) > 1)

    def give(self, part, state):
        """Makes one part what copies() found in another process."""
        import torch

        with torch.no_grad():
            if part in ("weights", "buffers"):
                tensors = self.tensors({"parameter"} if part == "weights" else {"buffer", "non-persistent buffer"})
                for name, tensor in state.items():
                    tensors[name].copy_(tensor)
            elif part == "moments":
                for parameter, moments in zip(self.parameters, state):
                    self.optimizer.state.pop(parameter, None)
                    if moments is not None:
                        self.optimizer.state[parameter] = copy.deepcopy(moments)
            elif part == "groups":
                for group, settings in zip(self.optimizer.param_groups, state):
                    group.update(copy.deepcopy(settings))
            elif part == "requires_grad":
                for name, tensor in self.tensors({"parameter"}).items():
                    tensor.requires_grad_(state.get(name, tensor.requires_grad))
            elif part == "mode":
                for name, module in self.model.named_modules():
                    module.training = state.get(name, module.training)
            elif part == "gradients":
                for parameter, gradient in zip(self.parameters, state):
                    parameter.grad = None if gradient is None else gradient.clone()
            else:
                self.others[part].load_state_dict(copy.deepcopy(state))


class _Generator:
    """A generator of the program's own as an object with a state."""

    def __init__(self, read, write):
        self._read, self._write = read, write

    def state_dict(self):
        return {"state": self._read()}

    def load_state_dict(self, state):
        self._write(state["state"])


def with_state(name, value):
    """An object with state_dict() and load_state_dict(): itself, or a generator of torch, numpy or Python."""
    if hasattr(value, "state_dict") and hasattr(value, "load_state_dict"):
        return value
    if hasattr(value, "get_state") and hasattr(value, "set_state"):  # torch.Generator, numpy.random.RandomState
        return _Generator(lambda: _plain(value.get_state()), value.set_state)
    if hasattr(value, "getstate") and hasattr(value, "setstate"):
        return _Generator(value.getstate, value.setstate)
    if hasattr(value, "bit_generator"):
        return _Generator(lambda: _plain(value.bit_generator.state), lambda state: setattr(value.bit_generator, "state", state))
    raise TypeError(f"begin({name}=...): {type(value).__name__} has no state_dict() and load_state_dict(), and is no generator")


def _plain(state):
    """A generator's state with lists for the arrays in it, which a digest sees."""
    if isinstance(state, dict):
        return {key: _plain(value) for key, value in state.items()}
    if isinstance(state, tuple):
        return tuple(_plain(value) for value in state)
    return state.tolist() if hasattr(state, "__array_interface__") else state


def digest_of(value, of_tensor=live_tensors.digest):
    """The digest of any state: its leaves with their places, tensors by their bytes."""
    import torch

    text = hashlib.sha256()
    for path, leaf in live_tensors.leaves(value):
        if isinstance(leaf, torch.Tensor):
            shown = f"{live_tensors.dtype_name(leaf)}{list(leaf.shape)} {of_tensor(leaf)}"
        else:
            shown = leaf.kind if isinstance(leaf, live_tensors.Opaque) else repr(leaf)
        text.update(f"{path}={shown}\n".encode("utf-8", "backslashreplace"))
    return text.hexdigest()


def random_states(loader=()):
    """part -> state of every generator; `loader`: those of the data loader, together one part."""
    found = {RNG_NAMES.get(name, f"rng.{name}"): state for name, state in live_rng.states().items()}
    if loader:
        found["rng.loader"] = [generator.get_state() for generator in loader]
    return found


def random_digests(loader=()):
    return {
        part: {part: digest_of(state) if part == "rng.loader" else live_rng.digest(state)} for part, state in random_states(loader).items()
    }


def give_random(part, state, loader=()):
    if part == "rng.loader":
        for generator, each in zip(loader, state):
            generator.set_state(each)
        return
    names = {part: name for name, part in RNG_NAMES.items()}
    live_rng.restore({names.get(part, part.removeprefix("rng.")): state})


def generators_of(loader):
    """torch.Generator objects that a data loader and its samplers hold, each once."""
    import torch

    found, sampler = {}, getattr(loader, "sampler", None)
    for holder in (loader, sampler, getattr(loader, "batch_sampler", None), getattr(sampler, "sampler", None)):
        generator = getattr(holder, "generator", None)
        if isinstance(generator, torch.Generator):
            found[id(generator)] = generator
    return list(found.values())
