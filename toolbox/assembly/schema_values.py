"""JSON Schema of plain values: what `config/values.py` says of an annotation, in the words that editors read."""

from __future__ import annotations

import types
import typing
from collections.abc import Callable
from typing import Any, Literal, Union

from toolbox.config.structure import COMPONENT, AtLeast
from toolbox.config.values import LISTS, MAPPINGS, unwritable
from toolbox.contracts.nested import kind_of

Schema = dict[str, Any]
Refer = Callable[[str], Schema]
"""From a kind of component to the schema of one."""

_SCALARS: dict[Any, Schema] = {
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    str: {"type": "string"},
    None: {"type": "null"},
    type(None): {"type": "null"},
}
DELETE: dict[str, Schema] = {"_delete_": {"const": True, "description": "replaces the base's mapping"}}


def of_annotation(annotation: Any, refer: Refer, listed: Refer, *, partial: bool) -> Schema:
    """The schema of values that fit an annotation; `{}`, anything, where it is not understood.

    Args:
        refer: gives the schema of a component.
        listed: the same within lists, whose items are always whole: a list replaces the base's.
        partial: mappings may hold `_delete_`.
    """
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)

    def inner(each: Any, *, in_list: bool = False) -> Schema:
        return of_annotation(each, listed if in_list else refer, listed, partial=partial and not in_list)

    if origin in (Union, types.UnionType):
        return any_of([inner(each) for each in arguments if not unwritable(each)])
    if origin is Literal:
        return {"enum": list(arguments)}
    container = origin or annotation
    if container is tuple and arguments and arguments[-1] is not Ellipsis:
        items = [inner(each, in_list=True) for each in arguments]
        return {"type": "array", "items": items, "minItems": len(items), "maxItems": len(items)}
    if container in LISTS:
        return {"type": "array", **({"items": inner(arguments[0], in_list=True)} if arguments else {})}
    if container in MAPPINGS:
        values = inner(arguments[1]) if len(arguments) == 2 else {}
        return {"type": "object", "additionalProperties": values, **({"properties": DELETE} if partial else {})}
    if isinstance(annotation, type) or annotation is None:
        if annotation in _SCALARS:
            return dict(_SCALARS[annotation])
        kind = kind_of(annotation)
        return refer(kind) if kind else {}
    return {}


def of_rule(rule: Any, below: Callable[[Any, str], Schema], path: str, *, partial: bool) -> Schema:
    """The schema of one rule of `structure.SECTIONS`; `below` gives those of components, by their path."""
    from toolbox.config.structure import REQUIRED

    if isinstance(rule, tuple):
        return any_of([of_rule(each, below, path, partial=partial) for each in rule])
    if isinstance(rule, dict):
        properties = {
            key: of_rule(item, below, f"{path}.{key}" if path else key, partial=partial) for key, item in rule.items()
        }
        made = {"type": "object", "properties": properties | (DELETE if partial else {}), "additionalProperties": False}
        return made | ({"required": list(REQUIRED[path])} if path in REQUIRED and not partial else {})
    if isinstance(rule, list):
        return {"type": "array", "items": of_rule(rule[0], below, f"{path}[]", partial=False)}
    if isinstance(rule, AtLeast):
        return {"type": "integer", "minimum": rule.minimum, "maximum": rule.maximum}
    return below(rule, path) if rule is COMPONENT else of_annotation(rule, _nothing, _nothing, partial=partial)


def any_of(choices: list[Schema]) -> Schema:
    """One of several; those of a plain type each become one list of types, which editors show best."""
    choices = [each for i, each in enumerate(choices) if each not in choices[:i]]
    if {} in choices:
        return {}
    if len(choices) == 1:
        return choices[0]
    if all(set(each) == {"type"} and isinstance(each["type"], str) for each in choices):
        return {"type": [each["type"] for each in choices]}
    return {"anyOf": choices}


def _nothing(kind: str) -> Schema:
    return {}
