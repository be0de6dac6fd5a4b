"""The reference of components: a page for each kind, from what the plugins register."""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from typing import Any

import pictures
from griffe import Docstring, DocstringSectionKind

from toolbox.config.model_keys import BESIDE
from toolbox.config.signature import constructor_parameters
from toolbox.plugins.registry import KINDS, Owned

TITLES = {
    "gan_variants": "GAN variants", "features": "Feature networks", "style_encoders": "Style encoders",
    "backends": "Runtimes", "formats": "Formats of weights",
}  # fmt: skip
"""Titles of kinds whose name is not title enough."""
ORDER = (
    "algorithms", "generators", "discriminators", "encoders", "style_encoders", "decoders", "gan_variants",
    "regularizers", "augmentations", "mixtures", "losses", "features", "degradations", "datasets", "transforms",
    "metrics", "hooks", "exporters", "backends", "formats",
)  # fmt: skip
"""As docs/components.md has them."""


def pages() -> Iterator[tuple[str, str, str]]:
    """Kind, title and Markdown of each page."""
    for kind in kinds():
        title = TITLES.get(kind, kind.replace("_", " ").capitalize())
        registry = KINDS[kind]
        entries = [entry(kind, name, owned) for name in registry.names() for owned in built_in(registry.owners(name))]
        yield kind, title, "\n".join([f"# {title}", "", f"{said(registry.contract)}.", "", *entries])


def kinds() -> list[str]:
    """All of them, in the pages' order."""
    return [*ORDER, *(each for each in KINDS if each not in ORDER)]


def built_in(owners: list[Owned]) -> list[Owned]:
    """Those that come with the toolbox, whatever else is installed."""
    return [owned for owned in owners if owned.component.__module__.startswith(("toolbox.", "toolbox_plugins."))]


def entry(kind: str, name: str, owned: Owned) -> str:
    """A component: what it is, its picture, its arguments, and the paper's folder."""
    component: Any = owned.component
    sections = Docstring(inspect.getdoc(component) or "", lineno=1).parse("google", warnings=False)
    texts = [section.value for section in sections if section.kind is DocstringSectionKind.text]
    told = {
        each.name: each.description
        for section in sections
        if section.kind is DocstringSectionKind.parameters
        for each in section.value
    }
    lines = [f"## {name}", "", *(f"{said(text)}\n" for text in texts)]
    if picture := pictures.of(kind, name):
        lines += [f"![{name}]({picture})", ""]
    parameters, _ = constructor_parameters(component)
    rows = [
        f"| `{key}` | {typed(annotation)} | {default(parameter)} | {cell(said(told.get(key, '')))} |"
        for key, (parameter, annotation) in parameters.items()
        if key != "parts"
    ]
    if kind == "algorithms":
        lines += [*slots(component), ""]
    if rows:
        lines += ["| argument | type | default | |", "|---|---|---|---|", *rows, ""]
    beside = [f"`{each}`" for each in BESIDE.get(kind, ()) if each != "type"]
    if beside:
        lines += [f"Beside them: {', '.join(beside)}.", ""]
    paper = said(first_line(component.__module__))
    return "\n".join([*lines, f"*Plugin `{owned.plugin.name}`: {paper}*", ""])


def slots(algorithm: Any) -> list[str]:
    """An algorithm's networks and the roles of its losses."""
    optional = [slot for slot in algorithm.slots() if slot in algorithm.optional]
    networks = ", ".join(f"`{slot}`{' (may be left out)' * (slot in optional)}" for slot in algorithm.slots())
    roles = ", ".join(f"`{role}`" for role in [*algorithm.roles, *algorithm.judge_roles])
    return [f"Networks: {networks or 'none'}.", "", f"Roles of losses: {roles or 'none'}."]


def typed(annotation: Any) -> str:
    """A type as a table's cell: its own name, without the modules that it is from."""
    if annotation is inspect.Parameter.empty:
        return ""
    text = annotation.__name__ if isinstance(annotation, type) and not typing.get_args(annotation) else str(annotation)
    bare = re.sub(r"(\w+\.)+(?=\w)", "", text)
    return f"`{bare}`"


def default(parameter: inspect.Parameter) -> str:
    """What is taken where a config says nothing."""
    if parameter.default is parameter.empty:
        return "needed"
    return f"`{parameter.default!r}`"


def cell(text: str) -> str:
    """Text on one line of a table."""
    return " ".join(text.split()).replace("|", "\\|")


def said(text: str) -> str:
    """A docstring's text as Markdown: what is not code keeps its stars, brackets and angles."""
    parts = re.split(r"(`[^`]*`)", text)
    return "".join(part if part.startswith("`") else re.sub(r"([*_<\[\]])", r"\\\1", part) for part in parts)


@cache
def first_line(module: str) -> str:
    """What the plugin's folder says of itself, which names its paper."""
    package = ".".join(module.split(".")[:2])
    return (inspect.getdoc(import_module(package)) or "").split("\n")[0].rstrip(".") + "."


@cache
def place(name: str) -> str | None:
    """Where the component of that name stands; the first kind's where two have it."""
    for kind in kinds():
        if name in KINDS[kind].names():
            return f"reference/{kind}.md#{name.lower()}"
    return None


def linked(markdown: str) -> str:
    """The overview, with a link at each name of a component."""

    def link(match: re.Match[str]) -> str:
        where = place(match[1])
        return f"[`{match[1]}`]({where})" if where else match[0]

    return re.sub(r"(?<!\[)`(\w+)`(?!\])", link, markdown)
