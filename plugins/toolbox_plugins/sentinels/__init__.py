"""Sentinels: hooks that watch what a run's networks make, log one number each, and say when something goes wrong."""

from __future__ import annotations

from toolbox import Register, hookimpl


@hookimpl
def register_hooks(register: Register) -> None:
    from .checkerboard import CheckerboardSentinel
    from .color_inversion import ColorInversionSentinel
    from .mode_collapse import ModeCollapseSentinel
    from .steganography import SteganographySentinel

    register("ColorInversionSentinel", ColorInversionSentinel)
    register("ModeCollapseSentinel", ModeCollapseSentinel)
    register("CheckerboardSentinel", CheckerboardSentinel)
    register("SteganographySentinel", SteganographySentinel)
