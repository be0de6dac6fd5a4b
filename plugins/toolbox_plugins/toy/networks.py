"""Two tiny perceptrons on images of one pixel."""

from __future__ import annotations

from torch import Tensor, nn

from toolbox import Discriminator, Generator, UserError

from .mixture import SPAN


def perceptron(inputs: int, width: int, layers: int, outputs: int) -> nn.Sequential:
    """`layers` hidden layers of `width` with ReLU, on vectors."""
    if min(inputs, width, layers, outputs) < 1:
        raise UserError(f"sizes must be at least 1, got {inputs}, {width}, {layers}, {outputs}")
    parts: list[nn.Module] = []
    for i in range(layers):
        parts += [nn.Linear(inputs if i == 0 else width, width), nn.ReLU()]
    return nn.Sequential(*parts, nn.Linear(width, outputs))


class PointGenerator(Generator):
    """Latents (B, latent, 1, 1) to points (B, 2, 1, 1) of the plane."""

    def __init__(self, *, latent: int = 16, width: int = 128, layers: int = 3) -> None:
        super().__init__()
        self.body = perceptron(latent, width, layers, 2)

    def forward(self, noise: Tensor) -> Tensor:
        """Points, nominally in [0, 1]."""
        return 0.5 + self.body(noise.flatten(1))[..., None, None] / SPAN


class PointDiscriminator(Discriminator):
    """Points (B, 2, 1, 1) to one logit each."""

    def __init__(self, *, width: int = 128, layers: int = 3) -> None:
        super().__init__()
        self.body = perceptron(2, width, layers, 1)

    def forward(self, points: Tensor) -> list[Tensor]:
        """Logits [(B, 1)]."""
        return [self.body((points.flatten(1) - 0.5) * SPAN)]
