"""The ESRGAN step that `bench.py step` compares with: BasicSR's order of things, written straightforwardly."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, l1_loss

from toolbox.assembly.build import build_algorithm
from toolbox.engine.optimizers import build_optimizers

BATCH, SCALE = 4, 4
ADAM: dict[str, Any] = {"lr": 1e-4, "betas": (0.9, 0.99)}


def build(**switches: Any) -> Any:
    """RRDBNet of 4 blocks, the U-Net discriminator, VGG19's conv5_4 with random weights; ESRGAN's objective."""
    with tempfile.TemporaryDirectory() as folder:
        vgg19 = {"type": "VGG19", "weights": str(random_vgg19(Path(folder)))}
        return build_algorithm(
            {
                "type": "ESRGAN",
                "generator": {"type": "RRDBNet", "blocks": 4, "scale": SCALE},
                "discriminator": {"type": "UNetDiscriminator"},
                "variant": {"type": "RaGAN"},
                "adversarial": {"discriminator": 5e-3},
                "losses": {
                    "pixel": {"type": "L1Loss", "weight": 1e-2},
                    "perceptual": {"type": "PerceptualLoss", "features": vgg19},
                },
                **switches,
            }
        )


def random_vgg19(folder: Path) -> Path:
    """A file in torchvision's layout; what it computes takes as long as the real one."""
    state, channels, place = {}, 3, 0
    for width, number in ((64, 2), (128, 2), (256, 4), (512, 4), (512, 4)):
        for _ in range(number):
            state[f"features.{place}.weight"] = torch.randn(width, channels, 3, 3) * (2 / (9 * channels)) ** 0.5
            state[f"features.{place}.bias"] = torch.zeros(width)
            channels, place = width, place + 2
        place += 1
    torch.save(state, folder / "vgg19.pth")
    return folder / "vgg19.pth"


def pairs(size: int) -> dict[str, Tensor]:
    """A batch of random images `hr` of this size, and `lr`."""
    return {
        "lr": torch.rand(BATCH, 3, size // SCALE, size // SCALE),
        "hr": torch.rand(BATCH, 3, size, size),
    }


def reference_step(size: int) -> Callable[[], Any]:
    """BasicSR's step: float32, NCHW, D on real and fake apart, loops over parameters in Adam and in the average."""
    model = build()
    generator, discriminator, perceptual = model.generator, model.discriminator, model.losses["perceptual"][0]
    average = deepcopy(generator)
    adam: dict[str, Any] = {**ADAM, "foreach": False}
    adam_g = torch.optim.Adam(generator.parameters(), **adam)
    adam_d = torch.optim.Adam(discriminator.parameters(), **adam)
    batch = pairs(size)
    low, high = batch["lr"], batch["hr"]

    def relative(logits: Tensor, others: Tensor, target: float) -> Tensor:
        difference = logits - others.mean()
        return 0.5 * binary_cross_entropy_with_logits(difference, torch.full_like(difference, target))

    def learnable(network: nn.Module, yes: bool) -> None:
        for parameter in network.parameters():
            parameter.requires_grad_(yes)

    def step() -> None:
        learnable(discriminator, False)
        adam_g.zero_grad()
        output = generator(low)
        real, fake = discriminator(high)[0].detach(), discriminator(output)[0]
        adversarial = relative(real, fake, 0.0) + relative(fake, real, 1.0)
        loss = 1e-2 * l1_loss(output, high) + perceptual(output, high) + 5e-3 * adversarial
        loss.backward()
        adam_g.step()
        learnable(discriminator, True)
        adam_d.zero_grad()
        fake, real = discriminator(output)[0].detach(), discriminator(high)[0]
        relative(real, fake, 1.0).backward()
        relative(discriminator(output.detach())[0], real.detach(), 0.0).backward()
        adam_d.step()
        with torch.no_grad():
            for mean, parameter in zip(average.parameters(), generator.parameters(), strict=True):
                mean.mul_(0.999).add_(parameter, alpha=0.001)

    return step


def toolbox_step(size: int, *, amp: str | None, one_graph: bool = False) -> Callable[[], Any]:
    """The same step by the toolbox: channels-last, fused Adam, foreach average, D on both at once."""
    model = build(channels_last=True, ema=0.999, one_graph=one_graph)
    wrapper = {"optimizer": {"type": "Adam", **ADAM}}
    optimizers = build_optimizers(model, {"generator": wrapper, "discriminator": wrapper}, amp=amp, device_type="cpu")
    batch = pairs(size)
    return lambda: model.train_step(batch, optimizers)
