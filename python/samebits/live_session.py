"""The session that a training function is given by resume_check(): what it sees of the training, and what it gives to it."""

import dataclasses
import pathlib

from . import live_training
from .live_training import Training


class Stopped(BaseException):
    """Ends a training at its checkpoint, as a kill would: no `except Exception` holds it."""


@dataclasses.dataclass
class Plan:
    """What one run is for. `kind`: "uninterrupted", "stopped", "resumed" or "cold"; `stop_at`: which saved() call counts, from 1 on; `limit`:
    steps after which a cold run ends; `donor`: what the uninterrupted run had at its checkpoint; `given`: parts that are taken from it, and
    `place`: where generators are given: see PLACES."""

    kind: str
    folder: str
    checkpoint: str = None
    stop_at: int = 1
    limit: int = None
    donor: dict = None
    given: tuple = ()
    place: str = "begin"


# Where a resumed run is given generators, and in words. "skipped" goes with the parts EPOCH and POSITION.
PLACES = {
    "begin": "before the loader's iterator is made",
    "first batch": "once the loader's iterator is made, before its first batch",
    "skipped": "once the batches of before the checkpoint are skipped",
}
EPOCH, POSITION = "generators of the epoch's start", "position in the epoch"


class Session:
    """Given to the training function. `checkpoint`: the path to resume from, or None; `folder`: where the run writes."""

    def __init__(self, plan):
        self.folder = pathlib.Path(plan.folder)
        self.checkpoint = plan.checkpoint
        self.result = {"steps": [], "begin": None, "saves": [], "donor": None, "batches": False}
        self.result.update(made=0, absent=[], facts=None, lightning=False)
        self._plan, self._training = plan, None
        self._batches, self._at_steps = [], []
        self._epoch = None  # of the loader that runs: its generators, their states at the start, how many batches it gave
        self._given_random = False

    def begin(self, model, optimizer, **others):
        """Call once, when everything is built and, in a resumed run, restored. `others`: whatever has state_dict() and load_state_dict():
        a scheduler, a scaler, an average of the weights; and generators of torch, numpy and Python."""
        self._training = Training(model, optimizer, others)
        optimizer = self._training.optimizer
        self.result["begin"] = {**self._training.digests(), **live_training.random_digests()}
        self.result["lightning"] = any("lightning" in kind.__module__.partition(".")[0] for kind in type(model).__mro__)
        self.result["facts"] = {**self._training.flags(), "ties": self._training.ties()}
        # A step may be given a closure that computes the gradients: they stand there behind it.
        optimizer.register_step_pre_hook(lambda *_: self._before_step())
        optimizer.register_step_post_hook(lambda *_: self._at_steps[-1].update(gradients=self._training.gradients()))
        if self._plan.donor:
            for part in self._plan.given:
                if part in self._plan.donor["parts"]:
                    self._training.give(part, self._plan.donor["parts"][part])
        if self._plan.place == "begin":
            self._give_random()

    def _before_step(self):
        self.result["made"] += 1
        self._at_steps.append({"groups": self._training.groups()})

    def batches(self, loader):
        """The batches of one epoch. Through it the check sees which batches come, and can put a resumed run in its place."""
        self.result["batches"] = True
        plan, generators = self._plan, live_training.generators_of(loader)
        first = self._epoch is None
        if first and plan.donor and EPOCH in plan.given:
            for part, state in plan.donor["epoch"].items():
                live_training.give_random(part, state, generators)
        elif first and plan.donor and plan.place == "begin" and "rng.loader" in plan.given:
            live_training.give_random("rng.loader", plan.donor["random"].get("rng.loader", []), generators)
        self._epoch = {"generators": generators, "start": live_training.random_states(generators), "count": 0, "under way": True}
        epoch = self._epoch
        try:
            iterator = iter(loader)
            yield from self._resumed(iterator) if first and plan.donor else self._counted(iterator)
        finally:  # of a loop that was left early, too
            epoch["under way"] = False

    def _resumed(self, iterator):
        """The first epoch of a resumed run: generators are given where the plan says."""
        plan, before = self._plan, self._plan.donor["count"]
        if plan.place == "first batch":
            self._give_random()
        if plan.place == "skipped":
            for _ in range(before):
                batch = next(iterator, None)
                if POSITION not in plan.given and batch is not None:  # the training skips them itself
                    yield self._count(batch)
            self._give_random()
        yield from self._counted(iterator)

    def _counted(self, iterator):
        for batch in iterator:
            yield self._count(batch)

    def _count(self, batch):
        self._epoch["count"] += 1
        self._batches.append(live_training.digest_of(batch))
        return batch

    def step(self):
        """Call after every step of the optimizer, when the schedule has made its step, too."""
        if self._training is None:
            raise RuntimeError("session.step() before session.begin(model, optimizer)")
        entry = {"batch": {"batch": self._batches}} if self.result["batches"] else {}
        for name in ("gradients", "groups"):  # with which the optimizer made its step
            entry[name] = {_nth(place, i): value for i, seen in enumerate(self._at_steps) for place, value in seen[name].items()}
        state = self._training.digests()
        entry.update({part: state[part] for part in state if part not in ("gradients", "groups")})
        entry.update(live_training.random_digests(self._epoch["generators"] if self._epoch else ()))
        self.result["steps"].append(entry)
        self._batches, self._at_steps = [], []
        if self._plan.limit is not None and len(self.result["steps"]) >= self._plan.limit:
            raise Stopped

    def saved(self, path):
        """Call after a checkpoint was written: a file, or a folder."""
        if self._training is None:
            raise RuntimeError("session.saved() before session.begin(model, optimizer)")
        if not pathlib.Path(path).exists():
            self.result["absent"].append(str(path))
        self.result["saves"].append({"path": str(path), "steps": len(self.result["steps"])})
        if len(self.result["saves"]) != self._plan.stop_at:
            return
        if self._plan.kind == "uninterrupted":
            self.result["donor"] = self._donor()
        if self._plan.kind == "stopped":
            raise Stopped

    def _donor(self):
        epoch = self._epoch or {"generators": [], "start": {}, "count": 0, "under way": False}
        return {
            "parts": self._training.copies(),
            "digests": {**self._training.digests(), **live_training.random_digests()},
            "facts": {**self._training.flags(), "ties": self._training.ties()},
            "random": live_training.random_states(epoch["generators"]),
            "epoch": epoch["start"],
            "count": epoch["count"] if epoch["under way"] else 0,
            "inside": epoch["under way"],
        }

    def _give_random(self):
        plan = self._plan
        if not plan.donor or self._given_random:
            return
        self._given_random = True
        generators = self._epoch["generators"] if self._epoch else ()
        for part, state in plan.donor["random"].items():
            if part in plan.given and (part != "rng.loader" or self._epoch):
                live_training.give_random(part, state, generators)


def _nth(name, i):
    """A session's step may be several of the optimizer: what the first one saw has its own name."""
    return f"{name} (step {i + 1} of the optimizer)" if i else name
