"""Feed-forward neural style (Johnson et al., 2016): one network for one style, and its texture and colour variants."""

from toolbox import Register, hookimpl


@hookimpl
def register_algorithms(register: Register) -> None:
    from .algorithm import NeuralStyle

    register("NeuralStyle", NeuralStyle)


@hookimpl
def register_generators(register: Register) -> None:
    from .transform_net import TransformNet

    register("TransformNet", TransformNet)


@hookimpl
def register_formats(register: Register) -> None:
    from .formats import FastNeuralStyle

    register("FastNeuralStyle", FastNeuralStyle)
