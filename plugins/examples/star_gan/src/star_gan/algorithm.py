"""How StarGAN's images flow: to another domain and back, with the domain as planes beside the picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from toolbox import Algorithm, Condition, ConfigError, Output, Parts, Values, unwrapped


class StarGAN(Algorithm):
    """`picture` (B, C, H, W) of domain `label` (B,) to `translated`, of domain `target` (B,) (Choi et al. 2018).

    Roles: `cycle`, back to the picture's own domain; `domain`, what the classifier says of the translated picture. The
    classifier itself learns from real pictures alone, by `domain_real`. `model.domains` names the domains in the
    order of their labels, for `infer --set domain=NAME`.

    Raises:
        ConfigError: the generator was built for another number of domains.
    """

    inputs = ("picture", "label")
    generators = ("generator",)
    outputs = {"translated": Output("picture", "generator", keeps_colors=False)}
    adversaries = {"discriminator": ("picture", "translated")}
    roles = {"cycle": [("restored", "picture")], "domain": [("discriminator/domain/fake", "target")]}
    judge_roles = {"domain_real": [("discriminator/domain/real", "label")]}

    generator: nn.Module

    def __init__(self, parts: Parts, *, domains: Sequence[str] = ("a", "b")) -> None:
        super().__init__(parts)
        self.domains = len(domains)
        if getattr(unwrapped(self.generator), "domains", self.domains) != self.domains:
            raise ConfigError(f"names {self.domains}, and the generator has others", key="model.domains")
        domain = Condition("domain", "label", source="target", default=0, labels=tuple(domains))
        self.outputs = {"translated": Output("picture", "generator", keeps_colors=False, conditions=(domain,))}

    def prepare(self, values: Values) -> None:
        """Choose where each picture goes: the batch's labels in another order, and in evaluation the next domain."""
        if "label" not in values:  # a file, whose domain nobody knows; the user says where it goes
            return
        label = values["label"]
        order = torch.randperm(len(label), device=label.device) if self.training else None
        values["target"] = (label + 1) % self.domains if order is None else label[order]

    def translate(self, values: Values) -> None:
        """There, and back if a loss asks for it."""
        picture = values["picture"]
        values["translated"] = self.generator(picture, self.planes(values["target"], picture))
        if self.wants("cycle"):
            values["restored"] = self.generator(values["translated"], self.planes(values["label"], picture))

    def condition(self, output: str, chosen: dict[str, Any]) -> Tensor:
        """The label (1,) that was chosen, or one (B,) for each image."""
        return chosen["domain"]

    def generate(self, output: str, values: Values, state: Tensor) -> Tensor:
        """The picture in the domain that was chosen."""
        picture = values["picture"]
        return self.averaged_network("generator")(picture, self.planes(state.expand(picture.shape[0]), picture))

    def planes(self, label: Tensor, images: Tensor) -> Tensor:
        """Labels (B,) as planes (B, domains, H, W) of the images' size, 1 in the label's own and 0 elsewhere."""
        own = label[:, None] == torch.arange(self.domains, device=label.device)  # (B, domains); waits for no device
        return own.to(images.dtype)[:, :, None, None].expand(-1, -1, *images.shape[-2:])

    @classmethod
    def example_inputs(cls, count: int, size: int) -> dict[str, Tensor]:
        """A batch of pictures with labels in turn, for `plugins check` and tests."""
        return {"picture": torch.rand(count, 3, size, size), "label": torch.arange(count) % 2}

    @classmethod
    def example_arguments(cls) -> dict[str, Any]:
        """Networks that take labels, for `plugins check`."""
        from .discriminator import DomainDiscriminator
        from .generator import DomainGenerator

        networks = {"generator": DomainGenerator(width=4, blocks=1), "discriminator": DomainDiscriminator(width=4)}
        return {"networks": networks}
