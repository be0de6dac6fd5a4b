"""Networks over clips: those that remember the frames before, and those that look at frames around one.

Which of them a network is says how a film goes through it, frame by frame and without holding it whole:

| network | has | `forward` | a film |
|---|---|---|---|
| of pictures | | (N, C, H, W) to (N, C, sH, sW) | each frame by itself |
| with memory | `step` | (N, T, C, H, W) to (N, T, C, sH, sW) | `step` of each, with the memory of the one before |
| of a window | `frames`, odd | (N, frames, C, H, W) to (N, C, sH, sW) | each with `frames // 2` on either side |

An algorithm with networks that remember takes a film's next frame (N, C, H, W) in `generate`, with `state["memory"]`,
and its `next_state` gives the state with the memory after it: so a trained output has `step` too. Deriving from the
bases is a convenience; `step` and `frames` are what is looked for. Where a window has no neighbour, `window_places`
says which frame stands in.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from toolbox.contracts.network import Generator, unwrapped

Memory = tuple[Tensor, ...]
"""What a network keeps of the frames before, each (N, ...)."""


class RecurrentGenerator(Generator):
    """A generator with memory: `step` makes one frame, `forward` whole clips (N, T, C, H, W) by it.

    Training calls `forward` alone, as of every network; a film is made by `step`, so that only a memory is held.
    """

    @abstractmethod
    def step(self, frame: Tensor, memory: Memory | None = None, *arguments: Any) -> tuple[Tensor, Memory]:
        """A frame (N, C, H, W) in [0, 1] and the memory of the frames before, None at first, to the output and memory.

        `arguments` are what `forward` takes behind the clips, such as a strength, the same for all frames.
        """

    def forward(self, clips: Tensor, *arguments: Any) -> Tensor:
        """Clips (N, T, C, H, W) in [0, 1] to (N, T, C, scale*H, scale*W), the frames in order, from an empty memory."""
        memory: Memory | None = None
        made: list[Tensor] = []
        for frame in clips.unbind(1):
            output, memory = self.step(frame, memory, *arguments)
            made.append(output)
        return torch.stack(made, 1)

    def example_inputs(self) -> tuple[Tensor, ...]:
        """Two clips of three frames: what `plugins check` calls it with."""
        return (torch.rand(2, 3, 3, 16, 24),)


class WindowGenerator(Generator):
    """A generator of a middle frame from those around it: (N, frames, C, H, W) to (N, C, scale*H, scale*W)."""

    frames: int = 5
    """How many frames it looks at, odd; the middle one is made."""

    def example_inputs(self) -> tuple[Tensor, ...]:
        """Windows of two clips: what `plugins check` calls it with."""
        return (torch.rand(2, self.frames, 3, 16, 24),)


def is_recurrent(network: nn.Module) -> bool:
    """Whether a network has a memory."""
    return hasattr(unwrapped(network), "step")


def window_of(network: nn.Module) -> int:
    """How many frames a network looks at to make one; 1 for those of pictures and those with memory."""
    return 1 if is_recurrent(network) else int(getattr(unwrapped(network), "frames", 1))


def window_places(place: int, count: int, frames: int) -> list[int]:
    """Which of `count` frames the window around one of them holds: beyond the ends the film runs backwards.

    With fewer frames than that asks for, the first or last stands in.
    """
    half, last = frames // 2, count - 1
    places = range(place - half, place + half + 1)
    mirrored = (-each if each < 0 else 2 * last - each if each > last else each for each in places)
    return [min(max(each, 0), last) for each in mirrored]


def windows(clips: Tensor, frames: int, around: Iterable[int] | None = None) -> Tensor:
    """The windows around frames of clips (N, T, ...), by default around all T: (N, windows, frames, ...)."""
    count = clips.shape[1]
    rows = [window_places(place, count, frames) for place in (range(count) if around is None else around)]
    return torch.stack([torch.stack([clips[:, each] for each in row], 1) for row in rows], 1)
