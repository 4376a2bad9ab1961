"""Does a training go on exactly where it stopped? Proved by running it.

    def train(session):
        model, optimizer, scheduler, loader = build()
        if session.checkpoint:
            restore(session.checkpoint, ...)
        session.begin(model, optimizer, scheduler=scheduler)
        for epoch in ...:
            for batch in session.batches(loader):
                ...
                optimizer.step()
                session.step()
            save(path := session.folder / "last.pt")
            session.saved(path)

    print(samebits.resume_check(train))

Why these names: `begin` says when everything is built and restored, which is where a part can be given to it; `step` and `saved` say
where the training is; through `batches` the check sees the data, and can put a loader in its place; `checkpoint` and `folder` are all that a
run has to be told. docs/resume-check.md has recipes.
"""

__all__ = ["ResumeCheckError", "ResumeReport", "Session", "resume_check"]


class ResumeCheckError(RuntimeError):
    """A run of the training failed, or does not do what resume_check() needs of it."""


# `import samebits` imports this module: what it needs is imported when it is needed.


def __getattr__(name):
    if name == "ResumeReport":
        from .live_resume_report import ResumeReport

        return ResumeReport
    if name == "Session":
        from .live_session import Session

        return Session
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def resume_check(train, *, stop_at=1, start_method="spawn", max_runs=40, folder=None):
    """Runs `train(session)` uninterrupted; stopped at its checkpoint and resumed in a new process; and cold, from the checkpoint's weights
    alone. Every step is compared, bit by bit. Where the resumed one differs, it finds the smallest addition to the checkpoint that makes
    it exact: states that are taken from the uninterrupted run, while the rest comes from the checkpoint.

    `train`: a function of a module, which a new process imports. `stop_at`: which call of session.saved() is the checkpoint. `start_method`:
    of multiprocessing: "spawn" is a process as new as one that a shell starts; "forkserver" starts faster, with the function's module imported
    once for all runs. `max_runs`: of the search.
    `folder`: where runs write, a temporary one by default. A run that raises is a ResumeCheckError.
    """
    import multiprocessing
    import shutil
    import tempfile

    from .live_resume import Check

    if not callable(train):
        raise TypeError(f"resume_check takes a function of a session (found {type(train).__name__})")
    if getattr(train, "__name__", "") == "<lambda>" or "<locals>" in getattr(train, "__qualname__", ""):
        raise TypeError(f"{train.__qualname__} is no function of a module, which a new process imports: define it at the top of one")
    if not isinstance(stop_at, int) or stop_at < 1:
        raise ValueError(f"stop_at is {stop_at!r}: checkpoints are counted from 1 on")
    context = multiprocessing.get_context(start_method)
    if start_method == "forkserver":
        context.set_forkserver_preload(["torch", "torch._dynamo", train.__module__])  # optimizers import the second one
    work = tempfile.mkdtemp(prefix="samebits-", dir=folder)
    try:
        return Check(context, train, work, stop_at, max_runs).report()
    finally:
        shutil.rmtree(work, ignore_errors=True)
