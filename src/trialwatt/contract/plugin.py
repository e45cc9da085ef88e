"""Registered with pytest: which SUTs are held to the contract."""

from __future__ import annotations

import pytest

MARKERS = (
    "contract: what every SUT keeps to on every platform",
    "cluster: needs a Kubernetes cluster (KUBECONFIG)",
    "slow: a run of minutes",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.getgroup("trialwatt").addoption(
        "--sut",
        action="append",
        default=[],
        metavar="NAME",
        help="hold this system under test to Trialwatt's contract (again for more; without, all)",
    )


def pytest_configure(config: pytest.Config) -> None:
    for line in MARKERS:
        config.addinivalue_line("markers", line)
