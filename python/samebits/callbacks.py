"""Callbacks that make a framework's checkpoints complete, and hold a resumed training to them.

    trainer = Trainer(callbacks=[ModelCheckpoint(...), samebits.callbacks.lightning_callback()])
    trainer.fit(model, loader, ckpt_path="last.ckpt")

Lightning keeps no generator, no accumulated gradients, and restarts a plain DataLoader at its first sample. The callback puts what is missing
into each checkpoint, under the key "samebits", with digests of what Lightning puts there; at resume it restores it, or refuses by name.

    trainer = Trainer(model, arguments, train_dataset=data, callbacks=[samebits.callbacks.trainer_callback()])
    trainer.train(resume_from_checkpoint=True)

transformers' Trainer keeps the generators. What it loses are weights that save_pretrained() writes under other names than those of the live
module: they go into a file of their own. The framework is imported when a function is called.
"""

import json
import pathlib

from . import live_rng, live_tensors
from .live_training import digest_of as digest_of_state

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


def trainer_callback(strict=True, checkpoint=None):
    """A TrainerCallback for transformers' Trainer.

    With each checkpoint it writes the file samebits_resume.safetensors: digests of every weight under its name in the live module and of the
    optimizer's state, and those weights that no file of the checkpoint holds under that name. At the begin of a resumed training it puts
    these back, and holds all of it to the digests. `checkpoint`: the folder that is resumed from, where it is not checkpoint-STEP in
    the output directory. `strict`: raise ResumeRefused, else warn.
    """
    from transformers import TrainerCallback

    class SamebitsResume(_TrainerResume, TrainerCallback):
        pass

    return SamebitsResume(strict, checkpoint)


class _Refusing:
    def _refuse(self, sentence, missing):
        import warnings

        shown = ", ".join(missing[:5]) + (f" and {len(missing) - 5} more" if len(missing) > 5 else "")
        text = f"the training cannot go on exactly from this checkpoint: {sentence} {shown}"
        if self.strict:
            raise ResumeRefused(text, missing)
        warnings.warn(text, stacklevel=3)


class _LightningResume(_Refusing):
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
            "weights": _digests(checkpoint["state_dict"]),
            "optimizers": [_digest_of(state["state"]) for state in checkpoint.get("optimizer_states", [])],
        }

    # Resuming.

    def on_load_checkpoint(self, trainer, pl_module, checkpoint):
        found = checkpoint.get(KEY)
        if found is None:
            return self._refuse("it was written without this callback: it lacks", ["the states of the generators"])
        damaged = [name for name, tensor in checkpoint["state_dict"].items() if found["weights"].get(name) != live_tensors.sha256(tensor)]
        damaged += [name for name in found["weights"] if name not in checkpoint["state_dict"]]
        states = [_digest_of(state["state"]) for state in checkpoint.get("optimizer_states", [])]
        damaged += [f"optimizer_states[{i}]" for i, state in enumerate(found["optimizers"]) if i >= len(states) or states[i] != state]
        if damaged:
            self._refuse("it does not hold what was saved in it:", damaged)
        self._found, self._inside = found, found["inside"]

    def on_fit_start(self, trainer, pl_module):
        if self._found and not self._inside:
            self._restore()

    def on_train_start(self, trainer, pl_module):
        if self._found and self._inside and not _is_stateful(trainer.train_dataloader):
            place = f"it was saved behind batch {self._found['batches']} of an epoch"
            self._refuse(f"{place}, and the training's data loader has no load_state_dict(). It lacks", ["the position in the epoch"])

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


class _TrainerResume(_Refusing):
    FILE = "samebits_resume.safetensors"

    def __init__(self, strict, checkpoint):
        self.strict, self._checkpoint = strict, checkpoint

    def on_save(self, args, state, control, model=None, optimizer=None, **_):
        from safetensors.torch import save_file

        if not state.is_world_process_zero:
            return
        folder = _folder(args, state)
        weights, held = model.state_dict(), _names_in(folder)
        tied = {tensor.data_ptr() for name, tensor in weights.items() if name in held}
        lost = {name: tensor for name, tensor in weights.items() if name not in held and tensor.data_ptr() not in tied}
        document = {"schema": SCHEMA, "weights": _digests(weights), "optimizer": _digest_of(optimizer.state_dict()["state"])}
        copies = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in lost.items()}
        save_file(copies, folder / self.FILE, metadata={"samebits.callback": json.dumps(document)})

    def on_train_begin(self, args, state, control, model=None, optimizer=None, **_):
        if state.global_step == 0:
            return
        path = pathlib.Path(self._checkpoint or _folder(args, state)) / self.FILE
        if not path.exists():
            return self._refuse(f"{path.parent.name} was written without this callback: it lacks", [self.FILE])
        document = self._put_back(path, model)
        now = _digests(model.state_dict())
        wrong = [name for name, expected in document["weights"].items() if now.get(name) != expected]
        if _digest_of(optimizer.state_dict()["state"]) != document["optimizer"]:
            wrong.append("the optimizer's state")
        if wrong:
            self._refuse("this was not restored:", wrong)

    def _put_back(self, path, model):
        """Gives the model the weights that the Trainer does not find; what the callback wrote of the others."""
        import safetensors
        import torch

        weights = model.state_dict()  # of the very memory of the parameters
        with safetensors.safe_open(path, "pt") as file, torch.no_grad():
            for name in file.keys():
                if name in weights:
                    weights[name].copy_(file.get_tensor(name))
            return json.loads(file.metadata()["samebits.callback"])


def _folder(args, state):
    return pathlib.Path(args.output_dir) / f"checkpoint-{state.global_step}"


def _names_in(folder):
    """Names of the tensors in the safetensors files that save_pretrained() wrote."""
    import safetensors

    names = set()
    for path in folder.glob("model*.safetensors"):
        with safetensors.safe_open(path, "pt") as file:
            names.update(file.keys())
    return names


def _digest_of(state):
    """By SHA-256: checkpoints are kept."""
    return digest_of_state(state, live_tensors.sha256)


def _digests(weights):
    return {name: live_tensors.sha256(tensor) for name, tensor in weights.items()}


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
