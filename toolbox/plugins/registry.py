"""What exists, by kind and name: one registry per kind of component, filled by the plugins on its first look-up."""

from __future__ import annotations

import inspect
from dataclasses import dataclass

from mmengine.registry import Registry as MMRegistry

from toolbox.io.errors import UserError, did_you_mean
from toolbox.plugins.manager import Plugin, manager


class UnknownComponent(UserError):
    """No plugin registers that name, or more than one does."""


@dataclass
class Owned:
    """A component and the plugin that registered it."""

    component: type
    plugin: Plugin


class Registry(MMRegistry):
    """Components of one kind: `get(name)` gives the class, `plugin/name` picks one of two owners.

    A name is looked up among registered components only: nothing is ever imported because a config names it.
    """

    def __init__(self, kind: str, contract: str) -> None:
        super().__init__(kind, scope="toolbox", locations=[])
        self.kind, self.contract = kind, contract
        self._owned: dict[str, list[Owned]] = {}
        self._loaded = False

    @property
    def singular(self) -> str:
        """`generator` for `generators`, for messages."""
        return {"losses": "loss", "features": "feature network"}.get(self.kind, self.kind.removesuffix("s"))

    def load(self) -> None:
        """Let the plugins register, once."""
        if self._loaded:
            return
        self._loaded = True
        try:
            manager().register_from(f"register_{self.kind}", self.add)
        except UserError:
            self.forget()  # half a registry must not be taken for a whole one the next time
            raise

    def add(self, plugin: Plugin, name: str, component: type) -> None:
        """Register `component` as `plugin`'s; the names of two plugins may clash, and then neither is silent."""
        if not isinstance(name, str) or not name.isidentifier():
            raise ValueError(f"{self.singular} name {name!r} must be an identifier, without dots or slashes")
        if not inspect.isclass(component):
            raise TypeError(f"{self.singular} '{name}' must be a class, got {component!r}")
        if inspect.isabstract(component):
            missing = sorted(component.__abstractmethods__)  # pyright: ignore[reportAttributeAccessIssue]
            raise TypeError(f"{self.singular} '{name}' must have {', '.join(missing)}")
        owners = self._owned.setdefault(name, [])
        if any(owned.plugin is plugin for owned in owners):
            raise ValueError(f"{self.singular} '{name}' is registered twice by '{plugin.name}'")
        owners.append(Owned(component, plugin))
        self._module_dict[f"{plugin.name}/{name}"] = component
        if len(owners) == 1:
            self._module_dict[name] = component
        else:
            self._module_dict.pop(name, None)

    def names(self) -> list[str]:
        """Every registered name, sorted."""
        self.load()
        return sorted(self._owned)

    def owners(self, name: str) -> list[Owned]:
        """Who registers `name`."""
        self.load()
        return self._owned.get(name, [])

    def get(self, key: str) -> type:
        """Return the class registered as `key` (`Name`, or `plugin/Name`), or say why there is none."""
        self.load()
        if key in self._module_dict:
            return self._module_dict[key]
        owners = self._owned.get(key, [])
        if owners:
            ways = " or ".join(f"'{owned.plugin.name}/{key}'" for owned in owners)
            who = " and ".join(f"{owned.plugin.name} ({owned.plugin})" for owned in owners)
            block = owners[-1].plugin.name
            raise UnknownComponent(
                f"{self.singular} '{key}' is registered by {who}; write {ways}, or block one with -p no:{block}"
            )
        if "." in str(key):
            raise UnknownComponent(
                f"{self.singular} '{key}': a type names a registered component, never an import path"
            )
        broken = "".join(f"; plugin '{p.name}' ({p}) is broken: {p.error}" for p in manager().failures())
        raise UnknownComponent(f"no {self.singular} is called '{key}'{did_you_mean(key, self._owned)}{broken}")

    def forget(self) -> None:
        """Forget every component; the plugins register afresh on the next look-up."""
        self._owned.clear()
        self._module_dict.clear()
        self._loaded = False


KINDS: dict[str, Registry] = {
    kind: Registry(kind, contract)
    for kind, contract in {
        "algorithms": "toolbox.Algorithm: how images flow between networks",
        "generators": "toolbox.Generator: (B, C, H, W) in [0, 1] to (B, C, scale*H, scale*W)",
        "discriminators": "toolbox.Discriminator: images to a list of logits, one tensor per scale",
        "encoders": "toolbox.Encoder: images to a code (B, channels, h, w)",
        "style_encoders": "toolbox.StyleEncoder: images to a style (B, style_channels)",
        "decoders": "toolbox.Decoder: a code, and a style where it takes one, to images (B, C, H, W)",
        "losses": "nn.Module, forward(*values) to a scalar, nothing trainable",
        "features": "toolbox.FeatureNetwork: images to named activations, frozen",
        "gan_variants": "toolbox.GanVariant: objective, penalty, normalisation",
        "regularizers": "toolbox.Regularizer: a term of the discriminator's loss, beside any objective",
        "augmentations": "toolbox.Augmentation: what the discriminator's images go through first",
        "degradations": "toolbox.Degradation: a clean batch to a damaged one, random per sample",
        "mixtures": "toolbox.Mixture: changes pairs of a training batch by others of it",
        "datasets": "toolbox.ImageDataset: sample(index, rng) to named images",
        "transforms": "toolbox.Transform: changes one sample's named images together",
        "metrics": "toolbox.PairedMetric, SingleMetric or mmengine's BaseMetric: quality of outputs",
        "hooks": "mmengine's Hook: called during training",
        "formats": "toolbox.CheckpointFormat: one published layout of a generator's weight files",
        "exporters": "toolbox.Exporter: a trained network as a file of another runtime",
        "backends": "toolbox.Backend: a runtime that computes trained networks",
    }.items()
}


def registry(kind: str) -> Registry:
    """The registry of one kind: `registry("generators")`."""
    if kind not in KINDS:
        raise UnknownComponent(f"there is no kind of component called '{kind}'{did_you_mean(kind, KINDS)}")
    return KINDS[kind]


def forget() -> None:
    """Empty every registry, after the plugins of the process have changed."""
    for each in KINDS.values():
        each.forget()
