"""Hyperopt: SparkTrials in a driver, on a standalone Spark master and wn Spark workers.

Each worker is a Spark daemon with one executor and one task slot, so that it runs one trial at a
time. SparkTrials starts a Python process per trial (it leaves the task's input unread, and Spark
does not reuse such a process): torch is imported anew, which the records show as the sub-step
`import`. Its driver looks for results, and fmin for free slots, once a second each; fmin adds one
trial a turn. That is the framework's own cost, and left as it is.

What is not Spark's default: a failed task is not repeated (it is a failed trial), no web interface
of the driver, a secret without which nobody can join, and the JVM options of
trialwatt.suts.spark_daemon, which make starting cheaper. Hyperopt
has no pruner, and SparkTrials no grid.
"""

from __future__ import annotations

import os
import threading
import time
from concurrent.futures import Future, wait
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from trialwatt.config.models import Testbed, Workload
from trialwatt.platforms.base import Role
from trialwatt.private import made_private, remove_folder
from trialwatt.suts import spark, spark_daemon
from trialwatt.suts.base import SPEAKING, Best, Infeasible, Job, Sut, Trials
from trialwatt.suts.hyperopt_strategies import (
    SAMPLERS,
    algorithm_of,
    condition_problems,
    option_problems,
    phi_of,
    to_hyperopt,
)
from trialwatt.suts.hyperopt_trials import run_trial, told_apart
from trialwatt.suts.strategies import Strategy

CHECK_S = 1.0
"""How often the driver looks whether all executors are there while the search goes on."""
DRIVER_MB = 700
"""What the driver needs: a JVM and Python."""


class Hyperopt(Sut):
    name = "hyperopt"
    package = "hyperopt"
    needs = ("pyspark",)
    samplers = SAMPLERS
    pruners = {"none": Strategy(lambda options: None, note="Hyperopt stops no trial early.")}

    @classmethod
    def available(cls) -> str:
        for package in (cls.package, *cls.needs):
            if find_spec(package) is None:
                return f"{package} is not installed: pip install {package}"
        return spark.java_problem()

    @classmethod
    def search_problems(cls, workload: Workload) -> list[tuple[str, str]]:
        search = workload.search
        found = [
            (f"search.sampler_options.{name}".rstrip("."), message)
            for name, message in option_problems(search.sampler, search.sampler_options)
        ]
        found += [
            (f"search.pruner_options.{name}", "there is no pruner that could use it")
            for name in search.pruner_options
        ]
        return found

    @classmethod
    def condition_problems(cls, workload: Workload) -> dict[str, str]:
        return condition_problems(workload.space)

    @classmethod
    def testbed_problems(cls, testbed: Testbed) -> list[tuple[str, str]]:
        if testbed.service.memory_mb >= DRIVER_MB:
            return []
        message = f"the driver needs {DRIVER_MB} MB, for a JVM and Python"
        return [("service.memory_mb", f"{message} (got {testbed.service.memory_mb})")]

    def roles(self, job: Job) -> list[Role]:
        """The driver comes first: it says when the master can take workers, and when all of
        those, which start side by side, have their executors."""
        ports, scratch = spark.Ports.free(), _scratch(job)
        common: dict[str, Any] = {
            "environment": spark.environment(ports),
            "secrets": spark.secret(),
        }
        service: dict[str, Any] = {
            "kind": "service",
            "cpu": job.service.cpu,
            "memory_mb": job.service.memory_mb,
        }
        workers = job.workload.workers
        return [
            Role(name="driver", command=SPEAKING, **service, **common),
            Role(
                name="master",
                command=spark.master_command(ports, scratch),
                speaks=False,
                confirmed=True,
                **service,
                **common,
            ),
            *(
                Role(
                    name="worker",
                    kind="worker",
                    index=index,
                    command=spark.worker_command(
                        "master",
                        ports,
                        _heap_mb(job),
                        scratch,
                        job.path("logs", f"worker-{index}"),
                    ),
                    cpu=job.worker_cpu,
                    memory_mb=workers.memory_mb,
                    speaks=False,
                    confirmed=index == workers.count - 1,
                    **common,
                )
                for index in range(workers.count)
            ),
        ]

    def prepare(self, job: Job) -> None:
        least_mb = spark.LEAST_HEAP_MB + spark.DAEMON_HEAP_MB
        if job.workload.workers.memory_mb < least_mb:
            raise Infeasible(
                f"a Spark worker needs {least_mb} MB for its heaps alone (executor "
                f"{spark.LEAST_HEAP_MB}, daemon {spark.DAEMON_HEAP_MB}), and has "
                f"{job.workload.workers.memory_mb} MB"
            )
        made_private(_scratch(job))
        os.environ.update(spark_daemon.variables(_scratch(job)))
        import hyperopt  # noqa: F401
        import pyspark.sql  # noqa: F401

    def confirm(self, job: Job, component: str, host: str) -> None:
        if component == "master":
            self._master = spark.Master(host, spark.Ports.here())
            while not self._master.answers():
                time.sleep(spark.POLL_S)
            return
        self._cluster = spark.Cluster(
            self._master, job.run_id, job.workload.workers.count, _heap_mb(job), _scratch(job)
        )
        self._cluster.wait()

    def setup(self, job: Job) -> None:
        from hyperopt import SparkTrials

        self._algo = algorithm_of(job.workload.search)
        self._space = to_hyperopt(job.workload.space)
        self._trials = SparkTrials(
            parallelism=job.workload.workers.count, spark_session=self._cluster.session
        )

    def work(self, job: Job, index: int, trials: Trials) -> None:
        search: Future[None] = Future()
        threading.Thread(target=self._search, args=(job, trials, search), daemon=True).start()
        while not wait([search], timeout=CHECK_S).done:
            self._cluster.check()
        search.result()

    def best(self, job: Job) -> Best | None:
        from hyperopt import space_eval
        from hyperopt.base import spec_from_misc
        from hyperopt.exceptions import AllTrialsFailed

        try:
            top = self._trials.best_trial
        except AllTrialsFailed:
            return None
        drawn = space_eval(self._space, spec_from_misc(top["misc"]))
        return Best(phi_of(job.workload.space, drawn), -top["result"]["loss"], top["tid"])

    def clean(self, job: Job) -> None:
        remove_folder(_scratch(job))

    def _suggest(self, job: Job, *asked: Any) -> Any:
        """The sampler's trials, or none once the budget is spent: fmin ends with those that run.

        Its early_stop_fn is asked only where one more trial has succeeded, as none does that is
        refused, and throws away the results of those that run.
        """
        return [] if job.is_spent else self._algo(*asked)

    def _search(self, job: Job, trials: Trials, search: Future[Any]) -> None:
        """The whole search, in a thread: fmin would wait for ever for a worker that never comes."""
        import hyperopt
        import numpy
        from hyperopt.exceptions import AllTrialsFailed

        objective = partial(run_trial, trials.here, job.workload.space)
        try:
            with told_apart(objective, trials.lost, places=lambda: self._cluster.executors):
                hyperopt.fmin(
                    objective,
                    self._space,
                    algo=partial(self._suggest, job),
                    max_evals=job.budget,
                    trials=self._trials,
                    rstate=numpy.random.default_rng(job.seed),
                    verbose=False,
                    show_progressbar=False,
                    return_argmin=False,
                )
        except AllTrialsFailed:  # fmin's end where none has a loss: `best` says that there is none
            search.set_result(None)
        except BaseException as error:  # the main thread raises it
            search.set_exception(error)
        else:
            search.set_result(None)


def _scratch(job: Job) -> Path:
    """Where Spark writes: in the run's folder, as each component sees it."""
    return job.path("sut")


def _heap_mb(job: Job) -> int:
    """Heap of a worker's executor: a quarter of wmem, but no more than Spark's default and no less
    than it starts with. A trial lives outside of it, in its Python process."""
    quarter = job.workload.workers.memory_mb // 4
    return min(max(quarter, spark.LEAST_HEAP_MB), spark.DEFAULT_HEAP_MB)
