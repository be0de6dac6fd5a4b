"""Settings that every test shares: one thread each (tests run side by side), broken plugins raise, an own cache.

Plugins of others that happen to be installed are left out, here and in every process that a test starts: what they
register is not what is tested, and a broken one would stop every test.
"""

from __future__ import annotations

import os
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from strangers import left_out

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["TOOLBOX_STRICT"] = "1"
os.environ["TOOLBOX_PLUGINS"] = left_out()

import pytest
import torch

import toolbox.plugins.manager as plugin_module
from made_up import Install
from toolbox.plugins.manager import use

torch.set_num_threads(1)
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a script has started pytest with `&`; tests send Ctrl-C
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:  # or with nohup; tests hang up
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

LONGEST = (
    "assembly/test_export_graph.py",
    "engine/test_network_switches.py",
    "benchmark/test_benchmark.py",
    "test_readme.py",
    "studio/test_studio_films_browser.py",
    "training/test_combinations.py",
    "engine/test_launch.py",
    "engine/test_equivalence.py",
    "inference/test_kept_graphs.py",
    "cli/test_notebook.py",
    "test_site.py",
    "training/test_distributed_training.py",
    "engine/test_killed_ranks.py",
    "engine/test_kill.py",
    "toolbox_plugins/test_toy.py",
    "engine/test_exact_resume.py",
    "inference/test_backends.py",
    "cli/test_full_disk.py",
    "plugins/test_template.py",
    "engine/test_sentinels_run.py",
    "engine/test_resume.py",
    "assembly/test_configs.py",
    "plugins/test_strangers.py",
    "inference/test_hostile_exports.py",
)
"""Modules of twenty seconds and more, on one core."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long modules begin, then those of many tests: so no worker ends long after the others (a module has one)."""
    here, tests = Path(__file__).parent, Counter(item.path for item in items)
    rank = {here / name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: (rank.get(item.path, len(rank)), -tests[item.path], item.path))


@pytest.fixture(autouse=True)
def fixed_seed() -> Iterator[None]:
    """Every test starts from the same random numbers."""
    torch.manual_seed(0)
    yield


@pytest.fixture(autouse=True, scope="session")
def cache_of_the_tests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Caches are made below a temporary folder, never in the home of whoever runs the tests."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("cache")
        patch.setenv("TOOLBOX_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="module")
def converted_once() -> Iterator[None]:
    """A network that several formats or runtimes get is converted to ONNX for the first."""
    from conversions import share_conversions

    with pytest.MonkeyPatch.context() as patch:
        share_conversions(patch)
        yield


@pytest.fixture(scope="module")
def forked_trials() -> Iterator[None]:
    """Files of other runtimes are tried in processes that are forked, which saves each the imports."""
    from forked import standing_in

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("toolbox.inference.trial.subprocess", standing_in())
        yield


def _plugins_stay() -> Iterator[None]:
    """A command run in this process may bring plugins of its own (`-p`); what comes next has those of before."""
    before = plugin_module._current
    yield
    if plugin_module._current is not before:
        use(before)


_after_a_test = pytest.fixture(autouse=True)(_plugins_stay)
_after_a_module = pytest.fixture(autouse=True, scope="module")(_plugins_stay)


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Install a made-up distribution of one module; everything is as before when the test ends."""
    monkeypatch.delenv("TOOLBOX_STRICT")
    modules = set(sys.modules)

    def installed(plugin: str, source: str, *, distribution: str | None = None, version: str = "1.0") -> None:
        name = distribution or plugin
        site = tmp_path / name
        info = site / f"{name}-{version}.dist-info"
        info.mkdir(parents=True)
        (site / f"{name}_module.py").write_text(source)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        (info / "entry_points.txt").write_text(f"[toolbox.plugins]\n{plugin} = {name}_module\n")
        monkeypatch.syspath_prepend(str(site))

    yield installed
    use(None)
    for name in set(sys.modules) - modules:
        if str(getattr(sys.modules[name], "__file__", None)).startswith(str(tmp_path)):
            del sys.modules[name]
