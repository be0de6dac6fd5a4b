"""Many GANs on a mixture, without a Runner: how soon each covers all modes, and whether it stays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from mmengine.optim import OptimWrapper, OptimWrapperDict
from torch.optim import Adam

from toolbox.assembly.build import build_algorithm
from toolbox.engine.optimizers import parameter_groups

from .coverage import covered
from .mixture import SPAN, SPREAD, centres

LATENT = 16


@dataclass
class Run:
    """What one run came to: modes and good points at the end, the first look with all modes covered, the points."""

    modes: int
    good: float
    first: int | None
    points: np.ndarray
    diverged: bool = False


def model(variant: Mapping[str, Any]) -> dict[str, Any]:
    """The config of a LatentGAN with a variant."""
    return {
        "type": "LatentGAN",
        "generator": {"type": "PointGenerator", "latent": LATENT},
        "discriminator": {"type": "PointDiscriminator"},
        "variant": dict(variant),
    }


def train(
    variant: Mapping[str, Any],
    *,
    layout: str = "ring",
    seed: int = 0,
    steps: int = 3000,
    batch: int = 256,
    rate: float = 1e-3,
    betas: tuple[float, float] = (0.0, 0.99),
    look: int = 250,
) -> Run:
    """Train for `steps` updates of the generator, looking at 2,000 points after every `look` of them."""
    torch.manual_seed(seed)
    algorithm = build_algorithm(model(variant))
    groups = parameter_groups(algorithm)
    optimizers = OptimWrapperDict(
        **{name: OptimWrapper(Adam(each, lr=rate, betas=betas)) for name, each in groups.items()}
    )
    middles = torch.tensor(centres(layout), dtype=torch.float32)
    turns = max(int(each.d_steps) for each in algorithm.variants.values())  # pyright: ignore[reportArgumentType]
    first, modes, good, points = None, 0, 0.0, np.zeros((1, 2))
    for step in range(1, steps + 1):
        for _ in range(turns):
            real = middles[torch.randint(len(middles), (batch,))] + SPREAD * torch.randn(batch, 2)
            data = {"real": 0.5 + real[..., None, None] / SPAN, "noise": torch.randn(batch, LATENT, 1, 1)}
            algorithm.train_step(data, optimizers)
        if step % look == 0 or step == steps:
            with torch.no_grad():
                images = algorithm.generator(torch.randn(2000, LATENT, 1, 1))  # pyright: ignore[reportCallIssue]
            points = ((images - 0.5) * SPAN).view(-1, 2).numpy()
            if not np.isfinite(points).all():
                return Run(0, 0.0, first, np.zeros((1, 2)), diverged=True)
            modes, good = covered(points, layout)
            first = step if first is None and modes == len(middles) else first
    return Run(modes, good, first, points)
