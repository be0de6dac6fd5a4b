"""Two folders of pictures, or two films, measured against each other: pairs by name first, then whole sets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from toolbox.benchmark.evaluate import Metric, evaluate, evaluate_sets, find_pairs
from toolbox.benchmark.prices import Prices, named
from toolbox.contracts.metric import SetMetric
from toolbox.io.errors import UserError
from toolbox.io.images import MAX_PIXELS


def price_folders(
    predictions: Path,
    references: Path,
    metrics: Sequence[Metric],
    *,
    suffix: str = "",
    reference_suffix: str = "",
    cut: bool = False,
    partial: bool = False,
    device: str | torch.device = "cpu",
    max_pixels: int = MAX_PIXELS,
) -> Prices:
    """What every metric says of two folders, or two films.

    Args:
        suffix, reference_suffix: what the names of pairs end in, on either side.
        cut: cut the larger of two images at its right and bottom.
        partial: leave images without a partner out of the means.

    Raises:
        UserError: an image has no partner, is damaged, of another size or too large, or a set is too small.
    """
    prices = None
    if not all(isinstance(metric, SetMetric) and not metric.paired for metric in metrics):
        pairs, missing = find_pairs(
            predictions, references, suffix=suffix, reference_suffix=reference_suffix, max_pixels=max_pixels,
            partial=partial,
        )  # fmt: skip
        if missing and not partial:
            raise UserError(f"without a partner: {named(missing)}; --partial leaves them out of the means")
        prices = evaluate(pairs, metrics, cut=cut, missing=missing, device=device, max_pixels=max_pixels)
    return evaluate_sets(predictions, references, metrics, prices, device=device, max_pixels=max_pixels)
