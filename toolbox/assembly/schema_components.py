"""JSON Schema of every component that the plugins register: its name, its arguments, and what may stand beside them."""

from __future__ import annotations

import inspect
import math
from collections.abc import Collection, Mapping
from typing import Any

from toolbox.assembly.schema_values import DELETE, Schema, any_of, of_annotation
from toolbox.config.model_keys import BESIDE, COMPILE_OPTIONS, FEATURE_MATCHING, LOGITS, MODEL_KEYS, PHASE_KEYS
from toolbox.config.signature import constructor_parameters
from toolbox.plugins.registry import KINDS

_WRITTEN = ("exporters", "backends", "formats")
"""Kinds that no config names."""


class Components:
    """The definitions, whole and partial: a file with `_base_` may leave out what its base has."""

    def __init__(self) -> None:
        self.definitions: dict[str, Schema] = {}

    def registered(self) -> None:
        """Define every kind, and in it every name, alone and with its plugin's."""
        for kind, each in KINDS.items():
            if kind in _WRITTEN:
                continue
            classes: dict[str, type] = {}
            for name in each.names():
                owners = each.owners(name)
                classes |= {f"{owned.plugin.name}/{name}": owned.component for owned in owners}
                if len(owners) == 1:
                    classes[name] = owners[0].component
            self.kind(kind, classes)

    def kind(self, kind: str, classes: Mapping[str, type], skip: Collection[str] = ()) -> None:
        """Define the components of one kind; `skip` are arguments that the toolbox gives itself."""
        for partial in (False, True):
            names: dict[type, list[str]] = {}
            for name, component in classes.items():
                names.setdefault(component, []).append(name)
            cases = []
            for component, those in names.items():
                key = f"{kind}.{those[-1].rpartition('/')[2]}"
                while self.definitions.get(_place(key, partial), {}).get("$comment", component.__qualname__) != (
                    component.__qualname__
                ):
                    key += "_"  # another plugin's of that name
                of = self.algorithm if kind == "algorithms" else self.component
                self.definitions[_place(key, partial)] = of(kind, component, skip, partial=partial)
                match = {"properties": {"type": {"enum": those}}, "required": ["type"]}
                cases.append({"if": match, "then": {"$ref": f"#/definitions/{_place(key, partial)}"}})
            made: Schema = {"type": "object", "properties": {"type": {"enum": sorted(classes)}}}
            if partial:
                made["properties"] |= DELETE
            else:
                made["required"] = ["type"]
            self.definitions[_place(kind, partial)] = made | ({"allOf": cases} if cases else {})

    def refer(self, kind: str) -> Schema:
        """A whole component of a kind."""
        return {"$ref": f"#/definitions/{kind}"}

    def refer_partial(self, kind: str) -> Schema:
        """One that a base may complete."""
        return {"$ref": f"#/definitions/{_place(kind, True)}"}

    def component(self, kind: str, component: type, skip: Collection[str], *, partial: bool) -> Schema:
        """A component's arguments."""
        refer = self.refer_partial if partial else self.refer
        parameters, open_ended = constructor_parameters(component)
        properties: dict[str, Schema] = {"type": {"type": "string"}}
        for name, (parameter, annotation) in parameters.items():
            if name not in skip:
                properties[name] = self.argument(parameter, annotation, partial=partial)
        for name, annotation in BESIDE.get(kind, {}).items():
            if name in KINDS:
                properties[name] = {"type": "array", "items": self.refer(name)}
            elif name != "type":
                properties[name] = of_annotation(annotation, refer, self.refer, partial=partial)
        needed = [name for name, (parameter, _) in parameters.items() if parameter.default is parameter.empty]
        return _mapping(component, properties, [each for each in needed if each not in skip], open_ended, partial)

    def argument(self, parameter: inspect.Parameter, annotation: Any, *, partial: bool) -> Schema:
        """One argument of a constructor, with its default where JSON has such a value."""
        refer = self.refer_partial if partial else self.refer
        made = of_annotation(annotation, refer, self.refer, partial=partial)
        if parameter.default is None and made:
            made = any_of([made, {"type": "null"}])
        plain = isinstance(parameter.default, (bool, int, str)) or (
            isinstance(parameter.default, float) and math.isfinite(parameter.default)
        )
        return {**made, "default": parameter.default} if plain and "$ref" not in made else made

    def algorithm(self, kind: str, algorithm: Any, skip: Collection[str], *, partial: bool) -> Schema:
        """`model`: an algorithm's networks, the roles of its losses, its own arguments and those of every algorithm."""
        refer = self.refer_partial if partial else self.refer
        slots, judged = algorithm.slots(), list(algorithm.adversaries)
        parameters, _ = constructor_parameters(algorithm)
        properties: dict[str, Schema] = {
            name: of_annotation(wanted, refer, self.refer, partial=partial) for name, wanted in MODEL_KEYS.items()
        }
        properties |= {slot: refer(of) for slot, of in slots.items()}
        for name, (parameter, annotation) in parameters.items():
            if name != "parts" and name not in properties:
                properties[name] = self.argument(parameter, annotation, partial=partial)
        roles = [*algorithm.roles, *algorithm.judge_roles, *([FEATURE_MATCHING, LOGITS] if judged else [])]
        loss = {"anyOf": [refer("losses"), {"type": "array", "items": self.refer("losses")}]}
        properties["losses"] = _closed(dict.fromkeys(roles, loss), partial)
        properties["adversarial"] = _closed({slot: {"type": "number"} for slot in judged}, partial)
        one_for_each = _closed(dict.fromkeys(judged, refer("gan_variants")), partial)
        properties["variant"] = {
            "if": {"required": ["type"]}, "then": refer("gan_variants"), "else": one_for_each if not partial else {},
            "type": "object",
        }  # fmt: skip
        properties["degradation"] = any_of([refer("degradations"), {"type": "null"}])
        properties["ema"] = {"type": ["number", "null"], "exclusiveMinimum": 0, "exclusiveMaximum": 1}
        options = {name: of_annotation(each, refer, refer, partial=partial) for name, each in COMPILE_OPTIONS.items()}
        nullable = {"type": "null"}
        properties["compile"] = any_of([_closed(dict.fromkeys(slots, _closed(options, partial)), partial), nullable])
        for name in ("checkpointing", "spectral_norm"):
            lists = {"type": "array", "items": {"type": "string"}}
            properties[name] = any_of([_closed(dict.fromkeys(slots, lists), partial), nullable])
        phase = {name: of_annotation(each, refer, refer, partial=False) for name, each in PHASE_KEYS.items()}
        phase |= {"name": {"type": "string"}, "until": {"type": ["integer", "null"]}}
        whole = {**_closed(phase, False), "required": ["name"]}
        properties["phases"] = any_of([{"type": "array", "items": whole}, nullable])
        needed = [slot for slot in slots if slot not in algorithm.optional]
        needed += [name for name, (each, _) in parameters.items() if each.default is each.empty and name != "parts"]
        return _mapping(algorithm, properties, needed, False, partial)


def _place(key: str, partial: bool) -> str:
    return f"partial.{key}" if partial else key


def _closed(properties: Mapping[str, Schema], partial: bool) -> Schema:
    """A mapping of these keys and no others."""
    return {
        "type": "object",
        "properties": {**properties, **(DELETE if partial else {})},
        "additionalProperties": False,
    }


def _mapping(
    component: type, properties: Mapping[str, Schema], needed: list[str], open_ended: bool, partial: bool
) -> Schema:
    """What is written for a component; a partial one needs nothing, its base may have it."""
    said = (inspect.getdoc(component) or "").split("\n\n")[0]
    made = {"$comment": component.__qualname__, "description": " ".join(said.split()), **_closed(properties, partial)}
    if open_ended:
        made["additionalProperties"] = True
    if needed and not partial:
        made["required"] = needed
    return made
