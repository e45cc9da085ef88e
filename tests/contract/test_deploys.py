"""Ten deploys in a row: all come up and leave nothing, whatever the framework starts."""

import threading
import time
from pathlib import Path

import pytest
from tests.contract.conftest import PLATFORMS
from tests.contract.observing import NOTHING, left_behind, ports_of

from trialwatt import suts
from trialwatt.lifecycle.crew import Crew
from trialwatt.lifecycle.jobs import write_job
from trialwatt.lifecycle.locks import measuring
from trialwatt.meters.sampler import Sampler
from trialwatt.platforms.local import LocalPlatform
from trialwatt.records.writer import EventWriter
from trialwatt.suts.base import Job

pytestmark = [pytest.mark.contract, pytest.mark.slow]


def deploy_and_undeploy(config, number: int, folder: Path, data: Path) -> tuple[float, dict]:
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
    platform = LocalPlatform.open(job.run_id, config.testbed, job.path())
    events = EventWriter(job.path(), job.run_id, "harness")
    began = time.monotonic()
    with Sampler({}, job.path(), 5) as sampler:
        crew = Crew(job, platform, sampler, events, began + config.workload.deadline_s)
        try:
            crew.deploy(sut.roles(job))
            seconds = time.monotonic() - began
            ports = ports_of(job.run_id)
        finally:
            crew.stop(3.0)
            platform.remove()
            sut.clean(job)
    events.close()
    return seconds, left_behind(job.run_id, ports, folder)


def test_ten_deploys_in_a_row_with_four_workers_at_half_a_core(
    sut, platform, sampler, run_config, digits, tmp_path
):
    testbed = PLATFORMS[platform] | {"cpu_per_vcpu": 0.25}
    workers = {"count": 4, "cpu": 2, "memory_mb": 1024}
    config = run_config(
        sut, testbed=testbed, workers=workers, search={"sampler": sampler}, deadline_s=300
    )
    threads = threading.active_count()
    with measuring():
        for number in range(1, 11):
            seconds, traces = deploy_and_undeploy(config, number, tmp_path, digits)
            print(f"{sut}: deploy {number}: {seconds:.1f} s")
            assert traces == NOTHING, number
    assert threading.active_count() <= threads
