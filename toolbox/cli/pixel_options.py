"""The options of `infer` for pixels, memory and speed, and what they make of a network's passage."""

from __future__ import annotations

import argparse

from toolbox.inference.options import Options
from toolbox.io.errors import UserError


def add_pixel_options(made: argparse.ArgumentParser) -> None:
    """Add the options."""
    pixels = made.add_argument_group("pixels")
    add = pixels.add_argument
    add(
        "--outscale",
        type=float,
        metavar="S",
        help="size of the result over the input's (3.5); bicubic from the network's",
    )
    add("--alpha", metavar="network|resize|drop", help="how transparency is enlarged (network; of a painter, resize)")
    add("--tileable", action="store_true", help="borders wrap around: a texture that tiles still does")
    add("--white", type=float, metavar="V", help="the value that is white: 4095 for 12 bits in 16; the type's highest")
    add("--nodata", type=float, metavar="V", help="the value that stands for no data; NaN, and what a GeoTIFF declares")
    add(
        "--palette",
        default="auto",
        metavar="auto|keep|free",
        help="keep the input's colours: auto does for palette pictures of 64 at most",
    )
    add("--grid", type=int, metavar="N", help="enlarge cells of N pixels each for itself: sprite sheets, tile sets")
    add("--normals", action="store_true", help="the inputs are normal maps: vectors, which keep their length")
    speed = made.add_argument_group("memory and speed")
    add = speed.add_argument
    add("--tile", type=_tile, default=None, metavar="N|auto|0", help="side of a tile; 0: never; auto: as memory allows")
    add(
        "--tile-overlap",
        type=int,
        metavar="N",
        help="pixels a tile sees around itself; by default as the network needs",
    )
    add(
        "--batch", type=int, metavar="N",
        help="pictures of equal size computed together (1); of a model that takes clips, the frames of one (8)",
    )  # fmt: skip
    add(
        "--precision", default="fp32", metavar="fp32|bf16|fp16", help="bf16 and fp16 are faster where hardware has them"
    )
    add("--device", help="cpu, cuda, cuda:1; a GPU if there is one")
    add(
        "--backend", default="auto", metavar="NAME",
        help="who computes: torch, torch:compile, openvino, onnxruntime, or a plugin's; auto: the fastest that is "
        "installed, where enough is to be done that trying them pays (auto)",
    )  # fmt: skip


def _tile(text: str) -> int | None:
    if text == "auto":
        return None
    try:
        return int(text)
    except ValueError:
        raise UserError(f"--tile {text}: must be auto, 0 (never) or the side of a tile in pixels") from None


def passage_of(options: argparse.Namespace) -> Options:
    """How pictures pass the network. Raises UserError for a value that is none."""
    return Options(
        tile=options.tile,
        overlap=options.tile_overlap,
        precision=options.precision,
        alpha=options.alpha,
        outscale=options.outscale,
        tileable=options.tileable,
        white=options.white,
        nodata=options.nodata,
        palette=options.palette,
        grid=options.grid,
        normals=options.normals,
        backend=options.backend,
    )
