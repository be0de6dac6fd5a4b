"""CUT and FastCUT (Park et al., 2020): one-sided translation whose patches must resemble the input's at their place."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext

import torch
from torch import Tensor, nn

from toolbox import Algorithm, Output, Parts, UserError, Values, activations, resize_to, unwrapped
from toolbox.training.activations import watched

from .probe import probe_layers
from .projector import PatchProjector, at_positions, draw_positions

ROLES = {"nce": ("queries", "keys"), "identity_nce": ("identity_queries", "identity_keys")}


class CUT(Algorithm):
    """`real_a` to `fake_b`, both (B, C, H, W), by one generator; no way back is learned.

    The role `nce` compares `queries`, features of patches of `fake_b`, with `keys`, those of `real_a` at the same
    places; `identity_nce` does so for `real_b` and its translation. Both are lists with a (B, N, 256) of unit vectors
    for each layer; keys have no gradient. Features are the generator's own: section 3.2 of the paper. `luminance`,
    against inverted colours, and `temporal`, for `CompoundRegularization`, are not in the paper.

    Args:
        layers: names of the generator's modules whose outputs are contrasted. None: five of its convolutions, spread
            over the first two thirds of the calls; any generator will do.
        patches: how many places of each image and layer, drawn anew in each iteration.
        flip_equivariance: FastCUT's: an image is translated mirrored half of the time, and its features mirrored back.
            The paper's code draws once for a batch; here each image has its own draw, as it has its own places.

    Raises:
        UserError: `layers` names no module, or one whose output is no map; `patches` is below 2.
    """

    inputs = ("real_a", "real_b")
    generators = ("generator",)
    outputs = {"fake_b": Output("real_a", "generator", keeps_colors=False)}
    adversaries = {"discriminator": ("real_b", "fake_b")}
    roles = {
        **{role: [names] for role, names in ROLES.items()},
        "luminance": [("fake_b", "real_a")],
        "temporal": [("again_b", "shown_a", "fake_b")],
    }

    generator: nn.Module
    projector: nn.Module

    def __init__(
        self,
        parts: Parts,
        *,
        layers: list[str] | None = None,
        patches: int = 256,
        flip_equivariance: bool = False,
    ) -> None:
        super().__init__(parts)
        if patches < 2:
            raise UserError(f"patches must be at least 2, one to tell from another, got {patches}")
        self.patches, self.flip_equivariance = patches, flip_equivariance
        probed = probe_layers(self.generator, layers)
        self.layers, self.lasting = probed.names, probed.lasting
        if any(role in parts.losses for role in ROLES):  # else nothing would ever train it
            self.add_network("projector", PatchProjector(channels=probed.channels))

    def translate(self, values: Values) -> None:
        """Translate `real_a`, with `real_b` in one batch where identity counts; then sample features of both ends."""
        sources = {"nce": values["real_a"]}
        if self.wants("identity_nce"):
            sources["identity_nce"] = values["real_b"]
        wanted = [role for role in sources if self.wants(role)]
        mirrored = {role: self._mirrored(images) for role, images in sources.items()}
        shown = {role: _mirror(images, mirrored[role]) for role, images in sources.items()}
        compiled = unwrapped(self.generator)._compiled_call_impl is not None  # pyright: ignore[reportAttributeAccessIssue]
        watching = wanted if self.lasting and not self.flip_equivariance and not compiled else []
        fakes, keys = self._translated(shown, watching)
        values["fake_b"] = fakes["nce"]
        values["again_b"], values["shown_a"] = self.generator, shown["nce"]
        for role in wanted:
            source = sources[role]
            found = keys[role] if role in keys else self._encoded(source)
            fake = resize_to(fakes[role], source.shape[-2:])  # a generator with a scale is asked at its input's size
            features = activations(unwrapped(self.generator), fake, self.layers)
            features = [_mirror(each, mirrored[role]) for each in features]
            positions = draw_positions(features, self.patches)
            queries_name, keys_name = ROLES[role]
            values[queries_name] = self.projector(at_positions(features, positions))
            with torch.no_grad():
                values[keys_name] = self.projector(at_positions(found, positions))

    def _translated(
        self, images: dict[str, Tensor], watching: Sequence[str]
    ) -> tuple[dict[str, Tensor], dict[str, list[Tensor]]]:
        """The translation of each, in one batch where shapes agree, and the inputs' features that came by on the way.

        The call goes through a distributed wrapper, whose gradient hooks then serve the encoder's pass too.
        """
        together = len({each.shape[1:] for each in images.values()}) == 1
        groups = [list(images)] if together else [[role] for role in images]
        fakes: dict[str, Tensor] = {}
        features: dict[str, list[Tensor]] = {role: [] for role in watching}
        for roles in groups:
            watch = self.layers if any(role in watching for role in roles) else []
            # hooks keep a compiled network from running compiled
            with watched(unwrapped(self.generator), watch) if watch else nullcontext({}) as seen:
                result = self.generator(torch.cat([images[role] for role in roles]))
            counts = [len(images[role]) for role in roles]
            fakes |= dict(zip(roles, result.split(counts), strict=True))
            for name in watch:
                for role, each in zip(roles, seen[name].detach().split(counts), strict=True):
                    if role in features:
                        features[role].append(each)
        return fakes, features

    @torch.no_grad()
    def _encoded(self, images: Tensor) -> list[Tensor]:
        """The generator's features of images (B, C, H, W)."""
        return activations(unwrapped(self.generator), images, self.layers)

    def _mirrored(self, images: Tensor) -> Tensor | None:
        """Which images are mirrored (B,), from torch's global random state; None for none."""
        return torch.rand(len(images), device=images.device) < 0.5 if self.flip_equivariance else None


def _mirror(images: Tensor, which: Tensor | None) -> Tensor:
    """Mirror some images, or maps, (B, C, H, W) from left to right."""
    return images if which is None else torch.where(which[:, None, None, None], images.flip(-1), images)
