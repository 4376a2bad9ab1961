"""Callbacks that make a framework's checkpoints complete, and hold a resumed training to them.

    trainer = Trainer(callbacks=[ModelCheckpoint(...), samebits.callbacks.lightning_callback()])
    trainer.fit(model, loader, ckpt_path="last.ckpt")

Lightning keeps no generator, no accumulated gradients, and restarts a plain DataLoader at its first sample. The callback puts what is missing
into each checkpoint, under the key "samebits", with digests of what Lightning puts there; at resume it restores it, or refuses by name.
The framework is imported when the function is called.
"""

from . import live_rng, live_tensors
from .live_training import digest_of

KEY, SCHEMA = "samebits", "samebits.callback/1"


class ResumeRefused(RuntimeError):
    """A checkpoint from which a training cannot go on exactly. `missing`: names of what it lacks or what is damaged."""

    def __init__(self, sentence, missing):
        super().__init__(sentence)
        self.missing = missing


def lightning_callback(strict=True):
    """A callback for pytorch_lightning's, or lightning's, Trainer, whichever is imported.

    What it writes with each checkpoint: the states of torch's, CUDA's, Python's and numpy's generators, the gradients of an accumulation that
    is under way, and digests of every weight and of the optimizers' states. It can be read with `weights_only=True`. At resume it restores the
    generators, before the loader's iterator is made between two epochs, before the first batch inside one.

    `strict`: raise ResumeRefused where a checkpoint was written without this callback, where a digest does not fit, or where it was
    saved inside an epoch and the training's loader cannot take up its place (it has no load_state_dict()). Otherwise a warning says so.
    """
    import sys

    if "lightning.pytorch" in sys.modules:
        from lightning.pytorch import Callback
    else:
        from pytorch_lightning import Callback

    class SamebitsResume(_LightningResume, Callback):
        pass

    return SamebitsResume(strict)


class _LightningResume:
    """The hooks; the class of the framework is mixed in when it is known."""

    def __init__(self, strict):
        super().__init__()
        self.strict, self._found, self._inside = strict, None, False

    # Saving.

    def on_save_checkpoint(self, trainer, pl_module, checkpoint):
        place = trainer.fit_loop.epoch_loop
        inside = place.batch_progress.current.ready > 0 and not place.batch_progress.is_last_batch
        checkpoint[KEY] = {
            "schema": SCHEMA,
            "rng": _encoded_states(),
            "inside": bool(inside),
            "batches": int(place.batch_progress.current.ready),
            "gradients": _gradients(pl_module) if _accumulates(place) else None,
            "weights": {name: live_tensors.digest(tensor) for name, tensor in checkpoint["state_dict"].items()},
            "optimizers": [digest_of(state["state"]) for state in checkpoint.get("optimizer_states", [])],
        }

    # Resuming.

    def on_load_checkpoint(self, trainer, pl_module, checkpoint):
        found = checkpoint.get(KEY)
        if found is None:
            return self._refuse("it was written without this callback: it lacks", ["the states of the generators"])
        damaged = [name for name, tensor in checkpoint["state_dict"].items() if found["weights"].get(name) != live_tensors.digest(tensor)]
        damaged += [name for name in found["weights"] if name not in checkpoint["state_dict"]]
        states = [digest_of(state["state"]) for state in checkpoint.get("optimizer_states", [])]
        damaged += [f"optimizer_states[{i}]" for i, state in enumerate(found["optimizers"]) if i >= len(states) or states[i] != state]
        if damaged:
            self._refuse("it does not hold what was saved in it:", damaged)
        self._found, self._inside = found, found["inside"]

    def on_fit_start(self, trainer, pl_module):
        if self._found and not self._inside:
            self._restore()

    def on_train_start(self, trainer, pl_module):
        if self._found and self._inside and not _is_stateful(trainer.train_dataloader):
            missing = ["the position in the epoch"]
            self._refuse(f"it was saved behind batch {self._found['batches']} of an epoch, and the training's data loader has no load_state_dict(). It lacks", missing)

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if self._found:
            for name, parameter in pl_module.named_parameters():
                gradient = (self._found["gradients"] or {}).get(name)
                if gradient is not None:
                    parameter.grad = gradient.to(parameter.device, parameter.dtype).clone()
            if self._inside:
                self._restore()
            self._found = None

    def _restore(self):
        missing = []
        for name, text in self._found["rng"].items():
            try:
                live_rng.restore({name: live_rng.decode(name, text)})
            except (RuntimeError, KeyError, IndexError, AssertionError):  # a device that this machine does not have
                missing.append(name)
        if missing:
            self._refuse("these generators of it are not on this machine:", missing)

    def _refuse(self, sentence, missing):
        import warnings

        shown = ", ".join(missing[:5]) + (f" and {len(missing) - 5} more" if len(missing) > 5 else "")
        text = f"the training cannot go on exactly from this checkpoint: {sentence} {shown}"
        if self.strict:
            raise ResumeRefused(text, missing)
        warnings.warn(text, stacklevel=3)


def _encoded_states():
    return {name: live_rng.encode(name, state) for name, state in live_rng.states().items()}


def _accumulates(epoch_loop):
    """Whether gradients were zeroed for a step that was not made yet."""
    progress = epoch_loop.automatic_optimization.optim_progress.optimizer
    return progress.zero_grad.total.completed > progress.step.total.completed


def _gradients(module):
    return {name: parameter.grad.detach().clone() for name, parameter in module.named_parameters() if parameter.grad is not None}


def _is_stateful(loader):
    return hasattr(loader, "load_state_dict") and hasattr(loader, "state_dict")
