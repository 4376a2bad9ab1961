"""One run of a training function in a process of its own."""

import os
import pathlib
import pickle
import random
import shutil
import sys
import traceback

from .live_session import Session, Stopped
from .resume_check import ResumeCheckError


def run(context, train, plan, folder):
    """Runs train(session) by `plan` in a new process of a multiprocessing context; what the session saw. `folder`: for the result."""
    result = pathlib.Path(folder) / "result.pickle"
    given = pathlib.Path(folder) / "plan.pickle"
    given.write_bytes(pickle.dumps(plan))
    process = context.Process(target=_child, args=(train, str(given), str(result)))
    process.start()
    process.join()
    if not result.exists():
        raise ResumeCheckError(f"the {plan.kind} run ended with status {process.exitcode} and without a result")
    found = pickle.loads(result.read_bytes())
    if "failed" in found:
        raise ResumeCheckError(f"the {plan.kind} run raised:\n{found['failed']}")
    return found


def _child(train, given, result):
    """What the new process does. A forked server hands down the state of its generators: a new process has others."""
    random.seed()
    if "numpy" in sys.modules:
        import numpy

        numpy.random.seed()
    session = Session(pickle.loads(pathlib.Path(given).read_bytes()))
    try:
        train(session)
        found = session.result
    except Stopped:
        found = session.result
    except BaseException:
        found = {"failed": traceback.format_exc()}
    temporary = f"{result}.part"
    pathlib.Path(temporary).write_bytes(pickle.dumps(found))
    os.replace(temporary, result)


def folder_of(work, name, like=None, checkpoint=None):
    """A new folder for a run, a copy of what another one wrote, and the checkpoint's path there. A checkpoint outside of that folder stays
    where it is."""
    place = pathlib.Path(work) / name
    place.mkdir()
    files = place / "files"
    if like is None:
        files.mkdir()
        return place, files, None
    shutil.copytree(like, files)
    path = pathlib.Path(checkpoint)
    inside = path.is_absolute() and path.is_relative_to(like)
    return place, files, str(files / path.relative_to(like)) if inside else str(path)
