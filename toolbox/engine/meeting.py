"""Where the processes of a run find each other, though torchrun has restarted them."""

from __future__ import annotations

import os
import time
from datetime import timedelta
from typing import Any
from uuid import uuid4

from torch.distributed import DistStoreError, PrefixStore, Store, TCPStore  # pyright: ignore[reportPrivateImportUsage]


def where_to_meet(patience: timedelta) -> dict[str, Any]:
    """Where the processes find each other, as `init_process_group` takes it.

    torchrun keeps one store for all its restarts, in which the addresses of processes that have died still stand: who
    calls one waits without end. So the processes first agree on a part of the store that no start before has seen.
    """
    if os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True":
        return {}
    rank, world_size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    address, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    store = TCPStore(address, port, world_size, is_master=False, timeout=patience)
    return {"store": fresh_part(store, rank, world_size, patience), "rank": rank, "world_size": world_size}


def fresh_part(store: Store, rank: int, world_size: int, patience: timedelta) -> Store:
    """The part of a store that these processes alone know; what those before them left in it misleads nobody.

    Each names itself anew. Rank 0 tells its name to whoever asks, until those ask that live and say that they heard.
    """
    own = uuid4().hex
    if rank > 0:
        store.set(f"toolbox/{rank}/asks", own)
        name = store.get(f"toolbox/{own}/answer").decode()
        store.set(f"toolbox/{own}/heard/{name}", "")
        return PrefixStore(name, store)
    for other in range(1, world_size):
        began, heard = time.monotonic(), False
        while not heard:
            asking = store.get(f"toolbox/{other}/asks").decode()
            store.set(f"toolbox/{asking}/answer", own)
            heard = _is_there(store, f"toolbox/{asking}/heard/{own}")
            if not heard and time.monotonic() - began > patience.total_seconds():
                raise DistStoreError(f"Timed out waiting for rank {other} to join")
    return PrefixStore(own, store)


def _is_there(store: Store, key: str) -> bool:
    """Whether a key comes within a moment."""
    for _ in range(20):
        if store.check([key]):
            return True
        time.sleep(0.005)
    return False
