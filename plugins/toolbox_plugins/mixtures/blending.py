"""Two pairs shown through each other."""

from __future__ import annotations

import torch

from toolbox import Mixture, Pair, UserError
from toolbox.contracts.mixture import beta


class MixUp(Mixture):
    """A sample times a share, plus another of the batch times the rest, input and target alike (Zhang et al., 2018).

    The share is of the symmetric beta distribution of `alpha`; 1.2, as Yoo et al. (2020) use it for super-resolution.
    """

    def __init__(self, *, alpha: float = 1.2, probability: float = 0.5) -> None:
        super().__init__(probability=probability)
        if not alpha > 0:
            raise UserError(f"alpha must be above 0, got {alpha}")
        self.alpha = alpha

    def change(self, sample: Pair, partner: Pair, rng: torch.Generator) -> Pair:
        share = beta(self.alpha, rng)
        return {name: image * share + partner[name] * (1 - share) for name, image in sample.items()}
