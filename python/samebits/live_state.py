"""The whole state of a live model, so that whatever a run did to it can be taken back; and tensors at chosen addresses."""

from . import live_alike, live_tensors


MAX_COPIED = 8 << 30  # bytes of one model's parameters


class ModelState:
    """Captured once; restore() makes the model what it was: classes, attributes, children, hooks, modes, the memory of parameters,
    the contents of parameters, of buffers and of tensors held as attributes, and config objects.

    Contents of parameters that are larger than MAX_COPIED together are not copied: changed() says whether a run wrote into one.
    """

    def __init__(self, model):
        self.modules = [(module, type(module), dict(vars(module))) for module in model.modules()]
        self.containers = [
            (value, copy) for _, _, saved in self.modules for value in saved.values() for copy in [_copy(value)] if copy is not None
        ]
        self.parameters = [(p, p.data, p.requires_grad, _version(p)) for p in model.parameters()]
        size = sum(p.numel() * p.element_size() for p in model.parameters() if not live_tensors.unreadable(p))
        self.is_copied = size <= MAX_COPIED
        self.copies = [_on_host(p) if self.is_copied and not live_tensors.unreadable(p) else None for p in model.parameters()]
        self.tensors = [(tensor, tensor.data, tensor.detach().clone()) for tensor in self._loose_tensors()]
        self.configs = [(config, dict(vars(config))) for config in configs_of(model)]

    def _loose_tensors(self):
        import torch

        held = {id(parameter) for parameter, *_ in self.parameters}
        found = {}
        for _, _, saved in self.modules:
            for value in [*saved.values(), *saved["_buffers"].values()]:
                if isinstance(value, torch.Tensor) and id(value) not in held and not live_tensors.unreadable(value):
                    found[id(value)] = value
        return found.values()

    def restore(self):
        import torch

        for module, kind, saved in self.modules:
            if type(module) is not kind:
                module.__class__ = kind
            vars(module).clear()
            vars(module).update(saved)
        for container, copy in self.containers:
            _refill(container, copy)
        with torch.no_grad():
            for (parameter, data, requires_grad, version), copy in zip(self.parameters, self.copies):
                written = version is None or _version(parameter) != version
                parameter.data = data
                parameter.requires_grad_(requires_grad)
                if written and copy is not None and not live_tensors.same_bits(data, copy):
                    data.copy_(copy)
            for tensor, data, copy in self.tensors:
                tensor.data = data
                if not live_tensors.same_bits(data, copy):
                    data.copy_(copy)
        for config, saved in self.configs:
            vars(config).clear()
            vars(config).update(saved)

    def moved(self):
        """Names of what a run left changed: attributes, and tensors that are buffers or attributes."""
        import torch

        names = {
            id(value): name
            for _, _, saved in self.modules
            for name, value in {**saved, **saved["_buffers"]}.items()
            if isinstance(value, torch.Tensor)
        }
        found = [names[id(tensor)] for tensor, data, copy in self.tensors if not live_tensors.same_bits(data, copy)]
        for module, _, saved in self.modules:
            for name in {**saved, **vars(module)}:
                one, other = saved.get(name), vars(module).get(name)
                if one is not other and not live_alike.alike(one, other):
                    found.append(name)
        return list(dict.fromkeys(found + [name for container, copy in self.containers for name in _unlike_keys(container, copy)]))

    def changed(self):
        """Whether something wrote into a parameter since the capture."""
        return any(_version(parameter) != version for parameter, _, _, version in self.parameters)


def _on_host(tensor):
    return tensor.detach().to("cpu", copy=True)


def _version(tensor):
    """How often something wrote into it; None of an inference tensor, which does not count."""
    return None if tensor.is_inference() else tensor._version


def _copy(value):
    """A shallow copy of a container that a run may change in place; None of anything else."""
    if isinstance(value, (dict, list, set)):
        return value.copy()
    return None


def _unlike_keys(container, copy):
    """Keys of a container whose values a run replaced; "items" of one that is no mapping."""
    if isinstance(container, dict):
        return [str(key) for key in {**copy, **container} if container.get(key) is not copy.get(key)]
    return [] if len(container) == len(copy) else ["items"]


def _refill(container, copy):
    if isinstance(container, list):
        container[:] = copy
        return
    container.clear()
    container.update(copy)


def configs_of(model):
    """Every config object (it has to_dict) of its modules and those inside these, once."""
    found = {}

    def add(config):
        if hasattr(config, "to_dict") and hasattr(config, "__dict__") and id(config) not in found and not isinstance(config, type):
            found[id(config)] = config
            for member in list(vars(config).values()):
                add(member)

    for module in model.modules():
        add(vars(module).get("config"))
    return list(found.values())


def same_place(a, b):
    """Whether two tensors on a CPU begin at one address modulo 64; true where that cannot be asked."""
    import torch

    if any(t.device.type != "cpu" or t.layout != torch.strided or t.numel() == 0 for t in (a, b)):
        return True
    return a.data_ptr() % 64 == b.data_ptr() % 64


def placed(values, like_layout, like_place):
    """A copy of `values` with the strides of one tensor, beginning at the address of another one modulo 64."""
    import numpy
    import torch

    strides, shape = like_layout.stride(), tuple(values.shape)
    if values.device.type != "cpu" or values.numel() == 0 or like_layout.shape != values.shape or 0 in strides:
        return values.detach().clone()
    count = 1 + sum((size - 1) * stride for size, stride in zip(shape, strides))
    width = values.element_size()
    raw = numpy.zeros(count * width + 128, numpy.uint8)
    begin = (like_place.data_ptr() - raw.ctypes.data) % 64
    flat = torch.frombuffer(raw[begin : begin + count * width], dtype=values.dtype)
    result = flat.as_strided(shape, strides)
    with torch.no_grad():
        result.copy_(values.detach())
    return result
