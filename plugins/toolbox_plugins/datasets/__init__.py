"""Datasets: images from folders, alone, in pairs, pairs among them, from two unpaired domains, or every one once."""

from __future__ import annotations

from toolbox import Register, hookimpl


@hookimpl
def register_datasets(register: Register) -> None:
    from .every import EveryImage
    from .folders import ImageFolder, PairedFolders, UnpairedFolders
    from .mixed import MixedPairs
    from .side_by_side import SideBySide
    from .styled import StyledFolders

    register("ImageFolder", ImageFolder)
    register("PairedFolders", PairedFolders)
    register("UnpairedFolders", UnpairedFolders)
    register("MixedPairs", MixedPairs)
    register("EveryImage", EveryImage)
    register("SideBySide", SideBySide)
    register("StyledFolders", StyledFolders)
