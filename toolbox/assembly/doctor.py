"""Looks at an installation: versions, combinations known to break, devices, plugins. Nothing here needs torch to load.

Each check stands alone: what one of them cannot find is a line of the answer, and the others go on.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from toolbox.assembly.machine import cores, gpu_has_bfloat16, units_of_bfloat16
from toolbox.io.errors import UserError
from toolbox.io.installation import shipped

ME = "gan-toolbox"
OPENCV = ("opencv-python", "opencv-python-headless", "opencv-contrib-python", "opencv-contrib-python-headless")
PACKAGES: dict[str, tuple[str, ...]] = {
    **{name: (name,) for name in ("torch", "mmengine", "mmcv-lite", "numpy", "pillow")},
    "opencv": OPENCV,
    "torchmetrics": ("torchmetrics",),
}
"""What is looked at, and the distributions that provide it."""
MODULES = ("numpy", "PIL", "cv2", "torch", "mmengine", "mmcv", "torchmetrics")
REINSTALL = "pip install -c constraints.txt -e ."


@dataclass(frozen=True)
class Finding:
    """One line of the answer."""

    subject: str
    state: Literal["ok", "warn", "bad"]
    found: str
    way_out: str = ""


Check = Callable[[], Iterable[Finding]]


def isolated(subject: str, check: Check) -> Iterator[Finding]:
    """The findings of a check; one that fails itself is a finding, too."""
    try:
        yield from check()
    except (UserError, ImportError, OSError) as error:
        yield Finding(subject, "bad", f"{type(error).__name__}: {' '.join(str(error).split())}")


def examine_installation(plugins: Iterable[str] = ()) -> Iterator[Finding]:
    """Everything that does not depend on a config. `plugins` are `-p` values."""
    yield from isolated("versions", versions)
    yield from isolated("imports", imports)
    yield from isolated("combinations", combinations)
    yield from isolated("CPU", processor)
    yield from isolated("GPU", accelerators)
    yield from isolated("plugins", lambda: installed_plugins(list(plugins)))


# ------------------------------------------------------------------ packages


def installed(*names: str) -> dict[str, str]:
    """Those of the distributions that are there, with their versions."""
    found = {}
    for name in names:
        try:
            found[name] = version(name) or "?"  # metadata that is damaged holds none
        except PackageNotFoundError:
            continue
    return found


def tested_versions() -> dict[str, str]:
    """What `constraints.txt` pins, where it comes with this installation."""
    file = shipped("constraints.txt")
    if file is None:
        return {}
    lines = [line.split("#")[0].strip() for line in file.read_text(encoding="utf-8").splitlines()]
    pinned = [line.partition("==") for line in lines if "==" in line]
    return {name.lower().replace("_", "-"): pin for name, _, pin in pinned}


def declared_ranges() -> dict[str, str]:
    """What gan-toolbox asks for: `{"torch": ">=2.11"}`."""
    from packaging.requirements import Requirement

    try:
        asked = [Requirement(line) for line in requires(ME) or ()]
    except PackageNotFoundError:
        return {}
    return {each.name.lower(): str(each.specifier) for each in asked if each.marker is None}


def versions() -> Iterator[Finding]:
    """Each package: installed, inside the declared range, and whether it is the version that is tested."""
    yield Finding("python", "ok", f"{platform.python_version()} ({platform.system()} {platform.machine()})")
    if not installed(ME):
        yield Finding(ME, "bad", "not installed, so no plugin is found, not even the built-in ones", REINSTALL)
    tested, ranges = tested_versions(), declared_ranges()
    for name, distributions in PACKAGES.items():
        found = installed(*distributions)
        if not found:
            yield Finding(name, "bad", "not installed", REINSTALL)
        for distribution, there in found.items():
            yield one_version(name, there, ranges.get(distribution, ""), tested.get(distribution))


def one_version(name: str, there: str, wanted: str, tested: str | None) -> Finding:
    """What is to be said of one version: local labels such as `+cpu` do not count."""
    from packaging.specifiers import SpecifierSet
    from packaging.version import InvalidVersion, Version

    try:
        Version(there)
    except InvalidVersion:
        return Finding(name, "bad", f"its version is unreadable: {there!r}", f"reinstall it: {REINSTALL}")
    if not SpecifierSet(wanted).contains(there, prereleases=True):
        return Finding(name, "bad", f"{there}, and {wanted} is needed", f"pip install '{name}{wanted}'")
    if tested is None:
        return Finding(name, "ok", there)
    if there.partition("+")[0] == tested:
        return Finding(name, "ok", f"{there} (tested)")
    return Finding(name, "warn", f"{there}; the tests run with {tested}", f"if something breaks: {REINSTALL}")


def imports() -> Iterator[Finding]:
    """Import what the toolbox stands on, in a process of its own: an import may crash, not only fail."""
    code = "import sys\nfor name in sys.argv[1:]:\n    __import__(name)\n    print(name, flush=True)"
    done = subprocess.run([sys.executable, "-c", code, *MODULES], capture_output=True, text=True)
    loaded = done.stdout.split()
    if done.returncode == 0:
        yield Finding("imports", "ok", ", ".join(MODULES))
        return
    guilty = next((name for name in MODULES if name not in loaded), "?")
    lines = done.stderr.strip().splitlines() or [f"the process ended with code {done.returncode}"]
    yield Finding(f"import {guilty}", "bad", lines[-1][:300], f"reinstall it: {REINSTALL}")


def combinations() -> Iterator[Finding]:
    """Packages that do not go together."""
    clashes = list(_clashes())
    yield from clashes or [Finding("combinations", "ok", "none that is known to break")]


def _clashes() -> Iterator[Finding]:
    found = installed("torch-fidelity", "onedl-mmengine", "onedl-mmcv", "mmcv", "mmcv-full")
    if "torch-fidelity" in found and find_spec("torchvision") is None:
        text = "is installed without torchvision, which breaks `import torchmetrics`"
        way_out = "pip uninstall torch-fidelity, or install the torchvision of your torch"
        yield Finding("torch-fidelity", "bad", text, way_out)
    for fork, original in (("onedl-mmengine", "mmengine"), ("onedl-mmcv", "mmcv-lite")):
        if fork in found:
            way_out = f"pip uninstall {fork} {original} && {REINSTALL}"
            yield Finding(fork, "bad", f"puts its files where {original} puts its own", way_out)
    for full in ("mmcv", "mmcv-full"):
        if full in found:
            text = "is the full mmcv, which has the import name of mmcv-lite and no wheel for this torch"
            yield Finding(full, "bad", text, f"pip uninstall {full} mmcv-lite && {REINSTALL}")
    several = installed(*OPENCV)
    if len(several) > 1:
        way_out = f"pip uninstall {' '.join(several)} && {REINSTALL}"
        yield Finding("opencv", "warn", f"{' and '.join(several)} overwrite each other", way_out)


# ------------------------------------------------------------------ devices


def processor() -> Iterator[Finding]:
    """Cores, threads, memory allocator, and whether bfloat16 is computed in hardware."""
    count = cores()
    preloaded = os.environ.get("LD_PRELOAD")
    if preloaded:
        yield Finding("LD_PRELOAD", "ok", f"{preloaded} (another memory allocator is fine)")
    import torch

    threads, capability = torch.get_num_threads(), torch.backends.cpu.get_cpu_capability()
    text = f"{count} cores, {threads} threads, {capability}"
    if threads > count:
        way_out = f"OMP_NUM_THREADS={count}"
        yield Finding("CPU", "warn", f"{text}: more threads than cores wait for each other", way_out)
    else:
        yield Finding("CPU", "ok", text)
    having = units_of_bfloat16()
    support = f"in hardware ({', '.join(having)})" if having else "emulated, so --amp is slower than without it here"
    yield Finding("bfloat16 on the CPU", "ok", support)


def accelerators() -> Iterator[Finding]:
    """GPUs that torch can use, and those it cannot."""
    import torch

    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            device = torch.cuda.get_device_properties(index)
            brain = "bfloat16" if gpu_has_bfloat16(device) else "no bfloat16"
            text = f"{device.name}, {device.total_memory / 2**30:.0f} GiB, {brain}, CUDA {torch.version.cuda}"
            yield Finding(f"cuda:{index}", "ok", text)
    elif Path("/dev/nvidia0").exists() or Path("/dev/kfd").exists():
        build = "a build without CUDA" if torch.version.cuda is None else f"built for CUDA {torch.version.cuda}"
        way_out = "install torch for your driver: https://pytorch.org/get-started/locally"
        yield Finding("GPU", "warn", f"there is one, and torch ({build}) cannot use it", way_out)
    else:
        yield Finding("GPU", "ok", "none; everything runs on the CPU")


# ------------------------------------------------------------------ plugins


def installed_plugins(wanted: list[str]) -> Iterator[Finding]:
    """Let every plugin load and register everything; those that fail are named."""
    from toolbox.plugins.manager import BUILT_IN, PluginManager, use

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of broken plugins: each becomes a line
        manager = PluginManager(wanted)
        use(manager)
        from toolbox.plugins.registry import KINDS

        for kind, each in KINDS.items():
            yield from isolated(f"plugins: {kind}", lambda each=each: each.load() or ())
    for plugin in manager.failures():
        state = "bad" if plugin.distribution == BUILT_IN else "warn"
        way_out = f"repair or uninstall it, or leave it out: -p no:{plugin.name}"
        yield Finding(f"plugin {plugin.name}", state, f"{plugin}: {plugin.error}", way_out)
    working = [plugin for plugin in manager.plugins.values() if not plugin.error and not plugin.blocked]
    foreign = [str(plugin) for plugin in working if plugin.distribution != BUILT_IN]
    more = f", and {', '.join(foreign)}" if foreign else ""
    state, way_out = ("ok", "") if working else ("bad", REINSTALL)
    yield Finding("plugins", state, f"{len(working) - len(foreign)} built in{more}", way_out)
