"""JPEG: both codecs against Pillow, gradients, qualities per sample, sizes that are no multiple of a block."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image

from toolbox.config import find_config
from toolbox.io.errors import UserError
from toolbox.io.images import find_images, read_image
from toolbox.testing import check_degradation
from toolbox_plugins.degradations.jpeg import COSINES, jpeg, quality_tables
from toolbox_plugins.degradations.jpeg_stage import JPEG, libjpeg

PHOTO = read_image(find_images(find_config("demo/style.yaml").parent / "photos")[0])[20:269, 20:275]  # 249 x 255
IMAGES = torch.from_numpy(PHOTO.copy()).permute(2, 0, 1)[None].float() / 255


def pillow(array: np.ndarray, quality: int, subsampling: str) -> np.ndarray:
    """What Pillow makes of an array (H, W, 3), in 8-bit levels."""
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, "JPEG", quality=quality, subsampling=subsampling)
    return np.asarray(Image.open(buffer)).astype(np.float32)


def levels(images: torch.Tensor) -> np.ndarray:
    return (images[0].permute(1, 2, 0) * 255).numpy()


@pytest.mark.parametrize("subsampling", ["4:2:0", "4:4:4"])
@pytest.mark.parametrize("quality", [5, 30, 50, 75, 95, 100])
def test_the_codec_in_torch_is_pillows_within_a_seventh_of_a_level(quality: int, subsampling: str) -> None:
    ours = levels(jpeg(IMAGES, torch.tensor([quality]), subsampling=subsampling))
    assert np.abs(ours - pillow(PHOTO, quality, subsampling)).mean() < 0.15


@pytest.mark.parametrize("subsampling", ["4:2:0", "4:4:4"])
def test_the_real_codec_is_pillows(subsampling: str) -> None:
    ours = levels(libjpeg(IMAGES[0], 60, subsampling)[None])
    assert np.abs(ours - pillow(PHOTO, 60, subsampling)).mean() < 0.02


def test_gray_images_are_compressed_as_gray() -> None:
    gray, buffer = IMAGES[:, :1], io.BytesIO()
    Image.fromarray(PHOTO[..., 0]).save(buffer, "JPEG", quality=40)
    reference = np.asarray(Image.open(buffer)).astype(np.float32)
    for result in (jpeg(gray, torch.tensor([40])), libjpeg(gray[0], 40, "4:2:0")[None]):
        assert np.abs(levels(result)[..., 0] - reference).mean() < 0.15


def test_the_tables_are_libjpegs() -> None:
    tables = quality_tables(torch.tensor([50, 100, 10, 75]))
    assert tables[0, 0, 0].tolist() == [16, 11, 10, 16, 24, 40, 51, 61] and tables[1].max() == 1
    assert tables[2, 0, 0, 0] == 80 and tables[2, 1].max() == 255 and tables[3, 0, 0, 0] == 8


def test_the_cosine_transform_is_orthonormal() -> None:
    assert torch.allclose(
        torch.tensor(COSINES, dtype=torch.float64) @ torch.tensor(COSINES, dtype=torch.float64).T,
        torch.eye(8, dtype=torch.float64),
        atol=1e-12,
    )


def test_each_sample_has_its_own_quality() -> None:
    both = jpeg(IMAGES.repeat(2, 1, 1, 1), torch.tensor([10, 90]))
    for i, quality in enumerate((10, 90)):
        assert torch.equal(both[i : i + 1], jpeg(IMAGES, torch.tensor([quality])))


def test_the_cubic_rounding_has_the_gradient_of_its_values() -> None:
    images = torch.rand(1, 3, 9, 10, dtype=torch.float64, generator=torch.Generator().manual_seed(1)) * 0.6 + 0.2
    images.requires_grad_()
    # A cube of differences to whole numbers bends fast: small steps, and the jumps between them are avoided by chance.
    check = torch.autograd.gradcheck
    assert check(lambda x: jpeg(x, torch.tensor([80]), rounding="cubic").sum(), images, eps=1e-8, atol=1e-2, rtol=1e-2)


def test_the_gradient_passes_the_rounding_straight() -> None:
    images = IMAGES[..., :32, :32].clone().requires_grad_()
    jpeg(images, torch.tensor([90])).sum().backward()
    assert images.grad is not None and images.grad.mean().item() == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("codec", ["auto", "torch", "libjpeg"])
def test_the_stage_keeps_the_contract(codec: str) -> None:
    for channels in (1, 2, 3):
        check_degradation(JPEG(codec=codec), channels=channels)  # pyright: ignore[reportArgumentType]


def test_the_real_codec_serves_images_that_need_no_gradient_on_the_cpu() -> None:
    plain, wanted = [IMAGES[0]], [IMAGES[0].clone().requires_grad_()]
    assert JPEG().real(plain) and not JPEG().real(wanted) and not JPEG(codec="torch").real(plain)
    with torch.no_grad():
        assert JPEG().real(wanted)
    result = JPEG()(wanted[0][None], torch.Generator())
    assert result.requires_grad


def test_impossible_qualities_are_refused() -> None:
    with pytest.raises(UserError, match="quality must be"):
        JPEG(quality=(0, 95))
    with pytest.raises(UserError, match="codec: torch"):
        JPEG(codec="libjpeg", rounding="cubic")
