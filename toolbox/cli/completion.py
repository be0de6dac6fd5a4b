"""`completion bash|zsh|fish`: a script that completes commands, options and their choices, made of the parsers."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from toolbox.cli.arguments import parser
from toolbox.cli.parsers import parser_of

SHELLS = ("bash", "zsh", "fish")
Options = dict[str, tuple[str, list[str]]]
"""Each option with its help and the values it may have."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the script; returns 0."""
    made = parser("completion", "Print a script that completes commands and options in a shell.")
    made.epilog = (
        "bash: gan-toolbox completion bash > ~/.local/share/bash-completion/completions/gan-toolbox; "
        "zsh: … zsh > a folder of $fpath, as _gan-toolbox; fish: … fish > ~/.config/fish/completions/gan-toolbox.fish"
    )
    made.add_argument("shell", choices=SHELLS)
    options = made.parse_args(arguments)
    print(script(options.shell))
    return 0


def script(shell: str) -> str:
    """The script of a shell, from what every command takes."""
    return {"bash": _bash, "zsh": _zsh, "fish": _fish}[shell](everything())


def everything() -> dict[str, Options]:
    """Options of every command, and of those below one (`models download`), by what is typed before them."""
    from toolbox.cli import COMMANDS

    found: dict[str, Options] = {"": {name: (text, []) for name, text in COMMANDS.items()}}
    found[""] |= {"--help": ("", []), "--version": ("", [])}
    for command in COMMANDS:
        _add(found, command, parser_of(command))
    return found


def _add(found: dict[str, Options], typed: str, made: argparse.ArgumentParser) -> None:
    options: Options = {}
    for action in made._actions:
        choices = [str(each) for each in action.choices or ()]
        if isinstance(action, argparse._SubParsersAction):
            for name, below in action.choices.items():
                options[name] = (below.description or "", [])
                _add(found, f"{typed} {name}", below)
        elif not action.option_strings:
            options |= {each: ("", []) for each in choices}
        elif action.help is not argparse.SUPPRESS:
            said = " ".join((action.help or "").replace("%%", "%").split())
            options |= {each: (said, choices) for each in action.option_strings}
    found[typed] = options


def _bash(found: dict[str, Options]) -> str:
    words = "\n".join(f"    '{typed}') words='{' '.join(options)}' ;;" for typed, options in found.items())
    values = "\n".join(f"    '{typed} {option}') words='{' '.join(choices)}' ;;" for typed, options in found.items()
                       for option, (_, choices) in options.items() if choices)  # fmt: skip
    return f"""# bash completion of gan-toolbox
_gan_toolbox() {{
  local current=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD-1]}} typed='' words=''
  (( COMP_CWORD > 1 )) && typed=${{COMP_WORDS[1]}}
  case "$typed ${{COMP_WORDS[2]}}" in
{_below(found, "    '{}') (( COMP_CWORD > 2 )) && typed='{}' ;;")}
  esac
  case "$typed" in
{words}
  esac
  case "$typed $before" in
{values}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}}
complete -o default -F _gan_toolbox gan-toolbox"""


def _zsh(found: dict[str, Options]) -> str:
    return "#compdef gan-toolbox\nautoload -U +X bashcompinit && bashcompinit\n" + _bash(found)


def _fish(found: dict[str, Options]) -> str:
    lines = ["# fish completion of gan-toolbox"]
    for typed, options in found.items():
        seen = " and ".join(f"__fish_seen_subcommand_from {word}" for word in typed.split()).replace(" and ", "; and ")
        condition = f"-n '{seen or '__fish_use_subcommand'}'"
        for option, (said, choices) in options.items():
            name = f"-l {option[2:]}" if option.startswith("--") else f"-s {option[1:]}" if option[0] == "-" else (
                f"-f -a {option}")  # fmt: skip
            values = f" -x -a '{' '.join(choices)}'" if choices else ""
            lines.append(f"complete -c gan-toolbox {condition} {name}{values} -d {_quoted(said)}")
    return "\n".join(lines)


def _below(found: dict[str, Options], line: str) -> str:
    """One line for each command below another; one that matches nothing where there is none."""
    return "\n".join(line.format(typed, typed) for typed in found if " " in typed)


def _quoted(text: str) -> str:
    """A text for fish, in single quotes."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
