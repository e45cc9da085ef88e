"""A standalone Spark cluster of one run: its daemons' commands, its session, and how it fares.

A Spark worker is a daemon that starts one executor (a JVM with one task slot) as its child, which
starts a Python process per task. All of them live in the worker's limits.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from trialwatt.address import bracketed, joined
from trialwatt.errors import TrialwattError
from trialwatt.suts.base import Infeasible
from trialwatt.suts.services import free_blocks

JAVA = 17
"""The oldest Java that Spark 4 runs on."""
LEAST_HEAP_MB = 480
"""Spark refuses less than 450 MiB, and the JVM's serial collector hides a thirtieth of its heap."""
DEFAULT_HEAP_MB = 1024
"""Spark's default of spark.executor.memory."""
DAEMON_HEAP_MB = 64
MAX_EXECUTOR_DEATHS = 2
OF_MEMORY = re.compile(r"memory|heap", re.IGNORECASE)
"""In what the JVM and Spark write of limits that are too small for them."""
"""An executor that dies or fails to start so often makes the run infeasible."""
POLL_S = 0.05
SECRET = "_SPARK_AUTH_SECRET"
"""Spark's own variable, which its daemons and executors read."""
LOCAL_IP = "SPARK_LOCAL_IP"
"""Spark's own variable: the address at which a process of it listens."""
CHECK_S = 1.0
"""How often the workers are asked how their executors fare, while those are waited for."""
ANSWER_S = 30.0
"""A JVM that has a part of a core may take its time; one that is gone refuses at once."""

_directly = urllib.request.build_opener(urllib.request.ProxyHandler({})).open
"""To processes of the run itself, past the user's proxy, which could not reach them."""

_INSTALL = f"install a full Java {JAVA} or newer (for example the package openjdk-17-jre-headless)"


# --- what must be on the machine --------------------------------------------------------------


def java_problem() -> str:
    """Why the Java that Spark would take cannot run it; empty if it can."""
    return _java_problem(os.environ.get("JAVA_HOME", ""), os.environ.get("PATH", ""))


@cache
def _java_problem(java_home: str, path: str) -> str:
    java = Path(java_home, "bin", "java") if java_home else shutil.which("java", path=path)
    if java is None:
        return f"java is not on the PATH: {_INSTALL}"
    if not os.access(java, os.X_OK):
        return f"JAVA_HOME is {java_home}, but there is no {java}: correct it, or {_INSTALL}"
    said = _ask(java, "-version")
    found = re.search(r'version "(?:1\.)?(\d+)', said)
    if found is None:
        return f"{java} does not tell its version (it says {said[:200]!r}): {_INSTALL}"
    if int(found[1]) < JAVA:
        return f"{java} is Java {found[1]}, Spark needs {JAVA}: {_INSTALL}, or set JAVA_HOME"
    modules = _ask(java, "--list-modules")
    if "jdk.incubator.vector" not in modules:
        return f"{java} is a reduced runtime without the module jdk.incubator.vector: {_INSTALL}"
    return ""


def _ask(java: Path | str, option: str) -> str:
    """What it prints; or why it cannot be started."""
    try:
        done = subprocess.run(
            [java, option],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=60,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return done.stdout


# --- the daemons ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Ports:
    """Of the master: its own, and that of its web interface, which speaks JSON too."""

    own: int
    web: int

    VARIABLE = "TRIALWATT_SPARK_PORTS"

    @classmethod
    def free(cls) -> Ports:
        """Two ports that are free at this moment."""
        (first,) = free_blocks(1, 2)
        return cls(first, first + 1)

    @classmethod
    def here(cls) -> Ports:
        """As the environment of this process tells them."""
        own, web = os.environ[cls.VARIABLE].split(":")
        return cls(int(own), int(web))

    @property
    def environment(self) -> dict[str, str]:
        return {self.VARIABLE: f"{self.own}:{self.web}"}


@dataclass(frozen=True)
class Master:
    """Where the master is."""

    host: str
    ports: Ports

    @property
    def url(self) -> str:
        return f"spark://{joined(self.host, self.ports.own)}"

    @property
    def web(self) -> str:
        return f"http://{joined(self.host, self.ports.web)}"

    def answers(self) -> bool:
        try:
            socket.create_connection((self.host, self.ports.own), timeout=1).close()
        except OSError:
            return False
        return True


def master_command(ports: Ports, scratch: Path) -> tuple[str, ...]:
    numbered = ("--port", str(ports.own), "--webui-port", str(ports.web))
    return _daemon(scratch, "master.Master", *numbered)


def worker_command(
    master: str, ports: Ports, heap_mb: int, scratch: Path, logs: Path
) -> tuple[str, ...]:
    """A worker that offers one task slot with that heap; its executors log below `logs`.

    master: name of the component.
    """
    offer = ("--cores", "1", "--memory", f"{heap_mb}m", "--webui-port", "0")
    place = ("--work-dir", str(logs))
    url = Master(f"@host:{master}@", ports).url
    return _daemon(scratch, "worker.Worker", *place, *offer, url)


def environment(ports: Ports) -> dict[str, str]:
    """The variables of each role that are the same everywhere, or the platform's to tell."""
    return {
        **ports.environment,
        LOCAL_IP: "@host@",
        "SPARK_DAEMON_MEMORY": f"{DAEMON_HEAP_MB}m",
        # A taken port is an error: the others would look for the master where it was told to be.
        # Its web interface knows no secret: whoever reaches it may look, and end nothing.
        "SPARK_DAEMON_JAVA_OPTS": "-Dspark.authenticate=true -Dspark.ui.killEnabled=false",
        "SPARK_MASTER_OPTS": "-Dspark.port.maxRetries=0 -Dspark.master.rest.enabled=false",
    }


def secret() -> dict[str, str]:
    """A new secret, for all roles of a run: whoever knows it may run code there."""
    return {SECRET: secrets.token_hex(32)}


def _daemon(scratch: Path, name: str, *arguments: str) -> tuple[str, ...]:
    start = ("@python@", "-m", "trialwatt.suts.spark_daemon", str(scratch), "@host@")
    return (*start, f"org.apache.spark.deploy.{name}", *arguments)


# --- the driver's side ------------------------------------------------------------------------


class Cluster:
    """The session of a driver, and what it can see of the workers and their executors."""

    def __init__(self, master: Master, name: str, workers: int, heap_mb: int, scratch: Path):
        from pyspark.sql import SparkSession

        self._master, self._workers = master, workers
        settings = {
            "spark.app.name": name,
            "spark.master": master.url,
            "spark.authenticate": "true",
            "spark.driver.host": bracketed(os.environ[LOCAL_IP]),
            "spark.driver.memory": f"{LEAST_HEAP_MB}m",
            "spark.executor.memory": f"{heap_mb}m",
            "spark.executor.cores": "1",
            "spark.cores.max": str(workers),
            "spark.task.maxFailures": "1",  # a trial that failed is a result, not to be repeated
            "spark.ui.enabled": "false",
            "spark.ui.showConsoleProgress": "false",
            "spark.log.level": "WARN",
            "spark.sql.warehouse.dir": str(scratch / "warehouse"),
        }
        builder = SparkSession.builder
        for key, value in settings.items():
            builder = builder.config(key, value)
        with _told_the_secret(scratch):
            self.session = builder.getOrCreate()
        self._status = self.session.sparkContext._jsc.sc()

    @property
    def executors(self) -> int:
        """How many are registered with the driver, and so can take a trial."""
        return self._status.getExecutorMemoryStatus().size() - 1  # the driver is in it too

    def wait(self) -> None:
        """Return when there is an executor per worker. Raises as `check` does."""
        checked = time.monotonic()
        while self.executors < self._workers:
            time.sleep(POLL_S)
            if time.monotonic() - checked > CHECK_S:
                self.check()
                checked = time.monotonic()

    def check(self) -> None:
        """Raise where an executor has died or has failed to start twice.

        Infeasible where the last one was short of memory, TrialwattError where it says otherwise.
        """
        if self.executors >= self._workers:
            return
        for worker in _json(f"{self._master.web}/json/")["workers"]:
            if worker["state"] != "ALIVE":
                continue
            try:
                dead = _json(f"{worker['webuiaddress']}/json/")["finishedexecutors"]
            except OSError:  # it has just ended: the coordinator deals with that
                continue
            if len(dead) >= MAX_EXECUTOR_DEATHS:
                last = _last_words(worker["webuiaddress"], dead[-1])
                verdict = Infeasible if OF_MEMORY.search(last) else TrialwattError
                raise verdict(
                    "the Spark executor of a worker has died or failed to start "
                    f"{len(dead)} times; the last one {last}"
                )


@contextmanager
def _told_the_secret(scratch: Path) -> Iterator[None]:
    """A driver reads it from its settings alone, and those of a session stand in its command.

    So they are in a file that nobody else can read, as long as its JVM starts.
    """
    defaults = scratch / "spark-defaults.conf"
    line = f"spark.authenticate.secret {os.environ[SECRET]}\n"
    descriptor = os.open(defaults, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    os.write(descriptor, line.encode())
    os.close(descriptor)
    try:
        yield
    finally:
        defaults.unlink()


def _last_words(web: str, executor: dict[str, Any]) -> str:
    query = f"appId={executor['appid']}&executorId={executor['id']}&logType=stderr"
    with _directly(f"{web}/log/?{query}&byteLength=16000", timeout=ANSWER_S) as answer:
        _header, *lines = answer.read().decode(errors="replace").splitlines()
    faults = [line for line in lines if re.search(r"(Exception|Error)\b", line)]
    if not faults:
        return "told nothing: it was probably killed for memory"
    return f"wrote: {faults[-1].strip()[:500]}"


def _json(url: str) -> dict[str, Any]:
    with _directly(url, timeout=ANSWER_S) as answer:
        return json.load(answer)
