"""What a discriminator's images go through: shapes, per-sample draws, gradients of gradients, adapting, resuming."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.model import MMSeparateDistributedDataParallel
from torch import Tensor, nn

from matrix import algorithm_class
from toolbox.contracts.augmentation import Augmentation
from toolbox.io.errors import UserError
from toolbox.testing import assemble, batch_for, optimizers_for
from toolbox.testing.networks import TinyGenerator
from toolbox.testing.training import check_augmentation
from toolbox.weights.spectral_norm import normalize_spectrally
from toolbox_plugins.augmentations.ada import ADA
from toolbox_plugins.augmentations.diff_augment import DiffAugment, color, cutout, translation
from toolbox_plugins.augmentations.geometry import affine, mirrored, sample_bilinear
from toolbox_plugins.augmentations.noise import InstanceNoise
from toolbox_plugins.gan_variants.hinge import Hinge
from toolbox_plugins.regularizers.slope import R1
from two_ranks import on_two_ranks

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
    term = R1()(
        lambda images: [critic(augmentation(images)).tanh()], torch.rand(2, 3, 16, 16), torch.rand(2, 3, 16, 16)
    )
    term.backward()
    assert critic.weight.grad is not None and critic.weight.grad.abs().sum() > 0


@pytest.mark.parametrize("augmentation", EVERY, ids=lambda each: type(each).__name__)
def test_first_and_second_gradients_are_right(augmentation: Augmentation) -> None:
    critic = nn.Conv2d(2, 1, 3).double()
    images = torch.rand(2, 2, 4, 4, dtype=torch.float64, requires_grad=True)

    def answer(images: Tensor) -> Tensor:
        torch.manual_seed(3)  # the same draws in every call
        return critic(augmentation(images)).tanh()

    assert torch.autograd.gradcheck(answer, images)
    assert torch.autograd.gradgradcheck(answer, images)


@pytest.mark.parametrize("augmentation", EVERY, ids=lambda each: type(each).__name__)
def test_autocast_changes_nothing(augmentation: Augmentation) -> None:
    images = torch.rand(2, 3, 32, 32)
    torch.manual_seed(1)
    plain = augmentation(images)
    torch.manual_seed(1)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(augmentation(images), plain) and plain.dtype == torch.float32


@pytest.mark.parametrize("channels", [1, 3, 6])
@pytest.mark.parametrize("augmentation", EVERY, ids=lambda each: type(each).__name__)
def test_images_of_any_channels_and_sides_keep_their_shape(augmentation: Augmentation, channels: int) -> None:
    assert augmentation(torch.rand(2, channels, 9, 14)).shape == (2, channels, 9, 14)


@pytest.mark.parametrize(
    "make", [lambda: DiffAugment(policy=["color", "translation", "cutout"]), lambda: ADA(start=1.0, color=True)]
)
def test_the_frames_of_a_clip_are_changed_alike_and_clips_each_in_its_own_way(make) -> None:
    augmentation, still = make(), torch.rand(1, 1, 3, 16, 16)
    changed = augmentation(still.expand(4, 5, 3, 16, 16))
    assert changed.shape == (4, 5, 3, 16, 16)
    assert torch.allclose(changed, changed[:, :1].expand_as(changed), atol=1e-5)
    assert all(not torch.allclose(changed[0, 0], other[0], atol=1e-2) for other in changed[1:])


@pytest.mark.parametrize("make", [DiffAugment, lambda: ADA(start=1.0)])
def test_a_clip_of_one_frame_is_changed_as_its_picture_is(make) -> None:
    pictures = torch.rand(3, 3, 16, 16)
    results = []
    for images in (pictures, pictures[:, None]):
        torch.manual_seed(0)
        results.append(make()(images))
    assert torch.equal(results[0], results[1][:, 0])


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


def test_translation_moves_by_whole_pixels_and_lets_gray_in() -> None:
    torch.manual_seed(1)
    image = 1 + torch.arange(64.0).view(1, 1, 8, 8)
    found = set()
    for moved in translation(image.expand(64, -1, -1, -1))[:, 0]:
        down, right = next(
            (d, r) for d in (-1, 0, 1) for r in (-1, 0, 1) if torch.equal(moved, shifted(image[0, 0], d, r))
        )
        found.add((down, right))
    assert len(found) == 9


def shifted(image: Tensor, down: int, right: int) -> Tensor:
    out = torch.full_like(image, 0.5)
    for y in range(8):
        for x in range(8):
            if 0 <= y + down < 8 and 0 <= x + right < 8:
                out[y, x] = image[y + down, x + right]
    return out


def test_cutout_cuts_a_square_of_half_the_sides() -> None:
    torch.manual_seed(0)
    holes = (cutout(torch.ones(200, 1, 8, 8)) == 0.5)[:, 0]
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


def test_adas_aspect_keeps_the_area_and_its_turns_add_up_to_p(monkeypatch: pytest.MonkeyPatch) -> None:
    images = torch.rand(4000, 1, 8, 8)
    areas = torch.linalg.det(ADA(start=1.0).matrices(images)[:, :, :2]).log2()
    assert float(areas.std()) == pytest.approx(0.4, rel=0.05)  # of the scale alone, squared: 2 * 0.2
    monkeypatch.setattr(ADA, "normal", lambda self, images: torch.zeros(len(images)))
    turned = ADA(start=0.36).matrices(images)[:, 0, 0] != 1
    assert float(turned.float().mean()) == pytest.approx(0.36, abs=0.03)


def test_adas_pixel_moves_only_rearrange_an_image() -> None:
    ada = ADA(start=1.0)
    image = torch.arange(36.0).view(1, 1, 6, 6).expand(200, -1, -1, -1)
    ada_still = [each for each in ada.move_pixels(image)[:, 0] if each.unique().numel() == 36]
    turns = [torch.rot90(image[0, 0], k) for k in range(4)]
    group = [each for turn in turns for each in (turn, turn.flip(1))]
    assert ada_still and all(any(torch.equal(each, one) for one in group) for each in ada_still)
    assert all(any(torch.equal(each, one) for each in ada_still) for one in group), "all eight moves occur"


def test_a_third_of_a_turn_of_hue_permutes_the_channels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ADA, "normal", lambda self, images: torch.zeros(len(images)))
    monkeypatch.setattr(ADA, "angle", lambda self, images, p=None: torch.full((len(images),), 2 * math.pi / 3))
    red = torch.tensor([1.0, 0.0, 0.0]).view(1, 3, 1, 1)
    assert torch.allclose(ADA(color=True).change_colors(red).flatten(), torch.tensor([0.0, 1.0, 0.0]), atol=1e-6)


def test_inverted_luma_keeps_what_is_no_gray(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ADA, "normal", lambda self, images: torch.zeros(len(images)))
    monkeypatch.setattr(ADA, "angle", lambda self, images, p=None: torch.zeros(len(images)))
    pixel = torch.tensor([0.3, 0.2, 0.1]).view(1, 3, 1, 1).expand(50, -1, -1, -1)
    found = {
        tuple(round(v, 4) for v in each.flatten().tolist()) for each in ADA(start=1.0, color=True).change_colors(pixel)
    }
    assert found == {(0.3, 0.2, 0.1), (0.9, 0.8, 0.7)}  # the mean 0.2 becomes 0.8


@pytest.mark.parametrize(("logit", "moved"), [(3.0, 0.2), (-3.0, 0.0), (0.0, 0.0)])
def test_p_rises_in_training_where_real_images_are_known_and_falls_else(logit: float, moved: float) -> None:
    class Sure(nn.Module):
        """Answers one logit for everything: one that has learnt its images by heart, or one that knows nothing."""

        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.zeros(()))

        def forward(self, images: Tensor) -> list[Tensor]:
            return [images.mean((1, 2, 3)).view(-1, 1, 1, 1) * self.scale * 0 + logit]

    model = assemble(
        algorithm_class("SRGAN"), lambda: with_ada(interval=2, images=20, start=0.1), networks={"discriminator": Sure()}
    )
    optimizers = optimizers_for(model)
    for step in range(2):
        model.train_step(batch_for(model, seed=step), optimizers)
    ada: Any = model.variants["discriminator"].augmentations[0]  # type: ignore[union-attr, index]
    assert float(ada.p) == pytest.approx(0.1 + 0.2 if moved else 0.0)


def with_ada(**settings: Any) -> Hinge:
    variant = Hinge()
    variant.augmentations.append(ADA(**settings))
    return variant


def train_on_rank(folder: Path, rank: int) -> dict[str, Any]:
    """Train a normalised generator against a discriminator with ADA on this rank's own data."""

    def bounded(scale: int) -> nn.Module:
        network = TinyGenerator(scale=scale)
        normalize_spectrally(network)
        return network

    ada = lambda: with_ada(interval=3, images=100, start=0.3)  # noqa: E731
    model = assemble(algorithm_class("SRGAN"), ada, generator=bounded, ema=0.9)
    wrapped, optimizers = MMSeparateDistributedDataParallel(model, device_ids=None), optimizers_for(model)
    torch.manual_seed(rank)
    for step in range(8):
        wrapped.train_step(batch_for(model, seed=10 * step + rank), optimizers)
    lone = ADA(interval=1, images=100, start=0.5)
    lone.observe([torch.full((5, 1), 1.0 if rank else -1.0)])  # on average below the target, on one rank above
    state = {key: value for key, value in model.state_dict().items() if isinstance(value, Tensor)}
    return {"state": state, "p": lone.p}


def test_two_ranks_agree_on_p_and_on_normalised_networks_and_their_averages(tmp_path: Path) -> None:
    first, second = on_two_ranks(train_on_rank, tmp_path)
    assert float(first["p"]) == float(second["p"]) == pytest.approx(0.4)  # 10 of 100 images
    state = first["state"]
    assert any("_ema" in key and key.endswith("_u") for key in state)
    assert [float(value) for key, value in state.items() if key.endswith("augmentations.0.p")] != [pytest.approx(0.3)]
    apart = [key for key in state if not torch.equal(state[key], second["state"][key])]
    assert all(key.endswith(".signs") for key in apart), "of a begun interval, each rank has counted its own"


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
