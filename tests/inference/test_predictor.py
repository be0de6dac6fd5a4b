"""A network as a function of pictures: types, transparency, gray, sizes, textures, and memory that runs out."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from toolbox.inference import Options, Predictor
from toolbox.inference.picture import Picture
from toolbox.io.errors import UserError
from toolbox_plugins.cyclegan.generator import ResnetGenerator
from toolbox_plugins.srgan.srresnet import SRResNet

RNG = np.random.default_rng(0)
NOISE = RNG.integers(0, 256, (41, 67, 4), dtype=np.uint8)


class Twice(nn.Module):
    """Each pixel four times: what comes out is known by hand."""

    scale = 2

    def __init__(self, channels: int = 3) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 1)
        with torch.no_grad():
            self.conv.weight.copy_(torch.eye(channels)[..., None, None])
            nn.init.zeros_(self.conv.bias)  # pyright: ignore[reportArgumentType]

    def forward(self, images: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C, 2H, 2W)."""
        return self.conv(images).repeat_interleave(2, -1).repeat_interleave(2, -2)


def twice(array: np.ndarray) -> np.ndarray:
    return array.repeat(2, 0).repeat(2, 1)


@pytest.fixture(scope="module")
def srresnet() -> SRResNet:
    torch.manual_seed(0)
    return SRResNet(width=4, blocks=1, scale=2).eval()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("channels", [1, 3])
def test_pixels_keep_their_type_and_every_level(dtype: type, channels: int) -> None:
    array = (NOISE[..., :channels] / 255).astype(dtype) if dtype is np.float32 else NOISE[..., :channels].astype(dtype)
    array = array * 257 if dtype is np.uint16 else array
    made = Predictor(Twice())(array)
    assert made.dtype == dtype and np.allclose(made, twice(array), atol=1e-6 if dtype is np.float32 else 0)


def test_a_gray_array_without_a_channel_axis_comes_back_as_one() -> None:
    assert np.array_equal(Predictor(Twice())(NOISE[..., 0]), twice(NOISE[..., 0]))
    assert np.array_equal(Predictor(Twice(1))(NOISE[..., 0]), twice(NOISE[..., 0]))


@pytest.mark.parametrize("tile", [0, 32])
def test_many_channels_pass_a_network_of_as_many(tile: int) -> None:
    array = RNG.integers(0, 65536, (40, 50, 8), dtype=np.uint16)
    assert np.array_equal(Predictor(Twice(8), options=Options(tile=tile))(array), twice(array))
    with pytest.raises(UserError, match="the picture has 8 channels, and the network takes 3"):
        Predictor(Twice())(array)
    with pytest.raises(UserError, match="the picture has 3 channels, and the network takes 1"):
        Predictor(Twice(1))(array[..., :3])


@pytest.mark.parametrize("channels", [2, 4])
@pytest.mark.parametrize("alpha", ["network", "resize", "drop"])
def test_transparency_goes_through_the_network_or_is_resized_or_dropped(alpha: str, channels: int) -> None:
    array = NOISE[..., :channels].clip(1)  # all of it seen
    (made,) = Predictor(Twice(), options=Options(alpha=alpha)).translate([Picture(array, alpha=True)])
    assert np.array_equal(made.array[..., : channels - 1], twice(array[..., :-1]))
    assert made.alpha == (alpha != "drop") and made.array.shape[2] == channels - (alpha == "drop")
    if alpha == "network":
        assert np.array_equal(made.array[..., -1], twice(array[..., -1]))
    if alpha == "resize":
        assert made.array[..., -1].shape == (82, 134) and not np.array_equal(made.array[..., -1], twice(array[..., -1]))


def test_opaque_stays_opaque_when_resized() -> None:
    array = NOISE.copy()
    array[..., 3] = 255
    (made,) = Predictor(Twice(), options=Options(alpha="resize", outscale=1.5)).translate([Picture(array, alpha=True)])
    assert made.array.shape == (62, 100, 4) and made.array[..., 3].min() == 255


@pytest.mark.parametrize("size", [(213, 321), (131, 67), (33, 201)], ids=str)
def test_tiles_give_the_whole_pictures_levels(srresnet: SRResNet, size: tuple[int, int]) -> None:
    array = RNG.random((*size, 3), dtype=np.float32)
    whole = Predictor(srresnet, options=Options(tile=0))(array)
    tiles = Predictor(srresnet, options=Options(tile=64))(array)
    difference = np.abs(whole - tiles)
    assert difference.max() < 1e-5
    for border in (difference[0], difference[-1], difference[:, 0], difference[:, -1]):
        assert border.max() < 1e-5
    assert whole[0].mean() > 0.01 and whole[:, -1].mean() > 0.01, "no dark border"


def test_a_style_network_with_instance_norm_is_blended_with_a_note_or_computed_whole() -> None:
    network, notes = ResnetGenerator(width=4, blocks=1).eval(), []
    predictor = Predictor(network, options=Options(tile=48), note=notes.append)
    array = NOISE[..., :3].repeat(3, 0).repeat(3, 1)
    made = predictor(array), predictor(array)
    assert made[0].shape == array.shape and np.array_equal(*made)
    assert len(notes) == 1 and "--tile 0" in notes[0]
    Predictor(network, note=notes.append)(array)
    assert len(notes) == 1, "memory suffices: auto computes such a network whole"


def test_where_memory_runs_out_tiles_are_halved_and_the_result_is_the_same(srresnet: SRResNet) -> None:
    class Small(nn.Module):
        scale = 2

        def __init__(self) -> None:
            super().__init__()
            self.inner, self.sizes = srresnet, []

        def forward(self, images: Tensor) -> Tensor:
            self.sizes.append(max(images.shape[-2:]))
            if images.shape[-1] > 80:
                raise RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: not enough memory")
            return self.inner(images)

    network, notes = Small(), []
    array = RNG.integers(0, 256, (150, 170, 3), dtype=np.uint8)
    predictor = Predictor(network, note=notes.append)
    made = predictor(array)
    assert np.abs(made.astype(int) - Predictor(srresnet)(array)).max() <= 1
    assert predictor.tile == 42 and notes == ["memory ran out; going on in tiles of 42"]
    network.sizes.clear()
    predictor(array)
    assert max(network.sizes) <= 80, "the next picture begins with the tile that went well"
    with pytest.raises(RuntimeError, match="not enough memory"):
        Predictor(network, options=Options(tile=0))(array)


def test_wrapping_makes_a_rolled_texture_come_out_rolled(srresnet: SRResNet) -> None:
    array = RNG.random((40, 56, 3), dtype=np.float32)
    for tile in (0, 32):
        predictor = Predictor(srresnet, options=Options(tileable=True, tile=tile))
        rolled = predictor(np.roll(array, (11, 23), (0, 1)))
        assert np.abs(np.roll(predictor(array), (22, 46), (0, 1)) - rolled).max() < 1e-5
    plain = Predictor(srresnet)
    assert np.abs(np.roll(plain(array), (22, 46), (0, 1)) - plain(np.roll(array, (11, 23), (0, 1)))).max() > 1e-3


def test_a_texture_smaller_than_the_reach_is_wrapped_more_than_once(srresnet: SRResNet) -> None:
    array = RNG.random((3, 2, 3), dtype=np.float32)
    predictor = Predictor(srresnet, options=Options(tileable=True))
    many = predictor(np.tile(array, (9, 9, 1)))
    assert np.abs(np.tile(predictor(array), (9, 9, 1)) - many).max() < 1e-5


@pytest.mark.parametrize(("outscale", "size"), [(3.5, (144, 234)), (1.0, (41, 67)), (0.5, (20, 34)), (2.0, (82, 134))])
def test_any_size_can_be_asked_for(outscale: float, size: tuple[int, int]) -> None:
    for dtype in (np.uint8, np.uint16, np.float32):
        flat = np.full((41, 67, 3), 1 if dtype is np.float32 else 200, dtype)
        made = Predictor(Twice(), options=Options(outscale=outscale))(flat)
        assert made.shape == (*size, 3) and made.dtype == dtype
        assert np.allclose(made, flat[0, 0, 0], atol=1e-6 if dtype is np.float32 else 0)


def test_pictures_of_one_size_are_one_batch_and_give_what_each_gives_alone(srresnet: SRResNet) -> None:
    predictor = Predictor(srresnet, options=Options(tile=32))
    pictures = [Picture(RNG.integers(0, 256, (50, 40, 4), dtype=np.uint8), alpha=True) for _ in range(3)]
    heard: list[float] = []
    together = predictor.translate(pictures, done=heard.append)
    assert heard[-1] == 1 and len(heard) == 4
    for picture, made in zip(pictures, together, strict=True):
        (alone,) = predictor.translate([picture])
        assert np.abs(made.array.astype(int) - alone.array).max() <= 1


def test_bfloat16_is_near_float32_and_fp16_is_for_gpus(srresnet: SRResNet) -> None:
    array = NOISE[..., :3]
    full = Predictor(srresnet)(array).astype(int)
    short = Predictor(srresnet, options=Options(precision="bf16"))(array)
    assert 0 < np.abs(full - short).max() <= 8
    with pytest.raises(UserError, match="--precision fp16: is for GPUs"):
        Predictor(srresnet, options=Options(precision="fp16"))


def test_nan_is_an_error_and_no_black_picture() -> None:
    network = Twice()
    with torch.no_grad():
        network.conv.weight[0, 0] = torch.nan
    for options in (Options(), Options(tile=32)):
        with pytest.raises(ValueError, match="holds NaN"):
            Predictor(network, options=options, note=str)(NOISE[..., :3])


def test_the_value_that_is_white_can_be_named() -> None:
    class Inverted(Twice):
        def forward(self, images: Tensor) -> Tensor:
            return 1 - super().forward(images)

    array = np.array([0, 1000, 4095], np.uint16).reshape(1, 3, 1)
    made = Predictor(Inverted(), options=Options(white=4095))(array)
    assert made[0, ::2, 0].tolist() == [4095, 3095, 0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tile": 8}, r"--tile 8: must be 0 \(never\), auto, or 32"),
        ({"overlap": -1}, "--tile-overlap -1"),
        ({"precision": "bf61"}, "did you mean 'bf16'"),
        ({"alpha": "networks"}, "did you mean 'network'"),
        ({"outscale": 0.0}, "--outscale 0"),
        ({"white": -1.0}, "--white -1"),
    ],
)
def test_an_impossible_option_is_refused_in_one_line(options: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        Options(**options)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (3, 3), (9, 2)], ids=str)
def test_a_picture_too_small_for_a_network_is_continued_and_cut_back(size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    predictor = Predictor(ResnetGenerator(width=8, blocks=1).eval())
    array = np.full((*size, 3), 99, np.uint8)
    made = predictor(array)
    assert made.shape == (*size, 3)
    whole = predictor(np.full((max(24, size[0]), max(24, size[1]), 3), 99, np.uint8))
    assert np.abs(made.astype(int) - whole[: size[0], : size[1]]).max() <= 1


def test_inference_is_there_after_the_toolbox_alone_is_imported() -> None:
    code = "import toolbox; assert callable(toolbox.inference.load)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0
