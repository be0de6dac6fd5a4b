"""How far a network looks: measured, so that tiles overlap by what is needed and no more."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from math import ceil
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from toolbox.training.network_call import call_padded

FEATHERED = 32
"""Overlap of networks that look at the whole image."""

_EXACT = 96
"""A reach up to this is used as it is, and one beyond cut here: the 23 blocks of RRDBNet look further, and change by
2e-4 at most for what lies there (`realesrgan-x4plus` on a photograph; 8e-4 at 80, 3e-3 at 64, 0.05 at 32)."""
_DEAR = 3e11
"""Multiplications beyond which the exact reach is not looked for that far out."""
_STRIP = 1024
"""A network that looks further than this looks at the whole image."""


@dataclass(frozen=True)
class Reach:
    """`halo` in input pixels; `local`: tiles with this halo equal the whole image (within 1e-3)."""

    halo: int
    local: bool


_measured: WeakKeyDictionary[nn.Module, dict[int, Reach]] = WeakKeyDictionary()
"""By network and number of frames."""


def reach(network: nn.Module, *, channels: int, scale: int, multiple: int, frames: int = 1) -> Reach:
    """The reach of a network in evaluation, measured once for each network object and number of frames of a clip.

    It shows in the outputs that become NaN where one block of an input is NaN: convolutions, pooling and
    normalisation pass it on wherever they look. Convolutions are summed up one by one for it: Winograd's and Fourier's
    ways share what they transform, so that NaN spreads over a whole tile of theirs, or over the image. A strip tells
    whether a network that looks far has a limit at all.
    """
    told: Reach | None = getattr(network, "known_reach", None)  # a file's own word: it was measured at its export
    if told is not None:
        return told
    known = _measured.setdefault(network, {})
    if frames not in known:
        with torch.inference_mode(), _plain_convolutions():
            found = _exact(network, channels, scale, multiple, frames)
            if found is None and _limited(network, channels, multiple, frames):
                found = Reach(_aligned(_EXACT, multiple), local=True)
        known[frames] = found or Reach(_aligned(FEATHERED, multiple), local=False)
    return known[frames]


@contextmanager
def _plain_convolutions() -> Iterator[None]:
    """Leave out the libraries that choose ways of their own; oneDNN may stay: torch asks it for the direct way."""
    with ExitStack() as stack:
        for library in (torch.backends.cudnn, torch.backends.nnpack):
            stack.enter_context(library.flags(enabled=False))
        yield


def _exact(network: nn.Module, channels: int, scale: int, multiple: int, frames: int) -> Reach | None:
    """The furthest output that a block of `multiple`² pixels touches, in input pixels; None beyond `_EXACT`.

    The block covers every position relative to strides, so the reach holds for all of them.
    """
    for limit in (_EXACT // 3, _EXACT):
        margin = _aligned(limit, multiple) + multiple
        if sum(each.numel() for each in network.parameters()) * frames * (2 * margin + multiple) ** 2 > _DEAR:
            return None
        images = _noise(channels, 2 * margin + multiple, network, frames)
        images[..., margin : margin + multiple, margin : margin + multiple] = torch.nan
        touched = call_padded(network, images).isnan().flatten(0, 1).any(0)
        if not touched.any():
            return None  # NaN is stopped somewhere: this network cannot be measured so
        furthest = 0
        for lines in (touched.any(0), touched.any(1)):
            where = lines.nonzero().flatten()
            first, last = int(where[0]) // scale, int(where[-1]) // scale  # input pixels whose outputs are touched
            furthest = max(furthest, margin + multiple - (first + 1), last - margin)
        if furthest <= limit:
            return Reach(_aligned(furthest, multiple), local=True)
    return None


def _limited(network: nn.Module, channels: int, multiple: int, frames: int) -> bool:
    """Whether one end of a long strip leaves the other untouched: no instance norm, no attention over everything."""
    height, length = _aligned(16, multiple), _aligned(_STRIP, multiple)
    images = _noise(channels, length, network, frames)[..., :height, :]
    images[..., :multiple] = torch.nan
    touched = call_padded(network, images).isnan()
    return bool(touched.any()) and not bool(touched[..., -1].any())


def memory_per_pixel(network: Callable[[Tensor], Tensor], parts: nn.Module, images: Tensor) -> float:
    """Bytes that a call needs for each input pixel, estimated: four times the largest layer's input and output."""
    told: float | None = getattr(parts, "bytes_per_pixel", None)
    if told is not None:
        return told
    largest = 0

    def look(module: nn.Module, inputs: tuple[object, ...], output: object) -> None:
        nonlocal largest
        tensors = [each for each in (*inputs, output) if isinstance(each, Tensor)]
        largest = max(largest, sum(each.numel() * each.element_size() for each in tensors))

    leaves = [module for module in parts.modules() if not any(module.children())]
    handles = [leaf.register_forward_hook(look) for leaf in leaves]
    try:
        network(images)
    finally:
        for handle in handles:
            handle.remove()
    return 4 * max(largest, images.numel() * images.element_size()) / (images.shape[-2] * images.shape[-1])


def _aligned(length: int, multiple: int) -> int:
    return ceil(length / multiple) * multiple


def _noise(channels: int, side: int, network: nn.Module, frames: int) -> Tensor:
    """Noise (frames, channels, side, side) in [0, 1], the same each time, on the network's device."""
    weights = next(network.parameters(), torch.empty(0))
    images = torch.rand(frames, channels, side, side, generator=torch.Generator().manual_seed(0))
    return images.to(weights.device)
