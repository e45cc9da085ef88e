"""The task of a job: which of the kinds of workloads it is."""

from __future__ import annotations

from trialwatt.collection import without_collection
from trialwatt.config.models import Workload
from trialwatt.workload.task import Task


def open_task(workload: Workload, data: str, seed: int, threads: int) -> Task:
    """The task of a process that computes with so many threads.

    data: the prepared dataset, or the source of the user's function. seed: of the repetition.
    Raises TrialwattError where the function's module cannot be used.
    """
    if workload.trial is not None:
        from trialwatt.workload.functions import UserFunction

        return UserFunction(workload, data, seed, threads)
    with without_collection():  # torch makes no garbage
        from trialwatt.workload.images import Images, pin_threads

    pin_threads(threads)
    return Images(workload, data, seed)
