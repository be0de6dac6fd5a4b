"""`plugins list|show KIND|check NAME|new DIR`: what is installed and registered, whether it keeps to the contracts."""

from __future__ import annotations

from collections.abc import Sequence
from shlex import quote

from toolbox.cli.arguments import parser, use_plugins
from toolbox.config import Config
from toolbox.io.errors import UserError


def main(arguments: Sequence[str] | None = None) -> int:
    """Answer; returns the exit code."""
    made = parser("plugins", "List plugins, show the components of one kind, or check one plugin's components.")
    commands = made.add_subparsers(dest="command", required=True)
    each = commands.add_parser("list", help="plugins, versions, kinds and errors (torch is not imported)")
    show = commands.add_parser("show", help="the components of one kind, with their arguments")
    show.add_argument("kind", metavar="KIND", help="generators, losses, gan_variants, …")
    check = commands.add_parser("check", help="run the contract checks on a plugin's components")
    check.add_argument("name", metavar="NAME", help="a plugin, or a .py file")
    check.add_argument("--config", metavar="CONFIG", help="a YAML whose arguments the components are built with")
    new = commands.add_parser("new", help="begin a plugin: copy the template, a complete and tested one")
    new.add_argument("folder", metavar="DIR", help="a folder that is not there yet")
    for command in (each, show, check):  # -p may stand before the command or after it
        command.add_argument("-p", dest="more_plugins", action="append", default=[], metavar="NAME", help="as above")
    options = made.parse_args(arguments)
    if options.command == "new":
        return new_plugin(options.folder)
    wanted = options.plugins + options.more_plugins
    if options.command == "check":
        from pathlib import Path

        from toolbox.config import check_structure, load_config

        config = load_config(options.config) if options.config else None
        if config:
            check_structure(config)
        file = [options.name] if options.name.endswith(".py") else []
        use_plugins(wanted + file, config)
        return check_plugin(Path(options.name).stem if file else options.name, config)
    use_plugins(wanted)
    return list_plugins() if options.command == "list" else show_kind(options.kind)


def new_plugin(folder: str) -> int:
    """Copy the template; raises UserError where the folder is there already, or this installation has no template."""
    import shutil
    from pathlib import Path

    from toolbox.io.files import NotWritten
    from toolbox.io.installation import shipped

    template, target = shipped("template") or shipped("plugins/template"), Path(folder)
    if template is None:
        raise UserError("this installation has no template; reinstall gan-toolbox")
    if target.exists():
        raise UserError(f"{folder}: is there already; name a new folder")
    partial = target.with_name(f".{target.name}.partial")
    try:
        shutil.copytree(template, partial, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"), dirs_exist_ok=True)
        partial.rename(target)
    except OSError as error:
        told = OSError(str(error.args[0][0][-1]).partition(":")[0]) if isinstance(error, shutil.Error) else error
        raise NotWritten(folder, told) from None  # of all files that failed, the first
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    print(f"{folder}: a plugin of every kind of component; its README.md says how to make it yours")
    print(f"next: pip install -e {quote(str(folder))}, then gan-toolbox plugins list")
    return 0


def list_plugins() -> int:
    """Print every plugin, its version, the kinds it registers and its error, if it has one."""
    from rich.table import Table

    from toolbox.io.console import console, styled
    from toolbox.plugins.manager import manager

    table = Table()
    for column in ("plugin", "from", "registers"):
        table.add_column(column, overflow="fold")
    for plugin in manager().plugins.values():
        if plugin.error:
            state = styled(("does not load:", "bad"), f" {plugin.error}")
        elif plugin.blocked:
            state = styled(("left out", "quiet"))
        else:
            state = ", ".join(hook.removeprefix("register_") for hook in plugin.hooks)
        table.add_row(plugin.name, str(plugin), state)
    console.print(table)
    return 0


def show_kind(kind: str) -> int:
    """Print the components of one kind with their constructor's arguments."""
    import inspect

    from rich.table import Table

    from toolbox.io.console import console
    from toolbox.plugins.registry import registry

    each = registry(kind)
    table = Table(title=f"{kind}: {each.contract}", title_justify="left")
    for column in ("type", "plugin", "arguments", "what it is"):
        table.add_column(column, overflow="fold")
    for name in each.names():
        for owned in each.owners(name):
            parameters = inspect.signature(owned.component).parameters.values()
            named = [p for p in parameters if p.name != "parts" and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
            arguments = ", ".join(p.name if p.default is p.empty else f"{p.name}={p.default!r}" for p in named)
            summary = (owned.component.__doc__ or "").strip().split("\n")[0]
            table.add_row(name, owned.plugin.name, arguments, summary)
    console.print(table)
    return 0


def check_plugin(name: str, config: Config | None = None) -> int:
    """Run the contract checks of `toolbox.testing` on everything that a plugin registers."""
    from toolbox.io.console import console, styled
    from toolbox.testing import check_plugin as contract_checks

    failed = 0
    for result in contract_checks(name, config):
        mark = ("no", "bad") if result.problem else ("ok", "good") if result.ran else ("--", "quiet")
        console.print(
            styled(mark, f"  {result.kind}/{result.name}: {result.problem or result.checked}"), soft_wrap=True
        )
        failed += result.problem is not None
    return 1 if failed else 0
