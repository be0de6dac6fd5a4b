"""Frozen networks whose activations perceptual losses and metrics compare."""

from toolbox import Register, hookimpl


@hookimpl
def register_features(register: Register) -> None:
    from .edge_vgg16 import EdgeVGG16
    from .efficientnet_lite0 import EfficientNetLite0
    from .inception_v3 import InceptionV3
    from .lpips_trunks import VGG16, AlexNet
    from .random_features import RandomFeatures
    from .vgg19 import VGG19

    register("VGG19", VGG19)
    register("VGG16", VGG16)
    register("AlexNet", AlexNet)
    register("EfficientNetLite0", EfficientNetLite0)
    register("EdgeVGG16", EdgeVGG16)
    register("InceptionV3", InceptionV3)
    register("RandomFeatures", RandomFeatures)
