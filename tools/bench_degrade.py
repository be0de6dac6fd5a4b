"""Second-order degradation of 256² patches: the toolbox, as a loader's worker and by batches, against plain OpenCV.

The plain side does what a loader's worker does for one patch at a time, with the same ranges and probabilities:
cv2.filter2D, cv2.resize, numpy's normal and Poisson numbers, cv2.imencode. Each core has a process with one thread,
in which the sides take turns, as loaders' workers and ranks would use them.
"""

from __future__ import annotations

import random
import statistics
import time
from math import ceil, log2, pi
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier

import cv2
import numpy as np
import torch
from scipy.special import j1

from toolbox.config import find_config
from toolbox.engine.memory import keep_freed_memory
from toolbox.io.images import find_images, read_image
from toolbox_plugins.degradations.real_esrgan import RealESRGANDegradation

Array = np.ndarray
FILTERS = (cv2.INTER_AREA, cv2.INTER_LINEAR, cv2.INTER_CUBIC)
WARM_UP = 2
SHAPES = (0.45, 0.25, 0.12, 0.03, 0.12, 0.03)


def sharpened(image: Array) -> Array:
    """Unsharp masking."""
    residual = image - cv2.GaussianBlur(image, (51, 51), 0)
    mask = cv2.GaussianBlur((np.abs(residual) * 255 > 10).astype(np.float32), (51, 51), 0)
    return mask * np.clip(image + 0.5 * residual, 0, 1) + (1 - mask) * image


def sinc(size: int, cutoff: float) -> Array:
    """The circular low pass (size, size)."""
    line = np.arange(size) - size // 2
    radius = np.hypot(line[:, None], line)
    with np.errstate(divide="ignore", invalid="ignore"):
        kernel = cutoff * j1(cutoff * radius) / (2 * pi * radius)
    kernel[size // 2, size // 2] = cutoff**2 / (4 * pi)
    return (kernel / kernel.sum()).astype(np.float32)


def kernel(draw: random.Random, highest: float) -> Array:
    """One of Real-ESRGAN's random kernels."""
    size = draw.randrange(7, 22, 2)
    if draw.random() < 0.1:
        return sinc(size, draw.uniform(pi / 3 if size < 13 else pi / 5, pi))
    shape = draw.choices(range(6), SHAPES)[0]
    x_sigma = draw.uniform(0.2, highest)
    y_sigma, theta = (x_sigma, 0.0) if shape % 2 == 0 else (draw.uniform(0.2, highest), draw.uniform(-pi, pi))
    line = np.arange(size) - size // 2
    y, x = np.meshgrid(line, line, indexing="ij")
    along, across = x * np.cos(theta) + y * np.sin(theta), y * np.cos(theta) - x * np.sin(theta)
    q = (along / x_sigma) ** 2 + (across / y_sigma) ** 2
    top = (1.0, 4.0, 2.0)[shape // 2]
    beta = draw.uniform(1.0, top) if draw.random() < 0.5 else draw.uniform(0.5 if shape // 2 == 1 else 1.0, 1.0)
    made = 1 / (1 + q**beta) if shape // 2 == 2 else np.exp(-0.5 * q ** (beta if shape // 2 == 1 else 1))
    return (made / made.sum()).astype(np.float32)


def resized(image: Array, height: float, width: float, draw: random.Random) -> Array:
    """Resize with a random filter."""
    return cv2.resize(image, (max(1, int(width)), max(1, int(height))), interpolation=draw.choice(FILTERS))


def noisy(image: Array, draw: random.Random, rng: np.random.Generator, sigma: float, strength: float) -> Array:
    """Gaussian or Poisson noise."""
    gray = draw.random() < 0.4
    if draw.random() < 0.5:
        shape = (*image.shape[:2], 1 if gray else 3)
        noise = rng.standard_normal(shape, np.float32) * np.float32(draw.uniform(1, sigma) / 255)
    else:
        base = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None] if gray else image
        base = np.clip((base * 255).round(), 0, 255) / 255
        values = 2.0 ** ceil(log2(len(np.unique(base))))
        noise = (rng.poisson(base * values) / values - base) * draw.uniform(0.05, strength)
    return np.clip(image + noise, 0, 1).astype(np.float32)


def compressed(image: Array, draw: random.Random) -> Array:
    """JPEG and back."""
    levels = (np.clip(image, 0, 1) * 255).round().astype(np.uint8)
    encoded = cv2.imencode(".jpg", levels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, draw.randint(30, 95)])[1]
    decoded = cv2.imdecode(encoded, cv2.IMREAD_COLOR)
    assert decoded is not None
    return decoded[..., ::-1].astype(np.float32) / 255


def plain(image: Array, draw: random.Random, rng: np.random.Generator) -> Array:
    """The whole recipe for one patch (H, W, 3) in [0, 1]."""
    height, width = image.shape[:2]

    def factor(weights: tuple[float, ...], low: float, high: float) -> float:
        return draw.choices([draw.uniform(1, high), draw.uniform(low, 1), 1.0], weights)[0]

    image = cv2.filter2D(sharpened(image), -1, kernel(draw, 3.0))
    f = factor((0.2, 0.7, 0.1), 0.15, 1.5)
    image = resized(image, height * f, width * f, draw)
    image = compressed(noisy(image, draw, rng, 30, 3.0), draw)
    if draw.random() < 0.8:
        image = cv2.filter2D(image, -1, kernel(draw, 1.5))
    f = factor((0.3, 0.4, 0.3), 0.3, 1.2)
    image = noisy(resized(image, height / 4 * f, width / 4 * f, draw), draw, rng, 25, 2.5)
    jpeg_first = draw.random() < 0.5
    image = compressed(image, draw) if jpeg_first else image
    image = resized(image, height / 4, width / 4, draw)
    if draw.random() < 0.8:
        image = cv2.filter2D(image, -1, sinc(draw.randrange(7, 22, 2), draw.uniform(pi / 3, pi)))
    image = image if jpeg_first else compressed(image, draw)
    return (np.clip(image, 0, 1) * 255).round() / 255


def measure(batch: int, rounds: int, together: Barrier, results: Connection) -> None:
    """Let the sides take turns in one process with one thread; send the seconds per patch of every round."""
    keep_freed_memory()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    photos = map(read_image, find_images(find_config("demo/style.yaml").parent / "photos"))
    patches = [image[:256, :256] for image in photos if min(image.shape[:2]) >= 256]
    patches = np.stack([patches[i % len(patches)] for i in range(batch)])
    images = torch.from_numpy(patches).permute(0, 3, 1, 2).float().div(255).contiguous()
    arrays = [np.ascontiguousarray(image.permute(1, 2, 0).numpy()) for image in images]
    degradation, rng = RealESRGANDegradation(), torch.Generator().manual_seed(0)
    draw, numpy_rng, toolbox_rng = random.Random(0), np.random.default_rng(0), np.random.default_rng(0)
    sides = {
        "toolbox": lambda: [degradation.degrade(array, toolbox_rng) for array in arrays],
        "batch": lambda: degradation(images, rng),
        "plain": lambda: [plain(array, draw, numpy_rng) for array in arrays],
    }
    for number in range(rounds + WARM_UP):
        taken = {}
        for name in sorted(sides, reverse=bool(number % 2)):
            together.wait()  # both cores do the same at the same time
            start = time.process_time()
            sides[name]()
            taken[name] = (time.process_time() - start) / batch
        if number >= WARM_UP:
            results.send(taken)
    results.close()


def main(batch: int, rounds: int, processes: int) -> None:
    """Print the time per patch and core of each side, and the ratio with a bootstrapped interval."""
    context = get_context("spawn")
    together, found = context.Barrier(processes), []
    pipes = [context.Pipe(duplex=False) for _ in range(processes)]
    workers = [context.Process(target=measure, args=(batch, rounds, together, send)) for _, send in pipes]
    for worker in workers:
        worker.start()
    for _, send in pipes:
        send.close()  # or a worker that failed would be waited for
    for _ in range(rounds):
        found += [receive.recv() for receive, _ in pipes]
    for worker in workers:
        worker.join()
    print(f"256x256 patches to 64x64, batches of {batch}, {processes} processes of one thread, {rounds} rounds in turn")
    for name in ("toolbox", "batch", "plain"):
        times = [1e3 * taken[name] for taken in found]
        print(f"{name:8} {statistics.median(times):6.2f} ms per patch and core ({min(times):.2f} to {max(times):.2f})")
    ratios = [taken["plain"] / taken["toolbox"] for taken in found]
    draw = random.Random(0)
    medians = sorted(statistics.median(draw.choices(ratios, k=len(ratios))) for _ in range(2000))
    print(f"ratio    {statistics.median(ratios):.2f} (95 % interval {medians[50]:.2f} to {medians[-51]:.2f})")
