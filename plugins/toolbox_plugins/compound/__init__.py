"""Compound regularisation (Wang et al., AAAI 2020): steady videos learned from single pictures."""

from toolbox import Register, hookimpl


@hookimpl
def register_losses(register: Register) -> None:
    from .loss import CompoundRegularization

    register("CompoundRegularization", CompoundRegularization)
