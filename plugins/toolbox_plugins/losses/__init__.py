"""Losses of a prediction and its target: per pixel, on artefacts, and between the activations of a frozen network."""

from toolbox import hookimpl
from toolbox.hookspecs import Register


@hookimpl
def register_losses(register: Register) -> None:
    from .artifact import ArtifactLoss
    from .perceptual import PerceptualLoss
    from .pixel import CharbonnierLoss, L1Loss, MSELoss

    register("L1Loss", L1Loss)
    register("MSELoss", MSELoss)
    register("CharbonnierLoss", CharbonnierLoss)
    register("PerceptualLoss", PerceptualLoss)
    register("ArtifactLoss", ArtifactLoss)
