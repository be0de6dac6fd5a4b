"""The threads that read ahead of a network and write behind it: failures reach the other end, and nothing is left."""

from __future__ import annotations

import pytest

from toolbox.inference.video.threads import Ahead, Behind
from toolbox.io.errors import UserError


def test_what_a_thread_raises_reaches_the_other_end() -> None:
    def broken() -> object:
        yield 1
        raise UserError("the reader fails")

    with pytest.raises(UserError, match="the reader fails"), Ahead(broken(), 2) as items:  # pyright: ignore
        list(items)

    def consume(items: object) -> None:
        raise UserError("the writer fails")

    with pytest.raises(UserError, match="the writer fails"), Behind(consume, 2) as behind:
        for number in range(100):
            behind.put(number)


def test_leaving_early_ends_the_threads_and_keeps_nothing_half_done() -> None:
    ended: list[bool] = []

    def consume(items: object) -> None:
        for _ in items:  # pyright: ignore
            pass
        ended.append(True)

    with pytest.raises(KeyboardInterrupt), Ahead(iter(range(10**9)), 2) as items, Behind(consume, 2) as behind:
        behind.put(next(iter(items)))
        raise KeyboardInterrupt
    assert not ended
