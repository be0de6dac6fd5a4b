"""What a discriminator's images go through: shapes, per-sample draws, gradients of gradients, adapting, resuming."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from toolbox.errors import UserError
from toolbox.testing.training import check_augmentation
from toolbox_plugins.augmentations.ada import ADA
from toolbox_plugins.augmentations.diff_augment import DiffAugment, color, cutout, translation
from toolbox_plugins.augmentations.geometry import affine, mirrored, sample_bilinear
from toolbox_plugins.augmentations.noise import InstanceNoise
from toolbox_plugins.regularizers.slope import R1

EVERY = [DiffAugment(policy=["color", "translation", "cutout"]), ADA(start=1.0, color=True), InstanceNoise()]


@pytest.mark.parametrize("augmentation", EVERY, ids=lambda each: type(each).__name__)
def test_the_contract_holds_and_each_sample_draws_its_own(augmentation) -> None:
    check_augmentation(augmentation)
    torch.manual_seed(0)
    same = torch.rand(1, 3, 16, 16).expand(8, -1, -1, -1)
    changed = augmentation(same)
    assert len({tuple(each.flatten().tolist()) for each in changed}) == 8


@pytest.mark.parametrize("augmentation", EVERY, ids=lambda each: type(each).__name__)
def test_a_penalty_on_the_slope_passes_through(augmentation) -> None:
    critic = nn.Conv2d(3, 1, 3)
    term = R1()(lambda images: [critic(augmentation(images)).tanh()], torch.rand(2, 3, 16, 16), torch.rand(2, 3, 16, 16))
    term.backward()
    assert critic.weight.grad is not None and critic.weight.grad.abs().sum() > 0


def test_affine_sampling_has_a_second_derivative() -> None:
    torch.manual_seed(0)
    images = torch.rand(1, 1, 5, 4, dtype=torch.float64, requires_grad=True)
    matrix = torch.tensor([[[0.9, 0.2, 0.3], [-0.1, 1.1, 0.2]]], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda x: affine(x, matrix), images)
    assert torch.autograd.gradgradcheck(lambda x: affine(x, matrix).square(), images)


def test_affine_sampling_agrees_with_torchs_own() -> None:
    torch.manual_seed(0)
    images, angle = torch.rand(2, 3, 9, 9), torch.tensor(0.3)
    turn = torch.stack([torch.stack([angle.cos(), -angle.sin()]), torch.stack([angle.sin(), angle.cos()])])
    ours = affine(images, torch.cat([turn, torch.zeros(2, 1)], 1).expand(2, -1, -1))
    grid = nn.functional.affine_grid(torch.cat([turn, torch.zeros(2, 1)], 1).expand(2, -1, -1), [2, 3, 9, 9], False)
    theirs = nn.functional.grid_sample(images, grid, padding_mode="reflection", align_corners=False)
    assert torch.allclose(ours[..., 2:7, 2:7], theirs[..., 2:7, 2:7], atol=1e-5)
    still = torch.eye(2, 3).expand(2, -1, -1)
    assert torch.allclose(affine(images, still), images, atol=1e-6)


def test_places_beyond_the_border_are_mirrored() -> None:
    assert mirrored(torch.arange(-3, 7), 4).tolist() == [3, 2, 1, 0, 1, 2, 3, 2, 1, 0]
    line = torch.arange(4.0).view(1, 1, 1, 4)
    x = torch.tensor([[[-1.5, 0.25, 3.5]]])
    assert sample_bilinear(line, x, torch.zeros_like(x)).flatten().tolist() == [1.5, 0.25, 2.5]


def test_translation_moves_by_whole_pixels_and_lets_zeros_in() -> None:
    torch.manual_seed(1)
    image = 1 + torch.arange(64.0).view(1, 1, 8, 8)
    found = set()
    for moved in translation(image.expand(64, -1, -1, -1))[:, 0]:
        down, right = next((d, r) for d in (-1, 0, 1) for r in (-1, 0, 1) if torch.equal(moved, shifted(image[0, 0], d, r)))
        found.add((down, right))
    assert len(found) == 9


def shifted(image: Tensor, down: int, right: int) -> Tensor:
    out = torch.zeros_like(image)
    for y in range(8):
        for x in range(8):
            if 0 <= y + down < 8 and 0 <= x + right < 8:
                out[y, x] = image[y + down, x + right]
    return out


def test_cutout_cuts_a_square_of_half_the_sides() -> None:
    torch.manual_seed(0)
    holes = (cutout(torch.ones(200, 1, 8, 8)) == 0)[:, 0]
    assert holes.flatten(1).sum(1).max() == 16
    for hole in holes:
        assert torch.equal(hole, hole.any(1)[:, None] & hole.any(0)[None, :])


def test_color_keeps_a_grays_hue_and_is_not_the_default() -> None:
    gray = torch.full((4, 3, 4, 4), 0.5)
    assert color(gray).std(1).max() < 1e-6
    assert not DiffAugment().changes_color and DiffAugment(policy=["color"]).changes_color


def test_adas_probability_follows_the_signs_of_real_logits_and_resumes() -> None:
    ada = ADA(interval=2, images=100)
    for _ in range(4):
        ada.observe([torch.ones(10, 1, 2, 2)])
    assert float(ada.p) == pytest.approx(0.4)  # 20 images in each of two intervals
    copy = ADA(interval=2, images=100)
    copy.load_state_dict(ada.state_dict())
    for _ in range(2):
        copy.observe([torch.tensor([[1.0], [-1.0]]).repeat(5, 1)])  # a mean sign of 0: below the target
    assert float(copy.p) == pytest.approx(0.2)


def test_ada_with_probability_0_changes_nothing() -> None:
    images = torch.rand(2, 3, 8, 12)
    assert torch.allclose(ADA(color=True)(images), images, atol=1e-6)


def test_instance_noise_fades() -> None:
    torch.manual_seed(0)
    noise, black = InstanceNoise(deviation=0.2, until=10), torch.zeros(4, 3, 32, 32)
    assert float(noise(black).std()) == pytest.approx(0.2, rel=0.03)
    for _ in range(5):
        noise.observe([])
    assert float(noise(black).std()) == pytest.approx(0.1, rel=0.03)
    for _ in range(6):
        noise.observe([])
    assert torch.equal(noise(black), black)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: DiffAugment(policy=["colour"]), "did you mean 'color'|no 'colour'"),
        (lambda: DiffAugment(policy=[]), "names none"),
        (lambda: ADA(target=2), "target"),
        (lambda: ADA(interval=0), "interval"),
        (lambda: InstanceNoise(deviation=0), "deviation"),
    ],
)
def test_wrong_settings_are_refused(make, message) -> None:
    with pytest.raises(UserError, match=message):
        make()
