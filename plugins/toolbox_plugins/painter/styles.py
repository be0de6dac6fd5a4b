"""The styles of a network that has several: those that a run teaches, and the shares of each sample."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from toolbox import Condition, Parts, UserError, Values


def styles_of(parts: Parts, example: str) -> list[str]:
    """The styles of the generator, which its losses must have too.

    Raises:
        UserError: the generator has no styles (`example` names one that has), or a loss has others.
    """
    network = parts.networks["generator"]
    styles = getattr(network, "styles", None)
    if not styles:
        raise UserError(f"generator: {type(network).__name__} has no styles; {example} has")
    for role in parts.losses.values():
        for loss in role:
            theirs = getattr(loss.module, "styles", styles)
            if list(theirs) != list(styles):
                raise UserError(
                    f"losses: {type(loss.module).__name__} has the styles {', '.join(theirs)}, and the generator "
                    f"{', '.join(styles)}: they must be the same, in the same order"
                )
    return list(styles)


def taught_by(parts: Parts, styles: list[str]) -> tuple[Tensor, Condition]:
    """The numbers of the styles that the losses of `style` have pictures of, and the choice among all.

    Without a choice it is the first of those that are taught: what a run measures and shows.
    """
    losses: list[Any] = [each.module for each in parts.losses.get("style", ())]
    drawn = [loss.drawn for loss in losses if hasattr(loss, "drawn")]
    first = int(drawn[0][0]) if drawn else 0
    choice = Condition("style", "mixture", source="style_b", labels=styles, default=first or None)
    return drawn[0] if drawn else torch.arange(len(styles)), choice


def shares_of(values: Values, drawn: Tensor, count: int, images: Tensor) -> Tensor:
    """The shares (B, styles) of a batch's samples, each of one style: those of `style_b`, or drawn among `drawn`."""
    if "style_b" not in values:
        values["style_b"] = drawn[torch.randint(len(drawn), (len(images),), device=images.device)]
    numbers = torch.arange(count, device=images.device)
    return (values["style_b"].reshape(-1, 1) == numbers).to(images)  # one_hot would look at the numbers, and wait
