"""Frozen networks whose activations perceptual losses and metrics compare."""

from toolbox import hookimpl
from toolbox.hookspecs import Register


@hookimpl
def register_features(register: Register) -> None:
    from .vgg19 import VGG19

    register("VGG19", VGG19)
