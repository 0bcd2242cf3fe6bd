"""How a clip gets from the process that makes it to the one that trains: in memory that both of them have.

A pipe moves a clip of 64 frames, 10 MB, in some fifty pieces, each of which is copied four times.
"""

from __future__ import annotations

import errno
import mmap
import os
from collections.abc import Callable
from contextlib import suppress
from math import prod
from multiprocessing import reduction
from multiprocessing.connection import Connection
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from quovadis.errors import TrainingError
from quovadis.training.clips import TrainingClip

_Make = Callable[[str], int]
_MEMORY: _Make | None = getattr(os, "memfd_create", None)
"""Makes a file that is memory alone, which no limit of a file system counts; Linux has it."""

_TOO_MANY_FILES = (
    "too many files are open to take clips from workers: raise the limit with `ulimit -n`, or take fewer `workers`"
)
_LIMITS = {
    errno.EMFILE: _TOO_MANY_FILES,
    errno.ENFILE: _TOO_MANY_FILES,
    errno.ENOMEM: "the machine has too little free memory to take clips from workers: take fewer `workers`",
}


class _Sent(NamedTuple):
    """What is said of a clip; its pixels are in the memory, or follow."""

    clip: TrainingClip
    """Without frames."""
    shape: tuple[int, ...]
    memory_bytes: int | None
    """Size of the memory, whose file descriptor follows; 0: the one as before; None: the pixels follow instead."""


class ClipSender:
    """The maker's end. One clip is in the memory at a time: the next is sent when the taker has asked for it."""

    def __init__(self, connection: Connection) -> None:
        """Take where clips are sent, a socket between two processes."""
        self._connection = connection
        self._memory: mmap.mmap | None = None
        self._make = _MEMORY

    def send(self, clip: TrainingClip) -> None:
        """Send a clip.

        Raises:
            OSError: the taker is gone.
        """
        pixels = np.ascontiguousarray(clip.clip)
        said = TrainingClip(pixels[:0], clip.target, clip.key, clip.index)
        descriptor = self._enlarged(pixels.nbytes)
        if self._memory is None:
            self._connection.send(_Sent(said, pixels.shape, None))
            self._connection.send_bytes(pixels.data.cast("B"))
            return
        _pixels_in(self._memory, pixels.shape)[...] = pixels
        self._connection.send(_Sent(said, pixels.shape, 0 if descriptor is None else len(self._memory)))
        if descriptor is not None:
            try:
                reduction.send_handle(self._connection, descriptor, os.getppid())
            finally:
                os.close(descriptor)

    def _enlarged(self, size: int) -> int | None:
        """Make the memory large enough, and return its file descriptor if it is another one than before."""
        if self._make is None or (self._memory is not None and len(self._memory) >= size):
            return None
        self._memory, descriptor = None, -1
        try:
            descriptor = self._make("quovadis-clip")
            os.ftruncate(descriptor, size)
            self._memory = mmap.mmap(descriptor, size)
        except (OSError, ValueError):
            # Such as in a sandbox that forbids it: pixels then go through the connection.
            self._make = None
            with suppress(OSError):
                os.close(descriptor)
            return None
        return descriptor


class ClipReceiver:
    """The taker's end."""

    def __init__(self, connection: Connection) -> None:
        """Take where clips come from."""
        self._connection = connection
        self._memory: mmap.mmap | None = None

    def receive(self) -> object:
        """Return a clip, or what else the other process says.

        Raises:
            EOFError: the other process has ended.
            OSError: it has ended in the middle of what it said.
            TrainingError: this process may not open another file, or has no memory for a clip.
        """
        said = self._connection.recv()
        if not isinstance(said, _Sent):
            return said
        if said.memory_bytes:
            self._memory = self._mapped(said.memory_bytes)
        if said.memory_bytes is None or self._memory is None:
            pixels = np.empty(said.shape, np.uint8)
            self._connection.recv_bytes_into(pixels.data.cast("B"))
        else:
            pixels = _pixels_in(self._memory, said.shape).copy()
        return TrainingClip(pixels, said.clip.target, said.clip.key, said.clip.index)

    def _mapped(self, size: int) -> mmap.mmap:
        try:
            descriptor = reduction.recv_handle(self._connection)
            try:
                return mmap.mmap(descriptor, size)
            finally:
                os.close(descriptor)
        except RuntimeError as error:
            # Where no descriptor is free, Python's own error is that none came.
            raise limit_error(OSError(errno.EMFILE, str(error))) from error
        except OSError as error:
            if error.errno in _LIMITS:
                raise limit_error(error) from error
            raise


def limit_error(error: OSError) -> TrainingError:
    """Return the error for workers that this process cannot have, which says what to do."""
    reason = _LIMITS.get(error.errno or 0, f"workers cannot be started: {error.strerror}: take fewer `workers`")
    return TrainingError(reason, option="workers")


def _pixels_in(memory: mmap.mmap, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    return np.frombuffer(memory, np.uint8, prod(shape)).reshape(shape)
