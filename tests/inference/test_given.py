"""What Python callers give: arrays of any type, Pillow images of any mode, tensors, and what is none of these."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from toolbox.inference import Options, Predictor, load
from toolbox.io.errors import UserError

NOISE = np.random.default_rng(0).integers(0, 256, (7, 5, 4), dtype=np.uint8)
TRUTH = NOISE[..., 0] > 128


class Same(nn.Module):
    """Images as they are."""

    keeps_colors = True

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 1)

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) to the same."""
        return images + 0 * self.conv(images)


@pytest.fixture(scope="module")
def same() -> Predictor:
    return Predictor(Same(), note=lambda line: None)


@pytest.mark.parametrize("kind", [np.float16, np.float64, ">f4", np.longdouble])
def test_floats_of_any_width_come_back_as_float32(same: Predictor, kind: str | type) -> None:
    given = (NOISE[..., :3] / np.float32(255)).astype(kind)
    made = same(given)
    assert made.dtype == np.float32 and np.allclose(made, given.astype(np.float32), atol=1e-6)


def test_truth_values_are_black_and_white_and_the_order_of_bytes_is_no_other_type(same: Predictor) -> None:
    assert np.array_equal(same(TRUTH), TRUTH * np.uint8(255))
    deep = NOISE[..., :3].astype(np.uint16) * 257
    assert np.array_equal(same(deep.astype(">u2")), deep)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (NOISE.astype(np.int64), r"an array of int64 does not say what is white; give uint8 \(255\)"),
        (NOISE.astype(object), "an array of object does not say what is white"),
        (NOISE.astype(np.complex64), "an array of complex64 does not say what is white"),
        (NOISE[:0], r"\(0, 5, 4\): holds no pixel"),
        (NOISE[0, 0], r"one at a time; got an array of \(4,\)"),
        (NOISE[None], r"one at a time; got an array of \(1, 7, 5, 4\)"),
        (NOISE, "has 4 channels, and the network takes 3; write alpha=True if the last is transparency"),
        (NOISE[..., :2], "has 2 channels, and the network takes 3; write alpha=True"),
        (NOISE[..., :3].transpose(2, 0, 1), r"has 5 channels, and the network takes 3; the layout is \(H, W, C\)"),
        (NOISE.tolist(), "got list"),
        ("photo.jpg", r"got str; read_image\(path\) reads a file"),
        (Path("photo.jpg"), r"; read_image\(path\) reads a file"),
        (None, "got NoneType"),
        (np.ma.masked_array(NOISE[..., 0], TRUTH), "would lose its mask"),
        (torch.zeros(0, 3, 4, 4), "holds no pixel"),
        (torch.zeros(3, 4, 4, device="meta"), "holds no data"),
        (torch.zeros(3, 4, 4).to_sparse(), "holds its data as torch.sparse_coo"),
        (torch.zeros(9, 8, 3), r"the network takes 3; the layout is \(C, H, W\)"),
        (torch.zeros(4, 9, 8), "write alpha=True"),
        (Image.new("RGB", (0, 3)), "0x3 holds no pixel"),
        (Image.new("I", (3, 3)), "of mode I would be cut to 8 bits"),
    ],
)
def test_what_is_no_picture_is_refused_in_one_line(same: Predictor, given: object, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        same(given)  # pyright: ignore[reportArgumentType]
    assert "\n" not in str(caught.value)


def test_transparency_of_arrays_and_tensors_is_kept_where_the_caller_names_it(same: Predictor) -> None:
    opaque = NOISE.copy()
    opaque[..., 3] = 255
    assert np.array_equal(same(opaque, alpha=True), opaque)
    tensor = torch.from_numpy(opaque / np.float32(255)).permute(2, 0, 1)
    assert torch.allclose(same(tensor, alpha=True), tensor, atol=1e-6)
    with pytest.raises(UserError, match=r"alpha=True: .* has one channel, which is all transparency"):
        same(NOISE[..., 0], alpha=True)


@pytest.mark.parametrize(
    ("mode", "made"),
    [
        ("1", "L"), ("L", "L"), ("LA", "LA"), ("La", "LA"), ("P", "RGB"), ("PA", "RGBA"), ("RGB", "RGB"),
        ("RGBA", "RGBA"), ("RGBa", "RGBA"), ("RGBX", "RGB"), ("CMYK", "RGB"), ("YCbCr", "RGB"), ("HSV", "RGB"),
    ],
)  # fmt: skip
def test_gray_stays_gray_and_clear_stays_clear_in_every_mode(same: Predictor, mode: str, made: str) -> None:
    by_way_of = {"PA": "P", "La": "LA", "RGBa": "RGBA"}.get(mode, "RGB")
    image = Image.fromarray(NOISE[..., :3]).convert(by_way_of).convert(mode)
    result = same(image)
    assert result.mode == made and result.size == image.size


def test_a_colour_that_is_transparent_stays_so(same: Predictor) -> None:
    image = Image.new("L", (4, 4), 9)
    image.putpixel((0, 0), 200)
    image.info["transparency"] = 200
    assert [same(image).getpixel(at) for at in ((0, 0), (1, 1))] == [(9, 0), (9, 255)]


def test_an_image_of_a_camera_on_its_side_comes_back_upright_with_its_profile(same: Predictor, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter
    stored = Image.fromarray(NOISE[..., :3])
    stored.save(tmp_path / "side.png", exif=exif, icc_profile=b"a profile", dpi=(72, 72))
    opened = Image.open(tmp_path / "side.png")
    for _ in range(2):  # what was given is not changed
        made = same(opened)
        assert np.array_equal(np.asarray(made), np.rot90(NOISE[..., :3], 3))
        assert made.getexif()[0x0112] == 1 and made.info["icc_profile"] == b"a profile"


def test_an_image_of_few_colours_keeps_them_as_a_file_does(same: Predictor) -> None:
    image = Image.fromarray(NOISE[..., :3]).quantize(4)
    assert len(same(image).getcolors()) == 4  # pyright: ignore[reportArgumentType]


def test_an_image_that_is_cut_short_is_one_line(same: Predictor, tmp_path: Path) -> None:
    Image.fromarray(NOISE.repeat(20, 0).repeat(20, 1)[..., :3]).save(tmp_path / "cut.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "cut.png").read_bytes()[:-60])
    with Image.open(tmp_path / "cut.png") as cut, pytest.raises(UserError, match="the Pillow image cannot be read"):
        same(cut)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"weights": 5}, "weights and checkpoint are paths, got int"),
        ({"weights": "enlarge-x4", "checkpoint": "x.pth"}, "weights stand alone"),
        ({"config": {"model": {}}, "checkpoint": "x.pth"}, "config is a file, or of load_config, got dict"),
        ({"config": "nowhere.yaml", "checkpoint": "x.pth"}, "nowhere.yaml"),
        ({"weights": "painter-x4", "chosen": "van-gogh"}, "chosen is a mapping"),
        ({"weights": "enlarge-x4", "options": {"tile": 64}}, r"options are toolbox.inference.Options\(tile=512\)"),
        ({"weights": "enlarge-x4", "blended": ("enlarge-x4", 2)}, "the share from 0 to 1"),
        ({"weights": "enlarge-x4", "blended": ("enlarge-x4", float("nan"))}, "the share from 0 to 1"),
        ({"weights": "enlarge-x4", "blended": "enlarge-x4"}, r"blended is \(FILE, share\)"),
        ({"weights": "enlarge-x4", "device": "cudaa"}, "--device cudaa: cannot be used here"),
        ({"weights": "enlarge-x4", "device": None}, "--device None: cannot be used here"),
        ({"weights": "painter-x4", "chosen": {"style": torch.zeros(1, 3, 8, 8)}}, r"a tensor holds shares \(1, 4\)"),
    ],
)
def test_what_load_is_given_wrongly_is_one_line(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        load(**arguments)  # pyright: ignore[reportArgumentType]


def test_a_condition_that_is_none_is_not_chosen() -> None:
    picture = NOISE[..., :3]
    chosen = load("painter-x4", chosen={"style": "van-gogh", "strength": None})(picture)
    assert np.array_equal(chosen, load("painter-x4", chosen={"style": "van-gogh"})(picture))


@pytest.mark.parametrize(
    "options", [{"tile": "auto"}, {"tile": 32.5}, {"outscale": "2"}, {"nodata": "x"}, {"grid": 2.5}, {"backend": None}]
)
def test_an_option_of_another_type_is_named(options: dict[str, object]) -> None:
    with pytest.raises(UserError, match=f"Options: {next(iter(options))} wants "):
        Options(**options)  # pyright: ignore[reportArgumentType]
