"""Parts of two models that have other names: which stands for which."""


def unwrapped(a, b):
    """Two models without a module around one of them that holds it and nothing else."""
    return _without_wrapper(a, b), _without_wrapper(b, a)


def _without_wrapper(model, like):
    while True:
        inside = list(vars(model)["_modules"].values())
        held = any(vars(model)[kind] for kind in ("_parameters", "_buffers"))
        if len(inside) != 1 or held or inside[0] is None or _is_like(model, like):
            return model
        if not _is_like(inside[0], like) and not _holds_like(inside[0], like):
            return model
        (model,) = inside


def _is_like(a, b):
    return type(a) is type(b) and (list(vars(a)["_modules"]) == list(vars(b)["_modules"]) or len(vars(a)["_modules"]) == len(vars(b)["_modules"]) != 1)


def _holds_like(model, like):
    """Whether a chain of modules with one child each ends in one that is like the other model."""
    while len(vars(model)["_modules"]) == 1:
        (model,) = vars(model)["_modules"].values()
        if model is None:
            return False
        if _is_like(model, like):
            return True
    return False


class Partners:
    """Which child of B stands for which of A, where their names are others. By their tensors, as `known` pairs them, a live_diff.Known; and
    by their order, where as many are left on both sides."""

    def __init__(self, model_a, model_b, known):
        self._models, self._known, self._pairs = (model_a, model_b), known, None

    def of_children(self, ours, theirs):
        """A's name -> B's name."""
        left = [name for name in ours if name not in theirs and ours[name] is not None]
        free = [name for name in theirs if name not in ours and theirs[name] is not None]
        if not left or not free:
            return {}
        found = {}
        for name in left:
            partner = next((each for each in free if each not in found.values() and self._share(ours[name], theirs[each])), None)
            if partner is not None:
                found[name] = partner
        rest, more = [name for name in left if name not in found], [name for name in free if name not in found.values()]
        if len(rest) == len(more):
            found.update(zip(rest, more))
        return found

    def _share(self, a, b):
        """Whether a tensor of the one is paired with a tensor of the other."""
        ours, theirs = ({id(tensor) for tensor in [*side.parameters(), *side.buffers()]} for side in (a, b))
        return any(self.pairs().get(tensor) in theirs for tensor in ours)

    def pairs(self):
        """id of a tensor of A -> id of the one of B."""
        if self._pairs is None:
            names = self._known.partners if self._known else {}
            ours, theirs = (dict([*m.named_parameters(remove_duplicate=False), *m.named_buffers(remove_duplicate=False)]) for m in self._models)
            self._pairs = {id(ours[a]): id(theirs[b]) for a, b in names.items() if a in ours and b in theirs}
        return self._pairs
