"""Losses per pixel, on artefacts, of styles and colours, of patches and codes, and on activations."""

from toolbox import Register, hookimpl


@hookimpl
def register_losses(register: Register) -> None:
    from .activation_lists import FeatureMatchingLoss, MomentLoss
    from .artifact import ArtifactLoss
    from .color_style import ColorHistogramLoss, ColorMomentLoss
    from .lattice import LatticeLoss
    from .luminance import LowPassLuminanceLoss
    from .patch_nce import PatchNCELoss
    from .perceptual import PerceptualLoss
    from .pixel import CharbonnierLoss, L1Loss, MSELoss
    from .regularizers import KLLoss, TotalVariationLoss
    from .style_image import StyleImageLoss
    from .style_images import StyleImagesLoss

    register("L1Loss", L1Loss)
    register("MSELoss", MSELoss)
    register("CharbonnierLoss", CharbonnierLoss)
    register("PerceptualLoss", PerceptualLoss)
    register("ArtifactLoss", ArtifactLoss)
    register("StyleImageLoss", StyleImageLoss)
    register("StyleImagesLoss", StyleImagesLoss)
    register("LatticeLoss", LatticeLoss)
    register("ColorMomentLoss", ColorMomentLoss)
    register("ColorHistogramLoss", ColorHistogramLoss)
    register("TotalVariationLoss", TotalVariationLoss)
    register("LowPassLuminanceLoss", LowPassLuminanceLoss)
    register("KLLoss", KLLoss)
    register("PatchNCELoss", PatchNCELoss)
    register("FeatureMatchingLoss", FeatureMatchingLoss)
    register("MomentLoss", MomentLoss)
