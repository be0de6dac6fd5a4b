"""`preview CONFIG IMAGE… -o SHEET.png`: what a config's degradation does to images, as a contact sheet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolbox.cli.arguments import add_config_options, parser, read_config, use_plugins
from toolbox.config import naming_the_file
from toolbox.inference.planning import refuse_unwritable
from toolbox.io.errors import ConfigError, UserError

if TYPE_CHECKING:
    import numpy as np

    from toolbox.contracts.degradation import Degradation

MOST = 100
"""Versions of an image beside each other."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the sheet: one row per image, the clean patch and then several damaged versions; returns 0."""
    made = parser("preview", "Show what a config's degradation does: one row per image, clean first, then damaged.")
    made.add_argument("config", metavar="CONFIG", help="a YAML file with model.degradation")
    made.add_argument("inputs", nargs="+", type=Path, metavar="IMAGE", help="images or folders")
    made.add_argument("-o", dest="output", type=Path, required=True, metavar="FILE", help="the sheet to write, a .png")
    made.add_argument("--seed", type=int, default=0, help="random numbers of the first version (default: 0)")
    made.add_argument("--count", type=int, default=5, help="damaged versions of each image (default: 5)")
    made.add_argument("--size", type=int, default=256, help="side of the patch in pixels (default: 256)")
    made.add_argument("--each", action="store_true", help="show instead what each named stage does alone")
    add_config_options(made)
    options = made.parse_args(arguments)
    for name in ("count", "size"):
        if getattr(options, name) < 1:
            raise UserError(f"--{name}: must be 1 or more, got {getattr(options, name)}")
    if options.count > MOST:
        raise UserError(f"--count: must be {MOST} at most, which make a sheet wide enough, got {options.count}")
    if not 0 <= options.seed < 2**62:
        raise UserError(f"--seed: must be 0 or more, and below 2^62, got {options.seed}")
    if options.output.suffix.lower() != ".png":
        raise UserError(f"-o: a contact sheet is a PNG; name it {options.output.with_suffix('.png')}")
    config = read_config(options)
    refuse_unwritable("-o", options.output)
    use_plugins(options.plugins, config)
    from toolbox.assembly.build import build_component
    from toolbox.assembly.check import check
    from toolbox.io.console import console
    from toolbox.io.contact_sheet import contact_sheet
    from toolbox.io.images import find_images, naming, read_image

    check(config)
    wanted = config.data["model"].get("degradation")
    if wanted is None:
        raise ConfigError(
            "is missing, so there is nothing to show", file=config.source("model"), key="model.degradation"
        )
    with naming_the_file(config):
        degradation = build_component("degradations", wanted, "model.degradation")
    paths = [path for each in options.inputs for path in (find_images(each) if each.is_dir() else [each])]
    seeds = range(options.seed, options.seed + options.count)
    if options.size < degradation.scale:
        raise UserError(f"--size {options.size}: is too small for a scale of {degradation.scale}; write that or more")
    if any(options.output.resolve() == path.resolve() for path in paths):
        raise UserError(f"-o {options.output}: is one of the images, and the sheet would replace it; name another")
    patches = []
    for path in paths:
        with naming(path):
            patches.append(patch(read_image(path), options.size, degradation.scale))
    if options.each:
        stages = stages_of(degradation, wanted)
        rows = [[each, *(versions(stage, each, [options.seed])[1] for stage in stages.values())] for each in patches]
        captions = [*stages]
    else:
        rows = [versions(degradation, each, seeds) for each in patches]
        captions = [f"seed {seed}" for seed in seeds]
    contact_sheet(rows, ["clean", *captions], options.output)
    written = f"{len(rows)} images, {len(captions)} versions each, written to {options.output}"
    console.print(written, soft_wrap=True)
    return 0


def stages_of(degradation: Degradation, config: Mapping[str, Any]) -> dict[str, Degradation]:
    """The named stages of a degradation, each alone, by the names that the config has for them."""
    stages: Any = getattr(degradation, "stages", None)
    if not stages:
        name = type(degradation).__name__
        raise UserError(f"--each: {name} has no named stages; write type: Stages, or leave it out")
    return dict(zip(config["stages"], stages.values(), strict=True))


def patch(image: np.ndarray, size: int, multiple: int) -> np.ndarray:
    """The middle of an image (H, W, 3), at most `size` pixels a side and a multiple of the degradation's scale."""
    height, width = (min(side, size) // multiple * multiple for side in image.shape[:2])
    if not height or not width:
        raise UserError(f"an image of {image.shape[0]}x{image.shape[1]} is too small for a scale of {multiple}")
    top, left = (image.shape[0] - height) // 2, (image.shape[1] - width) // 2
    return image[top : top + height, left : left + width]


def versions(degradation: Degradation, image: np.ndarray, seeds: Sequence[int]) -> list[np.ndarray]:
    """An image (H, W, 3) uint8 and its damaged versions, each made alone, from a generator with its seed."""
    import torch

    from toolbox.io.images import images_to_float, tensor_to_image

    clean = images_to_float(torch.from_numpy(image.copy()).permute(2, 0, 1)[None])
    with torch.no_grad():
        damaged = [degradation(clean, torch.Generator().manual_seed(seed)) for seed in seeds]
    return [image, *(tensor_to_image(each[0]) for each in damaged)]
