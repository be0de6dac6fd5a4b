"""Blur kernels and filtering: published values, sums, symmetry, an independent filter, gradients."""

from __future__ import annotations

from math import pi

import cv2
import numpy as np
import pytest
import torch

from toolbox.io.errors import UserError
from toolbox_plugins.degradations.blur import Blur, DefocusBlur, MotionBlur, SincFilter
from toolbox_plugins.degradations.filtering import fast_length, filter_images
from toolbox_plugins.degradations.kernels import (
    disk_kernels,
    gaussian_kernels,
    generalized_gaussian_kernels,
    motion_kernels,
    plateau_kernels,
    sinc_kernels,
)
from toolbox_plugins.degradations.sharpen import Sharpen, usm_sharpen


def of(*values: float) -> torch.Tensor:
    return torch.tensor(values)


def test_the_published_codes_anisotropic_gaussian_comes_out() -> None:
    kernel = gaussian_kernels(of(2.0), of(0.5), of(pi / 4), sizes=of(7), width=7)[0]
    assert kernel[3, 3].item() == pytest.approx(0.162475, abs=1e-6)
    assert kernel[0, 0].item() == pytest.approx(0.017125, abs=1e-6)


def test_the_published_codes_sinc_comes_out() -> None:
    kernel = sinc_kernels(of(pi / 2), sizes=of(7), width=7)[0]
    assert kernel[3, 3].item() == pytest.approx(0.235759, abs=1e-6)
    assert kernel[0, 0].item() == pytest.approx(-0.007499, abs=1e-6)


def test_every_kernel_sums_to_1_is_symmetric_and_ends_at_its_size() -> None:
    x, y, theta, beta = of(0.2, 2.0, 3.0), of(0.2, 0.5, 3.0), of(0.0, 1.0, -2.0), of(0.5, 1.0, 4.0)
    sizes = of(7, 13, 21)
    made = [
        gaussian_kernels(x, y, theta, sizes=sizes, width=21),
        generalized_gaussian_kernels(x, y, theta, beta, sizes=sizes, width=21),
        plateau_kernels(x, y, theta, beta, sizes=sizes, width=21),
        sinc_kernels(of(1.1, 2.0, 3.1), sizes=sizes, width=21),
    ]
    for kernels in made:
        assert kernels.shape == (3, 21, 21) and torch.isfinite(kernels).all()
        assert kernels.sum((1, 2)).numpy() == pytest.approx(1.0, abs=1e-5)
        assert torch.allclose(kernels, kernels.flip(1, 2), atol=1e-7)
        assert kernels[0, :7].abs().max() == 0 and kernels[1, 3].abs().max() == 0


def test_a_generalised_gaussian_with_beta_1_is_the_gaussian() -> None:
    shape = (of(2.0), of(1.0), of(0.4))
    general = generalized_gaussian_kernels(*shape, of(1.0), sizes=of(15), width=15)
    assert torch.allclose(general, gaussian_kernels(*shape, sizes=of(15), width=15))


def test_a_spread_of_nothing_is_a_delta() -> None:
    kernel = gaussian_kernels(of(0.0), of(0.0), of(0.0), sizes=of(7), width=7)[0]
    assert kernel[3, 3] == 1 and kernel.sum() == 1


def test_out_of_focus_is_a_round_disk_and_motion_a_line_at_its_angle() -> None:
    disk = disk_kernels(of(3.0), width=9)[0]
    assert torch.allclose(disk, disk.T) and disk[4, 1] > 0 and disk[1, 1] == 0
    line = motion_kernels(of(5.0), of(0.0), width=9)[0]
    assert torch.allclose(line[4, 2:7], torch.full((5,), 0.2)) and line[3].sum() == 0
    assert torch.allclose(motion_kernels(of(5.0), of(pi / 2), width=9)[0], line.T, atol=1e-6)


@pytest.mark.parametrize("size", [(40, 33), (7, 12), (1, 5)])
def test_filtering_is_opencvs_with_mirrored_borders_however_small_the_image(size: tuple[int, int]) -> None:
    images, kernels = torch.rand(2, 3, *size), torch.rand(2, 21, 21)
    kernels /= kernels.sum((1, 2), keepdim=True)
    filtered = filter_images(images, kernels)
    for i in range(2):
        array = images[i].permute(1, 2, 0).numpy()
        reference = cv2.filter2D(array, -1, kernels[i].numpy(), borderType=cv2.BORDER_REFLECT_101)
        assert np.abs(filtered[i].permute(1, 2, 0).numpy() - reference).max() < 1e-5


def test_filtering_has_the_gradient_of_images_and_kernels() -> None:
    images = torch.rand(1, 1, 5, 6, dtype=torch.float64, requires_grad=True)
    kernels = torch.rand(1, 3, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(filter_images, (images, kernels))


def test_transforms_get_a_length_of_small_factors() -> None:
    assert [fast_length(n) for n in (7, 276, 288, 301)] == [8, 288, 288, 320]


def test_the_drawn_kernels_follow_the_published_recipe() -> None:
    blur = Blur()
    draws = blur.draw(20_000, torch.Generator().manual_seed(0))
    share = torch.bincount(draws["family"], minlength=4) / 20_000
    assert share.numpy() == pytest.approx([0.9 * 0.70, 0.9 * 0.15, 0.9 * 0.15, 0.1], abs=0.01)
    isotropic = draws["sigma_x"] == draws["sigma_y"]
    assert isotropic.float().mean().item() == pytest.approx(0.69, abs=0.01)
    assert set(draws["size"].tolist()) == {7, 9, 11, 13, 15, 17, 19, 21}
    small = draws["cutoff"][draws["size"] < 13]
    assert small.min() >= pi / 3 and draws["cutoff"].min() < pi / 4 and draws["cutoff"].max() <= pi + 1e-5
    plateau = draws["beta"][draws["family"] == 2]
    assert (plateau == 1).float().mean().item() == pytest.approx(0.5, abs=0.03)


def test_a_variance_is_the_square_of_a_spread() -> None:
    draws = Blur(sigma=(4.0, 4.0), spread="variance").draw(3, torch.Generator())
    assert draws["sigma_x"].tolist() == [2.0] * 3


def usm_reference(image: np.ndarray) -> np.ndarray:
    """The published sharpening, with OpenCV."""
    blurred = cv2.GaussianBlur(image, (51, 51), 0)
    residual = image - blurred
    mask = cv2.GaussianBlur((np.abs(residual) * 255 > 10).astype(np.float32), (51, 51), 0)
    return mask * np.clip(image + 0.5 * residual, 0, 1) + (1 - mask) * image


def test_sharpening_is_real_esrgans_as_opencv_computes_it() -> None:
    image = np.random.default_rng(0).random((70, 64, 3)).astype(np.float32)
    image = cv2.GaussianBlur(image, (5, 5), 0)
    ours = usm_sharpen(torch.from_numpy(image).permute(2, 0, 1)[None])[0].permute(1, 2, 0).numpy()
    assert np.abs(ours - usm_reference(image)).max() < 2e-5


def test_a_flat_image_stays_as_it_is_under_every_filter() -> None:
    flat = torch.full((2, 3, 24, 24), 0.4)
    for stage in (Blur(), SincFilter(), DefocusBlur(), MotionBlur(), Sharpen()):
        assert torch.allclose(stage(flat, torch.Generator().manual_seed(0)), flat, atol=1e-5), stage


def test_impossible_arguments_are_refused() -> None:
    for wrong, words in (
        ({"sizes": [8, 21]}, "two odd numbers"),
        ({"shapes": [1.0]}, "shapes must be 6 numbers"),
        ({"sigma": [3, 1]}, "sigma must be"),
        ({"beta_gaussian": [2, 4]}, "from 1 or less to 1 or more"),
        ({"probability": 1.5}, "probability must be a probability"),
    ):
        with pytest.raises(UserError, match=words):
            Blur(**wrong)
    with pytest.raises(UserError, match="radius must be"):
        Sharpen(radius=1)
