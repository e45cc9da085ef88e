"""What is to outlive this process's machine, brought to the hub of its run: a pod on a cluster.

Where the run's folder is shared, there is no hub, and all that is written stays by itself.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trialwatt.platforms.hub.client import HubClient

HUB = "TRIALWATT_HUB"
"""Environment variable of a component without the run's folder: the address of the run's hub."""


def hub() -> HubClient | None:
    """The hub that the environment names, with a connection of its own; None where the files of
    this machine will do. Only where there is one, what reaches it is loaded."""
    if not os.environ.get(HUB):
        return None
    from trialwatt.platforms.hub.client import HubClient

    return HubClient.here()


def keep(folder: Path, name: str) -> None:
    """Have the file `name`, relative to the run's folder, kept until it is fetched (a component's
    weights, by Handle.fetch); it replaces one of that name. What stands after the last slash begins
    with the component's name and "_": of others the hub takes it not.

    Returns when it is safe. Raises OSError where the hub cannot be reached.
    """
    if found := _hub():
        found.put(name, Path(folder) / name)


def drop(name: str) -> None:
    """It need not be kept any more. Raises OSError where the hub cannot be reached."""
    if found := _hub():
        found.delete(name)


@cache
def _hub() -> HubClient | None:
    return hub()
