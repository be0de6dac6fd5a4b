"""Large images in tiles: each computed with its surroundings, so that what is put together has no seams."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from math import ceil

import torch
from torch import Tensor

from toolbox.inference.options import SMALLEST

Store = Callable[[int, int, Tensor], None]
"""Takes a finished part of the output (B, C, h, w) and the row and column where it belongs."""

_OUT_OF_MEMORY = ("not enough memory", "defaultcpuallocator", "out of memory", "std::bad_alloc")


@dataclass(frozen=True)
class Span:
    """One tile along one axis, in input pixels: it answers for [start, stop), and sees [first, last) of the image."""

    start: int
    stop: int
    first: int
    last: int


def spans(length: int, tile: int, halo: int, multiple: int = 1) -> list[Span]:
    """Cut a side of `length` pixels into spans of nearly equal size, at most `tile` each (rounded to `multiple`).

    The halo ends at the image's border and is never filled up there: a network's own padding happens at the true
    border, as it does for the whole image, so first and last rows and columns come out right.

    Every start is a multiple of `multiple` (strides and windows of the network fall as on the whole image).
    """
    cells = ceil(length / multiple)
    count = 1 if length <= tile else ceil(cells / max(1, tile // multiple))
    edges = [min(number * cells // count * multiple, length) for number in range(count + 1)]
    edges[-1] = length
    halo = ceil(halo / multiple) * multiple
    return [Span(start, stop, max(0, start - halo), min(length, stop + halo)) for start, stop in pairwise(edges)]


def alike(sides: list[Span], multiple: int = 1) -> list[Span]:
    """The same spans, each seeing as much as the one that sees the most: runtimes prepare for one size instead of four.

    What is seen grows into the image, never beyond its border, and begins at a multiple of `multiple`: where the image
    does not end at one, the last span sees more than the others.
    """
    seen, length = max(span.last - span.first for span in sides), sides[-1].stop
    firsts = [min(span.first, (length - seen) // multiple * multiple) for span in sides]
    return [
        Span(span.start, span.stop, first, max(first + seen, span.last))
        for span, first in zip(sides, firsts, strict=True)
    ]


def ramp(span: Span, scale: int) -> Tensor:
    """Weights (scale * (last - first),) of a feathered span: 1 inside, falling linearly over each overlap.

    At the image's border there is nothing to blend with and the weight stays 1. Inside an overlap it is never 0,
    and a span's weights and its neighbour's add up to 1. The halo must be at most half as wide as the span.
    """
    weights = torch.ones((span.last - span.first) * scale)
    for halo, flipped in ((span.start - span.first, False), (span.last - span.stop, True)):
        overlap = 2 * halo * scale  # the neighbour's halo reaches as far into this span
        rising = (torch.arange(overlap) + 0.5) / max(overlap, 1)
        part = weights.flip(0) if flipped else weights
        part[:overlap] *= rising
        weights = part.flip(0) if flipped else part
    return weights


def tiled(
    network: Callable[[Tensor], Tensor],
    images: Tensor,
    store: Store,
    *,
    tile: int,
    halo: int,
    scale: int = 1,
    multiple: int = 1,
    feather: bool = False,
    done: Callable[[float], None] | None = None,
) -> None:
    """Apply a network to images (B, C, H, W), tile by tile; results go to `store`.

    Args:
        network: (B, C, h, w) to (B, C', scale*h, scale*w), on whatever device; parts of `images` are what it gets.
        store: called with float32 parts that together cover the output (scale*H, scale*W), each pixel once.
        tile: side of a tile in input pixels, without its halo; 0 for the whole image at once.
        multiple: what tiles begin at multiples of.
        halo: pixels seen around each tile. At least the network's reach makes tiles equal to the whole image.
        feather: blend the overlaps instead of cutting the halo away: for networks that reach further than the halo,
            whose tiles do not quite agree.
        done: called after every tile with the part of all tiles that is done, in (0, 1].
    """
    height, width = images.shape[-2:]
    tile = tile or max(height, width)
    rows, columns = (spans(length, tile, halo, multiple) for length in (height, width))
    if feather:
        rows, columns = (_narrowed(sides, tile, halo, multiple) for sides in (rows, columns))
    else:
        rows, columns = alike(rows, multiple), alike(columns, multiple)
    finished, tail = 0, None
    for row in rows:
        parts = _row_of_tiles(network, images, row, columns, scale)
        if not feather:
            for column, part in parts:
                inner = part[..., (row.start - row.first) * scale : (row.stop - row.first) * scale, :]
                inner = inner[..., (column.start - column.first) * scale : (column.stop - column.first) * scale]
                store(row.start * scale, column.start * scale, inner)
                finished += 1
                _tell(done, finished, rows, columns)
            continue
        band = None
        for column, part in parts:
            if band is None:
                band = part.new_zeros((*part.shape[:-1], width * scale), device="cpu")
            weights = ramp(row, scale)[:, None] * ramp(column, scale)
            band[..., column.first * scale : column.last * scale] += part.cpu() * weights
            finished += 1
            _tell(done, finished, rows, columns)
        assert band is not None  # there is at least one column
        if tail is not None:
            band[..., : tail.shape[-2], :] += tail
        complete = (2 * row.stop - row.last) * scale if row.stop < height else height * scale  # the next adds no more
        store(row.first * scale, 0, band[..., : complete - row.first * scale, :])
        tail = band[..., complete - row.first * scale :, :].clone()


def _row_of_tiles(
    network: Callable[[Tensor], Tensor], images: Tensor, row: Span, columns: list[Span], scale: int
) -> Iterator[tuple[Span, Tensor]]:
    for column in columns:
        part = network(images[..., row.first : row.last, column.first : column.last]).float()
        wanted = ((row.last - row.first) * scale, (column.last - column.first) * scale)
        if part.shape[-2:] != wanted:
            raise ValueError(f"the network gave {tuple(part.shape[-2:])} where its scale {scale} promises {wanted}")
        yield column, part


def _narrowed(sides: list[Span], tile: int, halo: int, multiple: int) -> list[Span]:
    """The same spans with halos of half the shortest at most, so that only direct neighbours overlap.

    Spans too short for a halo of one `multiple` grow until there is room for it.
    """
    while True:
        shortest = min(span.stop - span.start for span in sides)
        narrow = min(halo, shortest // (2 * multiple) * multiple)
        if narrow or not halo or len(sides) == 1:
            return spans(sides[-1].stop, tile, narrow, multiple)
        tile += multiple
        sides = spans(sides[-1].stop, tile, 0, multiple)


def _tell(done: Callable[[float], None] | None, finished: int, rows: list[Span], columns: list[Span]) -> None:
    if done:
        done(finished / (len(rows) * len(columns)))


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out, on a GPU or on the CPU."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(text in str(error).lower() for text in _OUT_OF_MEMORY)


def halving(work: Callable[[int], None], tile: int, *, whole: int) -> int:
    """Do `work(tile)`; where memory runs out, again with half the side. Returns the tile that it was done with.

    `whole` is the longer side of the image: what a tile of 0 stands for. The error is raised at the smallest tile,
    and never swallowed.
    """
    while True:
        try:
            work(tile)
        except (RuntimeError, MemoryError) as error:
            side = min(tile or whole, whole)
            if not is_out_of_memory(error) or side // 2 < SMALLEST:
                raise
            tile = side // 2
        else:
            return tile
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
