"""Which of the user's variables a component gets, and the cores that it may run on."""

import json
import os
import subprocess
import sys

import pytest
from tests.platforms.processes import body, python

from trialwatt.config.models import Testbed
from trialwatt.platforms.environment import Inherited, thread_environment
from trialwatt.platforms.local import LocalPlatform

SAY_ALL = "print(json.dumps(dict(os.environ)), flush=True)"
HARMFUL = {
    # threads bound, or more or fewer than the allotment has
    "OMP_PROC_BIND": "true",
    "OMP_PLACES": "{0}",
    "OMP_THREAD_LIMIT": "1",
    "GOMP_CPU_AFFINITY": "0",
    "KMP_AFFINITY": "compact",
    "MKL_DYNAMIC": "FALSE",
    # answers of other processes than those of the run
    "http_proxy": "http://me:s3cret@proxy:3128",
    "HTTPS_PROXY": "http://me:s3cret@proxy:3128",
    "ALL_PROXY": "socks5://proxy",
    "RAY_ADDRESS": "ray://elsewhere:10001",
    "RAY_memory_usage_threshold": "0.1",
    "SPARK_MASTER_HOST": "elsewhere",
    "SPARK_CONF_DIR": "/elsewhere",
    "JAVA_TOOL_OPTIONS": "-Xmx100m",
    "PGHOST": "elsewhere",
    # other code, or the same code slower
    "LD_PRELOAD": "",
    "PYTHONTRACEMALLOC": "1",
    "PYTHONHASHSEED": "1",
    "ATEN_CPU_CAPABILITY": "default",
    "MALLOC_ARENA_MAX": "1",
    # nothing of the run's
    "AWS_SECRET_ACCESS_KEY": "s3cret",
    "TRIALWATT_HUB": "http://127.0.0.1:1",
}
NEEDED = {
    "LC_ALL": "C.UTF-8",
    "TZ": "Asia/Kathmandu",
    "JAVA_HOME": "/opt/java",
    "SSL_CERT_FILE": "/etc/own.pem",
    "OPENBLAS_CORETYPE": "Haswell",
    "VIRTUAL_ENV": "/opt/venv",
    "PYTHONPATH": "/opt/own",
    "XDG_RUNTIME_DIR": "/run/user/7",
}


@pytest.fixture
def users(monkeypatch):
    for name, value in (HARMFUL | NEEDED).items():
        monkeypatch.setenv(name, value)


def test_a_component_gets_what_it_needs_and_nothing_else_of_the_users(users, local):
    local.start(python(SAY_ALL, cpu=1.5, environment={"MINE": "1"}, secrets={"TOKEN": "s3same"}))
    seen = body(local)
    ours = thread_environment(1.5) | {"MINE": "1", "TOKEN": "s3same"}
    assert seen.items() >= (NEEDED | ours).items()
    assert not (HARMFUL.keys() - ours.keys()) & seen.keys()
    assert seen["OMP_PROC_BIND"] == "false"
    for name in ("PATH", "HOME"):
        assert seen.get(name) == os.environ.get(name)


def test_what_was_left_out_is_on_record_and_no_secret_is(users, local):
    local.start(python(SAY_ALL, cpu=1, environment={"MINE": "/a/place"}, secrets={"T": "s3same"}))
    facts = local.environment
    assert facts["left_out"].keys() >= HARMFUL.keys()
    assert facts["left_out"]["OMP_PROC_BIND"] == "true"
    assert facts["left_out"]["HTTPS_PROXY"] is None
    assert facts["kept"].keys() >= NEEDED.keys()
    assert facts["kept"]["OPENBLAS_CORETYPE"] == "Haswell"
    mine = facts["set"]["worker-0"]
    assert (mine["OMP_NUM_THREADS"], mine["MINE"], mine["T"]) == ("1", None, None)
    text = json.dumps(facts)
    assert not any(word in text for word in ("s3cret", "s3same", "/opt", "/a/place"))


def test_a_testbed_names_more_of_them(users, run_id, tmp_path):
    bed = Testbed(environment=["PGHOST", "MALLOC_ARENA_MAX"])
    made = LocalPlatform.open(run_id, bed, tmp_path / "run")
    try:
        made.start(python(SAY_ALL))
        seen, facts = body(made), made.environment
    finally:
        made.remove()
    assert (seen["PGHOST"], seen["MALLOC_ARENA_MAX"]) == ("elsewhere", "1")
    assert facts["kept"]["PGHOST"] is None
    assert "PGHOST" not in facts["left_out"]


def test_a_testbed_cannot_name_threads_nor_what_is_not_set(monkeypatch):
    monkeypatch.delenv("NOT_SET", raising=False)
    bed = Testbed(environment=["PATH", "OMP_PLACES", "NOT_SET"])
    assert LocalPlatform.testbed_problems(bed) == [
        ("environment.1", "OMP_PLACES: threads follow from a component's cores: take it out"),
        ("environment.2", "NOT_SET: it is not set here: set it, or take it out"),
    ]


def test_a_name_that_steers_a_terminal_is_recorded_harmlessly():
    facts = Inherited.of({"A\x1b[2J": "1", "OMP_X": "\udcff" * 1000}).facts["left_out"]
    json.dumps(facts).encode()
    assert all(name.isprintable() for name in facts)
    assert len(facts["OMP_X"]) < 2000


# --- cores ------------------------------------------------------------------------------------

COORDINATOR = """
import json, sys, os
from pathlib import Path
from trialwatt.config.models import Testbed
from trialwatt.platforms.base import Role
from trialwatt.platforms.local import LocalPlatform
SUM = "import torch; (torch.ones(200000) + 1).sum(); "
SAY = "import json, os; print(json.dumps({'cores': sorted(os.sched_getaffinity(0))}), flush=True)"
sums = SUM if "OMP_PROC_BIND" in os.environ else ""
exec(sums)
platform = LocalPlatform.open(sys.argv[1], Testbed(enforcement=sys.argv[2]), Path(sys.argv[3]))
try:
    for index in (0, 1):
        command = (sys.executable, "-c", sums * index + SAY)
        platform.start(Role("worker", "worker", command, 1, 1024, index))
    said = [platform.inbox.get(timeout=120) for _ in range(4)]
    found = [message.body["cores"] for message in said if not message.ending]
    print(json.dumps([found, sorted(os.sched_getaffinity(0)), platform.facts["components"]]))
finally:
    platform.remove()
"""

needs_two = pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one core")


def coordinator(run_id, kind, folder, cores=None, **variables):
    """(cores of each worker, of the coordinator, what is recorded of the workers). Where threads
    are bound, the coordinator and a worker have computed with several before."""
    free = {k: v for k, v in os.environ.items() if not k.endswith("_NUM_THREADS")}
    done = subprocess.run(
        [sys.executable, "-c", COORDINATOR, run_id, kind, str(folder)],
        env=free | variables,
        capture_output=True,
        text=True,
        timeout=300,
        preexec_fn=cores and (lambda: os.sched_setaffinity(0, cores)),
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@needs_two
def test_threads_that_are_bound_bind_no_worker(kind, run_id, tmp_path):
    bound = {"OMP_PROC_BIND": "true", "GOMP_CPU_AFFINITY": "0"}
    found, own, recorded = coordinator(run_id, kind, tmp_path / "run", **bound)
    every = sorted(os.sched_getaffinity(0))
    assert len(own) == 1, "the coordinator itself is not bound: this tests nothing"
    if kind == "soft":  # one core each, and not the same
        assert sorted(core for cores in found for core in cores) == every[:2]
    else:
        assert found == [every, every]
        assert "affinity" not in recorded["worker-0"]


@needs_two
def test_cores_that_a_session_leaves_us_are_kept_to_and_recorded(group_kind, run_id, tmp_path):
    one = min(os.sched_getaffinity(0))
    found, _, recorded = coordinator(run_id, group_kind, tmp_path / "run", cores={one})
    assert found == [[one], [one]]
    assert recorded["worker-0"]["affinity"] == [one]
