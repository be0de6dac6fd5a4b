"""Terms of a discriminator's loss that go with any GAN objective: penalties on its slope, consistency."""

from toolbox import Register, hookimpl


@hookimpl
def register_regularizers(register: Register) -> None:
    from .consistency import ConsistencyRegularization
    from .slope import R1, R2, DRAGANPenalty, GradientPenalty

    register("GradientPenalty", GradientPenalty)
    register("DRAGANPenalty", DRAGANPenalty)
    register("R1", R1)
    register("R2", R2)
    register("ConsistencyRegularization", ConsistencyRegularization)
