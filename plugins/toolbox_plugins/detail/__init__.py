"""Shows any discriminator fine detail by itself, which it would otherwise find late or never."""

from __future__ import annotations

from toolbox import Register, hookimpl


@hookimpl
def register_discriminators(register: Register) -> None:
    from .discriminator import DetailDiscriminator

    register("DetailDiscriminator", DetailDiscriminator)
