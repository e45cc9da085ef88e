"""Asking again where that may help: after pauses that grow, so that nobody is asked in a loop."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

Answer = TypeVar("Answer")
Fault = TypeVar("Fault", bound=Exception)


def repeated(
    ask: Callable[[], Answer],
    fault: type[Fault] | tuple[type[Fault], ...],
    is_over: Callable[[Fault, float], bool],
    first_s: float,
    longest_s: float,
    jitter: float = 0.0,
) -> Answer:
    """The first answer. A fault for which is_over(fault, the next pause in s) is true is raised.

    Pauses double from first_s to longest_s. jitter: the share of each by which chance may shorten
    it, so that many whom one outage has stopped do not come back as one.
    """
    pause_s = first_s
    while True:
        try:
            return ask()
        except fault as error:
            if is_over(error, pause_s):
                raise
        time.sleep(pause_s * random.uniform(1 - jitter, 1))
        pause_s = min(2 * pause_s, longest_s)
