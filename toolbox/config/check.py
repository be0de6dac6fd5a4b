"""Reads a config's components against what the plugins register, before any is built: one clear line per mistake."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Any

from toolbox.config import Config, check_arguments
from toolbox.config.model_keys import BESIDE, COMPILE_OPTIONS, FEATURE_MATCHING, LOGITS, MODEL_KEYS, PHASE_KEYS
from toolbox.config.options import COMMAND_LINE
from toolbox.config.values import misfit, show
from toolbox.contracts.nested import nested_components
from toolbox.io.errors import ConfigError, UserError, did_you_mean
from toolbox.plugins.registry import KINDS, registry


class Check:
    """The walk over one config; every error names the file and the key it was found at."""

    def __init__(self, config: Config) -> None:
        self.config, self.data = config, config.data

    def error(self, message: str, key: str) -> ConfigError:
        """An error at a key, with the file that wrote it."""
        return ConfigError(message, file=self.config.blamed(key), key=key)

    def everything(self) -> None:
        """Check the sections in the order of the file's importance: the model first."""
        self.model(self.data["model"])
        for split in ("train", "val", "test"):
            loader = self.data.get(f"{split}_dataloader")
            if loader:
                self.component("datasets", loader.get("dataset"), f"{split}_dataloader.dataset")
            metrics = self.data.get(f"{split}_evaluator") or []
            for i, metric in enumerate(metrics if isinstance(metrics, list) else [metrics]):
                place = f"{split}_evaluator.{i}" if isinstance(metrics, list) else f"{split}_evaluator"
                self.component("metrics", metric, place)
            if metrics and f"{split}_dataloader" not in self.data:  # a loader of null says: do without
                raise self.error(f"there is no {split}_dataloader to measure on", f"{split}_evaluator")
        for i, hook in enumerate(self.data.get("custom_hooks") or []):
            self.component("hooks", hook, f"custom_hooks.{i}")

    # ------------------------------------------------------------------ components

    def component(self, kind: str, config: Any, key: str) -> None:
        """Check one component and everything nested in it."""
        if not isinstance(config, Mapping) or "type" not in config:
            raise self.error(f"wants a component, {{type: Name, …}}, got {show(config)}", key)
        component = self.find(kind, config["type"], f"{key}.type")
        arguments = {name: value for name, value in config.items() if name not in BESIDE.get(kind, ("type",))}
        for name, wanted in BESIDE.get(kind, {}).items():
            wrong = misfit(config[name], wanted) if name in config else None
            if wrong:
                raise self.error(str(wrong), f"{key}.{name}{wrong.path}")
        for name, listed in ((name, config.get(name) or []) for name in BESIDE.get(kind, ()) if name in KINDS):
            for i, inner in enumerate(listed):
                if "type" not in inner:
                    raise self.error(f"wants a component, {{type: Name, …}}, got {show(inner)}", f"{key}.{name}.{i}")
        try:
            check_arguments(component, arguments, key, self.config.blamed, beside=BESIDE.get(kind, ()))
        except ConfigError as error:
            if error.key and self.rank(error.key) < self.rank(f"{key}.type"):
                hint = f"; it is left over from a base: write _delete_: true beside type: {config['type']}"
                raise ConfigError(error.message + hint, file=error.file, key=error.key) from None
            raise
        for inner_kind, inner, place in nested_components(kind, dict(config), key):
            self.component(inner_kind, inner, place)

    def rank(self, key: str) -> int:
        """Who had the last word on a key: 0 a base, 1 the config itself, 2 the command line."""
        source = self.config.source(key)
        return 2 if source == COMMAND_LINE else int(source == self.config.source(""))

    def find(self, kind: str, name: Any, key: str) -> Any:
        """The class registered under a name."""
        try:
            return registry(kind).get(name)
        except ConfigError:
            raise
        except UserError as error:
            raise self.error(str(error), key) from None

    # ------------------------------------------------------------------ the model

    def model(self, model: Mapping[str, Any]) -> None:
        """Check the algorithm's networks, objectives, losses and its own arguments."""
        algorithm = self.find("algorithms", model["type"], "model.type")
        for name, wanted in MODEL_KEYS.items():
            wrong = misfit(model[name], wanted) if name in model else None
            if wrong:
                raise self.error(str(wrong), f"model.{name}{wrong.path}")
        slots = algorithm.slots()
        own = {name: value for name, value in model.items() if name not in (*MODEL_KEYS, *slots)}
        if "parts" in own:  # what the toolbox itself hands over
            raise self.error(f"{algorithm.__name__} has no such argument", "model.parts")
        try:
            check_arguments(algorithm, own, "model", self.config.blamed, skip=("parts",))
        except ConfigError as error:
            name = (error.key or "").removeprefix("model.")
            if name in own and "no such argument" in error.message:
                hint = did_you_mean(name, [*MODEL_KEYS, *slots])
                raise self.error(f"{model['type']} has no such network or argument{hint}", f"model.{name}") from None
            raise
        for slot, kind in slots.items():
            if slot in model:
                self.component(kind, model[slot], f"model.{slot}")
                self.pool(model[slot].get("pool", 0), f"model.{slot}.pool")
            elif slot not in algorithm.optional:
                raise self.error(f"{model['type']} needs a network '{slot}'", "model")
        judged = [slot for slot in algorithm.adversaries if slot in model]
        self.objectives(model, judged)
        self.switches(model, [slot for slot in slots if slot in model], judged)
        self.losses(model, algorithm)
        if model.get("degradation") is not None:
            if not algorithm.derived:
                raise self.error(f"{model['type']} makes no image from another; leave it out", "model.degradation")
            self.component("degradations", model["degradation"], "model.degradation")
        for i, mixture in enumerate(model.get("mixtures") or ()):
            if not algorithm.derived:
                message = f"mixes an image and what is made of it, and {model['type']} makes none of another"
                raise self.error(f"{message}; leave it out", "model.mixtures")
            self.component("mixtures", mixture, f"model.mixtures.{i}")
        self.phases(model, algorithm, judged)
        ema = model.get("ema")
        if ema is not None and not 0 < ema < 1:
            raise self.error(f"wants a decay between 0 and 1, such as 0.999, got {ema}", "model.ema")
        if (switch := model.get("ema_switch")) is not None and (switch < 1 or ema is None):
            ways = "write ema too, such as ema: 0.999" if ema is None else f"wants 1 step or more, got {switch}"
            raise self.error(f"puts the average into the network every so many steps; {ways}", "model.ema_switch")

    def objectives(self, model: Mapping[str, Any], judged: list[str]) -> None:
        """Check the variant of each discriminator and the weights of the adversarial terms."""
        if judged and "variant" not in model:
            raise self.error("a discriminator needs a GAN variant, such as variant: {type: LSGAN}", "model.variant")
        for name in ("variant", "adversarial"):
            if name in model and not judged:
                message = f"is for a discriminator, and the model has none; add one, or leave {name} out"
                raise self.error(message, f"model.{name}")
        variant = model.get("variant", {})
        if "type" in variant:
            self.component("gan_variants", variant, "model.variant")
        else:
            for slot in variant:
                self.one_of(slot, judged, f"model.variant.{slot}", "discriminator")
            for slot in judged:
                self.component("gan_variants", variant.get(slot), f"model.variant.{slot}")
        for slot in model.get("adversarial", {}):
            self.one_of(slot, judged, f"model.adversarial.{slot}", "discriminator")
            self.number(model["adversarial"][slot], f"model.adversarial.{slot}")

    def switches(self, model: Mapping[str, Any], slots: list[str], judged: list[str]) -> None:
        """Check the speed switches: each names networks, and a shared graph needs the same fakes in both steps."""
        for switch in ("compile", "checkpointing", "spectral_norm"):
            for slot in model.get(switch) or {}:
                self.one_of(slot, slots, f"model.{switch}.{slot}", f"network of {model['type']}")
        for slot, options in (model.get("compile") or {}).items():
            for name, value in options.items():
                key = f"model.compile.{slot}.{name}"
                self.one_of(name, COMPILE_OPTIONS, key, "argument of torch.compile")
                wrong = misfit(value, COMPILE_OPTIONS[name])
                if wrong:
                    raise self.error(str(wrong), key)
        if model.get("one_graph") and not judged:
            raise self.error("shares a discriminator's graph, and the model has none; leave it out", "model.one_graph")
        if model.get("one_graph") and model.get("discriminator_first"):
            message = "the discriminators change between their step and the generators'; leave one of the two out"
            raise self.error(message, "model.one_graph")
        if model.get("one_graph") and (self.data.get("env_cfg") or {}).get("amp") == "float16":
            message = "takes a gradient that float16's loss scale does not reach; use bfloat16, or leave it out"
            raise self.error(message, "model.one_graph")
        for slot in judged if model.get("one_graph") else ():
            if model[slot].get("pool"):
                message = "model.one_graph judges the current fakes once for both steps; without it, a pool works"
                raise self.error(message, f"model.{slot}.pool")

    def losses(self, model: Mapping[str, Any], algorithm: Any) -> None:
        """Check that every loss has a role the algorithm knows."""
        judged = any(slot in model for slot in algorithm.adversaries)
        roles = [*algorithm.roles, *algorithm.judge_roles, *([FEATURE_MATCHING, LOGITS] if judged else [])]
        for role, each in model.get("losses", {}).items():
            self.one_of(role, roles, f"model.losses.{role}", f"role of {model['type']}")
            if role in algorithm.averaged_roles and model.get("ema") is None:
                message = "compares with the generator's average, and there is none; write model.ema: 0.999"
                raise self.error(message, f"model.losses.{role}")
            for i, loss in enumerate(each if isinstance(each, list) else [each]):
                key = f"model.losses.{role}.{i}" if isinstance(each, list) else f"model.losses.{role}"
                self.component("losses", loss, key)
                self.number(loss.get("weight", 1.0), f"{key}.weight")
            self.fakes_of_the_batch(model, role, algorithm)
        if not model.get("losses") and not judged and self.data.get("train_cfg"):
            raise self.error("there is no loss and no discriminator, so nothing would train", "model.losses")

    def fakes_of_the_batch(self, model: Mapping[str, Any], role: str, algorithm: Any) -> None:
        """Refuse a pool, whose fakes are older ones, where a loss compares fakes with other values of the batch."""
        for names in algorithm.judge_roles.get(role, ()):
            for slot in algorithm.adversaries:
                fake = any(name.startswith(f"{slot}/") and name.endswith("/fake") for name in names)
                if fake and len(names) > 1 and slot in model and model[slot].get("pool"):
                    message = f"its fakes are older than what model.losses.{role} compares them with; leave it out"
                    raise self.error(message, f"model.{slot}.pool")

    def phases(self, model: Mapping[str, Any], algorithm: Any, judged: list[str]) -> None:
        """Check names and order of the phases."""
        phases, last = model.get("phases") or [], 0
        for i, phase in enumerate(phases):
            key = f"model.phases.{i}"
            if not isinstance(phase, Mapping) or not isinstance(phase.get("name"), str):
                raise self.error(f"wants {{name: …, until: …}}, got {show(phase)}", key)
            for name, wanted in PHASE_KEYS.items():
                wrong = misfit(phase.get(name), wanted) if name in phase else None
                if wrong:
                    raise self.error(str(wrong), f"{key}.{name}{wrong.path}")
            for name in phase:
                self.one_of(name, ("name", "until", *PHASE_KEYS), f"{key}.{name}", "setting of a phase")
            for name, factor in (phase.get("rates") or {}).items():
                self.one_of(name, ("generator", "discriminator"), f"{key}.rates", "optimizer")
                if factor < 0:
                    raise self.error(f"wants a factor of 0 or more, got {factor}", f"{key}.rates.{name}")
            for path in phase.get("frozen") or ():
                self.one_of(path.split(".")[0], algorithm.slots(), f"{key}.frozen", "network of the model")
            for role in phase.get("losses") or ():
                self.one_of(role, model.get("losses", {}), f"{key}.losses", "role with a loss")
            for slot in phase.get("adversaries") or ():
                self.one_of(slot, judged, f"{key}.adversaries", "discriminator")
            until, is_last = phase.get("until"), i == len(phases) - 1
            if until is None and not is_last:
                raise self.error("only the last phase goes on to the end; say until which iteration", f"{key}.until")
            if until is not None and (is_last or misfit(until, int) or until <= last):
                wanted = "no limit, because it is the last" if is_last else f"an iteration after {last}"
                raise self.error(f"wants {wanted}, got {show(until)}", f"{key}.until")
            last = until or last

    # ------------------------------------------------------------------ small checks

    def one_of(self, name: Any, known: Any, key: str, what: str) -> None:
        """A name must be known."""
        if name not in known:
            raise self.error(f"{show(name)} is no {what}{did_you_mean(name, known)}", key)

    def pool(self, value: Any, key: str) -> None:
        """A history pool's size must be a whole number."""
        if misfit(value, int) or value < 0:
            raise self.error(f"wants the number of images to keep, 0 for none, got {show(value)}", key)

    def number(self, value: Any, key: str) -> None:
        """A weight must be a number."""
        if misfit(value, float) or not isfinite(value):
            raise self.error(f"wants a number, got {show(value)}", key)
