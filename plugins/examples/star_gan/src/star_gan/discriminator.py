"""A discriminator with two heads: is it real, and of which domain is it?"""

from __future__ import annotations

from torch import Tensor, nn

from toolbox import Discriminator


class DomainDiscriminator(Discriminator):
    """Strided convolutions that end in patches of real or fake, and in scores of the domains (Choi et al. 2018).

    The paper's classifier needs one picture size; here scores are averaged over positions, and any size will do.
    """

    heads = ("domain",)

    def __init__(self, *, domains: int = 2, channels: int = 3, width: int = 32, layers: int = 3) -> None:
        super().__init__()
        if domains < 2 or width < 1 or layers < 1:
            raise ValueError(f"domains must be 2 or more, width and layers 1, got {domains}, {width} and {layers}")
        body: list[nn.Module] = []
        for i in range(layers):
            before, after = channels if i == 0 else width * 2 ** (i - 1), width * 2**i
            body += [nn.Conv2d(before, after, 4, stride=2, padding=1), nn.LeakyReLU(0.2)]
        self.body = nn.Sequential(*body)
        self.adversarial = nn.Conv2d(width * 2 ** (layers - 1), 1, 3, padding=1)
        self.domain = nn.Conv2d(width * 2 ** (layers - 1), domains, 3, padding=1)

    def forward(self, images: Tensor) -> dict[str, Tensor | list[Tensor]]:
        """Judge images (B, C, H, W) in [0, 1]: patches of logits [(B, 1, h, w)], h = H / 2^layers, and (B, domains)."""
        features = self.body(images * 2 - 1)  # (B, width * 2^(layers-1), h, w)
        return {"adversarial": [self.adversarial(features)], "domain": self.domain(features).mean((2, 3))}
