"""The job file: what every process of a run is told, written by the coordinator.

Where the run's folder and the dataset are differs between machines and says nothing about the
run, so that stands in the environment and not in the file.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StrictInt

from trialwatt.config.models import Limits, RunConfig
from trialwatt.plainfile import read_plain
from trialwatt.platforms.base import Platform
from trialwatt.provenance.jsontext import parse_json
from trialwatt.suts.base import Job

JOB_FILE = "job.json"
FILE = "TRIALWATT_JOB"
"""Environment variable of every role: the path of the job file, in the run's folder."""
DATASET = "TRIALWATT_DATASET"
"""Environment variable of every role: the path of the prepared dataset."""
PLACES = ("folder", "data")
_MOST_BYTES = 1 << 20


def write_job(job: Job) -> None:
    """Write job.json into the run's folder."""
    data = {key: value for key, value in asdict(job).items() if key not in PLACES}
    data["config"] = job.config.model_dump(mode="json")
    data["service"] = job.service.model_dump(mode="json")
    job.path(JOB_FILE).write_text(json.dumps(data, indent=1, sort_keys=True) + "\n")


def as_seen(job: Job, platform: Platform) -> Job:
    """The job with the places where the processes of this platform find its folder and data."""
    folder, data = platform.seen(job.folder, job.data)
    return replace(job, folder=folder, data=data)


def environment(job: Job) -> dict[str, str]:
    """The variables by which a process of the run finds its job; `job` as it sees it."""
    return {FILE: str(job.path(JOB_FILE)), DATASET: job.data}


def read_job() -> Job:
    """The job of this process."""
    return job_of(Path(os.environ[FILE]), os.environ[DATASET])


def job_of(file: Path, dataset: str = "") -> Job:
    """The job that a job file describes. Raises OSError where it cannot be read, ValueError
    where it is damaged or of another version."""
    found = _JobFile.model_validate(parse_json(read_plain(file, _MOST_BYTES)))
    data = {name: getattr(found, name) for name in _JobFile.model_fields}
    return Job(**data, folder=str(file.parent), data=dataset)


class _JobFile(BaseModel):
    """The fields of suts.base.Job, without PLACES."""

    model_config = ConfigDict(extra="forbid")

    run_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,199}$")]
    config: RunConfig
    repetition: Annotated[StrictInt, Field(ge=0)]
    seed: Annotated[StrictInt, Field(ge=0)]
    threads: Annotated[StrictInt, Field(ge=1)]
    worker_cpu: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    service: Limits
    packages: tuple[str, ...] = ()
