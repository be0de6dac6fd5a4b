"""Files made to hurt: deep, exploding, huge or damaged YAML is refused quickly, and with our own error."""

from __future__ import annotations

import random
import time
from itertools import pairwise

import pytest
import yaml
from test_config_yaml import refusal

from toolbox.config import yaml_loader
from toolbox.config.yaml_loader import MAX_NODES, parse_yaml
from toolbox.io.errors import ConfigError

VALID = """\
# A comment
_base_: ../base.yaml
model:
  type: CycleGAN
  generator_ab: &generator {type: ResnetGenerator, blocks: 9, norm: "instance"}
  generator_ba: *generator
  losses:
    cycle: {type: L1Loss, weight: 20.0}
    identity: [{type: L1Loss, weight: 1.e-1}]
optim_wrapper:
  generator:
    optimizer: {type: Adam, lr: 2e-4, betas: [0.5, 0.999]}
  discriminator:
    <<: {accumulative_counts: 1}
    optimizer: {type: Adam, lr: 2e-4, betas: [0.5, 0.999]}
work_dir: '{{ fileDirname }}/runs'
notes: |
  several
  lines
resume: false
load_from: null
"""


@pytest.mark.parametrize("base", [yaml_loader.StrictLoader, yaml.SafeLoader])
@pytest.mark.parametrize("text", ["[" * 5000, "{a: " * 5000, "- " * 100_000, "a: " + "[" * 50 + "1" + "]" * 50])
def test_deep_nesting_is_refused(text: str, base: type, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml_loader, "StrictLoader", base)
    assert "nested more than 50 levels deep" in refusal(text)


def test_nesting_to_the_limit_is_read() -> None:
    data = parse_yaml("a: " + "[" * 48 + "1" + "]" * 48, "c.yaml")
    assert str(data).count("[") == 48


def test_an_alias_bomb_is_refused_by_the_size_it_would_have() -> None:
    names = "abcdefghij"
    bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n" for old, new in pairwise(names)
    )
    assert len(bomb) < 600
    assert f"line 5: more than {MAX_NODES:,} values" in refusal(bomb)  # 9^5 = 59,049


def test_a_chain_of_aliases_that_would_nest_too_deep_is_refused() -> None:
    chain = "a0: &a0 [1]\n" + "".join(f"a{i + 1}: &a{i + 1} [*a{i}]\n" for i in range(100))
    assert "nested more than 50 levels deep" in refusal(chain)


def test_a_megabyte_is_the_most() -> None:
    assert "more than 1,000,000 bytes" in refusal("a: '" + "x" * 1_000_000 + "'")
    assert "more than 1,000,000 bytes" in refusal("a: '" + "ä" * 500_000 + "'")


def test_300_mutations_of_a_config_load_or_raise_a_config_error_within_a_second() -> None:
    rng = random.Random(20240131)
    pieces = ["{", "}", "[", "]", ": ", "- ", "&a ", "*a ", "!!python/name:os.system ", "\t", "\n", "<<: ", "0x_"]
    pieces += ["'", '"', "|", "%", "\x00", "\ufeff", "1e999", "2024-99-99", "? ", "--- ", "{{", "\ud800", "!", "@", "["]
    loaded = refused = 0
    for _ in range(300):
        text = VALID
        for _ in range(rng.randint(1, 6)):
            at = rng.randrange(len(text) + 1)
            change = rng.randrange(4)
            if change == 0:
                text = text[:at] + text[at + rng.randint(1, 8) :]
            elif change == 1:
                text = text[:at] + rng.choice(pieces) * rng.choice([1, 1, 2, 2000]) + text[at:]
            elif change == 2:
                text = text[:at] + chr(rng.randrange(0x250)) + text[at + 1 :]
            else:
                start = rng.randrange(len(text) + 1)
                text = text[:at] + text[start : start + 40] + text[at:]
        began = time.process_time()
        try:
            assert isinstance(parse_yaml(text, "c.yaml"), dict)
            loaded += 1
        except ConfigError as error:
            assert len(str(error).splitlines()) == 1
            refused += 1
        assert time.process_time() - began < 1
    assert loaded > 20 and refused > 100
