"""Whether two values that modules or configs hold compute the same, as far as that can be seen; and how they are shown.

"Not alike" costs a run more, and never a false word: what differs is exchanged, and a run says whether it mattered.
"""

import functools
import pickle
import re
import types
import weakref

from . import live_tensors

MAX_DEPTH = 6
MAX_TEXT = 60
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


def own_names(model):
    """Parameters, buffers and modules of a model by their id, with the first name of each."""
    found = {}
    for kind, members in (
        ("tensor", model.named_parameters()),
        ("tensor", model.named_buffers()),
        ("module", model.named_modules()),
    ):
        for name, member in members:
            found.setdefault(id(member), (kind, name))
    return found


def alike(a, b, depth=0, own=({}, {})):
    """Whether two values are equal: plain ones by value, tensors by bits, functions by their code, objects by what they hold. What each
    side names alike among the parts of its own model (`own`: own_names() of both) is compared there, and is no difference here."""
    import torch

    if a is b:
        return True
    if id(a) in own[0] and own[0][id(a)] == own[1].get(id(b)):
        return True
    if type(a) is not type(b) or depth > MAX_DEPTH:
        return False
    if isinstance(a, torch.Tensor):
        return same_tensor(a, b)
    if isinstance(a, torch.Generator):
        return True  # every run gives them the same state
    if isinstance(a, _says_nothing()):
        return True
    if isinstance(a, weakref.ref):
        return alike(a(), b(), depth + 1, own)
    if isinstance(a, torch.nn.Module):
        return _alike_modules(a, b, depth, own)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(alike(x, y, depth + 1, own) for x, y in zip(a, b))
    if isinstance(a, dict):
        return list(a) == list(b) and all(alike(a[key], b[key], depth + 1, own) for key in a)
    if isinstance(a, float):
        return a == b or (a != a and b != b)
    if callable(a) and not isinstance(a, type):
        return _alike_callables(a, b, depth, own)
    return _alike_objects(a, b, depth, own)


def _says_nothing():
    """Classes of what cannot be compared and computes nothing: locks, and the handles by which hooks are taken away."""
    import threading

    import torch

    return type(threading.Lock()), type(threading.RLock()), torch.utils.hooks.RemovableHandle


def same_tensor(a, b):
    try:
        return live_tensors.same_bits(a, b)
    except (TypeError, RuntimeError, NotImplementedError):
        return _pickled(a) is not None and _pickled(a) == _pickled(b)


def _alike_modules(a, b, depth, own):
    """Modules that are held outside the tree of modules."""
    states = [{**module._parameters, **module._buffers, **module._modules} for module in (a, b)]
    return alike(*states, depth + 1, own)


def _alike_callables(a, b, depth, own):
    if isinstance(a, functools.partial):
        return alike((a.func, a.args, a.keywords), (b.func, b.args, b.keywords), depth + 1, own)
    if isinstance(a, types.MethodType):
        return a.__func__ is b.__func__ and type(a.__self__) is type(b.__self__)
    if isinstance(a, types.FunctionType):
        held = [([cell.cell_contents for cell in f.__closure__ or ()], f.__defaults__, f.__kwdefaults__) for f in (a, b)]
        return _code(a.__code__) == _code(b.__code__) and alike(*held, depth + 1, own)
    if isinstance(a, (types.BuiltinFunctionType, types.BuiltinMethodType)):
        return a == b
    return _alike_objects(a, b, depth, own)


def _code(code):
    """What a function's code does, without file names and line numbers."""
    constants = [
        _code(constant) if isinstance(constant, types.CodeType) else (type(constant), repr(constant)) for constant in code.co_consts
    ]
    return code.co_code, code.co_names, code.co_varnames, constants


def _alike_objects(a, b, depth, own):
    try:
        if a == b:  # a class's own word that two are equal is taken, that they are not is looked into
            return True
    except (TypeError, ValueError, RuntimeError):
        pass
    held = [getattr(value, "__dict__", None) for value in (a, b)]
    if all(isinstance(each, dict) and each for each in held):
        return alike(*held, depth + 1, own)
    pickled = _pickled(a)
    return pickled is not None and pickled == _pickled(b)


def _pickled(value):
    try:
        return pickle.dumps(value, protocol=4)
    except Exception:  # whatever a class's own code raises: then the two are not known to be alike
        return None


def class_of(module):
    kind = type(module)
    return kind.__qualname__ if kind.__module__.startswith("torch.nn.modules.") else f"{kind.__module__}.{kind.__qualname__}"


def shown(value):
    """A short text without an address."""
    text = value if isinstance(value, str) else _text(value, 0)
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 3] + "..."


def shown_unlike(a, b, own=({}, {})):
    """Short texts of two values that are not alike; where these are equal, of the first part in which they differ."""
    texts = [shown(a), shown(b)]
    if texts[0] != texts[1]:
        return texts
    path, one, other = _first_unlike(a, b, own)
    texts = [shown(one), shown(other)]
    if texts[0] == texts[1] and isinstance(one, torch_tensor()) and same_tensor(one, other) is False:
        texts[1] += _other_values(one, other)
    return [f"{path} {text}".strip() for text in texts]


def torch_tensor():
    import torch

    return torch.Tensor


def _other_values(a, b):
    if a.shape != b.shape or live_tensors.unreadable(a) or live_tensors.unreadable(b):
        return ""
    numbers = live_tensors.difference(a, b)
    return f", other in {numbers['differing']} of {numbers['elements']} elements"


def _first_unlike(a, b, own):
    """(path, A's, B's) of the innermost part in which two values that are not alike differ."""
    path = ""
    for _ in range(MAX_DEPTH):
        parts = _parts(a), _parts(b)
        if type(a) is not type(b) or None in parts or list(parts[0]) != list(parts[1]):
            break
        step = next((step for step in parts[0] if not alike(parts[0][step], parts[1][step], own=own)), None)
        if step is None:
            break
        path, a, b = path + step, parts[0][step], parts[1][step]
    return path.removeprefix("."), a, b


def _parts(value):
    """path -> part of a value that alike() looks into; None of any other."""
    import torch

    if isinstance(value, torch.Tensor):
        return None
    if isinstance(value, torch.nn.Module):
        return {f".{name}": part for name, part in {**value._parameters, **value._buffers, **value._modules}.items()}
    if isinstance(value, (list, tuple)):
        return {f"[{i}]": part for i, part in enumerate(value)}
    if isinstance(value, dict):
        return {f"[{shown(key)}]": part for key, part in value.items()}
    if isinstance(value, functools.partial):
        return {".func": value.func, ".args": value.args, ".keywords": value.keywords}
    if isinstance(value, types.FunctionType):
        cells = zip(value.__code__.co_freevars, value.__closure__ or ())
        return {**{f".{name}": cell.cell_contents for name, cell in cells}, ".__defaults__": value.__defaults__, ".__kwdefaults__": value.__kwdefaults__}
    held = getattr(value, "__dict__", None)
    return {f".{name}": part for name, part in held.items()} if isinstance(held, dict) and held else None


def _text(value, depth):
    import torch

    if isinstance(value, torch.Tensor):
        return f"{live_tensors.dtype_name(value)}{list(value.shape)}"
    if isinstance(value, type) or callable(value) and hasattr(value, "__qualname__"):
        return f"{value.__module__}.{value.__qualname__}"
    if type(value) in (list, tuple, dict) and depth < MAX_DEPTH:
        return _text_of_container(value, depth)
    if isinstance(value, (str, bool, int, float, type(None), list, tuple, dict, torch.dtype, torch.device)):
        return _ADDRESS.sub("", repr(value))
    return f"{type(value).__module__}.{type(value).__qualname__}"


def _text_of_container(value, depth):
    """As repr() writes it, but for what is inside."""
    few = list(value.items() if isinstance(value, dict) else value)[:MAX_TEXT]  # of more nothing is shown
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_text(key, depth + 1)}: {_text(held, depth + 1)}" for key, held in few) + "}"
    inside = ", ".join(_text(held, depth + 1) for held in few)
    if isinstance(value, list):
        return f"[{inside}]"
    return f"({inside},)" if len(value) == 1 else f"({inside})"
