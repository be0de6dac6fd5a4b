"""CAP-VSTNet (Wen et al., 2023): the style of any picture by a network that runs backwards, so that nothing is lost."""

from toolbox import Register, hookimpl


@hookimpl
def register_algorithms(register: Register) -> None:
    from .algorithm import CAPVSTNet

    register("CAPVSTNet", CAPVSTNet)


@hookimpl
def register_encoders(register: Register) -> None:
    from .network import RevResNet

    register("RevResNet", RevResNet)
