"""Pairs of objective, regularizer, spectral norm and discriminator: each trains, or is refused with the reason."""

from __future__ import annotations

from itertools import combinations

import pytest

from toolbox_plugins.gan_variants.matrix import Cell, cells, outcome, pairwise

PAIRWISE = pairwise()


def test_every_pair_of_choices_occurs() -> None:
    every = {pair for cell in cells() for pair in combinations(enumerate(cell), 2)}
    assert every == {pair for cell in PAIRWISE for pair in combinations(enumerate(cell), 2)}
    assert len(PAIRWISE) < 120


@pytest.mark.parametrize("cell", PAIRWISE, ids=" x ".join)
def test_a_cell_trains_or_says_why_not(cell: Cell) -> None:
    found = outcome(cell)
    penalised = cell.regularizer not in ("none", "Consistency") or cell.objective in ("WGANGP", "DRAGAN")
    batch_norm = "batch norm" in cell.discriminator
    unlimited = (
        cell.objective == "WGAN, no clip" and cell.regularizer in ("none", "Consistency") and cell.norm == "none"
    )
    if penalised and batch_norm:
        assert found.startswith("refused: ") and "batch norm" in found
    elif unlimited and cell.discriminator != "U-Net":  # which normalises its own layers
        assert found.startswith("refused: ") and "no bound without a limit" in found
    else:
        assert found.startswith("trains"), found
