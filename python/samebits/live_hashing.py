"""Digests computed beside the model: a copy of each output waits for one thread, and the model goes on."""

import collections

from . import live_tensors

PARALLEL = 1 << 17  # bytes from which on a digest is computed beside the model: below, the hand-over takes longer
WAITING = 1 << 28  # bytes of copies that may wait; then the model waits


class Hashing:
    """add() copies bytes and puts their digest into an entry once it is computed; finish() waits for all of them."""

    def __init__(self):
        from concurrent.futures import ThreadPoolExecutor

        self._pool = ThreadPoolExecutor(1)
        self._pending, self._bytes = collections.deque(), 0

    def add(self, entry, data):
        if data.nbytes < PARALLEL:
            entry["sha256"] = live_tensors.digest_of_bytes(data)
            return
        entry["sha256"] = None  # holds its place in the order of keys
        copy = data.copy()  # the model may write into its output
        self._pending.append((self._pool.submit(live_tensors.digest_of_bytes, copy), entry, copy.nbytes))
        self._bytes += copy.nbytes
        while self._bytes > WAITING:
            self._take()

    def _take(self):
        future, entry, size = self._pending.popleft()
        entry["sha256"] = future.result()
        self._bytes -= size

    def finish(self):
        while self._pending:
            self._take()
        self._pool.shutdown()
