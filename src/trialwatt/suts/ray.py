"""Ray Tune on a Ray cluster: a head, the driver, and wn raylets that are the workers.

Tune starts a process for each trial on a raylet (a class trainable; actors are not reused, which
is its default), and the trial records itself there. The driver only searches. Ray wants a raylet on
a driver's own host: it takes the head's, or starts one without a CPU where the head is elsewhere.
"""

from __future__ import annotations

import json
import logging
import os
import random
import secrets
import subprocess
import sys
import time
from importlib.util import find_spec
from typing import Any

import numpy

from trialwatt.address import joined, parted
from trialwatt.config.conditions import conditional
from trialwatt.config.models import Range, Workload
from trialwatt.config.space import is_whole
from trialwatt.errors import TrialwattError
from trialwatt.platforms.base import Role, replaced
from trialwatt.private import made_private, remove_private
from trialwatt.suts import hyperopt_strategies, ray_trial
from trialwatt.suts.base import SPEAKING, Best, Job, Sut, Trials
from trialwatt.suts.codes import phi_of
from trialwatt.suts.ray_node import SUT, is_open, keep_address
from trialwatt.suts.ray_strategies import PRUNERS, SAMPLERS, scheduler_of, search_of
from trialwatt.suts.services import free_blocks, scratch

HOST = "TRIALWATT_RAY_HOST"
"""Environment variable of the driver: its own address."""
ADDRESS = "RAY_ADDRESS"
"""Ray's own environment variable: host:port of the head."""
PORT_OPTIONS = (
    "--port",
    "--node-manager-port",
    "--object-manager-port",
    "--runtime-env-agent-port",
    "--metrics-export-port",
    "--dashboard-agent-listen-port",
    "--dashboard-agent-grpc-port",
    "--dashboard-port",
)
"""Of the head; a raylet has all but the first and the last."""
PORTS = 32
"""Per node: those above, the others are for its processes: the idle one, and one per trial."""
OBJECT_STORE_BYTES = 75 << 20
"""The least that Ray allows. Nothing is kept there; what is not used costs no memory."""
POLL_S = 0.1


class Ray(Sut):
    name = "ray"
    package = "ray"
    samplers = SAMPLERS
    pruners = PRUNERS

    @classmethod
    def available(cls) -> str:
        there = find_spec("ray") and find_spec("fsspec") and find_spec("pyarrow")
        return "" if there else "ray and its Tune are not installed: pip install 'ray[tune]'"

    @classmethod
    def search_problems(cls, workload: Workload) -> list[tuple[str, str]]:
        search, found = workload.search, []
        sampler = search.sampler
        for name, axis in workload.space.items():
            key, ranged = f"space.{name}", axis if isinstance(axis, Range) else None
            if sampler == "bayesopt" and (not ranged or is_whole(ranged) or ranged.step):
                found.append((key, "bayesopt needs a continuous range here"))
            if sampler == "zoopt" and ranged and ranged.log:
                found.append((key, "zoopt has no log ranges"))
        for option in search.sampler_options:
            if option in ("seed", "random_state", "random_state_seed"):
                found.append((f"search.sampler_options.{option}", "the run sets it"))
        # Ray is only imported where it has something to judge.
        if search.sampler_options and not found:
            found += _refused("sampler_options", lambda: search_of(workload, 0))
        if search.pruner_options or PRUNERS[search.pruner].pauses:
            key = "pruner_options" if search.pruner_options else "pruner"
            found += _refused(key, lambda: scheduler_of(workload))
        return found

    @classmethod
    def condition_problems(cls, workload: Workload) -> dict[str, str]:
        sampler = workload.search.sampler
        if sampler == "hyperopt":
            return hyperopt_strategies.condition_problems(workload.space)
        if sampler in ("grid", "random", "optuna"):
            return {}
        message = f"Tune hands {sampler} no conditions; grid, random, optuna and hyperopt have them"
        return dict.fromkeys(conditional(workload.space), message)

    # --- the coordinator's side ---------------------------------------------------------------

    def roles(self, job: Job) -> list[Role]:
        count, service = job.workload.workers.count, job.service
        head_ports, *worker_ports = free_blocks(1 + count, PORTS)
        address = f"@host:head@:{head_ports}"
        shared = _environment(job) | {ADDRESS: address}
        # Whoever may connect may run code: another user of the machine, the network of a cluster.
        secret = {"RAY_AUTH_TOKEN": secrets.token_hex(32)}
        head = Role(
            name="head",
            kind="service",
            command=_head_command(job, head_ports, service.memory_mb),
            cpu=service.cpu,
            memory_mb=service.memory_mb,
            speaks=False,
            environment=shared | {ADDRESS: f"@host@:{head_ports}"},
            secrets=secret,
        )
        driver = Role(
            name="driver",
            kind="service",
            command=SPEAKING,
            cpu=service.cpu,
            memory_mb=service.memory_mb,
            environment=shared | {HOST: "@host@"},
            secrets=secret,
        )
        workers = [
            Role(
                name="worker",
                kind="worker",
                index=index,
                command=_raylet_command(job, index, address, ports),
                cpu=job.worker_cpu,
                memory_mb=job.workload.workers.memory_mb,
                speaks=False,
                confirmed=index == count - 1,
                environment=shared,
                secrets=secret,
            )
            for index, ports in enumerate(worker_ports)
        ]
        return [head, driver, *workers]

    def clean(self, job: Job) -> None:
        remove_private(scratch(SUT, job.run_id))

    # --- the driver's side --------------------------------------------------------------------

    def prepare(self, job: Job) -> None:
        head, host = os.environ[ADDRESS], os.environ[HOST]
        raylet = None
        if parted(head)[0] != host:
            raylet = self._raylet = _own_raylet(job, host, head)
        while not _connected(head, host):  # it listens before it has registered
            if raylet and raylet.poll() is not None:
                raise _ended(raylet)
        _tune()

    def confirm(self, job: Job, component: str, host: str) -> None:
        """The last raylet is confirmed when all of them are there: they start side by side."""
        import ray

        workers = {f"worker-{index}" for index in range(job.workload.workers.count)}
        while True:
            joined = [node["Resources"] for node in ray.nodes() if node["Alive"]]
            if workers <= set().union(*joined):
                return
            time.sleep(POLL_S)

    def setup(self, job: Job) -> None:
        tune, seed = _tune(), job.seed % 2**31
        numpy.random.seed(seed)  # schedulers draw their brackets from it
        random.seed(seed)  # and what changes in a population
        self._search = search_of(job.workload, seed)
        self._scheduler = scheduler_of(job.workload)
        prunes = job.workload.search.prunes
        self._trainable = tune.with_resources(ray_trial.trainable(prunes), {"cpu": 1})

    def work(self, job: Job, index: int, trials: Trials) -> None:
        tune, algorithm = _tune(), _algorithm(self._search.algorithm)
        assignment = ray_trial.Assignment(trials.here, job.workload)
        tuner = tune.Tuner(
            self._trainable,
            param_space=self._search.space | {ray_trial.KEY: assignment},
            tune_config=tune.TuneConfig(
                metric="score",
                mode="max",
                search_alg=algorithm,
                scheduler=self._scheduler,
                num_samples=self._search.samples,
                trial_name_creator=_number_text,
                trial_dirname_creator=_number_text,
            ),
            run_config=tune.RunConfig(
                name="tune",
                storage_path=str(made_private(scratch(SUT, job.run_id))),
                callbacks=[_watcher(job, trials, algorithm)],
                checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
                verbose=0,
            ),
        )
        self._results = tuner.fit()

    def best(self, job: Job) -> Best | None:
        """Of the trials that ran all their epochs: those that Tune stopped keep no weights."""
        whole = [r for r in self._results if r.error is None and "number" in (r.metrics or {})]
        if not whole:
            return None
        top = max(whole, key=lambda r: (r.metrics["score"], -r.metrics["number"]))
        phi = phi_of(job.workload.space, top.config)
        return Best(phi, top.metrics["score"], top.metrics["number"])


# --- the cluster ------------------------------------------------------------------------------


def _environment(job: Job) -> dict[str, str]:
    """Of all processes of the cluster, the trials' too."""
    return {
        "RAY_AUTH_MODE": "token",
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_BACKEND_LOG_LEVEL": "warning",
        # It would watch the machine's memory; each worker has a limit of its own, which kills.
        "RAY_memory_monitor_refresh_ms": "0",
        "RAY_raylet_start_wait_time_s": str(round(job.workload.deadline_s)),
        # How often, every 2 s, a raylet looks whether the head's has registered; 20 are too few
        # where that takes long.
        "RAY_NUM_REDIS_GET_RETRIES": str(round(job.workload.deadline_s / 2)),
        # Nothing of ours needs a drain, which is for services that hand their requests on.
        "RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S": "0",
        "RAY_AIR_NEW_OUTPUT": "0",  # the one that can be silent
        "RAY_CHDIR_TO_TRIAL_DIR": "0",
        "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
        "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
        "TUNE_DISABLE_SIGINT_HANDLER": "1",
        "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
    }


def _head_command(job: Job, ports: int, memory_mb: int) -> tuple[str, ...]:
    numbered = [part for n, o in enumerate(PORT_OPTIONS) for part in (o, str(ports + n))]
    own = ("--head", "--num-cpus", "0", "--include-dashboard", "false", "--disable-usage-stats")
    return _node(job, "@host@", "", ports, memory_mb, *own, "--no-monitor", *numbered)


def _raylet_command(job: Job, index: int, address: str, ports: int) -> tuple[str, ...]:
    # One CPU to Ray, whatever the worker's share of one: a raylet runs one trial at a time.
    known = ("--num-cpus", "1", "--resources", json.dumps({f"worker-{index}": 1}))
    memory_mb = job.workload.workers.memory_mb
    return _joining(job, "@host@", address, ports, memory_mb, *known)


def _joining(
    job: Job, host: str, address: str, ports: int, memory_mb: int, *known: str
) -> tuple[str, ...]:
    options = list(enumerate(PORT_OPTIONS))[1:-1]
    numbered = [part for number, option in options for part in (option, str(ports + number))]
    return _node(job, host, address, ports, memory_mb, "--address", address, *known, *numbered)


def _node(job: Job, host: str, head: str, ports: int, memory_mb: int, *own: str) -> tuple[str, ...]:
    workers = (str(ports + len(PORT_OPTIONS)), str(ports + PORTS - 1))
    return (
        *("@python@", "-m", "trialwatt.suts.ray_node"),
        *(job.run_id, joined(host, _node_manager_port(ports)), head),
        *own,
        *("--block", "--node-ip-address", host),
        *("--min-worker-port", workers[0], "--max-worker-port", workers[1]),
        *("--memory", str(memory_mb << 20), "--object-store-memory", str(OBJECT_STORE_BYTES)),
        *("--include-log-monitor", "false"),
    )


def _node_manager_port(ports: int) -> int:
    return ports + PORT_OPTIONS.index("--node-manager-port")


def _own_raylet(job: Job, host: str, head: str) -> subprocess.Popen[bytes]:
    """In the driver: a raylet without a CPU, so that no trial comes here; it ends with us.

    Returns when it can be reached. Raises TrialwattError where it ends.
    """
    (ports,) = free_blocks(1, PORTS)
    command = _joining(job, host, head, ports, job.service.memory_mb, "--num-cpus", "0")
    raylet = subprocess.Popen(
        [replaced(part, host, None, sys.executable) for part in command],
        stdin=subprocess.PIPE,  # it ends when this closes
    )
    while not is_open(joined(host, _node_manager_port(ports))):
        if raylet.poll() is not None:
            raise _ended(raylet)
        time.sleep(POLL_S)
    return raylet


def _ended(raylet: subprocess.Popen[bytes]) -> TrialwattError:
    return TrialwattError(f"the driver's raylet ended with exit code {raylet.returncode}")


def _connected(head: str, host: str) -> bool:
    """Connect this process; False where Ray knows of no raylet on its host, after a while."""
    import ray

    keep_address()
    try:
        ray.init(
            address=head,
            _node_ip_address=host,
            logging_level=logging.ERROR,
            log_to_driver=False,
        )
    except ConnectionError as error:
        if "No node info found" not in str(error.__cause__):
            raise
        return False
    return True


# --- Tune -------------------------------------------------------------------------------------


def _tune() -> Any:
    from ray import tune

    logging.getLogger("ray.tune").setLevel(logging.ERROR)
    return tune


def _refused(key: str, make: Any) -> list[tuple[str, str]]:
    """What Ray says when it is given these options."""
    try:
        make()
    except (TypeError, ValueError, AssertionError) as error:
        return [(f"search.{key}", f"Ray refuses them: {error}")]
    return []


def _number(trial: Any) -> int:
    """Tune's own index of a trial, with which its experiment tag begins ("3_lr=0.01")."""
    return int(trial.experiment_tag.split("_")[0])


def _number_text(trial: Any) -> str:
    return str(_number(trial))


def _algorithm(found: Any) -> Any:
    """A searcher as Tune would wrap it, so that it can be told to search no more."""
    from ray.tune.search import Searcher, SearchGenerator

    return SearchGenerator(found) if isinstance(found, Searcher) else found


def _watcher(job: Job, trials: Trials, algorithm: Any) -> Any:
    """Tells the coordinator of trials that failed: where the trial itself could not, it does. And
    the algorithm that the budget is spent."""
    from ray.tune import Callback

    class Watcher(Callback):  # type: ignore[misc] # Ray is not read for its types
        def on_step_begin(self, iteration: Any, trials: Any, **info: Any) -> None:
            if job.is_spent:
                algorithm.set_finished()

        def on_trial_error(self, iteration: Any, trials: Any, trial: Any, **info: Any) -> None:
            lost(_number(trial))

        def __reduce__(self) -> Any:
            # Tune saves its settings; this one is of no use to another process
            return Callback, ()

    lost = trials.lost
    return Watcher()
