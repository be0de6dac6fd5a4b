"""Reads a config file with its bases and the command line's options into one plain dict."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PureWindowsPath
from typing import Any

from toolbox.config.merge import Layer, conflicts, lay_over, settles, written
from toolbox.config.options import COMMAND_LINE, with_options
from toolbox.config.shipped import SUFFIXES, find_config, shipped_configs, shipped_folder, shown
from toolbox.config.values import show
from toolbox.config.yaml_loader import MAX_BYTES, parse_yaml
from toolbox.io.errors import ConfigError, UserError, did_you_mean
from toolbox.io.files import open_regular

MAX_BASES_DEEP = 20
SHIPPED = "toolbox:"
"""How the name of a base begins that comes with the toolbox, wherever the file is that names it."""
_TEMPLATE = re.compile(r"\{\{\s*(.*?)\s*\}\}")


@dataclass
class Config:
    """A merged config: plain data, the file it was asked for, and which file wrote each value."""

    data: dict[str, Any]
    file: Path
    """Absolute, symbolic links resolved."""
    sources: dict[str, str] = field(default_factory=dict)
    """Dotted path of every value (those in lists left out) to the file that wrote it, or `--cfg-options`."""

    def source(self, key: str) -> str:
        """The file to name in an error about `key`: who wrote it, or else who wrote the nearest thing above it."""
        while key:
            if key in self.sources:
                return self.sources[key]
            key = key.rpartition(".")[0]
        return shown(self.file)

    def blamed(self, key: str) -> str:
        """As `source`, with the options that changed the same section: a fault may be that they do not fit the file.

        Somebody looks into their own file first: it is named where it changed anything within what a base wrote, or,
        with the base, where it changed the section.
        """
        file, section, own = self.source(key), key.partition(".")[0], shown(self.file)
        if file not in (own, COMMAND_LINE):
            wrote = [known for known, source in self.sources.items() if source == own]
            if any(each.startswith(f"{key}.") for each in wrote):
                file = own
            elif any(each.startswith(f"{section}.") for each in wrote):
                file = f"{own} on {file}"
        options = [known for known, source in self.sources.items() if source == COMMAND_LINE]
        changed = [
            each
            for each in options
            if each.startswith(f"{section}.") and not any(other.startswith(f"{each}.") for other in options)
        ]
        return f"{file} with {COMMAND_LINE} {' '.join(changed)}" if changed and file != COMMAND_LINE else file


@contextmanager
def naming_the_file(config: Config) -> Iterator[None]:
    """Errors about a key, raised by whoever builds from the config's data alone, gain the file that wrote the key."""
    try:
        yield
    except ConfigError as error:
        if error.file or not error.key:
            raise
        raise ConfigError(error.message, file=config.blamed(error.key), key=error.key) from error


def load_config(
    path: str | Path, options: Mapping[str, Any] | None = None, *, options_from: str = COMMAND_LINE
) -> Config:
    """Read a config: its `_base_` files first, itself over them, then `options` (dotted path to value) over all.

    `options_from` is the file to name in errors about what the options wrote.

    `_base_` is one path or a list, relative to the file that names it. Two bases may not differ in a value unless
    the file itself decides it, or the later one says `_override_: true`: a preset, made to be laid over others. Such a
    file is no config by itself, and has no bases. Mappings merge, lists and single values replace, and
    `_delete_: true` in a mapping replaces the base's. `'{{ fileDirname }}'` (in quotes: YAML reads bare braces as a
    mapping) in any text becomes the folder of the file that wrote it. No base may lie outside the nearest folder
    called `configs` above the first file (its own folder where there is none), and nothing but .yaml and .yml is read.
    One folder more is open to every config: `toolbox:super_resolution/srgan.yaml` is a base shipped with the toolbox.

    Raises:
        ConfigError: naming the file, the key and the way out.
    """
    found = find_config(path)
    first = found.resolve()
    if first.suffix not in SUFFIXES:  # a link from x.yaml to something else
        raise ConfigError(f"leads to '{first.name}'; only .yaml and .yml files are read", file=shown(found))
    layer = _Reader(root_of(first)).read(first, ())
    for key, value in (options or {}).items():
        _refuse_templates(value, key, options_from)
    layer = with_options(layer, options or {}, options_from)
    return Config(layer.data, first, layer.sources)


def base_values(path: Path) -> tuple[list[str], dict[str, Any]]:
    """The bases that a config names, and what they say together, presets left out."""
    first = path.resolve()
    named = parse_yaml(read_text(first), shown(first)).get("_base_") or []
    names = [str(each) for each in (named if isinstance(named, list) else [named])]
    root, merged = root_of(first), Layer()
    reader = _Reader(root)
    for name in names:
        file = base_of(name, first, root if first.is_relative_to(root) else shipped_root())
        layer = reader.read(file, (first,))
        if file not in reader.presets:
            merged = lay_over(merged, layer)
    return names, merged.data


class _Reader:
    """Reads the files of one config, each once."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.known: dict[Path, Layer] = {}
        self.presets: set[Path] = set()

    def read(self, file: Path, chain: tuple[Path, ...]) -> Layer:
        """Return a file over its bases. `chain` are the files that led here."""
        name = shown(file)
        if file in chain:
            circle = " -> ".join(shown(each) for each in (*chain[chain.index(file) :], file))
            raise ConfigError(f"a file cannot be its own base: {circle}", file=shown(chain[-1]), key="_base_")
        if len(chain) > MAX_BASES_DEEP:
            raise ConfigError(f"more than {MAX_BASES_DEEP} files, each the base of another", file=name, key="_base_")
        if file in self.known:
            return self.known[file]
        data = parse_yaml(read_text(file), name)
        named = data.pop("_base_", [])
        if "_override_" in data:
            return self._preset(file, data, named, chain)
        root = self.root if file.is_relative_to(self.root) else shipped_root()
        bases = [base_of(item, file, root) for item in (named if isinstance(named, list) else [named])]
        own = written(_filled(data, file, ""), name)
        merged = Layer()
        for base in bases:
            layer = self.read(base, (*chain, file))
            for conflict in conflicts(merged.data, layer.data):
                if base not in self.presets and not settles(own.data, conflict):
                    key = ".".join(conflict)
                    message = (
                        f"bases {merged.sources[key]} and {layer.sources[key]} differ in it; drop one, or set it here"
                    )
                    raise ConfigError(message, file=name, key=key)
            merged = lay_over(merged, layer)
        self.known[file] = lay_over(merged, own)
        return self.known[file]

    def _preset(self, file: Path, data: dict[str, Any], named: Any, chain: tuple[Path, ...]) -> Layer:
        """A file that is laid over the bases named before it, `_delete_` marks and all."""
        name = shown(file)
        if data.pop("_override_") is not True:
            raise ConfigError("wants true; leave it out for a base like others", file=name, key="_override_")
        if named:
            raise ConfigError("a preset (_override_: true) has no bases of its own", file=name, key="_base_")
        if not chain:
            way = f"name it last among the bases of a config: _base_: [config.yaml, {file.name}]"
            raise ConfigError(f"is a preset, to be laid over a config; {way}", file=name)
        self.presets.add(file)
        self.known[file] = written(_filled(data, file, ""), name)
        return self.known[file]


def root_of(file: Path) -> Path:
    """The folder that no base of a file may leave: the nearest one called `configs` above it, or else its own."""
    return next((folder for folder in file.parents if folder.name == "configs"), file.parent)


def shipped_root() -> Path:
    """The folder of shipped configs, links resolved: the root of those that a config elsewhere is based on."""
    folder = shipped_folder()
    assert folder is not None  # a base was found there
    return folder.resolve()


def base_of(item: Any, file: Path, root: Path, key: str = "_base_") -> Path:
    """Find the config that a file names at `key`, relative to that file and inside the root, or by `toolbox:`.

    Raises:
        ConfigError: it is no such path or no shipped config, leaves the root, is no YAML file, or is not there.
    """

    def refuse(message: str) -> ConfigError:
        return ConfigError(message, file=shown(file), key=key)

    if not isinstance(item, str) or not item.strip() or not item.isprintable():
        raise refuse(f"wants a path or a list of paths, got {show(item)}")
    if item.startswith(SHIPPED):
        name, known = item.removeprefix(SHIPPED), shipped_configs()
        if name not in known:
            raise refuse(f"the toolbox ships no config '{name}'{did_you_mean(name, known)}")
        return known[name].resolve()
    if Path(item).is_absolute() or PureWindowsPath(item).anchor or "{{" in item:
        raise refuse(f"{show(item)} must be relative to this file: write '../base.yaml'")
    try:
        base = (file.parent / item).resolve()
    except (OSError, RuntimeError, ValueError) as error:  # a circle of links, or a name no disk can hold
        raise refuse(f"{show(item)} cannot be read: {type(error).__name__}") from None
    if not base.is_relative_to(root):
        raise refuse(f"{show(item)} leaves the folder {shown(root)}; copy the base into it")
    if base.suffix not in SUFFIXES:
        raise refuse(f"{show(item)}: only .yaml and .yml files are read, so that no config runs code")
    if not _is_file(base):
        hint = f"; the toolbox's own is {SHIPPED}{item}" if item in shipped_configs() else ""
        hint = hint or ("; write / between folders, which every system reads" if "\\" in item else "")
        raise refuse(f"there is no file {show(item)} (looked for {shown(base)}){hint}")
    return base


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def read_text(file: Path) -> str:
    """A file's text, cut behind what `parse_yaml` takes; raises ConfigError where it is no UTF-8 or cannot be read."""
    try:
        with open_regular(file) as stream:
            content = stream.read(MAX_BYTES + 1)  # one byte more than parse_yaml takes
    except UserError as error:
        raise ConfigError(str(error).partition(": ")[2], file=shown(file)) from None
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror or type(error).__name__}", file=shown(file)) from None
    if b"\0" in content[:200]:  # every other byte of UTF-16 without its mark, as some editors write it
        raise ConfigError("is not UTF-8 text, but UTF-16 or no text at all; save it as UTF-8", file=shown(file))
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if len(content) > MAX_BYTES:  # the cut may fall inside a character; parse_yaml says that it is too long
            return " " * len(content)
        line = content[: error.start].count(b"\n") + 1
        raise ConfigError(f"line {line}: is not UTF-8 text; save it as UTF-8", file=shown(file)) from None


def _filled(value: Any, file: Path, path: str) -> Any:
    """Replace `{{ fileDirname }}` in every text by the folder of the file, and refuse any other template."""
    if isinstance(value, dict):
        return {key: _filled(item, file, f"{path}.{key}" if path else key) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, file, f"{path}.{index}") for index, item in enumerate(value)]
    if not isinstance(value, str) or "{{" not in value:
        return value

    def fill(match: re.Match[str]) -> str:
        if match[1] != "fileDirname":
            raise _unknown_template(match[0], shown(file), path)
        return file.parent.as_posix()

    filled = _TEMPLATE.sub(fill, value)
    if "{{" in filled:
        raise _unknown_template(value, shown(file), path)
    return filled


def _refuse_templates(value: Any, path: str, file: str) -> None:
    if isinstance(value, dict):
        for key, item in value.items():
            _refuse_templates(item, f"{path}.{key}", file)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _refuse_templates(item, f"{path}.{index}", file)
    elif isinstance(value, str) and "{{" in value:
        raise ConfigError(f"{show(value)}: an option has no folder; write the path out", file=file, key=path)


def _unknown_template(written_as: str, file: str, path: str) -> ConfigError:
    message = f"{show(written_as)} is not replaced; the only template is '{{{{ fileDirname }}}}'"
    return ConfigError(message, file=file, key=path)
