"""What lies beside an HDR film's pixels: the screen it was made on and its brightest light, for encoders; the rest."""

from __future__ import annotations

from typing import Any

import numpy as np

_MASTERING, _LIGHT = "MASTERING_DISPLAY_METADATA", "CONTENT_LIGHT_LEVEL"
_LOST = {
    "DYNAMIC_HDR_PLUS": "HDR10+", "DYNAMIC_HDR_VIVID": "HDR Vivid", "DOVI_METADATA": "Dolby Vision",
    "DOVI_RPU_BUFFER": "Dolby Vision", "AMBIENT_VIEWING_ENVIRONMENT": "the ambient viewing environment",
}  # fmt: skip
"""What changes from frame to frame, or no encoder here takes."""


def mastering_of(frame: Any) -> tuple[tuple[float, ...], tuple[float, float]] | None:
    """Of a frame of PyAV's: (red x, y, green x, y, blue x, y, white x, y), and the (highest, lowest) nits; or None.

    FFmpeg's AVMasteringDisplayMetadata: six fractions of primaries, two of white, lowest and highest luminance, then
    whether primaries and luminance are there.
    """
    data = frame.side_data.get(_MASTERING)
    if data is None:
        return None
    numbers = np.frombuffer(bytes(data)[:88], np.int32)
    fractions = numbers[:20].reshape(10, 2).astype(float)
    if not (numbers[20] and numbers[21]) or not fractions[:, 1].all():
        return None
    values = fractions[:, 0] / fractions[:, 1]
    return tuple(float(each) for each in values[:8]), (float(values[9]), float(values[8]))


def light_of(frame: Any) -> tuple[int, int] | None:
    """Of a frame of PyAV's: the brightest pixel and the brightest mean of a frame, in nits; or None."""
    data = frame.side_data.get(_LIGHT)
    if data is None:
        return None
    most, mean = np.frombuffer(bytes(data)[:8], np.uint32)
    return int(most), int(mean)


def still(frame: Any) -> list[str]:
    """The names of what holds for a whole film, and can be handed to some encoders."""
    names = {"mastering display": mastering_of(frame), "content light level": light_of(frame)}
    return [name for name, value in names.items() if value is not None]


def lost(frame: Any) -> list[str]:
    """The names of what no encoder here takes."""
    return sorted({name for key, name in _LOST.items() if frame.side_data.get(key) is not None})


def parameters(frame: Any, encoder: str) -> dict[str, str]:
    """Options that hand what is `still` to an encoder."""
    mastering, light = mastering_of(frame), light_of(frame)
    if mastering is None and light is None:
        return {}
    if encoder == "libsvtav1":
        return _for_svt(mastering, light)
    parts = []
    if mastering:
        (rx, ry, gx, gy, bx, by, wx, wy), (high, low) = (
            tuple(round(each * 50_000) for each in mastering[0]), tuple(round(each * 10_000) for each in mastering[1])
        )  # fmt: skip
        name = "master-display" if encoder == "libx265" else "mastering-display"
        parts.append(f"{name}=G({gx},{gy})B({bx},{by})R({rx},{ry})WP({wx},{wy})L({high},{low})")
    if light:
        parts.append(f"{'max-cll' if encoder == 'libx265' else 'cll'}={light[0]},{light[1]}")
    return {"x265-params" if encoder == "libx265" else "x264-params": ":".join(parts)}


def _for_svt(mastering: Any, light: Any) -> dict[str, str]:
    parts = []
    if mastering:
        rx, ry, gx, gy, bx, by, wx, wy = (f"{each:.5f}" for each in mastering[0])
        high, low = (f"{each:.4f}" for each in mastering[1])
        parts.append(f"mastering-display=G({gx},{gy})B({bx},{by})R({rx},{ry})WP({wx},{wy})L({high},{low})")
    if light:
        parts.append(f"content-light={light[0]},{light[1]}")
    return {"svtav1-params": ":".join(parts)}
