"""Trainings for the tests of resume_check(): plain loops, with what each saves and restores."""

import random

import numpy
import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset

EPOCHS = 3


class Noise(Dataset):
    """12 samples; every look at one augments it by what the process's generator draws."""

    def __init__(self, augment=True):
        self.x = torch.randn(12, 6, generator=torch.Generator().manual_seed(3))
        self.augment = augment

    def __len__(self):
        return len(self.x)

    def __getitem__(self, index):
        return self.x[index] + (0.1 * torch.rand(6) if self.augment else 0), self.x[index].sum()


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.two, self.norm = torch.nn.Linear(6, 8), torch.nn.Linear(8, 1), torch.nn.BatchNorm1d(8)

    def forward(self, x):
        return self.two(F.dropout(F.relu(self.norm(self.one(x))), 0.3, self.training)).squeeze(1)


def random_state():
    return {"torch": torch.get_rng_state(), "numpy": numpy.random.get_state(), "python": random.getstate()}


def set_random_state(state):
    torch.set_rng_state(state["torch"])
    numpy.random.set_state(state["numpy"])
    random.setstate(state["python"])


def run(session, keep, workers=0, augment=True, every=None, restore=None, loader=None, changed=None):
    """`keep`: parts that a checkpoint holds. `every`: steps between checkpoints; None saves at the end of each epoch. `restore`: how the
    generators come back: "before", or "inside" an epoch by the whole recipe. `changed` is called with the objects when all are restored."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    numpy.random.seed(0)
    random.seed(0)
    net = Net()
    optimizer = torch.optim.AdamW(net.parameters(), lr=0.05)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 / (1 + step))
    loader = (loader or DataLoader)(Noise(augment), batch_size=3, shuffle=True, num_workers=workers)
    objects = {"model": net, "optimizer": optimizer, "scheduler": scheduler, "loader": loader}
    first, skip, saved = 0, 0, {}
    if session.checkpoint:
        saved = torch.load(session.checkpoint, weights_only=False)
        for name, value in objects.items():
            if name in saved:
                value.load_state_dict(saved[name])
        first, skip = saved["epoch"], saved.get("count", 0)
        if changed:
            changed(objects)
        if restore == "before":
            set_random_state(saved["now"])
        if restore == "inside":
            set_random_state(saved["start"])
    session.begin(net, optimizer, scheduler=scheduler)
    steps = 0
    for epoch in range(first, EPOCHS):
        start, count = random_state(), 0
        for x, y in session.batches(loader):
            count += 1
            if epoch == first and count <= skip:
                if count == skip and restore == "inside":
                    set_random_state(saved["now"])
                continue
            if restore == "first batch" and session.checkpoint and epoch == first and count == 1:
                set_random_state(saved["now"])
            optimizer.zero_grad()
            F.mse_loss(net(x), y).backward()
            optimizer.step()
            scheduler.step()
            steps += 1
            session.step()
            if every and steps == every:
                save(session, keep, objects, epoch=epoch, start=start, now=random_state(), count=count)
        if not every:
            save(session, keep, objects, epoch=epoch + 1, now=random_state())


def save(session, keep, objects, **more):
    state = {name: value.state_dict() for name, value in objects.items() if name in keep}
    state.update({name: value for name, value in more.items() if name in keep or name == "epoch"})
    torch.save(state, session.folder / "last.pt")
    session.saved(session.folder / "last.pt")


USUAL = ("model", "optimizer", "scheduler")


def weights_alone(session):
    run(session, ("model",))


def usual(session):
    run(session, USUAL)


def complete(session):
    run(session, (*USUAL, "now"), restore="before")


def without_scheduler(session):
    run(session, ("model", "optimizer", "now"), restore="before")


def another_rate(session):
    run(session, (*USUAL, "now"), restore="before", changed=lambda objects: objects["optimizer"].param_groups[0].update(lr=0.01))


def statistics_lost(session):
    run(session, (*USUAL, "now"), restore="before", changed=lambda objects: objects["model"].norm.reset_running_stats())


def with_workers(session):
    run(session, (*USUAL, "now"), workers=2, restore="before")


def inside_usual(session):
    run(session, USUAL, every=6)


def inside_looks_right(session):
    """Restores the generators and skips the batches: of an epoch in another order."""
    run(session, (*USUAL, "now", "count"), every=6, restore="before")


def inside_complete(session):
    run(session, (*USUAL, "now", "start", "count"), every=6, restore="inside")


def stateful(session, restore):
    from torchdata.stateful_dataloader import StatefulDataLoader

    run(session, (*USUAL, "loader", "now"), augment=False, every=6, restore=restore, loader=StatefulDataLoader)


def stateful_looks_right(session):
    stateful(session, "before")


def stateful_complete(session):
    stateful(session, "first batch")


def unrepeatable(session):
    run(
        session,
        USUAL,
        augment=False,
        loader=lambda data, **options: DataLoader(
            data, **{**options, "generator": torch.Generator().manual_seed(random.SystemRandom().randrange(1 << 30))}
        ),
    )


def own_generator(session):
    generator = torch.Generator().manual_seed(7)
    run(session, (*USUAL, "now"), restore="before", loader=lambda data, **options: DataLoader(data, **{**options, "generator": generator}))


def fails(session):
    raise KeyError("no such data")


def never_saves(session):
    session.saved = lambda path: None
    complete(session)


def late(session):
    global EPOCHS
    EPOCHS = 1
    complete(session)


# What no usual checkpoint holds, and trainings that do not do what resume_check() needs of them.


def plain(session, *, build=None, begin=None, behind=None, keep=("model",), each=None, epochs=EPOCHS, first=None, more=None):
    """A loop without a shuffle and without noise, so that nothing but what a test plants differs."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.ReLU(), torch.nn.BatchNorm1d(8), torch.nn.Linear(8, 1))
    if build:
        build(session, net)
    optimizer = torch.optim.SGD([p for p in net.parameters() if p.requires_grad], lr=0.05)
    begun = (lambda: session.begin(net, optimizer, **(more or {}))) if begin is None else (lambda: begin(session, net, optimizer))
    if behind is None:
        begun()
    start = 0
    if session.checkpoint:
        saved = torch.load(session.checkpoint, weights_only=False)
        net.load_state_dict(saved["model"])
        start = saved["epoch"] if first is None else first(saved)
        if behind:
            behind(net)
    if behind is not None:
        begun()
    steps = start * 4
    for epoch in range(start, epochs):
        for x, y in session.batches(DataLoader(Noise(False), batch_size=3)):
            loss = F.mse_loss(net(x).squeeze(1), y)
            steps += 1
            if each is None:
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            else:
                each(optimizer, loss, net, x)
            session.step()
        torch.save({"model": net.state_dict(), "epoch": epoch + 1}, session.folder / "last.pt")
        session.saved(session.folder / "last.pt")


def restored(net):
    pass


def left_in_eval_mode(session):
    plain(session, behind=lambda net: net.eval())


def thawed_again(session):
    """The first layer is frozen when the checkpoint is written, and not when it is resumed."""

    def each(optimizer, loss, net, x):
        optimizer.zero_grad(set_to_none=False)
        loss.backward()
        optimizer.step()
        net[0].weight.requires_grad_(False) if not hasattr(net, "resumed") else None

    plain(session, behind=lambda net: setattr(net, "resumed", True), each=each)


def begun_too_early(session):
    plain(session)


def ignores_its_checkpoint(session):
    plain(Ignoring(session), behind=restored)


class Ignoring:
    """A session whose training does not look at the checkpoint."""

    def __init__(self, session):
        self._session, self.checkpoint = session, None

    def __getattr__(self, name):
        return getattr(self._session, name)


def one_epoch_off(session):
    plain(session, behind=restored, first=lambda saved: saved["epoch"] + 1)


def adding_noise(generator):
    def each(optimizer, loss, net, x):
        optimizer.zero_grad()
        (loss + generator.normal() * net[0].weight.sum() * 0.01 if hasattr(generator, "bit_generator") else loss).backward()
        optimizer.step()

    return each


def own_generator_unknown(session):
    plain(session, behind=restored, each=adding_noise(numpy.random.default_rng(1)))


def own_generator_given(session):
    generator = numpy.random.default_rng(1)
    plain(session, behind=restored, each=adding_noise(generator), more={"noise": generator, "spare": torch.Generator(), "third": random.Random(2)})


def never_steps(session):
    real = session.step
    session.step = lambda: None
    plain(session, behind=restored)
    session.step = real


def accumulates(session):
    counts = {"n": 0}

    def each(optimizer, loss, net, x):
        loss.backward()
        counts["n"] += 1
        if counts["n"] % 3 == 0:
            optimizer.step()
            optimizer.zero_grad()

    plain(session, behind=restored, each=each)


def saves_nothing(session):
    if session.checkpoint:
        session.checkpoint = None
    real = session.saved
    session.saved = lambda path: real(session.folder / "nothing.pt")
    plain(session, behind=restored)


def without_batches(session):
    real = session.batches
    session.batches = lambda loader: iter(loader)
    plain(session, behind=restored)
    session.batches = real


def prepared(session):
    import accelerate

    def begin(session, net, optimizer):
        session.begin(net, accelerate.Accelerator(cpu=True).prepare(optimizer))

    plain(session, behind=restored, begin=begin)
