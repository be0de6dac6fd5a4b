"""DUnet: sampling against torch's, its gradients, its size, and every objective and penalty on top of it."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from toolbox.io.errors import UserError
from toolbox.plugins.registry import registry
from toolbox.testing import check_discriminator
from toolbox_plugins.dunet.discriminator import DUnetDiscriminator
from toolbox_plugins.dunet.sampling import LearnedSampling, Reading, bilinear, sampled


def drawn() -> list[torch.Tensor]:
    """Values (2, 3, 4, 5, 7), and rows and columns (2, 3, 6, 6) of which some lie outside."""
    rows, columns = torch.rand(2, 3, 6, 6) * 8 - 2, torch.rand(2, 3, 6, 6) * 10 - 2
    return [each.double().requires_grad_() for each in (torch.rand(2, 3, 4, 5, 7), rows, columns)]


def test_what_is_read_between_pixels_and_its_gradients_are_the_same_by_arithmetic_and_by_grid_sample() -> None:
    given, weights = drawn(), torch.rand(2, 3, 4, 6, 6).double()
    made = [how(*given) for how in (bilinear, sampled, Reading.apply)]
    wanted, *others = ([each, *torch.autograd.grad(each, given, weights)] for each in made)
    for found in others:
        torch.testing.assert_close(found, wanted)


def test_sampling_is_differentiable_twice() -> None:
    parts = torch.rand(1, 1, 2, 4, 4, dtype=torch.float64, requires_grad=True)
    places = (torch.rand(2, 1, 1, 3, 3, dtype=torch.float64) * 2 + 0.2).requires_grad_()
    assert torch.autograd.gradcheck(lambda values, at: Reading.apply(values, at[0], at[1]), (parts, places))
    assert torch.autograd.gradgradcheck(lambda values, at: Reading.apply(values, at[0], at[1]), (parts, places))


def test_a_place_that_is_no_number_is_read_as_none_and_ends_no_process() -> None:
    values, rows, columns = drawn()
    for spoilt in (rows, columns):
        with torch.no_grad():
            spoilt[0, 1, 2, 3] = torch.nan
        for how in (bilinear, Reading.apply):
            made = how(values, rows, columns)
            assert made[0, 1, :, 2, 3].isnan().all() and made.isnan().sum() == values.shape[2]
            made.nansum().backward()
        with torch.no_grad():
            spoilt[0, 1, 2, 3] = torch.inf  # the border's, as of whatever lies far outside
        assert not Reading.apply(values, rows, columns).isnan().any()


def test_where_values_stand_still_places_have_their_gradients() -> None:
    values, rows, columns = drawn()
    still = values.detach()
    for again in (False, True):
        found = torch.autograd.grad(Reading.apply(still, rows, columns).sum(), rows, create_graph=again)
        torch.testing.assert_close(found, torch.autograd.grad(bilinear(still, rows, columns).sum(), rows))


def test_it_begins_as_bilinear_enlargement() -> None:
    sampling, features = LearnedSampling(8), torch.rand(1, 8, 6, 5)
    torch.nn.init.zeros_(sampling.offset.weight)
    torch.nn.init.zeros_(sampling.offset.bias)
    wanted = F.interpolate(features, scale_factor=2, mode="bilinear", align_corners=False)
    torch.testing.assert_close(sampling(features), wanted, atol=1e-6, rtol=1e-6)


def test_it_judges_every_pixel_and_is_of_the_published_size() -> None:
    assert sum(parameter.numel() for parameter in DUnetDiscriminator().parameters()) == 3_231_457
    assert DUnetDiscriminator(width=4)(torch.rand(2, 3, 13, 18))[0].shape == (2, 1, 13, 18)
    check_discriminator(DUnetDiscriminator(width=4))


@pytest.mark.parametrize("name", registry("regularizers").names())
def test_each_penalty_gives_a_gradient_for_where_it_looks(name: str) -> None:
    judge = DUnetDiscriminator(width=4)
    penalty = registry("regularizers").get(name)()
    real, fake = torch.rand(2, 3, 16, 16), torch.rand(2, 3, 16, 16)
    penalty(judge, real, fake).backward()
    gradients = [sample.offset.weight.grad for sample in judge.sample]
    assert all(gradient is not None and gradient.isfinite().all() for gradient in gradients)


def test_what_it_cannot_be_or_judge_is_refused() -> None:
    with pytest.raises(UserError, match="width must be even, got 3"):
        DUnetDiscriminator(width=3)
    with pytest.raises(UserError, match="images must be 8x8 at least, got 7x9"):
        DUnetDiscriminator(width=4)(torch.rand(1, 3, 9, 7))
