"""Which versions go together: a plugin and the toolbox it was written for, a config and the plugins it needs."""

from __future__ import annotations

import ast
import importlib.util
import re
from pathlib import Path
from typing import Any

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from toolbox.io.errors import UserError

ATTRIBUTE = "toolbox_requires"
"""Where a plugin's module says which toolbox it was written for: `toolbox_requires = ">=0.2"`."""
_DEMAND = re.compile(r"(?P<name>[\w-]+)\s*(?P<range>[<>=!~].*)", re.ASCII | re.DOTALL)


class Misfit(Exception):
    """A plugin and this toolbox do not go together; the message is the whole reason."""


def demand(item: str) -> tuple[str, SpecifierSet]:
    """Split `labkit>=1.0` into the plugin's name and the versions that will do; of a bare name, any will.

    Raises:
        UserError: what follows the name is no version specifier (PEP 440).
    """
    found = _DEMAND.fullmatch(item.strip())
    if found is None:
        return item, SpecifierSet()
    try:
        return found["name"], SpecifierSet(found["range"])
    except InvalidSpecifier:
        raise UserError(f"{item}: {found['range']!r} is no version specifier; write {found['name']}>=1.0") from None


def fits(version: str, wanted: SpecifierSet) -> bool:
    """Whether a version is in a range; pre-releases count as any other, and what is no version never fits."""
    try:
        return wanted.contains(Version(version), prereleases=True)
    except InvalidVersion:
        return not str(wanted)


def refuse_misfit(written: Any, toolbox: str) -> None:
    """Raise `Misfit` unless a module's `toolbox_requires` (None: it has none) takes this toolbox's version."""
    if written is None:
        return
    try:
        wanted = SpecifierSet(written)
    except (InvalidSpecifier, TypeError, AttributeError):
        raise Misfit(f"{ATTRIBUTE} = {written!r} is no version specifier; write {ATTRIBUTE} = '>=0.2'") from None
    if not fits(toolbox, wanted):
        raise Misfit(f"it is written for gan-toolbox {wanted}, and this is {toolbox}; install a version that fits")


def written_requirement(file: Path | None) -> Any:
    """The `toolbox_requires` that a plugin's source states, read without importing it; None where it states none.

    A plugin for a newer toolbox fails at its first import from there, before its module has any attribute.
    """
    if file is None or file.suffix != ".py" or not file.is_file():
        return None
    try:
        body = ast.parse(file.read_bytes()).body
    except (SyntaxError, ValueError):  # importing it says so, with the line
        return None
    for statement in body:
        targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
        value = getattr(statement, "value", None)
        if any(isinstance(each, ast.Name) and each.id == ATTRIBUTE for each in targets):
            return value.value if isinstance(value, ast.Constant) else None
    return None


def source_of(module: str) -> Path | None:
    """The file of a module, found without importing it or the packages above it; None where it is no plain file."""
    top, *rest = module.split(".")
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return None
    if spec is None:
        return None
    if not rest:
        return Path(spec.origin) if spec.origin else None
    for folder in spec.submodule_search_locations or ():
        place = Path(folder).joinpath(*rest)
        for file in (place / "__init__.py", place.with_name(f"{place.name}.py")):
            if file.is_file():
                return file
    return None
