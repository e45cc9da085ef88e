"""A standalone Spark cluster of one run: its daemons' commands, its session, and how it fares.

A Spark worker is a daemon that starts one executor (a JVM with one task slot) as its child, which
starts a Python process per task. All of them live in the worker's limits.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from trialwatt.suts.base import Infeasible
from trialwatt.suts.ports import free_blocks

JAVA = 17
"""The oldest Java that Spark 4 runs on."""
LEAST_HEAP_MB = 480
"""Spark refuses less than 450 MiB, and the JVM's serial collector hides a thirtieth of its heap."""
DEFAULT_HEAP_MB = 1024
"""Spark's default of spark.executor.memory."""
DAEMON_HEAP_MB = 64
MAX_EXECUTOR_DEATHS = 2
"""An executor that dies or fails to start so often makes the run infeasible."""
POLL_S = 0.05
CHECK_S = 1.0
"""How often the workers are asked how their executors fare, while those are waited for."""

# Daemons that live for minutes: the first compiler level halves the CPU time of their start, the
# serial collector keeps them small, and without performance data nothing is left in /tmp.
JVM_OPTIONS = "-XX:-UsePerfData -XX:TieredStopAtLevel=1 -XX:+UseSerialGC"

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
class Address:
    """Where the master is: its own port, and that of its web interface, which speaks JSON too."""

    host: str
    port: int
    web_port: int

    VARIABLE = "TRIALWATT_SPARK_MASTER"

    @classmethod
    def free(cls, host: str = "127.0.0.1") -> Address:
        """Two ports that are free at this moment."""
        (first,) = free_blocks(1, 2)
        return cls(host, first, first + 1)

    @classmethod
    def here(cls) -> Address:
        """As the environment of this process tells it."""
        host, port, web_port = os.environ[cls.VARIABLE].split(":")
        return cls(host, int(port), int(web_port))

    @property
    def url(self) -> str:
        return f"spark://{self.host}:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        return {self.VARIABLE: f"{self.host}:{self.port}:{self.web_port}"}

    def answers(self) -> bool:
        try:
            socket.create_connection((self.host, self.port), timeout=1).close()
        except OSError:
            return False
        return True


def master_command(address: Address) -> tuple[str, ...]:
    ports = ("--port", str(address.port), "--webui-port", str(address.web_port))
    return _daemon("org.apache.spark.deploy.master.Master", "--host", address.host, *ports)


def worker_command(address: Address, heap_mb: int, logs: Path) -> tuple[str, ...]:
    """A worker that offers one task slot with that heap; its executors log below `logs`."""
    offer = ("--cores", "1", "--memory", f"{heap_mb}m", "--webui-port", "0")
    place = ("--host", address.host, "--work-dir", str(logs))
    return _daemon("org.apache.spark.deploy.worker.Worker", *place, *offer, address.url)


def environment(address: Address, scratch: Path) -> dict[str, str]:
    """The variables of each role: where Spark is, and that it stays on this host and in scratch."""
    before = os.environ.get("JDK_JAVA_OPTIONS", "")
    return {
        **address.environment,
        "SPARK_HOME": str(_home()),
        "SPARK_CONF_DIR": str(scratch),  # a person's own settings have no part in a run
        "SPARK_LOCAL_IP": address.host,
        "SPARK_LOCAL_DIRS": str(scratch),
        "SPARK_DAEMON_MEMORY": f"{DAEMON_HEAP_MB}m",
        # A taken port is an error: the others would look for the master where it was told to be.
        "SPARK_MASTER_OPTS": "-Dspark.port.maxRetries=0 -Dspark.master.rest.enabled=false",
        "JDK_JAVA_OPTIONS": f'{before} {JVM_OPTIONS} -Djava.io.tmpdir="{scratch}"'.strip(),
        "PYSPARK_PYTHON": sys.executable,
        "PYSPARK_DRIVER_PYTHON": sys.executable,
    }


def _daemon(name: str, *arguments: str) -> tuple[str, ...]:
    return (str(_home() / "bin" / "spark-class"), name, *arguments)


def _home() -> Path:
    return Path(importlib.util.find_spec("pyspark").origin).parent


# --- the driver's side ------------------------------------------------------------------------


class Cluster:
    """The session of a driver, and what it can see of the workers and their executors."""

    def __init__(self, address: Address, name: str, workers: int, heap_mb: int, scratch: Path):
        from pyspark.sql import SparkSession

        self._address, self._workers = address, workers
        settings = {
            "spark.app.name": name,
            "spark.master": address.url,
            "spark.driver.host": address.host,
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
        self.session = builder.getOrCreate()
        self._status = self.session.sparkContext._jsc.sc()

    @property
    def executors(self) -> int:
        """How many are registered with the driver, and so can take a trial."""
        return self._status.getExecutorMemoryStatus().size() - 1  # the driver is in it too

    def wait(self) -> None:
        """Return when there is an executor per worker. Raises Infeasible."""
        checked = time.monotonic()
        while self.executors < self._workers:
            time.sleep(POLL_S)
            if time.monotonic() - checked > CHECK_S:
                self.check()
                checked = time.monotonic()

    def check(self) -> None:
        """Raise Infeasible where an executor has died or has failed to start twice."""
        if self.executors >= self._workers:
            return
        for worker in _json(f"http://{self._address.host}:{self._address.web_port}/json/")[
            "workers"
        ]:
            if worker["state"] != "ALIVE":
                continue
            try:
                dead = _json(f"{worker['webuiaddress']}/json/")["finishedexecutors"]
            except OSError:  # it has just ended: the coordinator deals with that
                continue
            if len(dead) >= MAX_EXECUTOR_DEATHS:
                last = _last_words(worker["webuiaddress"], dead[-1])
                raise Infeasible(
                    "the Spark executor of a worker has died or failed to start "
                    f"{len(dead)} times; the last one {last}"
                )


def _last_words(web: str, executor: dict) -> str:
    query = f"appId={executor['appid']}&executorId={executor['id']}&logType=stderr"
    with urllib.request.urlopen(f"{web}/log/?{query}&byteLength=16000", timeout=5) as answer:
        _header, *lines = answer.read().decode(errors="replace").splitlines()
    faults = [line for line in lines if re.search(r"(Exception|Error)\b", line)]
    if not faults:
        return "told nothing: it was probably killed for memory"
    return f"wrote: {faults[-1].strip()[:500]}"


def _json(url: str) -> dict:
    with urllib.request.urlopen(url, timeout=5) as answer:
        return json.load(answer)
