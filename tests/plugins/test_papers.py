"""The papers of components: what docstrings name is found in the packages' references, and in the right one."""

from __future__ import annotations

import sys
import types
from pathlib import Path

import pytest

import toolbox_plugins
from toolbox.plugins.papers import FILE, cited, entries_in, papers_of
from toolbox.plugins.registry import KINDS, registry

UNKNOWN = {"xu2021", "abrahamyan2022", "wright2022", "gastal2011"}
"""Cited without an entry: names and year stand alone."""


def everything() -> list[tuple[str, type]]:
    return [(name, kind.owners(name)[0].component) for kind in KINDS.values() for name in kind.names()]


def component(doc: str, module: str = "") -> type:
    made = type("Made", (), {"__doc__": doc})
    made.__module__ = module or __name__
    return made


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("As in Zhu et al. 2017, appendix 7.2.", ["zhu2017"]),
        ("(BSRGAN, Zhang et al., 2021)", ["zhang2021"]),
        ("Chan et al., CVPR Workshops 2021, and Gupta et al. (2017)", ["chan2021", "gupta2017"]),
        ("AdaIN (Huang and Belongie, 2017); Xu, Xiong and Hu 2021", ["huang2017", "xu2021"]),
        ("Relativistic (Jolicoeur-Martineau, 2018)", ["jolicoeurmartineau2018"]),
        ("fading (Sønderby et\n    al., 2017)", ["sønderby2017"]),
        ("Gatys et al. 2016b keep colours", ["gatys2016b"]),
        ("1517 parameters of 2018", []),
    ],
)
def test_citations_are_read_as_the_house_writes_them(text: str, keys: list[str]) -> None:
    assert [key for key, _, _ in cited(component(text, "nowhere"))] == keys


def test_every_paper_that_is_named_has_an_entry_and_every_entry_is_named() -> None:
    found = papers_of(everything())
    plain = {each.key for each in found if "title = " not in each.bibtex}
    assert plain <= UNKNOWN
    for file in Path(toolbox_plugins.__path__[0]).rglob(FILE):
        entries = entries_in(file.read_text(encoding="utf-8"))
        assert entries and all(text.endswith("}") and text.count("{") == text.count("}") for text in entries.values())
        assert {text.partition("\n")[2] for text in entries.values()} <= {
            each.bibtex.partition("\n")[2] for each in found
        }


def test_two_papers_of_one_name_and_year_are_told_apart_by_package() -> None:
    one = papers_of([("RCAN", registry("generators").get("RCAN"))])
    assert "Residual Channel Attention" in one[0].bibtex and one[0].used_by == ["RCAN"]
    both = papers_of(
        [(name, registry(kind).get(name)) for kind, name in (("generators", "RCAN"), ("metrics", "LPIPS"))]
    )
    keys = [each.key for each in both if "zhang2018" in each.key]
    assert keys == ["zhang2018", "zhang2018b"] and "@inproceedings{zhang2018b," in both[1].bibtex


def test_a_package_of_somebody_elses_brings_its_own_references(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / FILE).write_text("@article{doe2026,\n  author = {Doe, Jane},\n  title = {A Net},\n  year = {2026}\n}\n")
    package = types.ModuleType("elsewhere")
    package.__path__ = [str(tmp_path)]
    monkeypatch.setitem(sys.modules, "elsewhere", package)
    found = papers_of([("Net", component("A net (Doe, 2026), with blocks (Roe et al., 2025).", "elsewhere.net"))])
    assert [each.key for each in found] == ["doe2026", "roe2025"]
    assert "title = {A Net}" in found[0].bibtex and "author = {Roe and others}" in found[1].bibtex
