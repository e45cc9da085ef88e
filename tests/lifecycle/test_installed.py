"""run.json holds the versions of what this run used, as its parts declare them."""

from importlib.metadata import version

import pytest

from trialwatt import platforms, suts, workload
from trialwatt.contract.reading import manifest
from trialwatt.lifecycle.installed import EVERYWHERE, HARNESS, versions_used
from trialwatt.meters.nvml import Nvml
from trialwatt.meters.rapl import Rapl
from trialwatt.platforms.base import PlatformKind
from trialwatt.records.installation import code_sha256
from trialwatt.review.sandbox import BLOCKED
from trialwatt.suts.base import Sut
from trialwatt.suts.strategies import Strategy

ALWAYS = {*HARNESS, *workload.PACKAGES}


@pytest.fixture
def used(run_config):
    """The names of what a run uses beside what every run does."""

    def find(sut="plain", platform="local", meters=(), kind=None, **keys):
        config = run_config(sut, **keys)
        kind = kind or suts.get(sut)
        return set(versions_used(config, kind, platforms.get(platform), meters)) - ALWAYS

    return find


def searching(sampler, pruner="none"):
    return {"search": {"sampler": sampler, "pruner": pruner, "budget": 2}}


def test_a_run_without_a_framework_uses_none(used):
    assert used() == set()


def test_a_run_uses_its_framework_and_what_its_strategies_need(used):
    assert used("optuna", **searching("tpe")) == {"optuna"}
    assert used("optuna", **searching("cmaes")) == {"optuna", "cmaes"}
    assert used("optuna", **searching("tpe", "wilcoxon")) == {"optuna", "scipy"}
    assert used("hyperopt", **searching("random")) == {"hyperopt", "pyspark"}
    storage = {"storage": {"postgres": "service"}}
    assert used("optuna", testbed=storage) == {"optuna", "psycopg", "sqlalchemy"}


def test_a_run_uses_its_platform_and_the_meters_that_were_read(used):
    assert used(platform="kubernetes") == {"kubernetes"}
    assert used(meters=[Rapl([]), Nvml(None, [])]) == {"pyRAPL", "nvidia-ml-py"}


def test_a_sut_of_another_package_has_its_version(used):
    class Other(Sut):
        name, package = "other", "jinja2"
        samplers = {"grid": Strategy(list, needs=("pyyaml", "no-such-package"))}

        def work(self, job, index, trials):
            raise NotImplementedError

        def best(self, job):
            raise NotImplementedError

    assert used("other", kind=Other) == {"jinja2", "pyyaml"}


def test_a_run_records_its_versions_and_whether_it_is_the_control(job):
    run = manifest(job())
    assert run["control"] is True
    assert run["packages"].keys() == {*EVERYWHERE, *workload.PACKAGES}
    assert run["packages"]["torch"] == version("torch")
    assert run["coordinator"]["packages"].keys() == ALWAYS
    [said] = run["installed"]
    assert said["components"] == ["worker-0", "worker-1"]
    for key in ("code_sha256", "python", "cpu_model"):
        assert said[key] == run["coordinator"][key]
    assert run["code"]["sha256"] == said["code_sha256"] == code_sha256()


def test_a_verification_can_import_no_framework_that_a_part_declares():
    kinds = [suts.get(name) for name in suts.names(own=True)]
    declared = {name for kind in kinds for name in (kind.package, *kind.needs) if name}
    for name in ("local", "kubernetes"):
        kind: type[PlatformKind] = platforms.get(name)
        declared |= set(kind.packages)
    assert declared >= {"optuna", "hyperopt", "pyspark", "ray", "kubernetes"}
    modules = {name.replace("-", "_") for name in declared}
    assert modules | {"torch", *workload.TPU_PACKAGES} <= set(BLOCKED)
