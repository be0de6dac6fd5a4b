"""What can be chosen when pictures pass a network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_type_hints

from toolbox.config.values import misfit
from toolbox.io.errors import UserError, did_you_mean

PRECISIONS = {"fp32": None, "bf16": "bfloat16", "fp16": "float16"}
"""torch's types by our names; torch itself is not imported here, so that a wrong option is told at once."""
SMALLEST = 32
"""The side of the smallest tile; halving for want of memory ends here, and the error is raised."""
PALETTES = ("auto", "keep", "free")
ALPHAS = ("network", "resize", "drop")


@dataclass(frozen=True)
class Options:
    """How pictures pass a network.

    Args:
        tile: side of a tile in input pixels; None chooses by the free memory, 0 never tiles.
        overlap: input pixels that a tile sees around itself; None measures what the network needs.
        precision: fp32, bf16, or on a GPU fp16.
        alpha: transparency goes through the `network` as a gray picture, is `resize`d bicubically, or `drop`ped; None:
            through a network that keeps colours, and resized beside one that paints. Visible colours are continued
            under it, so that nothing bleeds into them (`toolbox.inference.transparency`).
        outscale: size of the result over size of the input, whatever the network's scale; bicubic from there.
        tileable: borders wrap around, so that a texture that can be laid side by side still can be.
        white: the value that is 1.0 for the network, for types that are not used to the full: 4095 for 12 bits in 16.
        nodata: the value that stands for no data, beside NaN; None: what a GeoTIFF declares.
        palette: whether a result has its input's colours alone: `keep` and `free` say so, `auto` keeps those of a
            palette picture of 64 colours at most, through a network that keeps colours.
        grid: side of cells that are enlarged each for itself, as of a sprite sheet.
        normals: the pictures are normal maps: vectors, which keep their length of 1.
        backend: who computes: `auto`, `torch`, `torch:compile`, `openvino`, `onnxruntime`, or a plugin's.
    """

    tile: int | None = None
    overlap: int | None = None
    precision: str = "fp32"
    alpha: str | None = None
    outscale: float | None = None
    tileable: bool = False
    white: float | None = None
    nodata: float | None = None
    palette: str = "auto"
    grid: int | None = None
    normals: bool = False
    backend: str = "auto"

    def __post_init__(self) -> None:
        for name, annotation in get_type_hints(Options).items():
            wrong = misfit(getattr(self, name), annotation)
            if wrong:
                raise UserError(f"Options: {name}{wrong.path} {wrong}")
        if self.tile is not None and self.tile != 0 and self.tile < SMALLEST:
            raise UserError(f"--tile {self.tile}: must be 0 (never), auto, or {SMALLEST} and more")
        if self.overlap is not None and self.overlap < 0:
            raise UserError(f"--tile-overlap {self.overlap}: must be 0 or more")
        if self.precision not in PRECISIONS:
            raise UserError(f"--precision {self.precision}: is unknown{did_you_mean(self.precision, PRECISIONS)}")
        if self.alpha is not None and self.alpha not in ALPHAS:
            raise UserError(f"--alpha {self.alpha}: is unknown{did_you_mean(self.alpha, ALPHAS)}")
        if self.palette not in PALETTES:
            raise UserError(f"--palette {self.palette}: is unknown{did_you_mean(self.palette, PALETTES)}")
        if self.grid is not None and self.grid < 1:
            raise UserError(f"--grid {self.grid}: must be 1 pixel or more")
        if self.outscale is not None and not 0 < self.outscale <= 64:
            raise UserError(f"--outscale {self.outscale:g}: must be more than 0, and 64 at most")
        if self.white is not None and not 0 < self.white < float("inf"):
            raise UserError(f"--white {self.white:g}: must be more than 0")
