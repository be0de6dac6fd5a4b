"""Datasets: images from folders, alone, in pairs, or from two unpaired domains."""

from __future__ import annotations

from toolbox.hookspecs import Register, hookimpl


@hookimpl
def register_datasets(register: Register) -> None:
    from .folders import ImageFolder, PairedFolders, UnpairedFolders

    register("ImageFolder", ImageFolder)
    register("PairedFolders", PairedFolders)
    register("UnpairedFolders", UnpairedFolders)
