"""samebits resume against trainings that really go on: from a complete file bit for bit, and without any piece otherwise."""

import contextlib
import copy
import random

import numpy as np
import pytest
import torch
import torch.distributed.checkpoint
from torch import nn

EPOCHS, STOP = 3, (1, 2)  # saved in epoch 1 after 2 of its 4 batches
DATA = torch.utils.data.TensorDataset(torch.randn(16, 6, generator=torch.Generator().manual_seed(0)))


def generators():
    return {"python": random.getstate(), "numpy": np.random.get_state(), "torch": torch.get_rng_state()}


def restore(states):
    restorers = {"python": random.setstate, "numpy": np.random.set_state, "torch": torch.set_rng_state}
    for name, state in states.items():
        restorers[name](state)


class Training:
    """Dropout, shuffling, augmentation by numpy and random, a schedule by step, a scaler whose scale moves bits, an average."""

    def __init__(self):
        torch.manual_seed(7), random.seed(7), np.random.seed(7)
        self.model = nn.Sequential(nn.Linear(6, 12), nn.BatchNorm1d(12), nn.GELU(), nn.Dropout(0.2), nn.Linear(12, 3))
        self.optimizer = torch.optim.AdamW(self.model.parameters(), 3e-2)
        self.scheduler = torch.optim.lr_scheduler.StepLR(self.optimizer, 4, 0.7)
        self.scaler = torch.amp.GradScaler("cpu", init_scale=3.0, growth_factor=1.7, growth_interval=2)
        self.ema = copy.deepcopy(self.model.state_dict())
        self.epoch = self.batch = self.step = 0
        self.epoch_start = None
        self.loader = torch.utils.data.DataLoader(DATA, batch_size=4, shuffle=True)

    def parts(self):
        return {"model": self.model, "optimizer": self.optimizer, "scheduler": self.scheduler, "scaler": self.scaler}

    def checkpoint(self):
        made = {name: copy.deepcopy(part.state_dict()) for name, part in self.parts().items()}
        return made | {
            "ema": copy.deepcopy(self.ema), "epoch": self.epoch, "global_step": self.step, "rng": generators(),
            "sampler": {"batch": self.batch, "epoch_start": self.epoch_start}, "args": {"fp16": True, "model_ema": True, "lr": 3e-2},
        }

    def train_batch(self, x):
        x = x + 0.1 * float(np.random.rand()) + (0.1 if random.random() < 0.5 else 0)
        self.optimizer.zero_grad()
        self.scaler.scale(self.model(x).pow(2).mean()).backward()
        self.scaler.step(self.optimizer), self.scaler.update(), self.scheduler.step()
        for name, value in self.model.state_dict().items():
            self.ema[name] = (0.9 * self.ema[name] + 0.1 * value).to(value.dtype)

    def run(self, stop=None):
        """Goes on from where it stands to `stop`, or to the end."""
        resumed = generators() if self.batch else None
        while self.epoch < EPOCHS:
            if resumed:
                restore(self.epoch_start)
            self.epoch_start = generators()
            for i, (x,) in enumerate(self.loader):
                if i < self.batch:
                    continue
                if resumed:
                    restore(resumed)
                    resumed = None
                self.train_batch(x)
                self.batch, self.step = i + 1, self.step + 1
                if (self.epoch, self.batch) == stop:
                    return self
            self.epoch, self.batch = self.epoch + 1, 0
        return self

    def resume(self, file):
        """As a script does that loads what it finds and goes on without the rest."""
        for name, part in self.parts().items():
            if name in file:
                part.load_state_dict(copy.deepcopy(file[name]))
        self.ema = copy.deepcopy(file.get("ema", self.model.state_dict()))
        self.epoch, self.step = file.get("epoch", 0), file.get("global_step", 0)
        sampler = file.get("sampler", {"batch": 0, "epoch_start": None})
        self.batch, self.epoch_start = sampler["batch"], sampler["epoch_start"]
        restore(file.get("rng", {}))
        return self

    def bits(self):
        tensors = [*self.model.state_dict().values(), *self.ema.values()]
        return b"".join(t.contiguous().numpy().tobytes() for t in tensors)


def end_of(file):
    """The bits at the end of a training that goes on from `file`, or why it ends before."""
    try:
        return Training().resume(file).run().bits()
    except RuntimeError as error:  # moments of another shape
        return str(error)


@pytest.fixture(scope="module")
def file():
    return Training().run(STOP).checkpoint()


@pytest.fixture(scope="module")
def truth():
    whole = Training().run().bits()
    assert whole == Training().run().bits(), "two uninterrupted trainings must agree first"
    return whole


@pytest.fixture
def judged(run, tmp_path):
    """judged(value) -> the report on it, saved by torch.save."""

    def judge(value, *others):
        paths = [tmp_path / f"{i}.pt" for i in range(1 + len(others))]
        for path, each in zip(paths, (value, *others)):
            torch.save(each, path)
        return run("resume", *paths)

    return judge


def missing(report):
    return {piece for f in report.findings("resume.missing") if f["role"] == "risk" for piece in f["evidence"]["missing"]}


def test_a_complete_file_goes_on_bit_for_bit(judged, file, truth):
    assert end_of(file) == truth
    report = judged(file)
    assert report["verdict"] == "clean" and not missing(report)
    states = {part["part"]: part["state"] for part in report["resume"]}
    assert set(states.values()) == {"present"} and {"optimizer moments", "scheduler", "scaler", "ema", "sampler position"} <= set(states)


def without(*path):
    def change(value):
        for key in path[:-1]:
            value = value[key]
        value.pop(path[-1])

    return change


def update(change):
    def every(value):
        for state in value["optimizer"]["state"].values():
            change(state)

    return every


def zero_moments(state):
    state["exp_avg"].zero_(), state["exp_avg_sq"].zero_(), state["step"].zero_()


def text_keys(value):
    value["optimizer"]["state"] = {str(k): v for k, v in value["optimizer"]["state"].items()}


def other_order(value):
    """Keys of a permuted list: load_state_dict goes by place."""
    value["optimizer"]["param_groups"][0]["params"] = [0, 3, 2, 1, 4, 5]


def seeded(value):
    value["rng"]["torch"] = torch.Generator().manual_seed(7).get_state()


PIECES = {
    "optimizer": (without("optimizer"), "optimizer moments"), "moments": (lambda v: v["optimizer"].update(state={}), "optimizer moments"),
    "zero moments": (update(zero_moments), "optimizer moments"), "step 0": (update(lambda s: s["step"].zero_()), "optimizer moments"),
    "one state": (without("optimizer", "state", 4), "optimizer moments"),
    "one step": (lambda v: v["optimizer"]["state"][2]["step"].fill_(1), "optimizer moments"),
    "text keys": (text_keys, "optimizer moments"), "other order": (other_order, "optimizer moments"),
    "scheduler": (without("scheduler"), "scheduler"), "another rate": (lambda v: v["optimizer"]["param_groups"][0].update(lr=3e-2), "scheduler"),
    "a new schedule": (lambda v: v.update(scheduler=Training().scheduler.state_dict()), "scheduler"),
    "scaler": (without("scaler"), "scaler"), "ema": (without("ema"), "ema"), "all generators": (without("rng"), "rng.torch"),
    "torch": (without("rng", "torch"), "rng.torch"), "numpy": (without("rng", "numpy"), "rng.numpy"), "python": (without("rng", "python"), "rng.python"),
    "torch as seeded": (seeded, "rng.torch"), "position": (without("sampler"), "sampler position"),
}


@pytest.mark.parametrize("name", PIECES)
def test_each_piece_is_needed_and_named(judged, file, truth, name):
    change, piece = PIECES[name]
    value = copy.deepcopy(file)
    change(value)
    assert end_of(value) != truth
    report = judged(value)
    assert report["verdict"] == "risk" and piece in missing(report)
    assert missing(report) <= {piece, *(("rng.numpy", "rng.python") if name == "all generators" else ())}


def test_no_counts(judged, file, truth):
    value = {k: v for k, v in file.items() if k not in ("epoch", "global_step")}
    assert end_of(value) != truth
    assert missing(judged(value)) == {"step"}


def test_what_does_not_move_a_bit_is_no_risk(judged, file, truth):
    """The order of the state's keys, and the keys themselves, where the groups list them."""
    value = copy.deepcopy(file)
    value["optimizer"]["state"] = {k + 100: v for k, v in reversed(value["optimizer"]["state"].items())}
    value["optimizer"]["param_groups"][0]["params"] = [100, 101, 102, 103, 104, 105]
    assert end_of(value) == truth
    assert judged(value)["verdict"] == "clean"


OPTIMIZERS = {
    "SGD": lambda p: torch.optim.SGD(p, 0.1), "SGD with momentum": lambda p: torch.optim.SGD(p, 0.1, momentum=0.9),
    "tensor rate": lambda p: torch.optim.AdamW(p, torch.tensor(1e-3)), "fused": lambda p: torch.optim.AdamW(p, 1e-3, fused=True),
    "two groups": lambda p: torch.optim.AdamW([{"params": p[:1]}, {"params": p[1:], "weight_decay": 0}], 1e-3),
    "Adagrad": torch.optim.Adagrad, "Adadelta": torch.optim.Adadelta, "RMSprop": torch.optim.RMSprop, "NAdam": torch.optim.NAdam,
    "Adamax": torch.optim.Adamax, "RAdam": torch.optim.RAdam, "Rprop": torch.optim.Rprop, "ASGD": torch.optim.ASGD, "Adafactor": torch.optim.Adafactor,
}
SCHEDULES = {
    "cosine": lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, 20), "lambda": lambda o: torch.optim.lr_scheduler.LambdaLR(o, lambda t: 0.9**t),
    "one cycle": lambda o: torch.optim.lr_scheduler.OneCycleLR(o, 0.1, total_steps=20),
    "restarts": lambda o: torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(o, 4),
    "sequence": lambda o: torch.optim.lr_scheduler.SequentialLR(
        o, [torch.optim.lr_scheduler.LinearLR(o), torch.optim.lr_scheduler.ExponentialLR(o, 0.9)], [3]),
    "chain": lambda o: torch.optim.lr_scheduler.ChainedScheduler([torch.optim.lr_scheduler.LinearLR(o), torch.optim.lr_scheduler.ExponentialLR(o, 0.9)]),
    "plateau": torch.optim.lr_scheduler.ReduceLROnPlateau, "cyclic": lambda o: torch.optim.lr_scheduler.CyclicLR(o, 1e-3, 1e-1),
}


def small(make=lambda p: torch.optim.SGD(p, 0.1, momentum=0.9), schedule=None, steps=6, every=1):
    torch.manual_seed(5), random.random(), np.random.rand()
    model = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2))
    optimizer = make(list(model.parameters()))
    scheduler = schedule(optimizer) if schedule else None
    for i in range(1, steps + 1):
        optimizer.zero_grad()
        loss = model(torch.randn(5, 4)).pow(2).mean()
        loss.backward(), optimizer.step()
        if scheduler and i % every == 0:
            scheduler.step(loss.item()) if isinstance(scheduler, torch.optim.lr_scheduler.ReduceLROnPlateau) else scheduler.step()
    made = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 2, "global_step": steps, "batch_idx": 0, "rng": generators()}
    return made | ({"scheduler": scheduler.state_dict()} if scheduler else {})


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_no_false_alarm_for_an_optimizer(judged, name):
    assert judged(small(OPTIMIZERS[name]))["verdict"] == "clean"


NEEDED = {
    "AdamW": (lambda p: torch.optim.AdamW(p, amsgrad=True), ["step", "exp_avg", "exp_avg_sq", "max_exp_avg_sq"]),
    "RMSprop": (lambda p: torch.optim.RMSprop(p, momentum=0.9, centered=True), ["square_avg", "momentum_buffer", "grad_avg"]),
    "NAdam": (torch.optim.NAdam, ["exp_avg_sq"]), "RAdam": (torch.optim.RAdam, ["exp_avg"]), "Adadelta": (torch.optim.Adadelta, ["acc_delta"]),
    "Adagrad": (torch.optim.Adagrad, ["step"]), "Rprop": (torch.optim.Rprop, ["step_size"]), "ASGD": (torch.optim.ASGD, ["ax"]),
}


@pytest.mark.parametrize("name, key", [(name, key) for name, (_, keys) in NEEDED.items() for key in keys])
def test_a_part_of_a_state_that_a_step_needs(judged, name, key):
    make = NEEDED[name][0]
    saved = small(make)
    for state in saved["optimizer"]["state"].values():
        del state[key]
    parameters = [nn.Parameter(torch.zeros(tensor.shape)) for tensor in saved["model"].values()]
    optimizer = make(parameters)
    for parameter in parameters:
        parameter.grad = torch.ones_like(parameter)
    with pytest.raises(KeyError, match=key):
        optimizer.load_state_dict(copy.deepcopy(saved["optimizer"]))
        optimizer.step()
    said = [f for f in judged(saved)["findings"] if key in f["evidence"].get("lacking", [])]
    assert said and said[0]["role"] == "risk" and "4 of 4 parameters" in said[0]["summary"]


def test_weights_that_no_group_lists(judged):
    saved = small(lambda p: torch.optim.SGD(p[2:], 0.1, momentum=0.9))
    note = next(f for f in judged(saved)["findings"] if "outside" in f["evidence"])
    assert note["role"] == "note" and note["evidence"]["outside"] == 2 and "0.weight" in note["details"][0]


def in_type(state, dtype):
    return {key: in_type(value, dtype) if isinstance(value, dict) else value.to(dtype) if torch.is_tensor(value) and value.dim() else value
            for key, value in state.items()}


@pytest.mark.parametrize("weights, moments, said", [
    (torch.float32, torch.float32, ""), (torch.bfloat16, torch.float32, "the weights were rounded"),
    (torch.float32, torch.float16, "the moments were rounded"), (torch.bfloat16, torch.bfloat16, ""),
])
def test_weights_and_moments_of_two_types(judged, weights, moments, said):
    saved = small(OPTIMIZERS["two groups"])
    saved["model"] = in_type(saved["model"], weights)
    saved["optimizer"]["state"] = in_type(saved["optimizer"]["state"], moments)
    if weights == moments:  # as torch keeps them
        parameter = nn.Parameter(torch.ones(4, dtype=weights))
        optimizer = torch.optim.AdamW([parameter])
        parameter.grad = torch.ones_like(parameter)
        optimizer.step()
        assert optimizer.state[parameter]["exp_avg"].dtype == weights
    report = judged(saved)
    assert report["verdict"] == ("clean" if not said else "risk")
    assert [said in f["summary"] for f in report["findings"] if "were rounded" in f["summary"]] == ([True] if said else [])


def test_moments_of_bitsandbytes_stand_in_a_mapping_of_their_own(judged):
    """As optimizer.state_dict() of bitsandbytes 0.50.2 has them for PyTorch's FSDP."""
    saved = small(OPTIMIZERS["two groups"])
    for state in saved["optimizer"]["state"].values():
        state["__bnb_optimizer_quant_state__"] = {"state1": state.pop("exp_avg"), "state2": state.pop("exp_avg_sq")}
        state["step"] = int(state["step"])
    for group in saved["optimizer"]["param_groups"]:
        for name in set(group) - {"params", "lr", "betas", "eps", "weight_decay"}:
            del group[name]
        group.update(alpha=0.0, t_alpha=None, t_beta3=None)
    report = judged(saved)
    part = {part["part"]: part for part in report["resume"]}["optimizer moments"]
    assert report["verdict"] == "clean" and part["state"] == "present" and "an optimizer of bitsandbytes, state of 4 of 4 parameters" in part["detail"]


@pytest.mark.parametrize("every", [1, 3])
@pytest.mark.parametrize("name", SCHEDULES)
def test_no_false_alarm_for_a_schedule(judged, name, every):
    report = judged(small(schedule=SCHEDULES[name], every=every))
    assert report["verdict"] == "clean", report["findings"]


def test_a_plateau_that_was_not_saved_leaves_no_trace(judged):
    saved = small(schedule=SCHEDULES["plateau"])
    assert "initial_lr" not in saved["optimizer"]["param_groups"][0]
    report = judged({key: value for key, value in saved.items() if key != "scheduler"})
    part = {part["part"]: part for part in report["resume"]}["scheduler"]
    assert report["verdict"] == "clean" and part["state"] == "none seen" and "ReduceLROnPlateau" in part["detail"]


def test_a_schedule_of_averaging_counts_for_itself(judged):
    saved = small(steps=6)
    schedule = torch.optim.swa_utils.SWALR(torch.optim.SGD([nn.Parameter(torch.zeros(2))], 0.1), swa_lr=0.1)
    schedule.step(), schedule.step()
    report = judged(saved | {"scheduler": schedule.state_dict()})
    assert "is no count of the training" not in str(report["findings"])


@pytest.mark.parametrize("held", [1, 2])
def test_every_optimizer_has_its_schedule(judged, held):
    made = [small(schedule=SCHEDULES["cosine"]) for _ in range(2)]
    saved = made[0] | {"optimizer": [each["optimizer"] for each in made], "scheduler": [each["scheduler"] for each in made[:held]]}
    said = [f["summary"] for f in judged(saved)["findings"]]
    assert any("schedules drove 2 optimizers, and the state of 1 schedule is in it" in text for text in said) == (held == 1), said


def test_a_continuation_and_what_contradicts_it(judged, file):
    later = Training().resume(file).run().checkpoint()
    assert judged(file, later)["verdict"] == "clean"
    back = judged(later, file)
    assert back.finding("file.mixup")["summary"].startswith("B stands before A")
    assert not any("other schedules" in finding["summary"] for finding in back["findings"])
    other = copy.deepcopy(later)
    other["optimizer"]["param_groups"][0]["weight_decay"] = 0.5
    fields = judged(file, other).finding("config.changed")["evidence"]["fields"]
    assert fields == {"optimizer.param_groups.0.weight_decay": [0.01, 0.5]}
    fresh = Training().resume({k: v for k, v in file.items() if k != "optimizer"}).run().checkpoint()
    assert "optimizer moments" in missing(judged(file, fresh))
    begun = judged(file, fresh).finding("resume.missing")
    assert begun["evidence"]["missing"] == ["optimizer moments"] and "did not go on" in begun["summary"]
    both = judged(file, Training().resume({k: v for k, v in file.items() if k not in ("optimizer", "scheduler")}).run().checkpoint())
    assert both["findings"][0]["evidence"]["missing"] == ["optimizer moments", "scheduler"] and "and schedule did not go on" in both["diagnosis"]
    assert not any("no count of the training" in finding["summary"] for finding in both["findings"])
    reseeded = copy.deepcopy(later)
    reseeded["rng"]["torch"] = torch.Generator().manual_seed(1).get_state()
    assert judged(file, reseeded).finding("rng.seed")["evidence"]["seeds"] == [7, 1]
    frozen = copy.deepcopy(later)
    frozen["model"] = file["model"]
    assert "not one bit" in judged(file, frozen).finding("file.mixup")["summary"]
    wider = copy.deepcopy(later)
    wider["model"]["head.weight"] = torch.zeros(2)
    assert judged(file, wider).finding("file.mixup")["evidence"]["parameters"] == ["head.weight"]


def test_a_state_that_is_there_is_not_said_to_be_missing(judged, file):
    """A count of 0 beside moments, and moments of zeros: neither is helped by saving the state, too."""
    at_zero, zeros = copy.deepcopy(file), copy.deepcopy(file)
    for state in at_zero["optimizer"]["state"].values():
        state["step"] = torch.zeros_like(state["step"])
    for state in zeros["optimizer"]["state"].values():
        state["exp_avg"].zero_(), state["exp_avg_sq"].zero_()
    said = [f for f in judged(at_zero)["findings"] if "step 0" in f["summary"]]
    assert len(said) == 1 and "moments are not zero" in said[0]["summary"] and "without it" not in str(said[0]["details"])
    (fresh,) = [f for f in judged(zeros)["findings"] if "is fresh" in f["summary"]]
    for finding in (said[0], fresh):
        assert "state_dict(), too" not in finding["remedy"]


def test_a_schedule_of_one_side_is_no_hyper_parameter(judged):
    driven, free = small(schedule=SCHEDULES["cosine"]), small()
    report = judged(driven, free)
    said = [finding["summary"] for finding in report["findings"]]
    assert "a schedule drove A's optimizer, and none drove B's" in said and not any("initial_lr" in text for text in said), said
    other = copy.deepcopy(free)
    other["optimizer"]["param_groups"][0]["eps"] = 0.5
    assert "A's values" in judged(free, other).finding("config.changed")["remedy"]


# ---- frameworks
def lightning_parts():
    lightning = pytest.importorskip("pytorch_lightning")

    class Model(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.net = nn.Sequential(nn.Linear(6, 4), nn.Dropout(0.1), nn.Linear(4, 2))

        def training_step(self, batch, _):
            return self.net(batch[0]).pow(2).mean()

        def configure_optimizers(self):
            optimizer = torch.optim.AdamW(self.parameters(), 1e-2)
            return [optimizer], [torch.optim.lr_scheduler.StepLR(optimizer, 1)]

        def train_dataloader(self):
            return torch.utils.data.DataLoader(DATA, batch_size=4, shuffle=True)

        def validation_step(self, batch, _):
            self.log("loss", self.net(batch[0]).pow(2).mean())

        def val_dataloader(self):
            return torch.utils.data.DataLoader(DATA, batch_size=8)

    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False, "accelerator": "cpu"}
    return lightning, lambda **options: lightning.Trainer(max_epochs=2, **quiet, **options), Model()


def lightning_file(folder, **options):
    lightning, trainer, model = lightning_parts()
    trainer(callbacks=[lightning.callbacks.ModelCheckpoint(folder, filename="x", **options)]).fit(model)
    return next(folder.glob("*.ckpt"))


RNG = {"rng.torch", "rng.numpy", "rng.python"}


def test_lightning_at_the_end_of_an_epoch_lacks_generators(run, tmp_path):
    report = run("resume", lightning_file(tmp_path))
    assert missing(report) == RNG
    assert {p["part"]: p["state"] for p in report["resume"]}["sampler position"] == "not needed"
    assert "callback" in report.finding("resume.missing")["remedy"]


def test_lightning_in_the_middle_of_an_epoch_lacks_its_place(run, tmp_path):
    report = run("resume", lightning_file(tmp_path, every_n_train_steps=7))
    assert missing(report) == RNG | {"sampler position"}


def test_lightning_weights_alone(run, tmp_path):
    report = run("resume", lightning_file(tmp_path, save_weights_only=True))
    assert "optimizer moments" in missing(report)


def test_lightning_drops_accumulated_gradients(run, tmp_path):
    lightning, trainer, model = lightning_parts()
    save = lightning.callbacks.ModelCheckpoint(tmp_path, save_top_k=-1, monitor="loss")
    trainer(callbacks=[save], val_check_interval=3, accumulate_grad_batches=2).fit(model)
    inside = [path for path in tmp_path.glob("*.ckpt") if "gradients" in missing(run("resume", path))]
    progress = [torch.load(path, weights_only=False)["loops"]["fit_loop"]["epoch_loop.automatic_optimization.optim_progress"] for path in inside]
    assert inside and all(p["optimizer"]["zero_grad"]["total"]["completed"] > p["optimizer"]["step"]["total"]["completed"] for p in progress)


@pytest.mark.parametrize("key, piece", [("optimizer_states", "optimizer moments"), ("lr_schedulers", "scheduler")])
def test_lightning_raises_without_a_key_and_goes_on_with_an_empty_list(run, tmp_path, key, piece):
    path = lightning_file(tmp_path)
    value = torch.load(path, weights_only=False)
    for parts in ([], None):
        value.pop(key) if parts is None else value.update({key: parts})
        torch.save(value, path)
        _, trainer, model = lightning_parts()
        raises = pytest.raises(KeyError) if parts is None else contextlib.nullcontext()
        with raises:
            trainer(enable_checkpointing=False).fit(model, ckpt_path=path)
        report = run("resume", path)
        assert piece in missing(report)
        assert any("KeyError" in line for f in report.findings("resume.missing") for line in f["details"])


def write_trainer(folder, state, value, world=1):
    """In the layout of Trainer._save_checkpoint of transformers 5.24.0."""
    folder.mkdir()
    torch.save(value["model"], folder / "pytorch_model.bin")
    torch.save(value["optimizer"], folder / "optimizer.pt")
    torch.save(value["scheduler"], folder / "scheduler.pt")
    states = {"python": random.getstate(), "numpy": np.random.get_state(), "cpu": torch.get_rng_state()}
    for i in range(world):
        torch.save(states, folder / ("rng_state.pth" if world == 1 else f"rng_state_{i}.pth"))
    (folder / "config.json").write_text('{"model_type": "mine"}')
    (folder / "trainer_state.json").write_text(state)


@pytest.fixture
def trainer(tmp_path):
    folder = tmp_path / "checkpoint-6"
    write_trainer(folder, '{"global_step": 6, "epoch": 1.5, "max_steps": 12}', small(schedule=SCHEDULES["lambda"]))
    return folder


def test_a_trainers_checkpoint(run, trainer):
    assert not missing(run("resume", trainer))


@pytest.mark.parametrize(
    "name, pieces",
    [("optimizer.pt", {"optimizer moments"}), ("scheduler.pt", {"scheduler"}), ("rng_state.pth", RNG), ("pytorch_model.bin", None)],
)
def test_a_trainers_checkpoint_without_a_file(run, trainer, name, pieces):
    (trainer / name).unlink()
    report = run("resume", trainer)
    if pieces is None:
        assert report["verdict"] == "unknown"
    else:
        assert missing(report) == pieces and "Trainer" in report.finding("resume.missing")["details"][-1]


def test_a_trainers_checkpoint_of_several_processes(run, tmp_path):
    folder = tmp_path / "checkpoint-6"
    write_trainer(folder, '{"global_step": 6, "epoch": 2.0}', small(schedule=SCHEDULES["lambda"]), world=3)
    assert not missing(run("resume", folder))
    (folder / "rng_state_1.pth").unlink()
    assert missing(run("resume", folder)) == {"rng of processes 1"}


def test_deepspeeds_partitions_are_named_and_not_judged(run, trainer):
    (trainer / "optimizer.pt").unlink()
    parts = trainer / "global_step6"
    parts.mkdir()
    torch.save({"optimizer_state_dict": {}}, parts / "bf16_zero_pp_rank_0_mp_rank_00_optim_states.pt")
    report = run("resume", trainer)
    assert report["verdict"] == "unknown" and any("DeepSpeed" in text for text in report["not_checked"])
    assert "optimizer moments" not in missing(report)


def test_a_distributed_checkpoint_in_a_folder_is_named_and_not_judged(run, trainer):
    torch.distributed.checkpoint.save({"model": nn.Linear(2, 2).state_dict()}, checkpoint_id=trainer / "other", no_dist=True)
    report = run("resume", trainer)
    assert report["verdict"] == "unknown" and any("distributed checkpoint" in text for text in report["not_checked"])


def test_accelerates_directory_lacks_counts_and_place(run, tmp_path):
    """In the layout of accelerate 1.15.0 (save_state)."""
    value = small(schedule=SCHEDULES["lambda"])
    for name, key in (("pytorch_model.bin", "model"), ("optimizer.bin", "optimizer"), ("scheduler.bin", "scheduler")):
        torch.save(value[key], tmp_path / name)
    states = {"step": 0, "random_state": random.getstate(), "numpy_random_seed": np.random.get_state(), "torch_manual_seed": torch.get_rng_state()}
    torch.save(states, tmp_path / "random_states_0.pkl")
    assert missing(run("resume", tmp_path)) == {"step", "sampler position"}
    torch.save({"epoch": 2, "global_step": 6}, tmp_path / "custom_checkpoint_0.pkl")
    torch.save({"_num_yielded": 2, "_snapshot": {}}, tmp_path / "dl_state_dict.bin")
    assert run("resume", tmp_path)["verdict"] == "clean"


@pytest.mark.parametrize("case", ["whole", "one missing", "exchanged"])
def test_each_of_two_models_has_its_own_optimizer(case, run, tmp_path):
    torch.manual_seed(3)
    nets = {"netG": nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 12)), "netD": nn.Sequential(nn.Linear(12, 16), nn.ReLU(), nn.Linear(16, 1))}
    saved = {"epoch": 1}
    for name, net in nets.items():
        optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
        net(torch.randn(4, net[0].in_features)).sum().backward()
        optimizer.step()
        saved |= {name: net.state_dict(), f"opt{name[-1]}": optimizer.state_dict()}
    if case == "one missing":
        del saved["optD"]
    if case == "exchanged":
        saved["optG"], saved["optD"] = saved["optD"], saved["optG"]
        optimizer = torch.optim.Adam(nets["netG"].parameters(), lr=1e-3)
        optimizer.load_state_dict(saved["optG"])
        nets["netG"](torch.randn(4, 8)).sum().backward()
        with pytest.raises(RuntimeError):
            optimizer.step()
    torch.save(saved, tmp_path / "gan.pth")
    said = " ".join(f["summary"] for f in run("resume", tmp_path / "gan.pth")["findings"])
    assert ("no optimizer's state is in it for netD" in said) == (case == "one missing")
    assert ("optG) goes with netG by its name, and its moments have the shapes of netD" in said) == (case == "exchanged")
