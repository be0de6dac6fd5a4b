"""A JSON Schema of the whole config, of the plugins that are there: what an editor completes and underlines.

One schema is for both ways in which a config is written. A file without `_base_` is whole, and every key that is needed
must stand in it. One with `_base_` (or `_override_`, a preset) may leave out anything on any level, `type` too: then
whatever is written beside is let pass, since the base knows the type. Items of a list are whole in either, because a
list replaces the base's.

It finds what `check_structure` and `check_arguments` find in names, types and missing keys. What a schema cannot say is
left to `gan-toolbox train --dry-run`: JSON has no difference between 4 and 4.0, and knows not what goes together.
"""

from __future__ import annotations

from typing import Any

from toolbox.assembly.schema_components import Components
from toolbox.assembly.schema_values import Schema, of_rule
from toolbox.config.structure import SECTIONS

DRAFT = "http://json-schema.org/draft-07/schema#"
"""What editors' language servers understand best."""
_KIND_OF_SECTION = {
    "model": "algorithms",
    "train_dataloader.dataset": "datasets",
    "val_dataloader.dataset": "datasets",
    "test_dataloader.dataset": "datasets",
    "val_evaluator": "metrics",
    "test_evaluator": "metrics",
    "optim_wrapper.generator.optimizer": "optimizers",
    "optim_wrapper.discriminator.optimizer": "optimizers",
    "param_scheduler.generator": "schedules",
    "param_scheduler.discriminator": "schedules",
    "custom_hooks": "hooks",
    "visualizer": "visualizers",
}
_PLUGIN = r"^((no:)?[\w-]+|[\w-]+\s*[<>=!~][\w\s.,<>=!~*+]+)$"


def schema() -> Schema:
    """The schema of a config: every component of the process's plugins, with arguments, defaults and first lines."""
    components = Components()
    components.registered()
    _others(components)
    whole, partial = (_sections(components, partial=partial) for partial in (False, True))
    bases = {"type": ["string", "array"], "items": {"type": "string"}, "description": "configs that this one changes"}
    partial["properties"] |= {"_base_": bases, "_override_": {"const": True, "description": "a preset"}}
    del partial["properties"]["_delete_"]  # at the top it would delete every base
    components.definitions |= {"config": whole, "partial.config": partial}
    return {
        "$schema": DRAFT,
        "title": "gan-toolbox",
        "type": "object",
        "if": {"anyOf": [{"required": ["_base_"]}, {"required": ["_override_"]}]},
        "then": {"$ref": "#/definitions/partial.config"},
        "else": {"$ref": "#/definitions/config"},
        "definitions": components.definitions,
    }


def _sections(components: Components, *, partial: bool) -> Schema:
    """The sections of a config, as `structure.SECTIONS` has them, with the components in their places."""
    refer = components.refer_partial if partial else components.refer

    def component(rule: Any, path: str) -> Schema:
        kind = _KIND_OF_SECTION[path.removesuffix("[]")]
        return components.refer(kind) if path.endswith("[]") else refer(kind)

    made = of_rule(SECTIONS, component, "", partial=partial)
    hooks = made["properties"]["default_hooks"]["properties"]
    for name in SECTIONS["default_hooks"]:
        hooks[name] = {"anyOf": [refer(f"default_hooks.{name}"), {"type": "null"}]}
    made["properties"]["plugins"] = {"type": "array", "items": {"type": "string", "pattern": _PLUGIN}}
    return made


def _others(components: Components) -> None:
    """Define what no plugin registers: optimizers, schedules, visualizers, and the hooks of every run."""
    import mmengine.visualization  # noqa: F401  (registers them)
    import torch
    from mmengine.registry import VISUALIZERS

    from toolbox.engine.default_hooks import DEFAULT_HOOKS
    from toolbox.engine.packaged_optimizers import torch_optimizer
    from toolbox.engine.schedules import SCHEDULES, signature_of

    optimizers = {name: found for name in dir(torch.optim) if (found := torch_optimizer(name))}
    components.kind("optimizers", optimizers, ("params",))
    components.kind(
        "schedules", {name: signature_of(each) for name, each in SCHEDULES.items()}, ("optimizer", "param_name")
    )
    components.kind("visualizers", dict(VISUALIZERS.module_dict), ("save_dir", "name"))
    for name, hook in DEFAULT_HOOKS.items():
        for partial in (False, True):
            made = components.component("default_hooks", hook, (), partial=partial)
            del made["properties"]["type"]
            components.definitions[f"{'partial.' * partial}default_hooks.{name}"] = made
