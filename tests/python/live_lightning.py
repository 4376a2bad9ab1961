"""Trainings by Lightning for the tests of the callback: every checkpoint is a step of resume_check()."""

import warnings

import pytorch_lightning
import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from samebits.callbacks import lightning_callback


class Net(pytorch_lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.Dropout(0.3), torch.nn.Linear(8, 1))

    def training_step(self, batch, index):
        x, y = batch
        return F.mse_loss(self.net(x), y)

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters(), lr=0.05)


class Stateful(DataLoader):
    """A loader that takes up its place: the order of an epoch is drawn at its start, and batches that were given are passed over."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.given, self.start, self.resumed = 0, None, None

    def __iter__(self):
        now = torch.get_rng_state()
        self.start, self.given, skip = now, 0, 0
        if self.resumed:
            self.start, skip = self.resumed["start"], self.resumed["given"]
            torch.set_rng_state(self.start)
        self.resumed = None
        for batch in super().__iter__():
            self.given += 1
            if self.given > skip:
                yield batch

    def state_dict(self):
        return {"start": self.start, "given": self.given}

    def load_state_dict(self, state):
        self.resumed = state


class Reporting(pytorch_lightning.Callback):
    """Tells the session; and saves behind every `every` batches, or at the end of every epoch."""

    def __init__(self, session, every=None):
        self.session, self.every = session, every

    def on_train_start(self, trainer, module):
        self.session.begin(module, trainer.optimizers[0])

    def on_train_batch_end(self, trainer, module, outputs, batch, index):
        self.session.step()
        if self.every and (index + 1) % self.every == 0:
            self.save(trainer)

    def on_train_epoch_end(self, trainer, module):
        if not self.every:
            self.save(trainer)

    def save(self, trainer):
        trainer.save_checkpoint(self.session.folder / "last.ckpt")
        self.session.saved(self.session.folder / "last.ckpt")


def run(session, callbacks, every=None, loader=DataLoader, **options):
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    torch.manual_seed(0)
    x = torch.randn(12, 6)
    data = loader(TensorDataset(x, x.sum(1, keepdim=True)), batch_size=3, shuffle=True)
    trainer = pytorch_lightning.Trainer(
        max_epochs=3,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=session.folder,
        callbacks=[*callbacks, Reporting(session, every)],
        **options,
    )
    trainer.fit(Net(), data, ckpt_path=session.checkpoint)


def plain(session):
    run(session, [])


def complete(session):
    run(session, [lightning_callback()])


def inside(session):
    run(session, [lightning_callback()], every=2)


def inside_with_place(session):
    run(session, [lightning_callback()], every=2, loader=Stateful)


def inside_accumulation(session):
    run(session, [lightning_callback()], every=3, loader=Stateful, accumulate_grad_batches=2)


def inside_accumulation_without(session):
    run(session, [], every=3, loader=Stateful, accumulate_grad_batches=2)
