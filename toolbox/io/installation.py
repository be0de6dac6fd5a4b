"""Where this toolbox lies on the disk, and what comes with it: configs, models, the versions it was tested with."""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]


def shipped(name: str) -> Path | None:
    """The file or folder of that name: inside the package where it was installed, beside it in a checkout.

    The package's own comes first: in site-packages, one beside it would be somebody else's.
    """
    return next((place for place in (PACKAGE / name, PACKAGE.parent / name) if place.exists()), None)
