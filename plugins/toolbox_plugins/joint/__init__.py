"""Style transfer and super-resolution in one network: small photographs to large pictures of another domain."""

from toolbox import Register, hookimpl


@hookimpl
def register_algorithms(register: Register) -> None:
    from .algorithm import StyleSuperResolution

    register("StyleSuperResolution", StyleSuperResolution)


@hookimpl
def register_generators(register: Register) -> None:
    from .affine import AffineSPAN
    from .compact import StyleSRNet
    from .rrdb import StyleRRDBNet

    register("AffineSPAN", AffineSPAN)
    register("StyleSRNet", StyleSRNet)
    register("StyleRRDBNet", StyleRRDBNet)
