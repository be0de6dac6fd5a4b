"""How a network goes over a stream of frames: by batches, by clips that slide, by windows, or with a memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from toolbox.contracts.clips import is_recurrent, window_places
from toolbox.inference.levels import LEVELS, outscaled, typed
from toolbox.inference.options import PRECISIONS, Options
from toolbox.inference.picture import Picture
from toolbox.inference.predictor import Predictor
from toolbox.io.errors import UserError
from toolbox.training.network_call import padded
from toolbox.training.precision import networks_in
from toolbox.video.reading import VideoFrame

CLIP = 8
"""Frames of a clip, where nobody says."""
State = dict[str, np.ndarray]


@dataclass(frozen=True)
class Step:
    """A frame, its result (sH, sW, C), and what the network remembers after it, a tree of tensors or None."""

    frame: VideoFrame
    result: np.ndarray
    memory: Any = None


class Stepping(Protocol):
    """A network over a stream.

    Attributes:
        context: frames before the first wanted one that it must be given, to give that as if it had been given all.
        stride: pieces of a film are multiples of it.
    """

    context: int
    stride: int

    def __call__(self, frames: Iterator[VideoFrame], start: int, state: State) -> Iterator[Step]:
        """The frames from number `start` on; the first given is `start - context`, or 0. `state` is that after the
        frame before `start`."""
        ...


def stepping_of(predictor: Predictor, batch: int | None, alpha: bool) -> Stepping:
    """How this network goes over a film, by what it has: `step`, `frames`, clips, or nothing of these."""
    network = predictor.network
    if is_recurrent(network):
        refuse_for_memory(predictor.options)
        return Remembering(predictor)
    if predictor.window > 1:
        return Windows(predictor, predictor.window, alpha)
    if predictor.clip:
        if batch and batch % 4:
            raise UserError(f"--batch {batch}: of a network that takes clips, must be a multiple of 4")
        return Clips(predictor, batch or CLIP, alpha)
    return Batches(predictor, batch or 1, alpha)


def refuse_for_memory(options: Options) -> None:
    """Refuse what a network with memory cannot do: it sees frames whole, as their memory is of the whole.

    Raises:
        UserError: naming the option.
    """
    given = {
        "--tile": bool(options.tile), "--tileable": options.tileable, "--grid": bool(options.grid),
        "--nodata": options.nodata is not None, "--normals": options.normals,
        "--backend": options.backend not in ("auto", "torch"),
    }  # fmt: skip
    wrong = next((name for name, is_given in given.items() if is_given), None)
    if wrong:
        raise UserError(
            f"{wrong}: is not for networks that remember the frames before, which see each whole; leave it out"
        )


class Batches:
    """Frames by themselves, `size` computed together: those of numbers from a multiple of it on."""

    def __init__(self, predictor: Predictor, size: int, alpha: bool) -> None:
        self.predictor, self.stride, self.context, self.alpha = predictor, size, 0, alpha

    def __call__(self, frames: Iterator[VideoFrame], start: int, state: State) -> Iterator[Step]:
        group: list[VideoFrame] = []
        for frame in frames:
            group.append(frame)
            if (frame.number + 1) % self.stride == 0:
                yield from self._computed(group)
                group = []
        yield from self._computed(group)

    def _computed(self, group: list[VideoFrame]) -> Iterator[Step]:
        if group:
            made = self.predictor.translate([Picture(frame.array, alpha=self.alpha) for frame in group])
            for frame, picture in zip(group, made, strict=True):
                yield Step(frame, picture.array)


class Clips:
    """A clip of `size` frames that slides by half of it: a frame's result is that of the clip in whose middle it lies.

    The first clip begins with the film, the last ends with it. Results are those of frames that have a quarter of a
    clip on either side, so that a memory has warmed up.
    """

    def __init__(self, predictor: Predictor, size: int, alpha: bool) -> None:
        self.predictor, self.alpha = predictor, alpha
        self.stride, self.context = max(1, size // 2), size // 4

    def __call__(self, frames: Iterator[VideoFrame], start: int, state: State) -> Iterator[Step]:
        held: deque[VideoFrame] = deque()
        wanted = start
        for frame in frames:
            held.append(frame)
            if frame.number + 1 == wanted + self.stride + self.context:
                yield from self._computed(held, wanted, wanted + self.stride)
                wanted += self.stride
                while held and held[0].number < wanted - self.context:
                    held.popleft()
        while held and wanted <= held[-1].number:
            yield from self._computed(held, wanted, wanted + self.stride)
            wanted += self.stride
            while held and held[0].number < wanted - self.context:
                held.popleft()

    def _computed(self, held: deque[VideoFrame], first: int, last: int) -> Iterator[Step]:
        made = self.predictor.translate([Picture(frame.array, alpha=self.alpha) for frame in held])
        for frame, picture in zip(list(held), made, strict=True):
            if first <= frame.number < last:
                yield Step(frame, picture.array)


class Windows:
    """A network that gives the middle of `size` frames, laid on each other; beyond its ends a film runs backwards."""

    def __init__(self, predictor: Predictor, size: int, alpha: bool) -> None:
        self.predictor, self.size, self.alpha = predictor, size, alpha
        self.stride, self.context = 1, size // 2

    def __call__(self, frames: Iterator[VideoFrame], start: int, state: State) -> Iterator[Step]:
        held: deque[VideoFrame] = deque()
        wanted, after = start, self.size - 1 - self.context
        for frame in frames:
            held.append(frame)
            if frame.number == wanted + after:
                yield self._computed(held, wanted)
                wanted += 1
        while held and wanted <= held[-1].number:
            yield self._computed(held, wanted)
            wanted += 1

    def _computed(self, held: deque[VideoFrame], wanted: int) -> Step:
        while held[0].number < wanted - self.context:
            held.popleft()
        first, last = held[0].number, held[-1].number
        numbers = window_places(wanted - first, last - first + 1, self.size)
        stacked = np.concatenate([held[number].array[..., :3] for number in numbers], axis=2)  # (H, W, 3 * size)
        (made,) = self.predictor.translate([Picture(stacked)])
        return Step(held[wanted - first], made.array)


class Remembering:
    """A network with `step(frame, memory) -> (output, memory)`, of images (1, C, H, W); its first memory is None."""

    def __init__(self, predictor: Predictor) -> None:
        self.predictor, self.stride, self.context = predictor, 1, 0

    def __call__(self, frames: Iterator[VideoFrame], start: int, state: State) -> Iterator[Step]:
        memory = loaded(state, self.predictor.device)
        for frame in frames:
            result, memory = self._stepped(frame.array, memory)
            yield Step(frame, result, memory)

    @torch.inference_mode()
    def _stepped(self, array: np.ndarray, memory: Any) -> tuple[np.ndarray, Any]:
        network: Any = self.predictor.network
        options, white = self.predictor.options, self.predictor.options.white or LEVELS[array.dtype]
        images = torch.from_numpy(array[..., :3].astype(np.float32) / white).permute(2, 0, 1)[None]
        height, width = (side * self.predictor.scale for side in array.shape[:2])
        name = PRECISIONS[options.precision]
        with networks_in(getattr(torch, name) if name else None):
            made, memory = network.step(padded(images, self.predictor.multiple).to(self.predictor.device), memory)
        if bool(made.isnan().any()):
            raise ValueError("the result holds NaN: half precision overflowed (try fp32), or the weights diverged")
        pixels = made.float()[0, :, :height, :width].permute(1, 2, 0).cpu().numpy()
        if options.outscale in (None, self.predictor.scale):
            return typed(pixels, white, array.dtype), memory
        size = (max(1, round(array.shape[0] * options.outscale)), max(1, round(array.shape[1] * options.outscale)))
        return outscaled(pixels.clip(0, 1), size, 1.0, array.dtype, white), memory


def saved(memory: Any) -> State:
    """A memory, a tree of tensors, as arrays by name."""
    if memory is None:
        return {}
    leaves, form = pytree.tree_flatten(memory)
    made = {f"memory_{number}": leaf.float().cpu().numpy() for number, leaf in enumerate(leaves)}
    types = np.array([str(leaf.dtype).removeprefix("torch.") for leaf in leaves])
    return {**made, "memory_types": types, "memory_form": np.array(pytree.treespec_dumps(form))}


def loaded(state: State, device: torch.device) -> Any:
    """The memory that `saved` made a state of; None of none."""
    if "memory_form" not in state:
        return None
    types = [getattr(torch, str(name)) for name in state["memory_types"]]
    leaves: list[Tensor] = [
        torch.from_numpy(state[f"memory_{number}"]).to(device, dtype) for number, dtype in enumerate(types)
    ]
    return pytree.tree_unflatten(leaves, pytree.treespec_loads(str(state["memory_form"])))
