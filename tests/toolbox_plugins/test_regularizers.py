"""Penalties in float64 against closed-form critics, and what they must not depend on."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
import torch
from critics import SLOPES, Linear, Quadratic, pair
from torch import Tensor, nn

from toolbox_plugins.cyclegan.discriminator import PatchDiscriminator
from toolbox_plugins.regularizers.consistency import ConsistencyRegularization
from toolbox_plugins.regularizers.slope import R1, R2, DRAGANPenalty, GradientPenalty, Slope


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


# ---------------------------------------------------------------------- values and gradients


@pytest.mark.parametrize("span", [1.0, 2.0])
@pytest.mark.parametrize("penalty", SLOPES)
def test_a_linear_critics_penalty_and_its_gradient_are_those_of_the_closed_form(
    penalty: type[Slope], span: float
) -> None:
    critic = Linear()
    value = penalty(image_span=span)(critic, *pair())
    (gradient,) = torch.autograd.grad(value, critic.weight)
    w = critic.weight.detach()
    norm = w.square().sum().sqrt() / span
    if penalty in (R1, R2):
        expected, slope = norm**2 / 2, w / span**2
    else:
        expected, slope = (norm - 1) ** 2, 2 * (norm - 1) * w / w.square().sum().sqrt() / span
    torch.testing.assert_close(value, expected, atol=1e-10, rtol=0)
    torch.testing.assert_close(gradient, slope, atol=1e-10, rtol=0)


@pytest.mark.parametrize("span", [1.0, 2.0])
@pytest.mark.parametrize("penalty", SLOPES)
def test_a_quadratic_critics_penalty_is_the_mean_over_each_samples_own_gradient(
    penalty: type[Slope], span: float
) -> None:
    critic, (real, fake) = Quadratic(), pair()
    value = penalty(image_span=span)(critic, real, fake)
    (gradient,) = torch.autograd.grad(value, critic.root)
    x, a = critic.seen[0], critic.matrix.detach()
    y = x @ a / span  # the gradients, (B, CHW), on images of that span
    if penalty in (R1, R2):
        assert torch.equal(x, (real if penalty is R1 else fake).flatten(1))
        expected, by_y = y.square().sum(1).mean() / 2, y / len(x) / span
    else:
        norms = y.square().sum(1).sqrt()
        expected, by_y = (norms - 1).square().mean(), 2 * ((norms - 1) / norms)[:, None] * y / len(x) / span
    by_matrix = x.T @ by_y
    torch.testing.assert_close(value, expected, atol=1e-10, rtol=0)
    torch.testing.assert_close(gradient, (by_matrix + by_matrix.T) / 2, atol=1e-10, rtol=0)


@pytest.mark.parametrize("penalty", SLOPES)
def test_a_flat_critic_gives_a_finite_gradient(penalty: type[Slope]) -> None:
    critic = Linear()
    nn.init.zeros_(critic.weight)
    penalty()(critic, *pair()).backward()
    assert critic.weight.grad is not None and bool(torch.isfinite(critic.weight.grad).all())


def test_interpolates_lie_between_real_and_fake_at_a_place_of_each_samples_own() -> None:
    critic, (real, fake) = Quadratic(), pair()
    GradientPenalty()(critic, real, fake)
    shares = (critic.seen[0] - fake.flatten(1)) / (real - fake).flatten(1)  # (B, CHW)
    torch.testing.assert_close(shares, shares[:, :1].expand_as(shares), atol=1e-6, rtol=0)
    assert bool(((shares > 0) & (shares < 1)).all()) and len(set(shares[:, 0].tolist())) == len(real)


def test_dragan_looks_up_to_half_a_deviation_above_real_images() -> None:
    critic, (real, fake) = Quadratic(), pair()
    DRAGANPenalty()(critic, real, fake)
    moved = critic.seen[0] - real.flatten(1)
    assert float(moved.min()) >= 0 and float(moved.max()) <= 0.5 * float(real.std())
    assert float(moved.std()) > 0.02


def test_scales_count_one_by_one() -> None:
    one, two = Linear(), Linear()
    both = lambda images: [*one(images), *two(images)]  # noqa: E731
    images = pair()
    torch.testing.assert_close(R1()(both, *images), R1()(one, *images) + R1()(two, *images))
    together = Linear()  # the norm is that of the summed critic, as WGAN-GP's loss has it
    together.weight.data = one.weight.data + two.weight.data
    torch.testing.assert_close(GradientPenalty()(both, *images), GradientPenalty()(together, *images))


# ---------------------------------------------------------------------- patches and crops


@pytest.mark.parametrize("channels", [1, 3, 5])
@pytest.mark.parametrize("penalty", [R1, R2])
def test_patches_that_do_not_overlap_have_the_penalty_of_one_of_them(penalty: Any, channels: int) -> None:
    judge = nn.Conv2d(channels, 1, 4, stride=4).double()  # every pixel belongs to one logit; its slope is the kernel
    expected = judge.weight.detach().square().sum() / 2
    for height, width in ((4, 4), (8, 12), (40, 40)):
        images = torch.rand(2, channels, height, width, dtype=torch.float64)
        patches = height * width // 16
        value = penalty(image_span=1.0)(lambda x: [judge(x)], images, images)
        plain = penalty(image_span=1.0, per_patch=False)(lambda x: [judge(x)], images, images)
        torch.testing.assert_close(value, expected, atol=1e-10, rtol=0)
        torch.testing.assert_close(plain, expected * patches, atol=1e-10, rtol=0)


def test_r1_of_a_patch_discriminator_hardly_depends_on_the_size_of_the_crop_and_the_plain_one_does() -> None:
    judge = PatchDiscriminator(width=8, layers=2, norm="none")
    small, large = torch.rand(2, 3, 48, 48), torch.rand(2, 3, 144, 144)
    of = lambda images, **more: R1(**more)(judge, images, images).item()  # noqa: E731
    assert of(large) == pytest.approx(of(small), rel=0.25)
    assert of(large, per_patch=False) > 6 * of(small, per_patch=False)


# ---------------------------------------------------------------------- consistency


def test_consistency_is_the_squared_difference_of_the_means_over_patches() -> None:
    seen: list[Tensor] = []

    def judge(images: Tensor) -> list[Tensor]:
        seen.append(images)
        return [images[:, :1, :4, :3], images.flatten(1).square().sum(1, keepdim=True)]

    for both in (False, True):
        seen.clear()
        value = ConsistencyRegularization(fake=both)(judge, *pair())
        expected = 0.0
        for still, moved in zip(seen[::2], seen[1::2], strict=True):
            expected += (still[:, 0, :4, :3].mean((1, 2)) - moved[:, 0, :4, :3].mean((1, 2))).square().mean()
            expected += (still.square().sum((1, 2, 3)) - moved.square().sum((1, 2, 3))).square().mean()
        assert len(seen) == (4 if both else 2)
        torch.testing.assert_close(value, torch.as_tensor(expected), atol=1e-10, rtol=0)


def test_consistency_by_hand_and_its_gradient() -> None:
    consistency = ConsistencyRegularization()
    consistency.move = lambda images: images.flip(3)
    images = torch.tensor([[1.0, 2.0], [3.0, 0.0]], dtype=torch.float64)[:, None, None]  # two rows of two pixels
    critic = Linear(2)
    critic.weight.data = torch.tensor([1.0, 0.0], dtype=torch.float64)
    value = consistency(critic, images, images)
    (gradient,) = torch.autograd.grad(value, critic.weight)
    assert value.item() == ((1 - 2) ** 2 + (3 - 0) ** 2) / 2
    # the differences are -1 and 3, those of the images (-1, 1) and (3, -3), and 2 d (x - Tx) is averaged
    assert gradient.tolist() == [(2 * -1 * -1 + 2 * 3 * 3) / 2, (2 * -1 * 1 + 2 * 3 * -3) / 2]


def test_of_an_image_of_one_colour_every_judge_is_consistent() -> None:
    constant = torch.rand(4, 3, 1, 1, dtype=torch.float64).expand(-1, -1, 12, 10)
    judge = nn.Conv2d(3, 2, 3, stride=2).double()
    value = ConsistencyRegularization(fake=True, shift=0.4)(lambda x: [judge(x)], constant, constant)
    assert value.item() < 1e-24  # the two are laid out otherwise in memory, so that sums round otherwise


def test_images_that_are_not_square_move_along_both_sides_by_their_own_share() -> None:
    images = torch.arange(8.0 * 16).reshape(1, 1, 8, 16).expand(200, -1, -1, -1)
    moved = ConsistencyRegularization(shift=0.25).move(images)[:, 0]
    assert moved.shape == (200, 8, 16)
    rows, steps = moved[:, 3, 8] // 16 - 3, moved[:, 3, 9] - moved[:, 3, 8]
    assert set(rows.tolist()) == {-2.0, -1.0, 0.0, 1.0, 2.0} and set(steps.tolist()) == {-1.0, 1.0}
    columns = torch.where(steps > 0, moved[:, 3, 8] % 16 - 8, moved[:, 3, 8] % 16 - 7)
    assert set(columns.tolist()) == {float(each) for each in range(-4, 5)}


def test_a_move_is_a_flip_or_not_of_a_shift_with_mirrored_borders_each_samples_own() -> None:
    image = torch.rand(1, 2, 8, 8)
    padded = torch.nn.functional.pad(image, (1, 1, 1, 1), mode="reflect")[0]
    windows = [padded[:, y : y + 8, x : x + 8] for y, x in product(range(3), repeat=2)]
    possible = torch.stack([*windows, *(each.flip(2) for each in windows)])  # (18, C, H, W)
    moved = ConsistencyRegularization().move(image.expand(400, -1, -1, -1))
    which = (moved[:, None] == possible).flatten(2).all(2)  # (400, 18)
    assert bool((which.sum(1) == 1).all()) and bool(which.any(0).all())


def test_who_cannot_tell_a_flip_is_consistent() -> None:
    judge = lambda images: [images.flatten(1).mean(1, keepdim=True)]  # noqa: E731
    assert float(ConsistencyRegularization(shift=0.0)(judge, *pair())) < 1e-20
    assert float(ConsistencyRegularization(shift=0.3)(judge, *pair())) > 1e-6


def test_consistency_moves_all_frames_of_a_clip_alike() -> None:
    seen: list[torch.Tensor] = []

    def judge(clips: torch.Tensor) -> list[torch.Tensor]:
        seen.append(clips)
        return [clips.mean((1, 2, 3, 4))[:, None]]

    clips = torch.rand(4, 1, 3, 16, 16).expand(4, 5, 3, 16, 16)
    ConsistencyRegularization()(judge, clips, clips)
    still, moved = seen
    assert moved.shape == still.shape and not torch.equal(moved, still)
    assert torch.equal(moved, moved[:, :1].expand_as(moved))
