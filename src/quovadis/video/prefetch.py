"""Work done ahead in a thread, so that decoding and the network overlap."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from typing import Generic, TypeVar

from quovadis.errors import VideoError

Item = TypeVar("Item")


class Prefetch(AbstractContextManager["Prefetch[Item]"], Generic[Item]):
    """Takes items from an iterable in a thread of its own and keeps at most `size` of them waiting.

    A file is read no faster than its frames are used. A live source cannot wait: with `drop`, when `size` items wait
    already, the `drop` oldest are left out, so that what is shown is never older than the queue is long.
    An error of the iterable is raised where its item would have come.
    """

    def __init__(self, items: Iterable[Item], size: int, *, drop: int = 0) -> None:
        self._items = items
        self._size = size
        self._drop = drop
        self._waiting: deque[Item] = deque()
        self._changed = threading.Condition()
        self._error: BaseException | None = None
        self._ended = self._stopped = False
        self.dropped = 0
        """Items left out so far."""
        self._process = os.getpid()
        self._thread = threading.Thread(target=self._work, name="quovadis-prefetch", daemon=True)

    def _work(self) -> None:
        try:
            for item in self._items:
                with self._changed:
                    if self._drop and len(self._waiting) >= self._size:
                        for _ in range(self._drop):
                            self._waiting.popleft()
                        self.dropped += self._drop
                    self._changed.wait_for(lambda: self._stopped or len(self._waiting) < self._size)
                    if self._stopped:
                        return
                    self._waiting.append(item)
                    self._changed.notify_all()
        except BaseException as error:
            self._error = error
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify_all()

    def __iter__(self) -> Iterator[Item]:
        """Start the thread, and yield the items in order; iterable once."""
        self._thread.start()
        while True:
            if os.getpid() != self._process:
                raise VideoError("this video was being read when the process was forked: open it again in the child")
            with self._changed:
                # With a time limit, so that Ctrl-C is heard while nothing comes.
                while not self._changed.wait_for(lambda: self._waiting or self._ended, timeout=0.2):
                    pass
                if not self._waiting:
                    break
                item = self._waiting.popleft()
                self._changed.notify_all()
            yield item
        if self._error is not None:
            raise self._error

    def __exit__(self, *exception: object) -> None:
        """Stop the thread once it has finished the item at hand."""
        if self._process != os.getpid():
            # The thread is not in this process, and may have held the lock when it was forked.
            return
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        if self._thread.ident is not None:
            self._thread.join()
