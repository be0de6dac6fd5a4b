"""What a picture may be given as in Python: an array, a Pillow image or a tensor; the result is of the same kind."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from toolbox.inference.exif import dpi_of, exif_of, upright
from toolbox.inference.levels import LEVELS
from toolbox.inference.modes import palette_of, plain_pixels
from toolbox.inference.picture import Picture
from toolbox.io.errors import UserError

Translate = Callable[[Picture], Picture]


def array_through(given: object, translate: Translate, *, alpha: bool, channels: int) -> np.ndarray:
    """Pixels (H, W) or (H, W, C), of a network of `channels`. Truth values are black and white of 8 bits.

    Floats of another width become float32.

    Raises:
        UserError: it is no array, has another shape or no pixel, or a type that does not say which value is white.
    """
    array = _levels(_array(given))
    if array.ndim not in (2, 3):
        raise UserError(f"a picture is (H, W) or (H, W, C), one at a time; got an array of {array.shape}")
    gray = array.ndim == 2
    array = array[..., None] if gray else array
    _check_shape(array.shape, array.shape[2], alpha=alpha, channels=channels, layout="(H, W, C)")
    made = translate(Picture(array, alpha=alpha)).array
    return made[..., 0] if gray and made.shape[2] == 1 else made


def image_through(image: Image.Image, translate: Translate) -> Image.Image:
    """A Pillow image as `infer` takes its file: upright by its EXIF, its few colours, profile and resolution kept.

    It comes back as L, LA, RGB or RGBA.

    Raises:
        UserError: it has more than 8 bits, which Pillow would cut off; or no pixel; or its file is damaged.
    """
    if image.mode.startswith("I") or image.mode == "F":
        raise UserError(f"a Pillow image of mode {image.mode} would be cut to 8 bits; give its array, of uint16, or of "
                        "float32 in [0, 1]")  # fmt: skip
    if not (image.width and image.height):
        raise UserError(f"a Pillow image of {image.width}x{image.height} holds no pixel")
    try:
        image = image.copy()  # what is read of EXIF is changed in place
    except (OSError, SyntaxError, ValueError) as error:
        raise UserError(f"the Pillow image cannot be read ({error}); replace its file") from None
    exif, orientation = exif_of(image)
    array, alpha, kept, _ = plain_pixels(image)
    made = translate(Picture(
        array=upright(array, orientation), alpha=alpha, icc_profile=image.info.get("icc_profile") if kept else None,
        exif=exif, dpi=dpi_of(image.info.get("dpi"), orientation), palette=palette_of(image),
    ))  # fmt: skip
    result = Image.fromarray(made.array[..., 0] if made.array.shape[2] == 1 else made.array)
    said = {"icc_profile": made.icc_profile, "exif": made.exif, "dpi": made.dpi}
    result.info.update({name: value for name, value in said.items() if value})
    return result


def tensor_through(images: Tensor, translate: Translate, *, alpha: bool, channels: int) -> Tensor:
    """Images (C, H, W) or (B, C, H, W) in [0, 1], each by itself; float32 on their own device comes back.

    Raises:
        UserError: they have another number of dimensions, no pixel or no data, or are no floats.
    """
    if images.dim() not in (3, 4) or not images.is_floating_point():
        raise UserError(f"a tensor of images is (C, H, W) or (B, C, H, W), floats in [0, 1]; got {tuple(images.shape)} "
                        f"of {images.dtype}")  # fmt: skip
    if images.layout != torch.strided or images.is_meta:
        held = "no data" if images.is_meta else f"its data as {images.layout}"
        raise UserError(f"a tensor of images is dense; this one holds {held}")
    every = images[None] if images.dim() == 3 else images
    _check_shape(tuple(images.shape), every.shape[1], alpha=alpha, channels=channels, layout="(C, H, W)")
    arrays = every.detach().float().cpu().permute(0, 2, 3, 1).contiguous().numpy()
    pictures = [translate(Picture(array, alpha=alpha)).array for array in arrays]
    made = torch.stack([torch.from_numpy(picture).permute(2, 0, 1) for picture in pictures])
    made = made.contiguous().to(images.device)
    return made[0] if images.dim() == 3 else made


def _array(given: object) -> np.ndarray:
    if not isinstance(given, np.ndarray):
        read = "; read_image(path) reads a file" if isinstance(given, str) or hasattr(given, "__fspath__") else ""
        raise UserError(f"a picture is an array, a Pillow image or a tensor; got {type(given).__name__}{read}")
    if isinstance(given, np.ma.MaskedArray):
        if np.ma.is_masked(given):
            raise UserError("a masked array would lose its mask; give floats with NaN there: array.filled(np.nan)")
        return given.data
    return given


def _levels(array: np.ndarray) -> np.ndarray:
    """The same pixels in a type of which it is known what is white."""
    if array.dtype.kind == "b":
        return array * np.uint8(255)
    if array.dtype.kind == "f":
        return array.astype(np.float32, copy=False)
    native = array.dtype.newbyteorder("=")
    if native not in LEVELS:
        raise UserError(f"an array of {array.dtype} does not say what is white; give uint8 (255), uint16 (65,535) or "
                        "float32 (1.0)")  # fmt: skip
    return array.astype(native, copy=False)


def _check_shape(shape: tuple[int, ...], has: int, *, alpha: bool, channels: int, layout: str) -> None:
    """Raises UserError for no pixel, and for channels that only look like a mistake of the caller's."""
    if 0 in shape:
        raise UserError(f"{shape}: holds no pixel")
    if alpha and has < 2:
        raise UserError(f"alpha=True: {shape} has one channel, which is all transparency; give colours beside it")
    if alpha or has in (1, channels):
        return
    last = shape[-1] if layout == "(C, H, W)" else shape[0]
    if has in (2, 4) and has - 1 in (1, channels):
        way = "write alpha=True if the last is transparency"
        raise UserError(f"{shape} has {has} channels, and the network takes {channels}; {way}")
    if last in (1, 3, channels):
        raise UserError(f"{shape} has {has} channels, and the network takes {channels}; the layout is {layout}")
