"""resume_check() on trainings that resume exactly, that do not, and that only look as if they did."""

import json

import pytest

import live_docs
import live_trainings
import sampling
from samebits.resume_check import ResumeCheckError, resume_check


def checked(train, start_method="forkserver", **options):
    return resume_check(train, start_method=start_method, **options)


def lacks(report):
    return sorted(addition["part"] for addition in report.lacks or [])


@pytest.mark.parametrize("start_method", ["forkserver", pytest.param("spawn", marks=pytest.mark.long)])
def test_a_complete_checkpoint_between_epochs_is_exact(start_method):
    report = checked(live_trainings.complete, start_method)
    assert report.verdict == "same" and report and report.first is None and report.lacks is None
    assert report.steps == {"uninterrupted": 12, "saved": 4} and not report.inside and all(report.restored.values())
    assert report.cold["step"] == 5 and report.cold["parts"][0] == "batch" and report.runs == 4
    assert str(report).startswith("same: the 8 steps behind the checkpoint have the same bits as without a stop\n")


def test_without_the_generators_the_batches_come_in_another_order():
    report = checked(live_trainings.usual)
    assert report.verdict == "different" and report.first["step"] == 5 and report.first["parts"][0] == "batch"
    assert lacks(report) == ["rng.torch"]
    assert report.lacks[0]["do"] == "save torch.get_rng_state(), and restore it before the loader's iterator is made"
    assert report.restored["weights"] and report.restored["moments"] and report.restored["scheduler"] and not report.restored["rng.torch"]
    value = json.loads(report.to_json())
    assert value["schema"] == "samebits.resume_check/1" and value["lacks"][0]["part"] == "rng.torch"
    assert max(map(len, str(report).splitlines())) <= 80


def test_weights_alone_lack_everything_else():
    report = checked(live_trainings.weights_alone)
    assert lacks(report) == ["groups", "moments", "rng.torch", "scheduler"], str(report)


def test_a_schedule_that_starts_again():
    report = checked(live_trainings.without_scheduler)
    assert report.first["step"] == 5 and report.first["parts"] == ["scheduler"]  # the optimizer's file still had the rate of this step
    assert lacks(report) == ["scheduler"] and report.restored["scheduler"] is False and report.restored["groups"]


def test_what_is_changed_behind_the_load_has_its_name_and_its_remedy():
    report = checked(live_trainings.another_rate)
    assert report.first["parts"][0] == "groups" and report.first["names"] == ["param_groups[0].lr"] and lacks(report) == ["groups"]
    assert "set no option anew behind that" in report.lacks[0]["do"]
    report = checked(live_trainings.statistics_lost)
    assert lacks(report) == ["buffers"] and "reset none between their load and the first step" in report.lacks[0]["do"]


@pytest.mark.long
def test_two_workers():
    report = checked(live_trainings.with_workers)
    assert report.verdict == "same", str(report)


def test_inside_an_epoch_the_whole_recipe_is_exact():
    report = checked(live_trainings.inside_complete)
    assert report.verdict == "same" and report.inside and report.steps["saved"] == 6, str(report)


def test_inside_an_epoch_what_looks_right_is_not():
    report = checked(live_trainings.inside_looks_right)
    assert report.verdict == "different" and report.first["step"] == 7 and report.first["parts"][0] == "batch"
    assert "generators of the epoch's start" in lacks(report) and "position in the epoch" not in lacks(report), str(report)


def test_inside_an_epoch_the_usual_checkpoint_lacks_its_place():
    report = checked(live_trainings.inside_usual)
    assert lacks(report) == ["generators of the epoch's start", "position in the epoch", "rng.torch"], str(report)


def test_a_stateful_loader_takes_up_its_place_and_draws_for_it():
    assert checked(live_trainings.stateful_complete).verdict == "same"
    report = checked(live_trainings.stateful_looks_right)
    assert lacks(report) == ["rng.torch"] and report.first["parts"][0] == "gradients", str(report)
    assert report.lacks[0]["do"].endswith("restore it once the loader's iterator is made, before its first batch")


def test_a_loader_with_a_generator_of_its_own():
    report = checked(live_trainings.own_generator)
    assert report.first["parts"][0] == "batch" and lacks(report) == ["rng.loader"], str(report)


def test_a_training_that_does_not_repeat_is_unknown():
    report = checked(live_trainings.unrepeatable)
    assert report.verdict == "unknown" and report.first["step"] == 1 and report.first["parts"][0] == "batch"
    assert report.not_checked[0].startswith("whether it resumes: two uninterrupted runs differ")


@pytest.mark.parametrize(
    "train, message",
    [
        (live_trainings.fails, "the uninterrupted run raised:(.|\n)*KeyError: 'no such data'"),
        (live_trainings.never_saves, r"called session.saved\(\) 0 times"),
        (live_trainings.late, "no step follows checkpoint 1"),
        (live_trainings.never_steps, r"the optimizer made 12 steps, and the training never called session.step\(\)"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_cannot_be_checked_is_refused(train, message):
    with pytest.raises(ResumeCheckError, match=message):
        checked(train, "spawn" if train is live_trainings.fails else "forkserver")


# What is said where the usual parts do not do.


def test_flags_that_no_checkpoint_holds_are_tried_when_nothing_else_does():
    report = checked(live_trainings.left_in_eval_mode)
    assert lacks(report) == ["mode"] and "model.train()" in report.lacks[0]["do"], str(report)
    report = checked(live_trainings.thawed_again)
    assert lacks(report) == ["requires_grad"] and "set requires_grad" in report.lacks[0]["do"], str(report)


def test_begin_in_front_of_the_load_is_said():
    report = checked(live_trainings.begun_too_early)
    assert report.verdict == "same" and report.hints == ["weights came behind session.begin(): call it when everything is restored"]
    assert "at session.begin()" in " ".join(str(report).split())


def test_a_checkpoint_that_is_not_read_or_off_by_one_is_said():
    report = checked(live_trainings.ignores_its_checkpoint)
    assert report.lacks is None and report.hints[0].startswith("the resumed run made all 12 steps: let the training read session.checkpoint")
    assert "tried were" in str(report) and "weights" in report.tried
    report = checked(live_trainings.one_epoch_off)
    assert report.hints[0].startswith("the resumed run made 4 steps, and 8 are left"), str(report)


def test_a_generator_of_the_training_is_asked_for_and_taken():
    report = checked(live_trainings.own_generator_unknown)
    assert report.lacks is None and "give session.begin() by name what else the training keeps" in " ".join(str(report).split())
    report = checked(live_trainings.own_generator_given)
    assert lacks(report) == ["noise"], str(report)
    assert "either" not in str(report)


def test_steps_that_one_run_alone_makes_are_no_other_groups():
    report = checked(live_trainings.accumulates)
    assert report.first["parts"][0] in ("gradients", "optimizer.step()") and "groups" not in report.first["parts"]
    assert report.cold is None or "groups" not in report.cold["parts"]
    assert "optimizer.step() is" in str(report), str(report)


def test_without_batches_nothing_is_said_of_epochs():
    report = checked(live_trainings.without_batches)
    assert report.verdict == "same" and report.inside is None and "epoch" not in str(report).split("unchecked")[0]


def test_a_checkpoint_that_is_no_file_is_said():
    report = checked(live_trainings.saves_nothing)
    assert any(line.startswith("what a checkpoint holds: session.saved() was given") for line in report.not_checked)


def test_the_optimizer_that_accelerate_prepared_is_taken():
    assert checked(live_trainings.prepared).verdict == "same"


def test_what_is_no_training_is_refused_before_it_runs():
    with pytest.raises(TypeError, match="no function of a module, which a new process imports"):
        resume_check(lambda session: None)
    with pytest.raises(TypeError, match="takes a function of a session .found NoneType"):
        resume_check(None)
    with pytest.raises(ValueError, match="counted from 1 on"):
        resume_check(live_trainings.complete, stop_at=0)


def test_the_document_shows_what_is_printed(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    left_out = "nothing" if sampling.LONG else "resume_check(between.with_workers"  # starts two dozen processes
    assert live_docs.run("resume-check.md", tmp_path, {}, left_out) == 13
