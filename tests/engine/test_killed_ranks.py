"""A process of several that dies is restarted by torchrun and costs no bit; what is lost is told in one line."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from killed_ranks import main
from torch.distributed import HashStore  # pyright: ignore[reportPrivateImportUsage]

from toolbox.engine.distributed import telling_of_lost_ranks
from toolbox.engine.meeting import fresh_part
from toolbox.io.errors import RunFailed

PATIENCE = timedelta(seconds=10)


def test_a_run_of_which_a_rank_is_killed_ends_with_the_undisturbed_runs_weights() -> None:
    assert main(1, seed=0, moments=("training",)) == {"equal": 1}


def test_processes_that_start_anew_agree_on_a_part_of_the_store_that_none_has_seen() -> None:
    store, seen = HashStore(), set[bytes]()
    for start in range(3):
        for rank in (1, 2) if start == 1 else ():  # they asked, and died before anybody answered
            store.set(f"toolbox/{rank}/asks", "nobody")
        with ThreadPoolExecutor(3) as ranks:
            parts = list(ranks.map(fresh_part, [store] * 3, (2, 0, 1), [3] * 3, [PATIENCE] * 3))
        parts[0].set("who", f"start {start}")
        found = {part.get("who") for part in parts}
        assert found == {f"start {start}".encode()} and not found & seen
        seen |= found


def test_rank_zero_does_not_wait_for_ever_for_one_that_died_after_it_had_asked() -> None:
    store = HashStore()
    store.set("toolbox/1/asks", "nobody")
    with pytest.raises(RuntimeError, match="Timed out"):
        fresh_part(store, 0, 2, timedelta(seconds=0.2))


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("[gloo/transport/tcp/pair.cc:534] Connection closed by peer [127.0.0.1]:23456", "has died"),
        (
            "[gloo/transport/tcp/unbound_buffer.cc:81] Timed out waiting 7000ms for recv operation",
            "does not answer for 7 s (env_cfg.dist_cfg.timeout)",
        ),
    ],
)
def test_a_process_that_died_or_hangs_is_told_in_one_line(
    monkeypatch: pytest.MonkeyPatch, said: str, told: str
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(RunFailed) as failed, telling_of_lost_ranks({"timeout": 7}):
        raise RuntimeError(said)
    assert told in str(failed.value) and "--resume continues" in str(failed.value)
    with pytest.raises(RuntimeError, match="shapes"), telling_of_lost_ranks():
        raise RuntimeError("shapes differ")
    with pytest.raises(RuntimeError, match="a download"), telling_of_lost_ranks():
        raise RuntimeError("a download timed out")
    monkeypatch.delenv("WORLD_SIZE")
    with pytest.raises(RuntimeError, match=r"gloo|Timed"), telling_of_lost_ranks():
        raise RuntimeError(said)
