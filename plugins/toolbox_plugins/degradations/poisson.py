"""Exact Poisson numbers for images, whose rates take few values: from tables, several times faster than torch.poisson.

An 8-bit image scaled by a power of two up to 256 knows 9 * 256 rates. Each gets a table by the alias method (Walker
1977, Vose 1991): one uniform 31-bit number gives a column and decides between the column's own count and its alias.
The probabilities are those of Poisson's law within 2^-28 each; counts of 512 and more, cut off, have less than 1e-40.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from torch import Tensor

LEVELS, COLUMNS, SHIFT, BITS = 256, 512, 9, 22


def poisson_counts(levels: Tensor, exponent: Tensor, generators: list[torch.Generator]) -> Tensor:
    """Poisson counts (B, C, H, W), int32, of rates level / 255 * 2^exponent.

    Args:
        levels: Brightness (B, C, H, W), whole numbers from 0 to 255.
        exponent: Whole numbers (B,) from 0 to 8.
        generators: One per sample, on the device of `levels`.
    """
    uniform = torch.empty(levels.shape, dtype=torch.int32, device=levels.device)
    for one, generator in zip(uniform, generators, strict=True):
        one.random_(generator=generator)  # 31 bits
    column = uniform & (COLUMNS - 1)
    base = (exponent.to(levels.device, torch.int32) * LEVELS).view(-1, 1, 1, 1)
    at = ((levels.to(torch.int32) + base) << SHIFT) + column
    entry = _tables(levels.device).index_select(0, at.flatten()).view_as(at)
    # Both hold the deciding number in the upper 22 bits; the lower 9 matter where these are equal, once in 2^22.
    return torch.where(uniform < entry, column, entry & (COLUMNS - 1))


def poisson_array(levels: np.ndarray, values: int, rng: np.random.Generator) -> np.ndarray:
    """Poisson counts like levels (H, W, C) uint8, of rates level / 255 * values, a power of two from 1 to 256."""
    start = (values.bit_length() - 1) * LEVELS * COLUMNS
    table = _tables(torch.device("cpu")).numpy()[start : start + LEVELS * COLUMNS]
    uniform = np.frombuffer(rng.bytes(4 * levels.size), np.int32).reshape(levels.shape) & 0x7FFFFFFF
    column = uniform & (COLUMNS - 1)
    at = levels.astype(np.intp)
    at <<= SHIFT
    at += column
    entry = table.take(at, mode="clip")  # never out of range; "raise" would look twice
    return np.where(uniform < entry, column, entry & (COLUMNS - 1))


@cache
def _tables(device: torch.device) -> Tensor:
    """Entries (9 * 256 * 512,), int32: a column's threshold in the upper 22 bits, its alias in the lower 9; 4.7 MB."""
    rates = np.arange(LEVELS)[None] / 255 * 2.0 ** np.arange(9)[:, None]  # (9, 256)
    counts = np.arange(COLUMNS)
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = counts * np.log(rates.reshape(-1, 1)) - rates.reshape(-1, 1)
    logs -= np.concatenate([[0.0], np.log(np.arange(1, COLUMNS)).cumsum()])  # log k!
    law = np.exp(logs)
    law[rates.reshape(-1) == 0] = counts == 0
    threshold, alias = _alias(law / law.sum(1, keepdims=True) * COLUMNS)
    whole = np.minimum(np.rint(threshold * 2**BITS), 2**BITS - 1).astype(np.int64)
    return torch.from_numpy(((whole << SHIFT) | alias).astype(np.int32).reshape(-1)).to(device)


def _alias(mass: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Vose's construction for all rows at once: masses (R, K) of mean 1 to thresholds in [0, 1] and aliases."""
    columns = mass.shape[1]
    order = np.argsort(mass, 1, kind="stable")  # the small ones first, the large ones at the end
    threshold, alias, rest = np.ones_like(mass), np.tile(np.arange(columns), (len(mass), 1)), mass.copy()
    rows, low, high = np.arange(len(mass)), np.zeros(len(mass), int), np.full(len(mass), columns - 1)
    small = order[rows, low]
    while len(rows):  # each turn fills one column of every row that is not done
        large = order[rows, high]
        threshold[rows, small], alias[rows, small] = rest[rows, small].clip(0, 1), large
        rest[rows, large] -= 1 - rest[rows, small]
        emptied = rest[rows, large] < 1  # then it is filled next, by the next large one
        low, high = np.where(emptied, low, low + 1), np.where(emptied, high - 1, high)
        going = low < high
        small = np.where(emptied, large, order[rows, np.minimum(low, columns - 1)])[going]
        rows, low, high = rows[going], low[going], high[going]
    return threshold, alias
