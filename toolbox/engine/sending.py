"""Data that go to a loader's workers: where these are spawned, plugins that are files are imported there first."""

from __future__ import annotations

import pickle
import sys
from typing import Any

from toolbox.plugins.manager import import_file, manager


class Sent:
    """Base of what workers get. A spawned one unpickles it before anything else, and knows no plugin yet.

    A forked worker has everything already, and nothing is pickled.
    """

    def __getstate__(self) -> dict[str, Any]:
        return {"files": manager().files(), "state": pickle.dumps(self.__dict__)}

    def __setstate__(self, sent: dict[str, Any]) -> None:
        known = {getattr(module, "__file__", None) for module in list(sys.modules.values())}
        for file in sent["files"]:
            if str(file) not in known:
                import_file(file)
        self.__dict__.update(pickle.loads(sent["state"]))
