"""The anisotropic Kuwahara filter: its papers' formulas pixel by pixel, and what a painter wants of it."""

from __future__ import annotations

import numpy as np
import pytest

from toolbox import Images, UserError
from toolbox_plugins.transforms import kuwahara
from toolbox_plugins.transforms.kuwahara import KuwaharaFilter, abstracted


def filtered(image: np.ndarray, radius: float = 6.0) -> np.ndarray:
    return KuwaharaFilter(source="x", radius=radius)({"x": image}, np.random.default_rng(0))["x"]


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Random pixels over random patches, so that directions are clear in some places and not in others."""
    rng = np.random.default_rng(seed)
    patches = rng.integers(0, 200, (-(-height // 5), -(-width // 7), 3)).repeat(5, 0).repeat(7, 1)
    return (patches[:height, :width] + rng.integers(0, 56, (height, width, 3))).astype(np.uint8)


def continued(image: np.ndarray, margin: int) -> np.ndarray:
    """(H, W, C) with its mirror image on all sides, again and again where it is smaller than the margin."""
    return np.pad(image, ((margin, margin), (margin, margin), (0, 0)), mode="reflect")


def tensors(image: np.ndarray) -> np.ndarray:
    """The structure tensor (H, W, 2, 2) of an image in [0, 1]: Kyprianidis et al., 2009, section 3.1."""
    height, width = image.shape[:2]
    wide = continued(image, 1)
    slopes = np.zeros((2, height, width, 3))
    for step, share in ((-1, 0.183), (0, 1 - 2 * 0.183), (1, 0.183)):
        down, right = slice(1 + step, 1 + step + height), slice(1 + step, 1 + step + width)
        slopes[0] += share * (wide[down, 2:] - wide[down, :-2]) / 2
        slopes[1] += share * (wide[2:, right] - wide[:-2, right]) / 2
    products = np.einsum("ihwc,jhwc->hwij", slopes, slopes).reshape(height, width, 4)
    gauss = np.exp(-(np.arange(-6, 7) ** 2) / (2 * 2.0**2))
    window, wide = np.outer(gauss, gauss) / gauss.sum() ** 2, continued(products, 6)
    smooth = [[np.tensordot(window, wide[y : y + 13, x : x + 13], 2) for x in range(width)] for y in range(height)]
    return np.array(smooth).reshape(height, width, 2, 2)


def by_the_papers(image: np.ndarray, radius: float) -> np.ndarray:
    """An image (H, W, 3) uint8 to its abstraction in levels, pixel by pixel, each from all offsets around it."""
    colours = image / 255
    reach = int(np.ceil(2 * radius))
    wide, found = continued(colours, reach), np.zeros_like(colours)
    offsets = np.arange(-reach, reach + 1)
    down, right = (each.ravel() for each in np.meshgrid(offsets, offsets, indexing="ij"))
    zeta, gamma = 2 / radius, np.pi / 8
    eta = (zeta + np.cos(gamma)) / np.sin(gamma) ** 2
    for (y, x), tensor in zip(np.ndindex(image.shape[:2]), tensors(colours).reshape(-1, 2, 2), strict=True):
        (small, large), vectors = np.linalg.eigh(tensor)
        anisotropy = (large - small) / (large + small)
        along, across = vectors[:, 0], vectors[:, 1]  # of the smaller eigenvalue: where little changes
        u = (along[0] * right + along[1] * down) / (radius * (1 + anisotropy))
        v = (across[0] * right + across[1] * down) / (radius / (1 + anisotropy))
        inside = u**2 + v**2 <= 1
        u, v = u[inside], v[inside]
        pixels = wide[y + reach + down[inside], x + reach + right[inside]]  # (N, 3)
        weights = np.zeros((8, len(u)))
        for sector in range(8):
            turn = sector * np.pi / 4
            away, beside = np.cos(turn) * u + np.sin(turn) * v, np.cos(turn) * v - np.sin(turn) * u
            weights[sector] = np.maximum(0, away + zeta - eta * beside**2) ** 2
        weights *= np.exp(-3.125 * (u**2 + v**2)) / weights.sum(0)
        weights /= weights.sum(1, keepdims=True)
        means = weights @ pixels
        deviation = np.sqrt(np.maximum(0, (weights @ pixels**2 - means**2).sum(1)))
        shares = 1 / (1 + (255 * deviation) ** 8)
        found[y, x] = shares @ means / shares.sum()
    return found * 255


@pytest.mark.parametrize(("size", "radius"), [((20, 18), 3.0), ((27, 11), 1.5), ((10, 9), 6.0)], ids=str)
def test_it_computes_the_papers_formulas(size: tuple[int, int], radius: float) -> None:
    image = noise(*size)
    made, expected = filtered(image, radius), by_the_papers(image, radius)
    assert np.abs(made - expected).max() < 0.6, "half a level is rounded"
    assert np.abs(made.astype(int) - image).mean() > 1, "something was changed at all"


def test_a_plain_picture_stays_the_same() -> None:
    plain = np.full((18, 16, 3), (200, 3, 77), np.uint8)
    assert np.array_equal(filtered(plain, 4.0), plain)


@pytest.mark.parametrize("turned", [False, True])
def test_an_edge_stays_as_sharp_as_it_was(turned: bool) -> None:
    edge = np.zeros((20, 24, 3), np.uint8)
    edge[:, 11:] = 255
    edge = edge.transpose(1, 0, 2) if turned else edge
    assert np.abs(filtered(edge, 4.0).astype(int) - edge).max() <= 1


@pytest.mark.parametrize(("side", "left"), [(1, 0.08), (2, 0.35)])
def test_noise_finer_than_a_dab_loses_its_variance(side: int, left: float) -> None:
    grain = np.random.default_rng(0).integers(98, 158, (32 // side, 32 // side, 1)).repeat(side, 0).repeat(side, 1)
    grain = grain.repeat(3, 2).astype(np.uint8)
    assert filtered(grain).var() < left * grain.var()


def test_the_same_picture_gives_the_same_whatever_the_generator() -> None:
    image, made = noise(20, 20), []
    for seed in range(2):
        filter_ = KuwaharaFilter(source="x", radius=3)
        made.append(filter_({"x": image}, np.random.default_rng(seed))["x"])
    assert np.array_equal(*made)


def test_a_target_leaves_its_source_as_it_was() -> None:
    image = noise(16, 16)
    image.flags.writeable = False
    images: Images = {"x": image}
    made = KuwaharaFilter(source="x", target="y", radius=2)(images, np.random.default_rng(0))
    assert list(images) == ["x"] and made["x"] is image and np.array_equal(made["y"], filtered(image, 2))
    assert made["y"].dtype == np.uint8 and made["y"].flags["C_CONTIGUOUS"]
    assert KuwaharaFilter(source="x", target="y").sizes_after({"x": (9, 5)}) == {"x": (9, 5), "y": (9, 5)}


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (5, 3)], ids=str)
def test_pictures_smaller_than_the_surroundings_are_filtered(size: tuple[int, int]) -> None:
    image = noise(*size)
    made = filtered(image)
    assert made.shape == image.shape and image.min() <= made.min() <= made.max() <= image.max()


def test_strips_agree_with_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    image = np.random.default_rng(0).random((2 * kuwahara.ROWS + 5, 14, 3), np.float32)
    strips = abstracted(image, 2.0)
    monkeypatch.setattr(kuwahara, "ROWS", 1000)
    assert (strips - abstracted(image, 2.0)).abs().max() < 1e-5


@pytest.mark.parametrize("radius", [0.9, 33, float("nan")])
def test_a_radius_out_of_range_is_refused(radius: float) -> None:
    with pytest.raises(UserError, match="radius must be from 1 to 32 pixels"):
        KuwaharaFilter(source="x", radius=radius)


@pytest.mark.parametrize("shape", [(9, 9), (9, 9, 1), (9, 9, 4)], ids=str)
def test_images_without_three_channels_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(UserError, match="KuwaharaFilter: needs images of 3 channels"):
        filtered(np.zeros(shape, np.uint8))


@pytest.mark.parametrize("kind", [np.uint16, np.float32])
def test_images_of_more_than_8_bits_are_refused(kind: type) -> None:
    with pytest.raises(UserError, match="KuwaharaFilter: needs images of 8 bits"):
        filtered(np.zeros((9, 9, 3), kind))
