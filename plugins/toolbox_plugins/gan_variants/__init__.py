"""GAN objectives and what steadies them: vanilla, LSGAN, WGAN-GP, RaGAN, spectral norm over any of them."""

from toolbox import hookimpl
from toolbox.hookspecs import Register


@hookimpl
def register_gan_variants(register: Register) -> None:
    from .lsgan import LSGAN
    from .ragan import RaGAN
    from .spectral_norm import SpectralNorm
    from .vanilla import Vanilla
    from .wgan_gp import WGANGP

    register("Vanilla", Vanilla)
    register("LSGAN", LSGAN)
    register("WGANGP", WGANGP)
    register("RaGAN", RaGAN)
    register("SpectralNorm", SpectralNorm)
