"""Every SUT with its components on places that share nothing: whole jobs, and no secret in them."""

import json
import os
import socket
import subprocess
from dataclasses import replace

import pytest
from tests.platforms.apart import Apart
from tests.platforms.processes import python

from trialwatt import platforms, suts
from trialwatt.contract.reading import manifest, trials
from trialwatt.errors import TrialwattError
from trialwatt.suts import postgres


def why_not() -> str:
    if os.geteuid() != 0 or subprocess.run(["unshare", "-m", "true"], check=False).returncode:
        return "needs root and mount namespaces"
    return ""


def has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


@pytest.fixture
def apart(tmp_path, run_config):
    """The platform of these tests, for one run."""
    run_id, folder = f"apart-{os.getpid()}", tmp_path / "run"
    folder.mkdir()
    (folder / "job.json").write_text("{}")
    (folder / "records").mkdir()
    (tmp_path / "data").write_text("data")
    made = Apart.open(run_id, run_config().testbed, folder)
    made.seen(str(folder), str(tmp_path / "data"))
    yield made
    made.remove()


@pytest.mark.skipif(bool(why_not()), reason=why_not())
def test_components_of_that_place_really_share_nothing(apart, tmp_path):
    look = "print(json.dumps([sys.argv[2], os.listdir('/tmp'), sorted(os.listdir(sys.argv[1]))]))"
    leave = "open('/tmp/mine', 'w'), open(sys.argv[1] + '/mine', 'w')"
    for name, source in (("head", leave), ("driver", leave), ("worker", look)):
        made = python(source, name=name, kind="service", speaks=False)
        seen, _ = apart.seen(str(tmp_path / "run"), str(tmp_path / "data"))
        handle = apart.start(replace(made, command=(*made.command, seen, "@host@")))
        ending = apart.inbox.get(timeout=120).ending
        assert ending.code == 0, ending.tail
    said = json.loads((tmp_path / "run" / "logs" / "worker.log").read_text())
    address, in_tmp, in_the_folder = said
    assert address == apart.host("worker") and "mine" not in in_tmp
    assert in_the_folder == ["data", "job.json", "records"]
    assert len({apart.host(name) for name in ("head", "driver", "worker")}) == 3
    with pytest.raises(TrialwattError, match="no mine"):
        handle.fetch("mine")


def secrets_of(role_lists) -> set[bytes]:
    return {value.encode() for roles in role_lists for r in roles for value in r.secrets.values()}


@pytest.mark.skipif(bool(why_not()), reason=why_not())
@pytest.mark.contract
@pytest.mark.slow  # a whole job each
@pytest.mark.parametrize(
    ("sut", "addresses"),
    [
        *((sut, Apart.addresses) for sut in ("plain", "optuna", "ray", "hyperopt")),
        *((sut, "::1") for sut in ("plain", "optuna")),
    ],
)
def test_a_whole_job_of_components_that_share_nothing(
    sut, addresses, run_job, tmp_path, monkeypatch
):
    kind = suts.get(sut)
    if addresses == "::1" and not has_ipv6():
        pytest.skip("needs IPv6")
    monkeypatch.setattr(Apart, "addresses", addresses)
    if reason := kind.available() or (sut == "optuna" and postgres.problem()):
        pytest.skip(reason)
    made, roles = [], kind.roles

    def remembered(self, job):
        made.append(roles(self, job))
        return made[-1]

    monkeypatch.setattr(kind, "roles", remembered)
    monkeypatch.setattr(platforms, "get", lambda name: Apart)
    sampler = "grid" if "grid" in kind.samplers else "random"
    bed = {"cpu_per_vcpu": 0.5}
    bed |= {"storage": {"postgres": "service"}} if sut == "optuna" else {}
    search = {"sampler": sampler, "budget": 4}
    folder = run_job(tmp_path / "results", sut, testbed=bed, search=search, deadline_s=400)
    run, found = manifest(folder), trials(folder)
    assert run["status"] == "completed", run["reason"]
    assert {trial["outcome"] for trial in found.values()} == {"completed"}
    assert {trial["who"] for trial in found.values()} == {"worker-0", "worker-1"}
    assert run["best"]["score"] == max(trial["scores"]["macro_f1"] for trial in found.values())
    assert 0 < run["test"]["macro_f1"] <= 1
    components = run["enforcement"]["components"]
    assert ("storage" in components) == (sut == "optuna")

    secret = secrets_of(made)
    assert bool(secret) == (sut != "plain")
    for path in (tmp_path / "results").rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert not any(one in content for one in secret), path
