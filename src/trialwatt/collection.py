"""Garbage collection, put off where there is none."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_collection() -> Iterator[None]:
    """Search for no cycles of objects meanwhile, where there are many and all still in use.

    Else Python looks through them again and again while they become more: in an import of torch
    for an eighth of its CPU time, and figures are full of them.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
