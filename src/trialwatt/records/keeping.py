"""Files of a component that are to outlive its processes: its weights, until they are fetched.

Where the run's folder is shared, they do so by themselves. Elsewhere they are brought to the hub
of the run (trialwatt.records.remote), from which Handle.fetch takes them.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trialwatt.records.remote import Remote

HUB = "TRIALWATT_HUB"
"""Environment variable of a component without the run's folder: the address of the run's hub."""


def keep(folder: Path, name: str) -> None:
    """Have the file `name`, relative to the run's folder, kept; it replaces one of that name.

    Returns when it is safe. Raises OSError where the hub cannot be reached.
    """
    if os.environ.get(HUB):
        _hub().put(name, Path(folder) / name)


def drop(name: str) -> None:
    """It need not be kept any more. Raises OSError where the hub cannot be reached."""
    if os.environ.get(HUB):
        _hub().delete(name)


@cache
def _hub() -> Remote:
    from trialwatt.records.remote import Remote

    hub = Remote.here()
    assert hub, f"only called where {HUB} is set"
    return hub
