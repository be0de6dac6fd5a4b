"""Networks over clips: a memory is carried from step to step, and a window's places run backwards beyond the ends."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from toolbox.contracts.clips import (
    Memory,
    RecurrentGenerator,
    WindowGenerator,
    is_recurrent,
    window_of,
    window_places,
    windows,
)


class Sum(RecurrentGenerator):
    """Adds up the frames so far, times a factor."""

    def step(self, frame: Tensor, memory: Memory | None = None, *arguments: Any) -> tuple[Tensor, Memory]:
        total = frame if memory is None else frame + memory[0]
        return total * (arguments[0] if arguments else 1), (total,)


def test_a_clip_is_its_steps_one_after_the_other_from_an_empty_memory() -> None:
    clip = torch.arange(3.0).reshape(1, 3, 1, 1, 1) + 1
    assert Sum()(clip).flatten().tolist() == [1, 3, 6]
    assert Sum()(clip, 2).flatten().tolist() == [2, 6, 12]


def test_a_window_at_an_end_sees_the_film_run_backwards() -> None:
    assert window_places(0, 9, 5) == [2, 1, 0, 1, 2]
    assert window_places(7, 9, 5) == [5, 6, 7, 8, 7]
    assert window_places(4, 9, 5) == [2, 3, 4, 5, 6]
    assert window_places(0, 2, 5) == [1, 1, 0, 1, 0]
    assert window_places(0, 1, 5) == [0] * 5


def test_every_frame_of_a_clip_has_a_window_around_it() -> None:
    around = windows(torch.arange(4).reshape(1, 4, 1), 3)
    assert around[0, :, :, 0].tolist() == [[1, 0, 1], [0, 1, 2], [1, 2, 3], [2, 3, 2]]


def test_which_kind_a_network_is_shows_in_what_it_has() -> None:
    assert is_recurrent(Sum()) and not is_recurrent(WindowGenerator()) and not is_recurrent(nn.Conv2d(1, 1, 1))
    assert [window_of(each) for each in (Sum(), WindowGenerator(), nn.Conv2d(1, 1, 1))] == [1, 5, 1]
