"""Two ends of a stream in threads of their own: reading ahead of the network, and writing behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from queue import Empty, Full, Queue
from threading import Event, Thread
from typing import Any, Generic, TypeVar

T = TypeVar("T")
_END = object()
_PATIENCE = 0.1
"""Seconds between two looks at whether the other side has given up."""
BYTES = 256 << 20
"""What waits between two stages at most."""


class _Abandoned(Exception):
    """The other side has given up."""


def room(item_bytes: int, most: int) -> int:
    """How many items of a size may wait: two at least."""
    return max(2, min(most, BYTES // max(1, item_bytes)))


class Ahead(Generic[T]):
    """Iterates over `items` in a thread, up to `size` ahead. A context; iterating raises what the thread raised.

    `stop` is called when the context is left, so that items that take long to come end.
    """

    def __init__(self, items: Iterable[T], size: int, stop: Callable[[], None] = lambda: None) -> None:
        self._tell = stop
        self._queue: Queue[Any] = Queue(size)
        self._stop = Event()
        self._thread = Thread(target=self._run, args=(items,), name="reading ahead", daemon=True)

    def __enter__(self) -> Ahead[T]:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._tell()
        self._thread.join()

    def __iter__(self) -> Iterator[T]:
        while True:
            item, error = self._queue.get()
            if error is not None:
                raise error
            if item is _END:
                return
            yield item

    def _run(self, items: Iterable[T]) -> None:
        try:
            for item in items:
                if not _put(self._queue, (item, None), self._stop):
                    return
            _put(self._queue, (_END, None), self._stop)
        except BaseException as error:  # raised by whoever waits for the items
            _put(self._queue, (None, error), self._stop)


class Behind(Generic[T]):
    """Hands items to `consume(iterator)` in a thread, up to `size` behind. A context.

    `put` raises what the thread raised. Leaving the context waits until all is consumed; leaving it by an exception
    makes the iterator raise, so that nothing half-done is kept.
    """

    def __init__(self, consume: Callable[[Iterator[T]], None], size: int) -> None:
        self._queue: Queue[Any] = Queue(size)
        self._gone, self._stop = Event(), Event()
        self._error: BaseException | None = None
        self._thread = Thread(target=self._run, args=(consume,), name="writing behind", daemon=True)

    def __enter__(self) -> Behind[T]:
        self._thread.start()
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if kind is not None:
            self._stop.set()
        else:
            _put(self._queue, _END, self._gone)
        self._thread.join()
        if kind is None and self._error is not None:
            raise self._error

    def put(self, item: T) -> None:
        """Hand an item over; waits while too many wait."""
        if not _put(self._queue, item, self._gone):
            assert self._error is not None
            raise self._error

    def _run(self, consume: Callable[[Iterator[T]], None]) -> None:
        try:
            consume(self._items())
        except _Abandoned:
            pass
        except BaseException as error:  # raised by whoever hands the items over
            self._error = error
        finally:
            self._gone.set()

    def _items(self) -> Iterator[T]:
        while True:
            try:
                item = self._queue.get(timeout=_PATIENCE)
            except Empty:
                if self._stop.is_set():
                    raise _Abandoned from None
                continue
            if self._stop.is_set():
                raise _Abandoned
            if item is _END:
                return
            yield item


def _put(queue: Queue[Any], item: Any, stop: Event) -> bool:
    """Put an item once there is room; False where the other side has given up."""
    while not stop.is_set():
        try:
            queue.put(item, timeout=_PATIENCE)
            return True
        except Full:
            continue
    return False
