"""CAP-VSTNet (Wen et al., 2023): a picture's code takes on the statistics of a style's, and is painted backwards."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch import Tensor, nn

from toolbox import STRENGTH, Algorithm, Condition, Output, Parts, UserError, Values, unwrapped
from toolbox.training.network_call import uncompiled
from toolbox_plugins.adain.pictures import style_picture

from .whitening import moments, transfer

ROUNDING = 1e-2
"""How far a picture may be from itself after the way there and back."""


class CAPVSTNet(Algorithm):
    """`real_a`, a photograph, to `fake_b` in the style of `real_b`, both (B, C, H, W) of sizes of their own.

    `network` is reversible: an encoder whose call with `inverse=True` undoes it, such as `RevResNet`. Between its two
    ways the code takes on the mean and the covariance of the style's code (Wen et al. 2023), which is linear: what is
    alike in the photograph stays alike. Published losses are `style`, of means and deviations of VGG19
    (`PerceptualLoss` with `criterion: moments`), and `cycle`: the painting in the photograph's own style again is the
    photograph. `content` is theirs at weight 0. Left out are the matting Laplacian, which holds on to the photograph's
    edges, and their fine-tuning on made-up motion. A discriminator may judge `fake_b` besides, against `real_b`.

    Prediction needs a picture of the style; `strength` below 1 mixes its statistics with the photograph's, and at 0
    the photograph comes back. Statistics of a large picture are taken once, so that its tiles agree.

    Raises:
        UserError: the network cannot be undone.
    """

    inputs = ("real_a", "real_b")
    generators = ("network",)
    kinds = {"network": "encoders"}
    outputs = {
        "fake_b": Output(
            "real_a",
            "network",
            keeps_colors=False,
            conditions=(Condition("style", "picture", source="real_b"), STRENGTH),
        )
    }
    adversaries = {"discriminator": ("real_b", "fake_b")}
    optional = ("discriminator",)
    roles = {
        "style": [("fake_b", "real_b")],
        "content": [("fake_b", "real_a")],
        "cycle": [("rec_a", "real_a")],
    }

    network: nn.Module

    def __init__(self, parts: Parts) -> None:
        super().__init__(parts)
        _try(self.network)

    @classmethod
    def example_arguments(cls) -> dict[str, Any]:
        """A small network that can be undone."""
        from .network import RevResNet

        return {"networks": {"network": RevResNet(width=4, blocks=[1, 1], code=4, spread=1)}}

    def translate(self, values: Values) -> None:
        """Encode both, paint with the style's statistics, and with the photograph's again where the cycle counts."""
        code, style = self.network(values["real_a"]), self.network(values["real_b"])
        own, wanted = moments(code), moments(style)
        values["fake_b"] = self.network(transfer(code, own, wanted), inverse=True)
        if self.wants("cycle"):
            painted = self.network(values["fake_b"])
            values["rec_a"] = self.network(transfer(painted, moments(painted), own), inverse=True)

    def condition(self, output: str, chosen: dict[str, Any]) -> dict[str, Any]:
        """The statistics of a style's picture, or of one each, and how much of them.

        Raises:
            UserError: there is no picture of the style, or it is too small.
        """
        multiple = self.multiple_of(output)
        picture = style_picture(chosen, multiple, "CAPVSTNet")
        for dim in (-2, -1):  # a slice would not be exported for pictures of any size
            whole = picture.shape[dim] // multiple * multiple
            picture = picture.index_select(dim, torch.arange(whole, device=picture.device))
        style = moments(self.averaged_network("network")(picture))
        return {"style": style, "strength": chosen["strength"], "own": None}

    def survey(self, output: str, values: Values, state: dict[str, Any]) -> dict[str, Any]:
        """The statistics of the whole photograph."""
        return {**state, "own": moments(self.averaged_network("network")(values["real_a"]))}

    def generate(self, output: str, values: Values, state: dict[str, Any]) -> Tensor:
        """Paint images (B, C, H, W) in the style that `condition` measured."""
        network = self.averaged_network("network")
        code = network(values["real_a"])
        own = moments(code) if state["own"] is None else state["own"]
        return network(transfer(code, own, state["style"], state["strength"]), inverse=True)


@torch.no_grad()
def _try(network: nn.Module) -> None:
    """Send an image there and back. Raises UserError where it cannot go, or does not come back."""
    bare: Any = unwrapped(network)
    name, wanted = type(bare).__name__, "network must be one that can be undone, such as RevResNet"
    if "inverse" not in inspect.signature(type(bare).forward).parameters:
        raise UserError(f"{wanted}; {name}'s forward has no argument inverse")
    side, channels = 2 * int(getattr(bare, "multiple", 1)), int(getattr(bare, "in_channels", 3))
    image = torch.linspace(0, 1, channels * side * side).reshape(1, channels, side, side)
    training = bare.training
    with torch.random.fork_rng(devices=[]), uncompiled(network):
        back = bare.eval()(bare(image), inverse=True)
    bare.train(training)
    if back.shape != image.shape or float((back - image).abs().max()) > ROUNDING:
        raise UserError(f"{wanted}; {name} does not give back the image that it encoded")
