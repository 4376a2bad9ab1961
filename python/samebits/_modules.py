"""A torch module as samebits reads it: the pickle that torch.save(module) writes, with its storages where they lie."""

from __future__ import annotations

import io
import pickle
from typing import Any

from . import _native
from ._tensors import hold, torch_module


class ModulePickler(pickle.Pickler):
    """Writes what torch.save writes, but for the storages: those are kept, under the keys by which the pickle names them.

    Source: torch/serialization.py of torch 2.13, `_save`.
    """

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file, protocol=2)
        self.storages: dict[int, tuple[str, Any]] = {}

    def persistent_id(self, obj: Any) -> tuple[Any, ...] | None:
        torch = torch_module()
        if isinstance(obj, torch.storage.TypedStorage):
            storage, kind, numel = obj._untyped_storage, getattr(torch, obj._pickle_storage_type()), obj._size()
        elif torch.is_storage(obj):
            storage, kind, numel = obj, torch.UntypedStorage, obj.nbytes()
        else:
            return None
        key, _ = self.storages.setdefault(storage._cdata, (str(len(self.storages)), storage))
        return ("storage", kind, key, torch.serialization.location_tag(storage), numel)

    def places(self) -> tuple[list[tuple[str, int, int]], list[Any]]:
        """Key, address and bytes of each storage, and what keeps them."""
        held = [(key, storage if storage.device.type == "cpu" else storage.cpu()) for key, storage in self.storages.values()]
        return [(key, storage.data_ptr(), storage.nbytes()) for key, storage in held], [storage for _, storage in held]


def hold_state(module: Any, name: str) -> _native.Checkpoint:
    """What state_dict() holds, and the buffers that it leaves out."""
    state = module.state_dict(keep_vars=True)
    tensors = [(own, value, "") for own, value in state.items()]
    tensors += [(own, value, "t") for own, value in module.named_buffers(remove_duplicate=False) if own not in state]
    return hold(name, tensors)


def hold_module(module: Any) -> tuple[_native.Checkpoint, str]:
    """The checkpoint, and what of the module is not in it. A module that cannot be pickled is its state_dict()."""
    name = f"a {type(module).__name__} in memory"
    file = io.BytesIO()
    pickler = ModulePickler(file)
    try:
        pickler.dump(module)
    except Exception as error:  # whatever a class of the user's raises
        why = f"{type(error).__name__}: {error}".splitlines()[0]
        left_out = f"its mode, config, attributes and code, since the module cannot be pickled ({why})"
        return hold_state(module, name), left_out
    places, owners = pickler.places()
    return _native.hold_pickle(name.encode(), file.getvalue(), places, owners), ""
