"""plugins/README.md documents every hook that exists and none that does not; what it shows works."""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

import toolbox
from toolbox import testing
from toolbox.config.structure import SECTIONS
from toolbox.contracts.nested import nested_kinds
from toolbox.plugins import hookspecs
from toolbox.plugins.manager import GROUP, PluginManager, use
from toolbox.plugins.registry import registry
from toolbox.testing import assemble, check_loss, check_training
from toolbox.testing.objective import LeastSquares

ROOT = Path(__file__).parents[2]
README = (ROOT / "plugins" / "README.md").read_text(encoding="utf-8")
TEMPLATE = ROOT / "plugins" / "template"
HOOKS = {name: hook for name, hook in vars(hookspecs).items() if hasattr(hook, "toolbox_spec")}


def fences(language: str) -> list[str]:
    """The README's code blocks in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


@pytest.fixture
def template(monkeypatch: pytest.MonkeyPatch) -> Iterator[PluginManager]:
    """The plugins of this process, with the template's module as if it were installed."""
    monkeypatch.syspath_prepend(str(TEMPLATE / "src"))
    plugins = PluginManager(["my_gan"])
    use(plugins)
    yield plugins
    use(None)
    for name in [name for name in sys.modules if name.partition(".")[0] == "my_gan"]:
        del sys.modules[name]


def test_every_hook_is_documented_with_its_arguments_and_none_that_does_not_exist() -> None:
    rows = re.findall(r"^\| `(\w+\(.*?\))` \| (.+?) \| (.+?) \| `(.+)` \|$", README, re.MULTILINE)
    exist = {f"{name}({', '.join(inspect.signature(hook).parameters)})" for name, hook in HOOKS.items()}
    assert {row[0] for row in rows} == exist
    assert len(rows) == len(exist), "a hook is documented twice"
    for _, _, _, example in rows:
        ast.parse(example)


def test_every_kind_of_component_has_a_hook_and_a_registry() -> None:
    for name in HOOKS:
        if name.startswith("register_"):
            assert registry(name.removeprefix("register_")).names() is not None


def test_every_base_class_of_nested_components_is_documented() -> None:
    from toolbox.contracts.nested import _bases

    paragraph = README.partition("### Components inside components")[2].partition("```")[0]
    assert set(re.findall(r"`(\w+)`", paragraph)) == {base.__name__ for base in _bases()}


def test_every_contract_check_is_documented() -> None:
    checks = {name for name in testing.__all__ if name.startswith("check_")}
    assert checks == set(re.findall(r"`(check_\w+)`", README))


def test_every_link_of_the_readmes_leads_somewhere() -> None:
    for readme in (ROOT / "plugins" / "README.md", TEMPLATE / "README.md"):
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", readme.read_text(encoding="utf-8")):
            assert (readme.parent / target).exists(), f"{readme}: {target}"


def test_the_readmes_single_file_plugin_works(tmp_path: Path) -> None:
    file = tmp_path / "mean_color.py"
    file.write_text(fences("python")[0])
    use(PluginManager([str(file)]))
    try:
        loss = registry("losses").get("MeanColorLoss")
        check_loss(loss())
        with pytest.raises(ValueError, match="gain must be above 0, got 0"):
            loss(gain=0)
    finally:
        use(None)


def test_the_readmes_nested_component_is_recognised() -> None:
    namespace: dict[str, type] = {}
    exec(fences("python")[1], namespace)  # our own text
    assert nested_kinds(namespace["FeatureDistance"]) == {"features": "features"}


def test_the_readmes_algorithm_trains_and_its_variant_keeps_its_state() -> None:
    made: dict[str, Any] = {}
    for block in fences("python")[2:5]:
        exec(block, made)  # our own text
    check_training(assemble(made["ConsistentUpscaler"], LeastSquares))
    check_loss(made["LabelLoss"](**made["LabelLoss"].example_arguments()), inputs=made["LabelLoss"].example_inputs())
    variant = made["Warmed"](base=LeastSquares(), steps=4)
    fake = [torch.full((2, 1), 3.0)]
    assert variant.g_loss(fake, None) == 0.0
    variant.finish_step(torch.nn.Identity())
    again = made["Warmed"](base=LeastSquares(), steps=4)
    again.load_state_dict(variant.state_dict())
    assert again.g_loss(fake, None) == LeastSquares().g_loss(fake, None) / 4


def test_the_readmes_yaml_and_its_other_code_are_well_formed() -> None:
    for block in fences("yaml"):
        content = yaml.safe_load(block)
        assert set(content) <= {*SECTIONS, "perceptual"}
    for block in fences("python"):
        ast.parse(block)


def test_the_templates_entry_point_is_in_the_toolboxs_group_and_names_its_module() -> None:
    tomllib = pytest.importorskip("tomllib")
    project = tomllib.loads((TEMPLATE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["entry-points"] == {GROUP: {"my_gan": "my_gan"}}
    assert (TEMPLATE / "src" / "my_gan" / "__init__.py").is_file()


def test_the_template_implements_hooks_that_exist_and_registers_what_its_readme_lists(template: PluginManager) -> None:
    plugin = template.plugins["my_gan"]
    assert plugin.error is None and len(plugin.hooks) == 11
    listed = re.findall(r"^\| \[`\w+\.py`\]\S+ \| `(\w+)` \|", (TEMPLATE / "README.md").read_text(), re.MULTILINE)
    registered = [
        name
        for hook in plugin.hooks
        for name in registry(hook.removeprefix("register_")).names()
        for owned in registry(hook.removeprefix("register_")).owners(name)
        if owned.plugin is plugin
    ]
    assert sorted(registered) == sorted(listed) and len(listed) == 11


def test_no_name_of_the_template_clashes_with_a_built_in(template: PluginManager) -> None:
    for hook in template.plugins["my_gan"].hooks:
        each = registry(hook.removeprefix("register_"))
        assert all(len(each.owners(name)) == 1 for name in each.names())


def test_the_templates_configs_use_everything_that_the_template_registers(template: PluginManager) -> None:
    files = (TEMPLATE / "template.yaml", TEMPLATE / "src" / "my_gan" / "configs" / "stripes.yaml")
    config = "".join(file.read_text(encoding="utf-8") for file in files)
    for hook in template.plugins["my_gan"].hooks:
        each = registry(hook.removeprefix("register_"))
        for name in each.names():
            if each.owners(name)[0].plugin.name == "my_gan" and each.kind != "formats":  # a file decides on its format
                assert f"type: {name}" in config


def test_every_public_name_is_in_the_readmes_table_and_no_other() -> None:
    table = README.partition("## What may be imported")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (.+?) \| .+ \|$", table, re.MULTILINE)[1:]
    listed = [name for row in rows for name in re.findall(r"`(\w+)`", row)]
    assert len(listed) == len(set(listed)), "a name is listed twice"
    assert set(listed) == set(toolbox.__all__) - {"__version__"}
