"""How a style's activations are compared: as sets of vectors, by what sorting says."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from toolbox_plugins.losses.statistics import gram_matrix
from toolbox_plugins.losses.style_criteria import CRITERIA, Sliced, Statistic, in_order


def test_of_one_channel_it_is_the_wasserstein_distance_of_sorted_numbers() -> None:
    found, wanted = torch.randn(3, 1, 4, 8), torch.randn(2, 1, 32)
    styles = torch.tensor([1, 0, 1])
    costs = Sliced(directions=3, points=32, kept=32).cost(found, wanted, styles)
    for number, style in enumerate(styles.tolist()):
        sorted_found = np.sort(found[number].numpy().ravel())
        expected = np.mean((sorted_found - np.sort(wanted[style].numpy().ravel())) ** 2)
        assert costs[number].item() == pytest.approx(float(expected), rel=1e-5)


def test_the_mean_over_directions_of_shifted_sets_is_the_shifts_share() -> None:
    points, shift = torch.randn(1, 3, 16, 16), torch.tensor([1.0, 2.0, 2.0])
    wanted = (points.flatten(2) + shift[None, :, None])[..., torch.randperm(256)]
    cost = Sliced(directions=4096, points=256).cost(points, wanted, torch.zeros(1, dtype=torch.long))
    assert cost.item() == pytest.approx(9 / 3, rel=0.06), "the mean of (d . shift)^2 over unit directions d of R^3"


def test_sets_of_one_gram_matrix_differ_and_the_order_of_positions_does_not_count() -> None:
    two = torch.tensor([1.0, -1.0]).repeat(32).reshape(1, 1, 8, 8)
    three = torch.tensor([0.0, 2**0.5, 0.0, -(2**0.5)]).repeat(16).reshape(1, 1, 8, 8)
    assert torch.allclose(gram_matrix(two), gram_matrix(three))
    sliced, first = Sliced(points=64, kept=64), torch.zeros(1, dtype=torch.long)
    assert sliced.cost(two, three.flatten(2), first).item() > 0.1
    assert sliced.cost(two, two.flatten(2)[..., torch.randperm(64)], first).item() == 0
    assert Statistic(gram_matrix).cost(two, gram_matrix(three), first).item() == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("shape", [(7,), (2, 3, 1), (3, 5, 257)])
def test_sorting_is_that_of_torch_with_its_gradient(shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    values = torch.randn(shape, requires_grad=True)
    weights = torch.randn(shape)
    assert torch.equal(in_order(values.detach()), values.sort(-1).values)
    gradients = [
        torch.autograd.grad((each * weights).sum(), values)[0] for each in (in_order(values), values.sort(-1).values)
    ]
    assert torch.equal(*gradients)
    monkeypatch.setattr("torch.get_num_threads", lambda: 2)
    assert torch.equal(in_order(values), values.sort(-1).values)
    odd = torch.tensor([[0.0, -0.0, 1e-42, -1e-42, 3e38, -3e38, 0.0, -1.0]], requires_grad=True)
    kept = odd.detach().clone()
    assert torch.equal(in_order(odd), odd.sort(-1).values) and torch.equal(odd, kept)


def test_which_of_styles_and_images_are_fewer_does_not_matter() -> None:
    found, wanted, styles = torch.randn(4, 3, 6, 6), torch.randn(2, 3, 36), torch.tensor([1, 0, 1, 1])
    costs = []
    for targets, places in ((wanted, styles), (wanted.repeat(4, 1, 1), styles + 6)):
        torch.manual_seed(0)
        costs.append(Sliced(points=36).cost(found, targets, places))
    assert torch.allclose(*costs)


def test_points_of_large_images_lie_on_a_grid_that_visits_every_place() -> None:
    torch.manual_seed(0)
    numbers = torch.arange(64.0).reshape(1, 1, 8, 8)
    drawn = [Sliced(points=16)._some(numbers) for _ in range(60)]
    assert {each.shape for each in drawn} == {(1, 1, 16)}
    assert set(torch.cat(drawn).flatten().tolist()) == set(range(64))


def test_what_is_kept_of_pictures_is_as_many_positions_always_the_same_ones() -> None:
    sliced = Sliced(kept=40)
    pictures = [torch.rand(1, 2, 3, 4), torch.rand(1, 2, 5, 5)]
    kept = sliced.merged([sliced.describe(each) for each in pictures])
    assert kept.shape == (1, 2, 40) and torch.equal(kept, sliced.merged([sliced.describe(each) for each in pictures]))
    every = {tuple(row) for each in pictures for row in each[0].flatten(1).T.tolist()}
    rows = [tuple(row) for row in kept[0].T.tolist()]
    assert set(rows) <= every and len(set(rows)) > 20
    assert sliced.size(kept).item() == pytest.approx(kept.square().mean().item())


@pytest.mark.parametrize("name", CRITERIA)
def test_gradients_go_to_the_images_alone_and_samples_keep_apart(name: str) -> None:
    how = CRITERIA[name]
    targets = torch.cat([how.describe(torch.randn(1, 4, 6, 6)) for _ in range(2)])
    images = torch.randn(3, 4, 6, 6, requires_grad=True)
    costs = how.cost(images, targets, torch.tensor([0, 1, 0]))
    assert costs.shape == (3,)
    (gradient,) = torch.autograd.grad(costs[1], images)
    assert bool((gradient[1] != 0).any()) and not bool(gradient[[0, 2]].any())
