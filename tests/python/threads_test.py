"""Long calls let other Python threads work, and end at Ctrl-C."""

import signal
import subprocess
import sys
import threading
import pathlib

import numpy as np

import samebits

SITE = pathlib.Path(samebits.__file__).resolve().parent.parent
INTERRUPTED = """
import os, signal, sys, threading
sys.path.insert(0, sys.argv[1])
import numpy as np, samebits
state = {f"x{i}": np.random.default_rng(i).random((1 << 20,)) for i in range(32)}
inside = threading.Event()
def press():
    inside.wait()
    os.kill(os.getpid(), signal.SIGINT)
threading.Thread(target=press, daemon=True).start()
calls = 0
try:
    inside.set()
    while True:  # each takes a second of one processor
        samebits.fingerprint(state, threads=1)
        calls += 1
        assert calls < 1000
except KeyboardInterrupt:
    print("interrupted", samebits.diff(state, state).verdict)
"""


def test_ctrl_c_ends_a_long_call_and_nothing_is_broken():
    done = subprocess.run([sys.executable, "-c", INTERRUPTED, str(SITE)], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (0, "interrupted same\n"), done.stderr


def test_the_stopped_work_ends_early():
    """Of the work after the signal only items that had begun are done: a call that was stopped at once takes less
    processor time than one that was not."""
    import resource

    state = {f"x{i}": np.ones(1 << 20, np.float32) for i in range(64)}

    def spent(call):
        before = resource.getrusage(resource.RUSAGE_SELF)
        call()
        after = resource.getrusage(resource.RUSAGE_SELF)
        return after.ru_utime - before.ru_utime

    whole = spent(lambda: samebits.fingerprint(state, threads=1))

    class Stop(Exception):
        pass

    def stop(*_):
        raise Stop

    def stopped():
        old = signal.signal(signal.SIGALRM, stop)
        signal.setitimer(signal.ITIMER_REAL, 1e-3)
        try:
            samebits.fingerprint(state, threads=1)
        except Stop:
            return
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, old)
        raise AssertionError("the handler's exception did not come through")

    assert spent(stopped) < whole


def test_other_threads_work_meanwhile():
    state = {f"x{i}": np.ones(1 << 20, np.float32) for i in range(16)}
    going = threading.Event()
    counted = []

    def count():
        n = 0
        while not going.is_set():
            n += 1
        counted.append(n)

    def call():
        samebits.fingerprint(state, threads=1)
        going.set()

    threads = [threading.Thread(target=count), threading.Thread(target=call)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counted[0] > 1000


def test_many_threads_compare_at_once():
    state = {f"x{i}": np.full(1 << 16, i, np.float32) for i in range(8)}
    other = {**state, "x3": state["x3"] + 1}
    verdicts = []

    def work():
        for _ in range(5):
            verdicts.append((samebits.diff(state, state).verdict, samebits.diff(state, other).verdict))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(verdicts) == {("same", "different")} and len(verdicts) == 40
