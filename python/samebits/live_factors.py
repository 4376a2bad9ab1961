"""What two live models differ in: a list of factors, each of which can be exchanged.

A factor is one thing of B that can be given A's state: the values of a tensor, its dtype, where it lies; a field of the config, an
attribute or the class of a module, a whole module, training mode, hooks. `exchange()` gives B what A has of some factors; ModelState takes
it back.
"""

import dataclasses
import functools
import types

from . import live_alike, live_names, live_state, live_tensors

# group -> cause (docs/causes.md; None where none fits), in the order in which they are exchanged
GROUPS = {
    "threads": "numerics.threads",
    "autocast": "numerics.dtype",
    "deterministic": None,
    "inputs": None,
    "input layout": None,
    "batch": "numerics.batch",
    "compilation": None,
    "modules": "code.version",
    "classes": "code.version",
    "dtype": "numerics.dtype",
    "layout": None,
    "alignment": "numerics.alignment",
    "weights": "weights.changed",
    "reparametrized": "weights.layout",
    "buffers": "state.buffers",
    "requires_grad": None,
    "attributes": "config.changed",
    "config": "config.changed",
    "attention": "numerics.attention",
    "hooks": None,
    "mode": "mode.training",
}
INTERNAL = {  # of torch.nn.Module, beside what begins with the prefixes below
    "training",
    "_parameters",
    "_buffers",
    "_modules",
    "_non_persistent_buffers_set",
    "_is_full_backward_hook",
    "call_super_init",
    "_compiled_call_impl",
    "_is_torch_compile",  # told by the factor "compilation"
    "_flat_weight_refs",  # of recurrent modules: for flatten_parameters() alone
}
HOOKS = (
    "_forward_hooks",
    "_forward_pre_hooks",
    "_forward_hooks_with_kwargs",
    "_forward_pre_hooks_with_kwargs",
    "_forward_hooks_always_called",
)
INTERNAL_PREFIXES = ("_forward_hooks", "_forward_pre_hooks", "_backward_", "_state_dict_", "_load_state_dict_")
ABSENT = "(none)"
OF_WEIGHTS = ("weights.changed", "weights.missing", "weights.rounded", "weights.layout")  # causes of the group "weights"
# Names of what torch.nn.utils computes a weight from, by the names that they add to the weight's.
COMPUTED_FROM = ("_orig", "_mask", "_g", "_v", "_u")


@dataclasses.dataclass(eq=False)
class Factor:
    group: str
    name: str
    a: str  # what A has, to be shown
    b: str
    apply: object  # gives B what A has; of tensors None: exchange() builds them
    tensors: tuple = None  # (A's, B's) of a tensor factor
    kind: str = ""  # "non-persistent" of a buffer that state_dict() leaves out; of a weight that one side computes, by what


def find_factors(model_a, model_b, known=None):
    """The factors in which two models differ, and sentences on what differs and cannot be exchanged. `known`: a live_diff.Known, which tells
    parts of other names apart."""
    finder = _Finder((live_alike.own_names(model_a), live_alike.own_names(model_b)), live_names.Partners(model_a, model_b, known))
    finder.pair(*live_names.unwrapped(model_a, model_b), "", None)
    finder.pair_configs()
    return finder.factors, finder.not_checked


def exchange(factors):
    """Gives B what A has of these factors."""
    tensors = {}
    for factor in sorted(factors, key=lambda factor: list(GROUPS).index(factor.group)):
        if factor.tensors:
            tensors.setdefault(id(factor.tensors[1]), (factor.tensors, set()))[1].add(factor.group)
        else:
            factor.apply()
    for (a, b), groups in tensors.values():
        _exchange_tensor(a, b, groups)


def _exchange_tensor(a, b, groups):
    values = a if groups & {"weights", "buffers"} else b
    values = values.detach().to(a.dtype if "dtype" in groups else b.dtype)
    layout = a if "layout" in groups else b
    b.data = live_state.placed(values, layout, a if "alignment" in groups else b)


class _Finder:
    def __init__(self, own, partners):
        self._own, self._partners = own, partners
        self.factors, self.not_checked = [], []
        self._paired, self._tensors, self._configs = set(), {}, []

    def add(self, group, name, a, b, apply=None, tensors=None, kind=""):
        self.factors.append(Factor(group, name, a, b, apply, tensors, kind))

    def pair(self, a, b, path, slot):
        """Two modules at one place; `slot`: (parent of B's, its name there), None of the root."""
        if a is b or (id(a), id(b)) in self._paired:
            return
        self._paired.add((id(a), id(b)))
        if type(a) is not type(b) and not self._exchange_class(a, b, path):
            self._whole(a, b, path, slot)
            return
        if any(type(side).__module__.startswith("torch.jit") for side in (a, b)):
            self._script(a, b, path, slot)
            return
        apart = self._computed_weights(a, b, path)
        self._tensor_slots(a, b, path, "_parameters", "weights", apart)
        self._tensor_slots(a, b, path, "_buffers", "buffers", apart)
        self._attributes(a, b, path, apart)
        if not apart:
            self._hooks(a, b, path)
        if a.training != b.training:
            self.add("mode", path, _mode(a), _mode(b), lambda: vars(b).__setitem__("training", a.training))
        config_a, config_b = vars(a).get("config"), vars(b).get("config")
        if hasattr(config_a, "to_dict") and hasattr(config_b, "to_dict"):
            self._configs.append((config_a, config_b))
        self._children(a, b, path)

    def _script(self, a, b, path, slot):
        if str(getattr(a, "graph", "")) != str(getattr(b, "graph", "")) or slot is None:
            self.not_checked.append(f"{path or 'the model'} is TorchScript: what is inside is not exchanged")
        if slot is not None:
            self._whole(a, b, path, slot)

    # Modules.

    def _exchange_class(self, a, b, path):
        """A factor for the class alone where two modules of unlike classes hold tensors and children of the same names."""
        same_names = all(list(vars(a)[kind]) == list(vars(b)[kind]) for kind in ("_parameters", "_buffers", "_modules"))
        if not same_names or any(type(side).__module__.startswith("torch.jit") for side in (a, b)):
            return False
        kind = type(b)
        try:
            b.__class__ = type(a)
            b.__class__ = kind
        except TypeError:  # the two classes have other layouts in memory
            return False
        absent = [name for name in vars(b) if name not in vars(a)]
        more = {name: value for name, value in vars(a).items() if name not in vars(b)}

        def apply():
            b.__class__ = type(a)
            for name in absent:
                del vars(b)[name]
            vars(b).update(more)

        self.add("classes", path, live_alike.class_of(a), live_alike.class_of(b), apply)
        return True

    def _whole(self, a, b, path, slot):
        if slot is None:
            self.not_checked.append(
                f"the models are of two classes, {live_alike.class_of(a)} and {live_alike.class_of(b)}, with other parts"
            )
            return
        parent, name = slot
        self.add("modules", path, live_alike.class_of(a), live_alike.class_of(b), lambda: vars(parent)["_modules"].__setitem__(name, a))

    def _children(self, a, b, path):
        ours, theirs = vars(a)["_modules"], vars(b)["_modules"]
        partners = self._partners.of_children(ours, theirs)
        for name in {**ours, **theirs}:
            below = f"{path}.{name}" if path else name
            one, other = ours.get(name), theirs.get(partners.get(name, name))
            if one is None and other is None or name not in ours and name in partners.values():
                continue
            if one is not None and other is not None:
                self.pair(one, other, below, (b, partners.get(name, name)))
                continue
            shown = [ABSENT if side is None else live_alike.class_of(side) for side in (one, other)]
            self.add("modules", below, *shown, functools.partial(_set_child, ours, theirs, name))

    # Tensors.

    def _computed_weights(self, a, b, path):
        """A factor for each weight that torch.nn.utils computes on one side before every pass, and the other side holds; names of what
        belongs to it."""
        computed = [_computed_by_hooks(side) for side in (a, b)]
        apart = set()
        for name in sorted(computed[0] ^ computed[1]):
            with_it = a if name in computed[0] else b
            held = {name, *[name + end for end in COMPUTED_FROM if any(name + end in vars(with_it)[kind] for kind in ("_parameters", "_buffers"))]}
            how = _how_computed(with_it, name)
            shown = [f"computed by {how}" if side is with_it else "held as it is" for side in (a, b)]
            values = [getattr(side, name, None) for side in (a, b)]
            group = "reparametrized" if None not in values and live_tensors.same_numbers(*values) else "weights"
            self.add(group, f"{path}.{name}" if path else name, *shown, functools.partial(_set_computed, a, b, held), kind=how)
            apart |= held
        return apart

    def _tensor_slots(self, a, b, path, kind, group, apart):
        ours, theirs = vars(a)[kind], vars(b)[kind]
        hidden = vars(a).get("_non_persistent_buffers_set", set()) & vars(b).get("_non_persistent_buffers_set", set())
        for name in {**ours, **theirs}:
            if name in apart:
                continue
            full = f"{path}.{name}" if path else name
            one, other = ours.get(name), theirs.get(name)
            if one is None and other is None or one is other:
                continue
            if one is None or other is None or one.shape != other.shape or type(one) is not type(other) or not _is_dense(one, other):
                self._slot(b, ours, theirs, name, full, group)
            else:
                self._tensor(one, other, full, group, "non-persistent" if name in hidden else "")

    def _slot(self, module, ours, theirs, name, full, group):
        one, other = ours.get(name), theirs.get(name)
        if one is not None and other is not None and one.shape == other.shape and live_alike.same_tensor(one, other):
            return

        def apply():
            if name in ours:
                theirs[name] = one
            else:
                del theirs[name]
            _set_in_lists(module, other, one)

        self.add(group, full, _shown_tensor(one), _shown_tensor(other), apply)

    def _tensor(self, a, b, name, group, kind):
        before = self._tensors.get(id(b))
        if before is not None:  # tied: exchanged once, under its first name
            if before is not a and not live_tensors.same_bits(before, a):
                self.not_checked.append(f"{name} is tied in B and not in A")
            return
        self._tensors[id(b)] = a
        if a.dtype != b.dtype:
            self.add("dtype", name, live_tensors.dtype_name(a), live_tensors.dtype_name(b), tensors=(a, b))
        if a.stride() != b.stride() and a.numel() > 1:
            self.add("layout", name, f"strides {a.stride()}", f"strides {b.stride()}", tensors=(a, b))
        if not live_state.same_place(a, b):
            self.add("alignment", name, f"address {a.data_ptr() % 64} mod 64", f"address {b.data_ptr() % 64} mod 64", tensors=(a, b))
        if not live_tensors.same_bits(a, b.detach().to(a.dtype)):
            self.add(group, name, _shown_tensor(a), _shown_tensor(b), tensors=(a, b), kind=kind)
        if a.requires_grad != b.requires_grad:
            self.add("requires_grad", name, str(a.requires_grad), str(b.requires_grad), lambda: b.requires_grad_(a.requires_grad))

    # Everything else that a module holds.

    def _attributes(self, a, b, path, apart):
        swapped = type(a) is not type(b)  # then what one side has alone belongs to the class
        computed = _computed_by_hooks(a) & _computed_by_hooks(b)
        for name in {**vars(a), **vars(b)}:
            if name in INTERNAL or name.startswith(INTERNAL_PREFIXES) or (swapped and (name not in vars(a) or name not in vars(b))):
                continue
            one, other = vars(a).get(name, ABSENT), vars(b).get(name, ABSENT)
            if name in computed or name in apart or hasattr(one, "to_dict") and hasattr(other, "to_dict") or live_alike.alike(one, other, own=self._own):
                continue
            full = f"{path}.{name}" if path else name
            self.add("attributes", full, *live_alike.shown_unlike(one, other, self._own), functools.partial(set_attribute, a, b, name))

    def _hooks(self, a, b, path):
        both = [(name, list(vars(a)[name].values()), list(vars(b)[name].values())) for name in HOOKS]
        unlike = [name for name, *hooks in both if not live_alike.alike(*hooks, own=self._own)]
        if unlike:
            counts = [sum(len(vars(side)[name]) for name in HOOKS[:2]) for side in (a, b)]
            self.add("hooks", path, *[f"{count} hooks" for count in counts], functools.partial(_set_hooks, a, b))

    # Configs.

    def pair_configs(self):
        seen = set()
        for a, b in self._configs:
            self._pair_config(a, b, "", seen)

    def _pair_config(self, a, b, path, seen):
        if a is b or id(b) in seen:
            return
        seen.add(id(b))
        for name in {**vars(a), **vars(b)}:
            one, other = vars(a).get(name, ABSENT), vars(b).get(name, ABSENT)
            full = f"{path}.{name}" if path else name
            if hasattr(one, "to_dict") and hasattr(other, "to_dict"):
                self._pair_config(one, other, full, seen)
            elif not live_alike.alike(one, other):
                group = "attention" if "attn_implementation" in name else "config"
                self.add(group, full, live_alike.shown(one), live_alike.shown(other), functools.partial(set_attribute, a, b, name))


def _computed_by_hooks(module):
    """Attributes that weight_norm, spectral_norm and prune of torch.nn.utils compute anew before every pass."""
    hooks = [hook for hook in vars(module)["_forward_pre_hooks"].values() if type(hook).__module__.startswith("torch.nn.utils.")]
    return {getattr(hook, "_tensor_name", None) or getattr(hook, "name", None) for hook in hooks}


def _how_computed(module, name):
    """By what of torch.nn.utils a weight is computed: "torch.nn.utils.prune"."""
    for hook in vars(module)["_forward_pre_hooks"].values():
        if name == (getattr(hook, "_tensor_name", None) or getattr(hook, "name", None)):
            return type(hook).__module__
    return "torch.nn.utils"


def _set_computed(a, b, names):
    """Gives B a weight, what it is computed from and the hook that does so as A has them."""
    for name in names:
        for kind in ("_parameters", "_buffers"):
            vars(b)[kind].pop(name, None)
            if name in vars(a)[kind]:
                vars(b)[kind][name] = vars(a)[kind][name]
        vars(b).pop(name, None)
        if name in vars(a):
            vars(b)[name] = vars(a)[name]
    _set_hooks(a, b)


def set_attribute(a, b, name):
    if name not in vars(a):
        del vars(b)[name]
        return
    value = vars(a)[name]
    if isinstance(value, types.MethodType) and value.__self__ is a:
        value = types.MethodType(value.__func__, b)
    vars(b)[name] = value


def _set_in_lists(module, old, new):
    """Lists in which a module keeps its own tensors for its forward, as those of torch.nn do that have states from step to step."""
    if old is None or new is None:
        return
    for name, value in list(vars(module).items()):
        if isinstance(value, list) and any(each is old for each in value):
            vars(module)[name] = [new if each is old else each for each in value]


def _set_child(ours, theirs, name):
    if name in ours:
        theirs[name] = ours[name]
    else:
        del theirs[name]
    if set(ours) == set(theirs):  # a Sequential runs its children in the order of this dict
        for key in ours:
            theirs[key] = theirs.pop(key)


def _set_hooks(a, b):
    for name in HOOKS:
        vars(b)[name].clear()
        vars(b)[name].update(vars(a)[name])


def _mode(module):
    return "training" if module.training else "eval"


def _is_dense(*tensors):
    import torch

    return all(t.layout == torch.strided and not t.is_quantized and not t.is_meta and t.device == tensors[0].device for t in tensors)


def _shown_tensor(tensor):
    return ABSENT if tensor is None else f"{live_tensors.dtype_name(tensor)}{list(tensor.shape)}"
