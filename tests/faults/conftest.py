"""Injections side by side, each process in a network of its own; their outcomes are kept by one."""

import ctypes
import os
import subprocess
import time
from dataclasses import astuple
from pathlib import Path

import pytest
from tests.faults.draws import Draw, draws
from tests.faults.outcome import Go, Outcome, append, begin, read, source
from tests.faults.subjects import EVERY

COUNT, SEED, OUTCOMES = (
    os.environ.get(f"TRIALWATT_FAULT{name}", default)
    for name, default in (("S", "20"), ("_SEED", "1"), ("_OUTCOMES", ""))
)
DONE = "TRIALWATT_FAULTS_DONE"
"""Environment variable: how many outcomes there were when this part of the go began."""
INJECTED = "injected"
"""Property of a test: its outcome, as a dict."""
NEW_NETWORK = 0x40000000


def go() -> Go:
    return Go(int(SEED), int(COUNT), [*EVERY], source=source())


def to_do() -> list[Draw]:
    """The draws of this go without those that were injected in parts of it before this one."""
    known = read(Path(OUTCOMES))[1][: int(os.environ[DONE])] if DONE in os.environ else []
    done = {(one.fault, one.subject, one.moment, one.seed) for one in known}
    return [draw for draw in draws(int(COUNT), int(SEED)) if astuple(draw) not in done]


@pytest.fixture(scope="session", autouse=True)
def own_network():
    """The measuring lock is that of a network, and so are ports: with `-n` each process has one."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        if ctypes.CDLL(None, use_errno=True).unshare(NEW_NETWORK):
            reason = os.strerror(ctypes.get_errno())
            pytest.exit(f"-n needs a network for each process, which root can make: {reason}")
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


class Progress:
    """Keeps outcomes in TRIALWATT_FAULT_OUTCOMES, and says how far they are."""

    def __init__(self, config: pytest.Config):
        self._said, self._began = config.get_terminal_writer(), time.monotonic()
        self._done = self._before = begin(go(), Path(OUTCOMES))
        self._wrong = sum(bool(one.violations) for one in read(Path(OUTCOMES))[1])
        os.environ[DONE] = str(self._done)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when != "call" or INJECTED not in dict(report.user_properties):
            return
        outcome = Outcome(**dict(report.user_properties)[INJECTED])
        append(outcome, Path(OUTCOMES))
        self._done += 1
        self._wrong += bool(outcome.violations)
        minutes = (time.monotonic() - self._began) / 60
        left = minutes / (self._done - self._before) * max(0, int(COUNT) - self._done)
        self._said.line(
            f"\n{self._done} of {COUNT} ({self._wrong} with violations, about {left:.0f} minutes "
            f"to go): {outcome.fault}, {outcome.subject}, {outcome.moment}: {outcome.outcome}"
        )
        self._said.flush()


@pytest.hookimpl(trylast=True)  # the terminal's reporter comes first
def pytest_configure(config: pytest.Config) -> None:
    if OUTCOMES and "PYTEST_XDIST_WORKER" not in os.environ:
        config.pluginmanager.register(Progress(config))
