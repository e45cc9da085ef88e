"""Work that is alike for many runs, spread over a few processes."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

PROCESSES = 2
"""As many as the small machines have cores that the tables are made on."""

Item = TypeVar("Item")
Result = TypeVar("Result")


def mapped(
    function: Callable[[Item], Result], items: Sequence[Item], processes: int, chunk: int = 8
) -> Iterator[Result]:
    """The results in order; in this process where one is asked for, or where there is one item.

    fork: the script that called us is no module, so that a spawned process could not import it.
    """
    if processes == 1 or len(items) < 2:
        yield from map(function, items)
        return
    with ProcessPoolExecutor(processes, multiprocessing.get_context("fork")) as pool:
        yield from pool.map(function, items, chunksize=chunk)
