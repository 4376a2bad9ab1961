"""What a pass depends on beside its inputs: the environment, the model's own settings, and where its weights lie."""

import os
import platform
import sys

from . import live_tensors

LIBRARIES = ["torch", "numpy", "transformers", "timm", "torchvision", "accelerate", "peft", "pytorch_lightning", "lightning"]
VARIABLES = [  # known to change the bits of a result
    "ATEN_CPU_CAPABILITY",
    "MKL_CBWR",
    "MKL_NUM_THREADS",
    "OMP_NUM_THREADS",
    "CUBLAS_WORKSPACE_CONFIG",
    "NVIDIA_TF32_OVERRIDE",
    "MKL_DYNAMIC",
    "OMP_DYNAMIC",
]


def environment():
    """What holds for every module of this process, as plain values."""
    import torch

    facts = {
        "versions": {"python": platform.python_version(), **versions()},
        "machine": platform.machine(),
        "cpu": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "interop_threads": torch.get_num_interop_threads(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "matmul_precision": torch.get_float32_matmul_precision(),
        "default_dtype": str(torch.get_default_dtype()).removeprefix("torch."),
        "grad": torch.is_grad_enabled(),
        "inference_mode": torch.is_inference_mode_enabled(),
        "autocast": autocast(),
        "mkldnn": torch.backends.mkldnn.is_available() and torch.backends.mkldnn.enabled,
        "variables": {name: os.environ[name] for name in VARIABLES if name in os.environ},
    }
    if torch.cuda.is_initialized():
        facts["cuda"] = _cuda()
    return facts


def versions():
    """Of libraries that are loaded, without loading any."""
    found = {name: getattr(sys.modules[name], "__version__", None) for name in LIBRARIES if name in sys.modules}
    return {name: str(version) for name, version in found.items() if version is not None}


def autocast():
    """device -> dtype of every device type on which autocast is on."""
    import torch

    return {
        device: str(torch.get_autocast_dtype(device)).removeprefix("torch.")
        for device in ("cpu", "cuda")
        if torch.is_autocast_enabled(device)
    }


def _cuda():
    import torch

    return {
        "devices": [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())],
        "cudnn": torch.backends.cudnn.version(),
        "benchmark": torch.backends.cudnn.benchmark,
        "tf32": torch.backends.cuda.matmul.allow_tf32,
    }


def model_facts(model, digests=False):
    """The model's class, mode, config, attention implementations and its tensors; `digests`: of every tensor's bytes, too."""
    modules = dict(model.named_modules())
    return {
        "class": f"{type(model).__module__}.{type(model).__qualname__}",
        "modules": len(modules),
        "training": [name for name, module in modules.items() if module.training],
        "attention": attention(modules),
        "config": config_of(model),
        "aliases": aliases(model),
        "tensors": [tensor_facts(*entry, digests) for entry in tensors_of(model)],
    }


def attention(modules):
    """module -> the implementation that its config names, where that is another than its parent's."""
    found = {}
    for name, module in modules.items():
        value = getattr(vars(module).get("config"), "_attn_implementation", None)
        above = next((found[p] for p in _parents(name) if p in found), None)
        if isinstance(value, str) and value != above:
            found[name] = value
    return found


def _parents(name):
    while name:
        name = name.rpartition(".")[0]
        yield name


def config_of(model):
    """The config as transformers' to_dict() gives it, in plain values; None where there is none."""
    config = getattr(model, "config", None)
    if not hasattr(config, "to_dict"):
        return None
    return plain(config.to_dict())


def plain(value):
    """A value in JSON's types: what is no such value becomes its repr."""
    if isinstance(value, dict):
        return {str(key): plain(member) for key, member in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(member) for member in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return str(value)


def aliases(model):
    """Further names of modules that stand in several places: name -> the name under which their calls are recorded."""
    first = {id(module): name for name, module in model.named_modules()}
    return {name: first[id(module)] for name, module in model.named_modules(remove_duplicate=False) if first[id(module)] != name}


def tensors_of(model):
    """(name, kind, tensor) of parameters, buffers and non-persistent buffers, tied ones under every name."""
    found = [(name, "parameter", tensor) for name, tensor in model.named_parameters(remove_duplicate=False)]
    hidden = {
        f"{path}.{name}" if path else name
        for path, module in model.named_modules(remove_duplicate=False)
        for name in module._non_persistent_buffers_set
    }
    for name, tensor in model.named_buffers(remove_duplicate=False):
        found.append((name, "non-persistent buffer" if name in hidden else "buffer", tensor))
    return found


def tensor_facts(name, kind, tensor, digests):
    facts = {
        "name": name,
        "kind": kind,
        "dtype": live_tensors.dtype_name(tensor),
        "shape": list(tensor.shape),
        "device": str(tensor.device),
    }
    facts["alignment"] = alignment(tensor)
    if digests:
        try:
            facts[live_tensors.KEY] = live_tensors.digest(tensor)
        except (TypeError, RuntimeError, NotImplementedError) as error:
            facts["opaque"] = str(error).splitlines()[0]
    return facts


def alignment(tensor):
    """The address of the first element modulo 64; None where it has none."""
    import torch

    if tensor.layout != torch.strided or tensor.is_meta or tensor.numel() == 0:
        return None
    try:
        return tensor.data_ptr() % 64
    except RuntimeError:
        return None
