"""Ten deploys in a row: all come up and leave nothing, whatever the framework starts."""

import threading
import time
from pathlib import Path

import pytest

from trialwatt import platforms, suts
from trialwatt.contract.observing import NOTHING, left_behind
from trialwatt.lifecycle.inventory import Inventory
from trialwatt.lifecycle.jobs import as_seen, write_job
from trialwatt.lifecycle.locks import measuring
from trialwatt.lifecycle.supervisor import Supervisor
from trialwatt.meters.sampler import Sampler
from trialwatt.records.writer import EventWriter
from trialwatt.suts.base import Job

pytestmark = [pytest.mark.contract, pytest.mark.slow]


def deploy_and_undeploy(place, config, number: int, folder: Path, data: Path) -> tuple[float, dict]:
    """Seconds until all workers are ready, and what is left after undeploy."""
    job = Job(
        run_id=f"deploys-r{number}",
        config=config,
        repetition=number,
        seed=number,
        folder=str(folder / f"run-{number}"),
        data=str(data),
        threads=config.threads,
        worker_cpu=config.worker_cpu,
        service=config.testbed.service,
    )
    job.path().mkdir()
    write_job(job)
    sut = suts.get(config.sut)()
    kind = platforms.get(config.testbed.platform)
    platform = kind.open(job.run_id, config.testbed, job.path())
    events = EventWriter(job.path(), job.run_id, "harness")
    roles = sut.roles(as_seen(job, platform))
    platform.expect(roles)
    began = time.monotonic()
    with Sampler({}, job.path(), 5, platform.machine) as sampler:
        deadline = began + config.workload.deadline_s
        inventory = Inventory(job, kind.renewal)
        supervisor = Supervisor(job, platform, sampler, events, deadline, inventory)
        try:
            supervisor.deploy(roles)
            seconds = time.monotonic() - began
            place.look(job.run_id)
        finally:
            supervisor.stop(3.0)
            platform.remove()
            sut.clean(job)
    events.close()
    return seconds, left_behind(place, job.run_id, folder)


def test_ten_deploys_in_a_row_with_four_workers_on_two_cores(
    sut, place, sampler, run_config, digits, tmp_path
):
    testbed = place.testbed | {"cpu_per_vcpu": place.testbed["cpu_per_vcpu"] / 2}
    workers = {"count": 4, "cpu": 2, "memory_mb": 1024}
    config = run_config(
        sut, testbed=testbed, workers=workers, search={"sampler": sampler}, deadline_s=300
    )
    threads = threading.active_count()
    with measuring():
        for number in range(1, 11):
            seconds, traces = deploy_and_undeploy(place, config, number, tmp_path, digits)
            print(f"{sut}: deploy {number}: {seconds:.1f} s")
            assert traces == NOTHING, number
    assert threading.active_count() <= threads
