"""GAN objectives: vanilla, LSGAN, hinge, WGAN and its kin, relativistic ones; spectral norm over any of them."""

from __future__ import annotations

from typing import Any

from toolbox import Register, hookimpl


@hookimpl
def register_gan_variants(register: Register) -> None:
    from .dragan import DRAGAN
    from .hinge import Hinge
    from .lsgan import LSGAN
    from .ragan import RaGAN
    from .rpgan import RpGAN
    from .spectral_norm import SpectralNorm
    from .vanilla import Vanilla
    from .wgan import WGAN, SoftplusWGAN
    from .wgan_gp import WGANGP

    register("Vanilla", Vanilla)
    register("LSGAN", LSGAN)
    register("Hinge", Hinge)
    register("WGAN", WGAN)
    register("WGANGP", WGANGP)
    register("SoftplusWGAN", SoftplusWGAN)
    register("DRAGAN", DRAGAN)
    register("RaGAN", RaGAN)
    register("RpGAN", RpGAN)
    register("SpectralNorm", SpectralNorm)


@hookimpl
def model_built(config: Any, algorithm: Any, warn: Any) -> None:
    from .rules import check

    check(config, algorithm, warn)
