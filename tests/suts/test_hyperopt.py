"""What Hyperopt answers before anything starts: is it available, what does it need and refuse."""

import inspect
from importlib import metadata

import pytest

from trialwatt.suts import spark
from trialwatt.suts.base import Infeasible
from trialwatt.suts.hyperopt import Hyperopt
from trialwatt.suts.hyperopt_strategies import SAMPLERS

VERSION = 'openjdk version "{}" 2025-04-15\nOpenJDK Runtime Environment (build 1)\n'


@pytest.fixture
def java(tmp_path, monkeypatch):
    """Put a java in JAVA_HOME that tells this version and these modules."""

    def make(version: str, modules: str = "java.base@17\njdk.incubator.vector@17\n"):
        script = tmp_path / "bin" / "java"
        script.parent.mkdir()
        script.write_text(
            f"#!/bin/sh\ncase $1 in\n-version) cat >&2 <<'E'\n{version}\nE\n;;\n"
            f"--list-modules) cat <<'E'\n{modules}\nE\n;;\nesac\n"
        )
        script.chmod(0o755)
        monkeypatch.setenv("JAVA_HOME", str(tmp_path))
        return script

    return make


@pytest.mark.parametrize("version", ["17.0.15", "25", "21-ea"])
def test_a_java_that_spark_runs_on_is_taken(java, version):
    java(VERSION.format(version))
    assert Hyperopt.available() == ""


@pytest.mark.parametrize(("version", "major"), [("11.0.2", "11"), ("1.8.0_402", "8")])
def test_a_java_that_is_too_old_is_named(java, version, major):
    script = java(VERSION.format(version))
    assert f"{script} is Java {major}, Spark needs 17" in Hyperopt.available()


def test_a_reduced_runtime_is_named(java):
    java(VERSION.format("17.0.1"), modules="java.base@17\n")
    assert "reduced runtime without the module jdk.incubator.vector" in Hyperopt.available()


def test_something_that_is_no_java_is_named(java):
    java("hello")
    assert "does not tell its version" in Hyperopt.available()


def test_without_java_the_message_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    said = Hyperopt.available()
    assert "java is not on the PATH" in said
    assert "install a full Java 17 or newer" in said


def test_a_wrong_java_home_is_named_even_if_there_is_a_java_on_the_path(tmp_path, monkeypatch):
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "nowhere"))
    assert f"JAVA_HOME is {tmp_path / 'nowhere'}" in Hyperopt.available()


def test_it_is_registered_as_an_entry_point():
    points = metadata.entry_points(group="trialwatt.suts")
    assert points["hyperopt"].load() is Hyperopt


# --- strategies -------------------------------------------------------------------------------


def test_the_default_options_are_hyperopts_own():
    from hyperopt import anneal, tpe

    for name, function in (("tpe", tpe.suggest), ("anneal", anneal.AnnealingAlgo.__init__)):
        theirs = inspect.signature(function).parameters
        assert SAMPLERS[name].defaults == {
            option: theirs[option].default for option in SAMPLERS[name].defaults
        }


@pytest.mark.parametrize(
    ("search", "key", "said"),
    [
        ({"sampler": "tpe", "sampler_options": {"gama": 0.2}}, "gama", "has no option"),
        ({"sampler": "tpe", "sampler_options": {"gamma": "x"}}, "gamma", "must be a number"),
        ({"sampler": "tpe", "sampler_options": {"n_startup_jobs": 2.5}}, "n_startup_jobs", "whole"),
        ({"sampler": "random", "sampler_options": {"seed": 1}}, "seed", "it has: none"),
        ({"sampler": "mix", "sampler_options": {"tpe": 0.9}}, "", "sum to 1.2"),
        ({"sampler": "random", "pruner_options": {"percentile": 2}}, "percentile", "no pruner"),
    ],
)
def test_options_that_hyperopt_would_not_understand_are_named(workload, search, key, said):
    [(where, message)] = Hyperopt.search_problems(workload(search=search))
    assert where.startswith("search.") and where.endswith(key)
    assert said in message


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_the_defaults_are_no_problem(workload, sampler):
    assert Hyperopt.search_problems(workload(search={"sampler": sampler})) == []


# --- memory -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("memory_mb", "heap_mb"), [(544, 480), (1024, 480), (2048, 512), (16_384, 1024)]
)
def test_the_executors_heap_is_chosen_from_the_workers_memory(run_config, memory_mb, heap_mb):
    workers = {"count": 2, "cpu": 2, "memory_mb": memory_mb}
    *_, worker = Hyperopt().planned_roles(run_config("hyperopt", workers=workers))
    assert worker.memory_mb == memory_mb
    assert f"{heap_mb}m" in worker.command


def test_a_worker_too_small_for_the_heaps_is_infeasible_at_once(run_config):
    from trialwatt.suts.base import Job

    config = run_config("hyperopt", workers={"count": 1, "cpu": 1, "memory_mb": 512})
    job = Job("r", config, 1, 1, "", "", 1, 1.0, config.testbed.service)
    with pytest.raises(Infeasible, match=r"needs 544 MB for its heaps alone .* has 512 MB"):
        Hyperopt().prepare(job)


def test_two_plans_do_not_share_ports():
    first, second = spark.Ports.free(), spark.Ports.free()
    assert {first.own, first.web}.isdisjoint({second.own, second.web})
