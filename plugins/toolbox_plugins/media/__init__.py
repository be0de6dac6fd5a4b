"""What prints, broadcasts and careless processing do to pictures: stages beside those of `degradations`."""

from __future__ import annotations

from toolbox import Register, hookimpl


@hookimpl
def register_degradations(register: Register) -> None:
    from .edges import Aliasing, Halo, ThickLines
    from .printing import Banding, Dither, Screentone
    from .signal import ChromaShift, ChromaSubsampling, ColorCast, Ghosting, Interlacing

    for stage in (Halo, Aliasing, ThickLines):
        register(stage.__name__, stage)
    for stage in (Banding, Dither, Screentone):
        register(stage.__name__, stage)
    for stage in (ChromaSubsampling, ChromaShift, ColorCast, Ghosting, Interlacing):
        register(stage.__name__, stage)
