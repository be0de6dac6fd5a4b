"""Colours that are not RGB: CIE Lab and CMYK become sRGB, transparency that was multiplied in is divided out."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageCms

_D50 = np.array([0.9642, 1.0, 0.8249], np.float32)
"""The white of Lab in TIFF and in ICC profiles."""
_TO_SRGB = np.array(  # XYZ of D50 to linear sRGB, adapted by Bradford; Lindbloom, "RGB/XYZ Matrices"
    [[3.1338561, -1.6168667, -0.4906146], [-0.9787684, 1.9161415, 0.0334540], [0.0719453, -0.2289914, 1.4052427]],
    np.float32,
)


def lab_to_srgb(lab: np.ndarray) -> np.ndarray:
    """CIE L*a*b* of D50 (H, W, 3), L* in [0, 100], as sRGB in [0, 1]; what lies outside its gamut is clipped."""
    y = (lab[..., 0] + 16) / 116
    bent = np.stack([y + lab[..., 1] / 500, y, y - lab[..., 2] / 200], -1)  # (H, W, 3)
    xyz = np.where(bent > 6 / 29, bent**3, 3 * (6 / 29) ** 2 * (bent - 4 / 29)) * _D50
    linear = np.clip(xyz @ _TO_SRGB.T, 0, 1)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055).astype(np.float32)


def lab_of_tiff(array: np.ndarray, photometric: int) -> np.ndarray:
    """Stored samples (H, W, 3) of 8 or 16 bits as L*a*b*: CIELab (8; signed a*, b*) or ICCLab (9; offset by half).

    TIFF 6.0, section 23; Adobe Photoshop TIFF Technical Notes, "ICC L*a*b*".
    """
    wide = array.dtype == np.uint16
    if photometric == 9:
        light = array[..., :1].astype(np.float32) * (100 / (65_280 if wide else 255))
        rest = array[..., 1:].astype(np.float32) / (256 if wide else 1) - 128
    else:
        light = array[..., :1].astype(np.float32) * (100 / (65_535 if wide else 255))
        signed = np.ascontiguousarray(array[..., 1:]).view(np.int16 if wide else np.int8)
        rest = signed.astype(np.float32) / (256 if wide else 1)
    return np.concatenate([light, rest], axis=2)


def cmyk_to_rgb(image: Image.Image) -> Image.Image:
    """CMYK by the file's own profile as sRGB; without one, or with one that does not fit, by plain complement."""
    profile = image.info.get("icc_profile")
    if profile:
        try:
            source, target = ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB")
            made = ImageCms.profileToProfile(image, source, target, outputMode="RGB")
            if made is not None:
                return made
        except (ImageCms.PyCMSError, OSError, ValueError):  # a profile of other colours, or a damaged one
            pass
    return image.convert("RGB")


def straightened(array: np.ndarray) -> np.ndarray:
    """Colours with transparency multiplied in (H, W, C + 1) as straight ones, transparency last."""
    highest = 1.0 if array.dtype.kind == "f" else float(np.iinfo(array.dtype).max)
    alpha = array[..., -1:].astype(np.float64)
    colours = np.divide(array[..., :-1] * highest, alpha, out=np.zeros(array[..., :-1].shape), where=alpha > 0)
    return _beside(colours.clip(0, highest), array)


def multiplied(array: np.ndarray) -> np.ndarray:
    """Straight colours (H, W, C + 1) with their transparency multiplied in: what `straightened` undoes."""
    highest = 1.0 if array.dtype.kind == "f" else float(np.iinfo(array.dtype).max)
    return _beside(array[..., :-1] * (array[..., -1:].astype(np.float64) / highest), array)


def _beside(colours: np.ndarray, array: np.ndarray) -> np.ndarray:
    colours = colours if array.dtype.kind == "f" else np.rint(colours)
    return np.concatenate([colours.astype(array.dtype), array[..., -1:]], axis=2)
