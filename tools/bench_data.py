"""Random crops per second from a folder of 2K images: a plain Pillow loader against `cache: true`, warm.

All loaders take turns in one process and one thread. `ImageFolder` is measured as training uses it: its own
generator for each sample, the RandomCrop transform, a sample that the caller owns.
"""

from __future__ import annotations

import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from toolbox.config import find_config
from toolbox.io.images import find_images, read_image, write_image
from toolbox.io.raw_cache import RawCache
from toolbox_plugins.datasets.folders import ImageFolder
from toolbox_plugins.transforms.geometry import RandomCrop

SIZE = (2040, 1356)  # width and height of a typical DIV2K image
NOISE = 2.0  # levels; brings the PNGs to the 4 to 5 MB that DIV2K's have
Loader = Callable[[], np.ndarray]


def main(folder: Path | None, rounds: int, crop: int) -> None:
    """Measure in folders that vanish afterwards, and print."""
    with tempfile.TemporaryDirectory() as temporary:
        os.environ["TOOLBOX_CACHE"] = str(Path(temporary, "cache"))  # the user's own keeps nothing of a benchmark
        measure(folder or synthesised(Path(temporary, "photos")), rounds, crop)


def synthesised(folder: Path, count: int = 8) -> Path:
    """Write the demo's photographs at 2K with sensor-like noise, without which PNG would be too small and fast."""
    rng = np.random.default_rng(0)
    photos = find_images(find_config("demo/style.yaml").parent / "photos" / "train")[:count]
    for path in photos:
        large = np.asarray(Image.fromarray(read_image(path)).resize(SIZE, Image.Resampling.BICUBIC), np.float32)
        noisy = (large + NOISE * rng.standard_normal(large.shape, np.float32)).round().clip(0, 255).astype(np.uint8)
        write_image(folder / f"{path.stem}.png", noisy)
    return folder


def measure(folder: Path, rounds: int, crop: int) -> None:
    """Let the loaders take turns; print the median of the rounds and of their ratios."""
    paths = find_images(folder)
    start = time.perf_counter()
    dataset = ImageFolder(root=str(folder), key="hr", transforms=[RandomCrop(size=crop)], cache=True)
    making = time.perf_counter() - start
    cache, draw, position = RawCache(paths, folder), random.Random(0), 0

    def pillow() -> np.ndarray:
        with Image.open(draw.choice(paths)) as file:
            image = file.convert("RGB")
        left, top = draw.randint(0, image.width - crop), draw.randint(0, image.height - crop)
        return np.array(image.crop((left, top, left + crop, top + crop)))

    def image_folder() -> np.ndarray:
        nonlocal position
        position += 1
        return dataset.sample(draw.randrange(len(dataset)), np.random.default_rng((0, 1, position)))["hr"]

    def raw_cache() -> np.ndarray:
        image = cache.read(draw.randrange(len(cache)))
        top, left = draw.randint(0, image.shape[0] - crop), draw.randint(0, image.shape[1] - crop)
        return image[top : top + crop, left : left + crop].copy()

    loaders: dict[str, tuple[Loader, int]] = {
        "Pillow": (pillow, min(2 * len(paths), 40)),
        "ImageFolder, cache": (image_folder, 5000),
        "RawCache alone": (raw_cache, 5000),
    }
    rates: dict[str, list[float]] = {name: [] for name in loaders}
    for number in range(rounds + 1):
        for name, (loader, count) in loaders.items():
            start = time.perf_counter()
            for _ in range(count):
                loader()
            if number:  # the first round warms up
                rates[name].append(count / (time.perf_counter() - start))
    size = sum(path.stat().st_size for path in paths) / len(paths) / 1e6
    print(f"{len(paths)} images, {size:.1f} MB each as {paths[0].suffix}; cache made once in {making:.1f} s")
    print(f"crops of {crop} x {crop} per second, one thread, warm, medians of {rounds} rounds in turn")
    for name, found in rates.items():
        ratios = [ours / plain for ours, plain in zip(found, rates["Pillow"], strict=True)]
        spread = f"{min(ratios):,.0f} to {max(ratios):,.0f}"
        print(f"{name:20} {statistics.median(found):10,.1f}   {statistics.median(ratios):7,.0f}x ({spread})")
