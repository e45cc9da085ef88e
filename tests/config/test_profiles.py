"""`snakemake --profile k8s` runs on a cluster, whatever else it is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from trialwatt.config.files import asks_platform
from trialwatt.config.profiles import testbed_of_profile as of_profile

ROOT = Path(__file__).resolve().parents[2]
CLUSTER = {"testbed": "k8s-local"}


@pytest.mark.parametrize(
    ("arguments", "testbed", "expected"),
    [
        (["--profile", "local"], "local", {}),
        ([], "local", {}),
        (["--profile", "k8s"], "local", CLUSTER),
        (["--profile=k8s"], "local", CLUSTER),
        (["--profile", "/some/where/k8s/"], "local", CLUSTER),
        (["--profile", "k8s/profile.yaml"], "local", CLUSTER),
        (["--profile", "k8s", "--configfile", "config/quick.yaml"], "quick", CLUSTER),
        (["--profile", "k8s", "--config", "suts=[optuna]"], "local", CLUSTER),
        (["--profile", "k8s"], "no-such-testbed", CLUSTER),
        # a testbed that is named on purpose stays
        (["--profile", "k8s", "--configfile", "mine.yaml"], "k8s-gke-gpu", {}),
        (["--profile", "k8s", "--config", "testbed=local"], "local", {}),
    ],
)
def test_the_testbed_of_a_call(arguments, testbed, expected, monkeypatch):
    monkeypatch.delenv("SNAKEMAKE_PROFILE", raising=False)
    assert of_profile({"testbed": testbed}, ["snakemake", *arguments], ROOT) == expected


def test_a_profile_that_the_environment_names(monkeypatch):
    monkeypatch.setenv("SNAKEMAKE_PROFILE", "k8s")
    assert of_profile({"testbed": "local"}, ["snakemake"], ROOT) == CLUSTER
    assert of_profile({"testbed": "local"}, ["snakemake", "--profile", "local"], ROOT) == {}


def test_building_undeploying_and_linting_need_no_cluster():
    assert asks_platform(["--profile", "k8s"])
    assert asks_platform(["--profile", "k8s", "runs", "-n"])
    for target in ("image", "undeploy", "--lint"):
        assert not asks_platform(["--profile", "k8s", target])
