"""Config to algorithm, on one page: components are built by name, handed to the algorithm, and nothing else happens.

`toolbox.config.check` has read the config before; what can still fail here is a constructor's own check of a value.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

from torch import nn

from toolbox.assembly.shared_features import feature_network, shared_features
from toolbox.assembly.signatures import check_role, check_signatures
from toolbox.config import Config
from toolbox.config.model_keys import BESIDE, FEATURE_MATCHING, LOGITS, MODEL_KEYS
from toolbox.contracts.nested import is_named, nested_kinds
from toolbox.engine.memory import ran_out
from toolbox.engine.network_limits import limited_networks
from toolbox.engine.random_state import seed_all
from toolbox.io.errors import ConfigError, UserError
from toolbox.plugins.registry import registry
from toolbox.training.algorithm import Algorithm
from toolbox.training.finishing import finish, normalize
from toolbox.training.parts import Adversary, Parts, Phase, WeightedLoss
from toolbox.training.phases import part


def build_component(kind: str, config: Mapping[str, Any], key: str = "") -> Any:
    """Build `{type: Name, argument: value, ...}`; arguments that are components are built first."""
    component = registry(kind).get(config["type"])
    kinds = nested_kinds(component)
    arguments = {
        name: _build_nested(kinds[name], value, f"{key}.{name}") if name in kinds else value
        for name, value in config.items()
        if name not in BESIDE.get(kind, ("type",))
    }
    try:
        with limited_networks():
            built = component(**arguments)
        _set_beside(built, kind, config, key)
        if kind != "discriminators":  # one inside another component is called as that one likes
            check_signatures(kind, built, key)
        return built
    except ConfigError:
        raise
    except (UserError, ValueError, TypeError, OSError, RuntimeError, MemoryError, ArithmeticError) as error:
        if said := ran_out(error):
            raise ConfigError(f"{config['type']}: {said}; choose smaller numbers", key=key or None) from error
        reason = f"{error.strerror}: {error.filename}" if isinstance(error, OSError) and error.filename else error
        text = str(reason).partition("\nException raised from")[0]  # torch adds its own stack
        raise ConfigError(f"{config['type']}: {' '.join(text.split())}", key=key or None) from error


def _set_beside(built: Any, kind: str, config: Mapping[str, Any], key: str) -> None:
    """Give a component the settings that stand beside its constructor's arguments."""
    if kind == "metrics" and config.get("label"):
        built.name = f"{built.name}_{config['label']}"
    if kind == "gan_variants":
        for inner in ("regularizers", "augmentations"):
            getattr(built, inner).extend(_build_nested(inner, config.get(inner) or [], f"{key}.{inner}"))
    if kind == "degradations" and config.get("crop") is not None:
        side, scale = config["crop"], built.scale
        if key != "model.degradation":
            raise ConfigError("cuts whole samples: write it in model.degradation itself", key=f"{key}.crop")
        if side < scale or side % scale:
            raise ConfigError(f"must be a multiple of the scale, {scale}, got {side}", key=f"{key}.crop")
        built.crop = side
    if kind == "regularizers":
        built.configure(weight=config.get("weight"), every=config.get("every"))


def _build_nested(kind: str, value: Any, key: str) -> Any:
    if isinstance(value, list):
        return [_build_nested(kind, item, f"{key}.{i}") for i, item in enumerate(value)]
    if is_named(value):
        return {name: _build_nested(kind, item, f"{key}.{name}") for name, item in value.items()}
    if not isinstance(value, Mapping):
        return value
    if kind == "losses" and "weight" in value:
        message = "the loss around it weighs it, and has arguments for that; weight beside type is for a role's losses"
        raise ConfigError(message, key=f"{key}.weight")
    if kind == "features":
        return feature_network(value, lambda: build_component(kind, value, key))
    return build_component(kind, value, key)


@shared_features()
def build_algorithm(model: Mapping[str, Any]) -> Algorithm:
    """Build the config's `model`: networks, objectives, losses, and the algorithm that holds them."""
    algorithm: Any = registry("algorithms").get(model["type"])
    networks: dict[str, nn.Module] = {
        slot: build_component(kind, model[slot], f"model.{slot}")
        for slot, kind in algorithm.slots().items()
        if slot in algorithm.generators or slot in model
    }
    normalize(networks, model)
    adversaries = {}
    for slot in algorithm.adversaries:
        if slot in networks:
            variant = build_component("gan_variants", variant_of(model, slot), "model.variant")
            check_signatures("discriminators", networks[slot], f"model.{slot}")
            try:
                networks[slot] = variant.accept(networks[slot])
            except UserError as error:
                raise ConfigError(str(error), key=f"model.{slot}") from error
            weight = model.get("adversarial", {}).get(slot, 1.0)
            adversaries[slot] = Adversary(variant, float(weight), int(model[slot].get("pool", 0)))
    for slot in adversaries if model.get("one_graph") else ():
        heads = getattr(networks[slot], "heads", ())
        if heads:
            message = f"judges once for both steps, and {type(networks[slot]).__name__} has other heads "
            raise ConfigError(
                f"{message}({', '.join(heads)}), which must be heard in each; leave it out", key="model.one_graph"
            )
    finish(networks, model)
    degradation = None
    if model.get("degradation") is not None:
        degradation = build_component("degradations", model["degradation"], "model.degradation")
        output = next(iter(algorithm.outputs.values()))
        ours, theirs = prod(getattr(networks[slot], "scale", 1) for slot in output.networks), degradation.scale
        if output.source in algorithm.derived and ours != theirs:
            names = " times ".join(f"model.{slot}.scale" for slot in output.networks)
            message = f"is {theirs}, and {names} is {ours}: they must agree"
            raise ConfigError(message, key="model.degradation.scale")
    mixtures = [
        build_component("mixtures", each, f"model.mixtures.{i}") for i, each in enumerate(model.get("mixtures") or ())
    ]
    losses = {role: _build_losses(role, each, algorithm) for role, each in model.get("losses", {}).items()}
    built = algorithm(
        Parts(
            networks=networks,
            adversaries=adversaries,
            losses=losses,
            degradation=degradation,
            mixtures=mixtures,
            ema=model.get("ema"),
            ema_switch=model.get("ema_switch"),
            phases=_phases(model, losses, adversaries),
            channels_last=model.get("channels_last", False),
            one_graph=model.get("one_graph", False),
            discriminator_first=model.get("discriminator_first", False),
        ),
        **own_arguments(algorithm, model),
    )
    for i, phase in enumerate(built.parts.phases):
        for path in phase.frozen:
            try:
                part(built, path)
            except AttributeError:
                raise ConfigError(f"{path!r} is no part of the network", key=f"model.phases.{i}.frozen") from None
    return built


def seeded_algorithm(config: Config) -> Algorithm:
    """Build the model after seeding, so that every rank and every run of one seed starts from the same weights."""
    seed_all(seed_of(config))
    return build_algorithm(config.data["model"])


def seed_of(config: Config) -> int:
    """The run's seed; 0 unless the config gives one, so that a run can be repeated."""
    return int((config.data.get("randomness") or {}).get("seed") or 0)


def build_generators(model: Mapping[str, Any], *, averaged: bool = False) -> Algorithm:
    """Build the algorithm with its generators alone, to predict: no discriminators, objectives or losses.

    `averaged`: with room for their averages, for a checkpoint that holds some.
    """
    algorithm: Any = registry("algorithms").get(model["type"])
    kinds = algorithm.slots()
    networks = {slot: build_component(kinds[slot], model[slot], f"model.{slot}") for slot in algorithm.generators}
    normalize(networks, model)
    finish(networks, {"channels_last": model.get("channels_last")})  # the other switches are for training
    ema = (model.get("ema") or 0.999) if averaged else None  # the decay is of no use here
    parts = Parts(networks=networks, ema=ema, channels_last=model.get("channels_last", False))
    return algorithm(parts, **own_arguments(algorithm, model))


def own_arguments(algorithm: Any, model: Mapping[str, Any]) -> dict[str, Any]:
    """What `model` holds beside networks and the keys of every algorithm: the constructor's own arguments."""
    others = {*MODEL_KEYS, *algorithm.slots()}
    return {name: value for name, value in model.items() if name not in others}


def variant_of(model: Mapping[str, Any], slot: str) -> Mapping[str, Any]:
    """The variant of one discriminator: `model.variant` itself, or its entry for that slot."""
    variant = model["variant"]
    return variant if "type" in variant else variant[slot]


def _phases(
    model: Mapping[str, Any], losses: Mapping[str, list[WeightedLoss]], adversaries: Mapping[str, Adversary]
) -> list[Phase]:
    phases = [Phase(**phase) for phase in model.get("phases") or ()]
    for i, phase in enumerate(phases or [Phase("train")]):
        counts = [role for role, each in losses.items() if each and (phase.losses is None or role in phase.losses)]
        counts += [slot for slot in adversaries if phase.adversaries is None or slot in phase.adversaries]
        if not counts and (losses or adversaries):  # with neither it is a pipeline of networks trained elsewhere
            message = "no loss and no discriminator counts, so nothing would train"
            raise ConfigError(message, key=f"model.phases.{i}" if phases else "model.losses")
    return phases or [Phase("train")]


def _build_losses(role: str, config: Any, algorithm: type[Algorithm]) -> list[WeightedLoss]:
    built: list[WeightedLoss] = []
    of_all = {FEATURE_MATCHING: [("fake", "real")], LOGITS: [("real", "fake")]}
    tuples = (of_all | dict(algorithm.roles) | dict(algorithm.judge_roles))[role]
    for i, each in enumerate(config if isinstance(config, list) else [config]):
        key = f"model.losses.{role}.{i}" if isinstance(config, list) else f"model.losses.{role}"
        loss = build_component("losses", each, key)
        check_role(loss, role, tuples, key)
        trainable = [name for name, parameter in loss.named_parameters() if parameter.requires_grad]
        if trainable:
            message = f"{each['type']} would train ({', '.join(trainable[:3])}), and no checkpoint holds a loss; "
            message += "freeze it with requires_grad_(False), or make it a network of an algorithm"
            raise ConfigError(message, key=key)
        built.append(WeightedLoss(each["type"], loss, float(each.get("weight", 1))))
    return built
