"""What may be added to a discriminator's loss, beside any objective: penalties on its slope, on its inconsistency."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from math import isfinite
from typing import Any

from torch import Tensor, nn

from toolbox.contracts.gan_variant import Logits
from toolbox.io.errors import UserError

Judge = Callable[[Tensor], Logits]
"""Images (B, C, H, W) to a discriminator's logits, after the variant's augmentations."""


class Regularizer(nn.Module, ABC):
    """A term of the discriminator's loss that any GAN variant may have: `variant: {type: ..., regularizers: [...]}`.

    `weight` and `every` stand beside `type` in the config and belong to this class, not to constructors. With `every`
    n it counts in each n-th discriminator step, n times as much ("lazily"), and costs nothing in the others.
    """

    weight: float = 1.0
    """The published weight, where the config gives none."""
    every: int = 1

    def __init__(self) -> None:
        super().__init__()
        self.steps = 0

    @property
    def label(self) -> str:
        """Its name in the logs, after the discriminator's: `r1`."""
        return type(self).__name__.lower()

    def configure(self, *, weight: float | None = None, every: int | None = None) -> None:
        """Take the config's settings; UserError for a weight of 0 or less, or infinite, or an `every` below 1."""
        if weight is not None and not (weight > 0 and isfinite(weight)):
            raise UserError(f"weight must be above 0 and finite, got {weight}; leave the regularizer out for none")
        if every is not None and every < 1:
            raise UserError(f"every must be 1 or more, got {every}")
        self.weight = self.weight if weight is None else float(weight)
        self.every = self.every if every is None else every

    def prepare(self, discriminator: nn.Module) -> None:
        """Refuse a discriminator that this does not go with (`VariantError`), at build time."""

    @abstractmethod
    def forward(self, judge: Judge, real: Tensor, fake: Tensor) -> Tensor:
        """The unweighted term, a scalar, for images (B, ..., C, H, W); called in float32 with the current fakes."""

    def term(self, judge: Judge, real: Tensor, fake: Tensor) -> Tensor | None:
        """The weighted term, or None in a step that is left out."""
        if self.steps % self.every:
            return None
        return self(judge, real, fake) * (self.weight * self.every)

    def after_step(self) -> None:
        """Count one discriminator step."""
        self.steps += 1

    def __repr__(self) -> str:
        """On one line: `R1(weight=1, every=16)`."""
        return f"{type(self).__name__}(weight={self.weight:g}" + (f", every={self.every})" if self.every > 1 else ")")

    def get_extra_state(self) -> dict[str, int]:
        """Where in its rhythm a resumed run goes on."""
        return {"steps": self.steps}

    def set_extra_state(self, state: dict[str, int]) -> None:
        """Restore the count."""
        self.steps = state["steps"]

    def _save_to_state_dict(self, destination: dict[str, Any], prefix: str, keep_vars: bool) -> None:
        """Leave the count out where every step counts: checkpoints from before there were regularizers still fit."""
        super()._save_to_state_dict(destination, prefix, keep_vars)
        if self.every == 1:
            destination.pop(f"{prefix}_extra_state", None)

    def _load_from_state_dict(
        self,
        state_dict: dict[str, Any],
        prefix: str,
        local_metadata: dict[str, Any],
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        """Do not miss a count that was left out."""
        super()._load_from_state_dict(
            state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs
        )
        if self.every == 1 and f"{prefix}_extra_state" in missing_keys:
            missing_keys.remove(f"{prefix}_extra_state")
