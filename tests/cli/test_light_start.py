"""What only prints starts at once: nothing that computes is imported for it."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize("arguments", [["--help"], ["models", "list"]])
def test_a_list_is_printed_without_what_computes(arguments: list[str]) -> None:
    code = (
        "import sys; from toolbox.cli import main; main(sys.argv[1:]);"
        "sys.exit(str([m for m in ('torch', 'mmengine', 'matplotlib', 'numpy', 'PIL') if m in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)
    assert done.stdout and done.stderr.strip() == "[]"
