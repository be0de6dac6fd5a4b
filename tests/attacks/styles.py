"""Damaged pictures where they are no inputs: a style, a mask, a folder of masks, references of a metric."""

from __future__ import annotations

from pathlib import Path
from random import Random

import numpy as np

from attacks import attack
from attacks.images import drawn_image, images
from toolbox.benchmark.evaluate import Pair, build_metrics, evaluate
from toolbox.contracts.output import Condition
from toolbox.inference.masks import Masks, with_masks
from toolbox.inference.picture import Picture
from toolbox.io.errors import UserError

STYLE = Condition("style", "picture")


class Attack(attack.Attack):
    """One way to use a picture for each case."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.reference = folder / "x.png"
        self.reference.write_bytes(images()["gray.png"])
        self.picture = Picture(np.zeros((40, 48, 3), np.uint8))
        self.metrics, _ = build_metrics([{"type": "PSNR"}])

    def attempt(self, number: int, draw: Random, folder: Path) -> bool:
        file, _ = drawn_image(draw, folder)
        way = draw.randrange(3)
        try:
            if way == 0:
                STYLE.value(file)
            elif way == 1:
                mask = Masks("mask", draw.choice([file, folder]))
                with_masks(self.picture, Path("in") / f"{file.stem}.png", [mask], 4)
            else:
                evaluate([Pair("x", *draw.sample([file, self.reference], 2))], self.metrics)
        except UserError as error:
            assert file.name in str(error) or "mask" in str(error), f"does not name the file: {error}"
            raise
        return False
