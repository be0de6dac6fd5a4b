"""Every objective with every regularizer, with and without spectral norm, on five discriminators: what trains?"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from itertools import combinations, product
from typing import Any, NamedTuple

import torch
from mmengine.optim import OptimWrapper, OptimWrapperDict
from torch import Tensor, nn
from torch.optim import Adam

from toolbox import UserError
from toolbox.assembly.build import build_algorithm
from toolbox.assembly.compatibility import check_combination
from toolbox.engine.optimizers import parameter_groups
from toolbox.io.errors import CompatibilityWarning

OBJECTIVES: dict[str, dict[str, Any]] = {
    "Vanilla": {"type": "Vanilla"},
    "Vanilla, saturating": {"type": "Vanilla", "saturating": True},
    "LSGAN": {"type": "LSGAN"},
    "Hinge": {"type": "Hinge"},
    "WGAN": {"type": "WGAN"},
    "WGAN, no clip": {"type": "WGAN", "clip": None, "d_steps": 1},
    "WGANGP": {"type": "WGANGP", "d_steps": 1},
    "SoftplusWGAN": {"type": "SoftplusWGAN"},
    "DRAGAN": {"type": "DRAGAN"},
    "RaGAN": {"type": "RaGAN"},
    "RpGAN": {"type": "RpGAN"},
}
REGULARIZERS: dict[str, list[dict[str, Any]]] = {
    "none": [],
    "GradientPenalty": [{"type": "GradientPenalty"}],
    "DRAGANPenalty": [{"type": "DRAGANPenalty"}],
    "R1": [{"type": "R1"}],
    "R1 every 2": [{"type": "R1", "every": 2}],
    "R1 + R2": [{"type": "R1"}, {"type": "R2"}],
    "Consistency": [{"type": "ConsistencyRegularization", "fake": True}],
}
NORMS = ("none", "SN")
DISCRIMINATORS: dict[str, dict[str, Any]] = {
    "Patch": {"type": "PatchDiscriminator", "width": 8, "layers": 2, "norm": "none"},
    "MultiScale": {"type": "MultiScaleDiscriminator", "width": 8, "scales": 2, "layers": 2},
    "VGG": {"type": "VGGStyleDiscriminator", "width": 4, "image_size": 32, "norm": "none"},
    "VGG (batch norm)": {"type": "VGGStyleDiscriminator", "width": 4, "image_size": 32},
    "U-Net": {"type": "UNetDiscriminator", "width": 8},
}
ITERATIONS = 3


class Cell(NamedTuple):
    """One combination, by the names above."""

    objective: str
    regularizer: str
    norm: str
    discriminator: str


def cells() -> Iterator[Cell]:
    """All of them."""
    return (Cell(*each) for each in product(OBJECTIVES, REGULARIZERS, NORMS, DISCRIMINATORS))


def pairwise() -> list[Cell]:
    """A few cells in which every pair of choices of two axes occurs: greedily, the cell with most new pairs first."""
    left = list(cells())
    pairs = {cell: set(combinations(enumerate(cell), 2)) for cell in left}
    missing = set().union(*pairs.values())
    chosen = []
    while missing:
        best = max(left, key=lambda cell: len(pairs[cell] & missing))
        missing -= pairs[best]
        chosen.append(best)
    return chosen


def config_of(cell: Cell) -> dict[str, Any]:
    """The config of a cell: a tiny super-resolution."""
    variant = {**OBJECTIVES[cell.objective], "regularizers": REGULARIZERS[cell.regularizer]}
    return {
        "model": {
            "type": "SRGAN",
            "generator": {"type": "ResidualCNN", "width": 8, "blocks": 1, "scale": 2},
            "discriminator": DISCRIMINATORS[cell.discriminator],
            "variant": {"type": "SpectralNorm", "base": variant} if cell.norm == "SN" else variant,
            "degradation": {"type": "BicubicDegradation", "scale": 2},
        },
        "train_dataloader": {"batch_size": 2},
    }


def outcome(cell: Cell) -> str:
    """Train a cell for some iterations: "trains", "trains; warned: why", or "refused: why".

    Raises:
        AssertionError: a loss is not finite, or some weight of a network never gets a finite gradient other than zero.
    """
    torch.manual_seed(0)
    config = config_of(cell)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", CompatibilityWarning)
        try:
            algorithm = build_algorithm(config["model"])
            check_combination(config, algorithm)
        except UserError as error:
            return f"refused: {error}"
    groups = parameter_groups(algorithm)
    optimizers = OptimWrapperDict(
        **{name: OptimWrapper(Adam(each, lr=1e-3, betas=(0.0, 0.99))) for name, each in groups.items()}
    )
    algorithm.train()
    dead = watch(algorithm)
    turns = max(int(each.d_steps) for each in algorithm.variants.values())  # pyright: ignore[reportArgumentType]
    for _ in range(ITERATIONS * turns):
        logs = algorithm.train_step({"hr": torch.rand(2, 3, 32, 32)}, optimizers)
        bad = [name for name, value in logs.items() if not torch.isfinite(value)]
        assert not bad, f"{cell}: {', '.join(bad)} is not finite"
    assert not dead, f"{cell}: no live gradient in {', '.join(sorted(dead))}"
    reasons = [str(each.message) for each in caught if each.category is CompatibilityWarning]
    return f"trains; warned: {reasons[0]}" if reasons else "trains"


def watch(algorithm: nn.Module) -> set[str]:
    """Names of the weights of both networks; each leaves the set with its first finite gradient that is not zero.

    Weights that change tell nothing: WGAN's clipping changes them too. Biases are left out: where only differences of
    logits count, the last one's gradient is zero, and rightly so.
    """
    dead: set[str] = set()
    for name, parameter in algorithm.named_parameters():
        if name.startswith(("generator", "discriminator")) and parameter.requires_grad and parameter.ndim > 1:
            dead.add(name)
            parameter.register_post_accumulate_grad_hook(lambda p, name=name: strike(dead, name, p.grad))
    return dead


def strike(dead: set[str], name: str, gradient: Tensor | None) -> None:
    """Take a name off the set if its gradient lives."""
    if gradient is not None and bool(gradient.isfinite().all()) and bool(gradient.any()):
        dead.discard(name)
