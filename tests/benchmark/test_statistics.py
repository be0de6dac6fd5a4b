"""Intervals that hold for few seeds, differences by seed, effects of whole blocks, fronts."""

from __future__ import annotations

import numpy as np
import pytest

from toolbox.benchmark.statistics import difference, effects, interval, pareto, resampled_means, wilson


def test_three_values_give_their_mean_and_a_stretched_bootstrap() -> None:
    found = interval([1.0, 2.0, 6.0])
    assert found.mean == pytest.approx(3.0)
    # of 27 resamples the 2.5 % and 97.5 % points lie between the two outermost means, 1 and 4/3, and 14/3 and 6
    low, high = np.percentile(resampled_means(np.array([1.0, 2.0, 6.0])), [2.5, 97.5])
    assert 1 <= low < 4 / 3 and 14 / 3 < high <= 6
    stretch = 4.3027 / (1.959964 * np.sqrt(2 / 3))
    assert found.low == pytest.approx(3 + stretch * (low - 3)) and found.high == pytest.approx(3 + stretch * (high - 3))


@pytest.mark.parametrize(("count", "least", "most"), [(3, 0.92, 0.98), (5, 0.90, 0.97), (20, 0.91, 0.97)])
def test_of_normal_values_about_95_in_100_intervals_cover_the_truth(count: int, least: float, most: float) -> None:
    rng = np.random.default_rng(1)
    trials = 400 if count <= 5 else 150
    covered = [found.low <= 0 <= found.high for found in (interval(rng.normal(size=count)) for _ in range(trials))]  # pyright: ignore
    assert least <= np.mean(covered) <= most


def test_one_value_has_no_interval_and_shows_no_difference() -> None:
    assert interval([1.5]) == (1.5, None, None) and interval([1.5]).noise


def test_equal_values_have_an_interval_of_no_width_that_is_no_noise() -> None:
    assert interval([0.5, 0.5, 0.5]) == (0.5, 0.5, 0.5) and not interval([0.5, 0.5, 0.5]).noise


def test_differences_are_paired_by_seed() -> None:
    found = difference({0: 11.0, 1: 22.0, 2: 33.5, 7: 99.0}, {0: 10.0, 1: 21.0, 2: 32.0})
    assert found is not None and found.mean == pytest.approx((1 + 1 + 1.5) / 3) and not found.noise
    assert difference({0: 1.0}, {1: 2.0}) is None


def test_an_effect_is_measured_in_whole_blocks_alone() -> None:
    values = {
        ("a", "x"): {0: 1.0, 1: 2.0}, ("b", "x"): {0: 3.0, 1: 4.0},
        ("a", "y"): {0: 10.0, 1: 11.0}, ("b", "y"): {0: 12.0},  # b, y failed with seed 1
    }  # fmt: skip
    found = effects(values, lambda cell: cell[0], lambda cell: cell[1])
    assert found["a"].mean == pytest.approx(-1.0) and found["b"].mean == pytest.approx(1.0)
    assert found["a"].low == pytest.approx(-1.0)


def test_the_front_holds_what_nothing_beats_in_cost_and_loss() -> None:
    points = {"cheap": (1.0, 5.0), "middle": (2.0, 3.0), "beaten": (2.0, 4.0), "dear": (9.0, 1.0), "worse": (10.0, 1.0)}
    assert pareto(points) == {"cheap", "middle", "dear"}


def test_a_share_of_votes_has_wilsons_interval() -> None:
    low, high = wilson(
        8, 10
    )  # Newcombe 1998, method 3, worked out by hand: (9.9207 ± 3.1362) / 13.8415 with z² = 3.8415
    assert (round(low, 4), round(high, 4)) == (0.4902, 0.9433)
    assert wilson(0, 5)[0] == 0 and wilson(5, 5)[1] == 1 and wilson(5, 5)[0] == pytest.approx(1 - wilson(0, 5)[1])
