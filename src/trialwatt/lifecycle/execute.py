"""One run from nothing to a finished folder: the seven steps, metered, recorded, cleaned up."""

from __future__ import annotations

import json
import secrets
import shutil
import sys
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from trialwatt import platforms, suts
from trialwatt.clock import Stamp, now
from trialwatt.config.checks import SPARE_BYTES
from trialwatt.config.identity import repetition_seed, run_folder, run_hash
from trialwatt.config.models import RunConfig
from trialwatt.credentials import redacted
from trialwatt.errors import TrialwattError
from trialwatt.lifecycle.evidence import RunFailed, fault_of_all
from trialwatt.lifecycle.installed import needed_by_components, versions_used
from trialwatt.lifecycle.inventory import Inventory
from trialwatt.lifecycle.jobs import as_seen, write_job
from trialwatt.lifecycle.locks import measuring
from trialwatt.lifecycle.logs import hide_credentials
from trialwatt.lifecycle.quiet import wait_until_quiet
from trialwatt.lifecycle.reap import PARTIAL, reap
from trialwatt.lifecycle.script import trapped
from trialwatt.lifecycle.spending import Spending
from trialwatt.lifecycle.supervisor import DeadlineReached, Supervisor
from trialwatt.lifecycle.trials import STATES, WEIGHTS
from trialwatt.meters.choose import Chosen, open_available
from trialwatt.meters.sampler import Sampler
from trialwatt.platforms.base import Platform
from trialwatt.private import remove_folder
from trialwatt.provenance.chain import code_version
from trialwatt.records.manifest import write_manifest
from trialwatt.records.sealed import seal
from trialwatt.records.testbed_facts import idle_of
from trialwatt.records.writer import EventWriter, progress
from trialwatt.suts.base import Infeasible, Job
from trialwatt.workload.inputs import identified

PROJECT = Path(__file__).resolve().parents[3]
"""The checkout that this package is installed from in editable mode, if it is."""
GRACE_S = 3.0
"""Time for a component to end by itself at undeploy; all of it must be gone within 10 s."""
BEST = "best"
"""The winner's model, in the run's folder, with the suffix of its kind."""
FUNCTION = "function.py"
"""The source of the user's function, in the run's folder: for readers, nothing of ours runs it."""


def execute(
    config: RunConfig,
    repetition: int,
    data: str,
    testbed_facts: str,
    results: str,
    *,
    folder: Path | None = None,
    failure_is_result: bool = False,
    block: dict[str, int | str] | None = None,
) -> Path:
    """Run one repetition; returns its folder, which appears only when everything is over.

    folder: where it is put in the end, instead of among the runs. block: where it stands in its
    block (announce.standing), for the manifest. A treatment that cannot work
    (status infeasible) or that reached its deadline is a result too. Raises RunFailed for any
    other failure (the records then lie in results/failed), unless failure_is_result: then it is
    kept in its place with status failed. Raises Interrupted where it was told to stop. Nothing is
    left behind in any case.
    """
    root = Path(results)
    root.mkdir(parents=True, exist_ok=True)
    final = folder or root / run_folder(config) / f"rep{repetition}"
    purpose = f"{run_folder(config)}, repetition {repetition}"
    with trapped(), measuring(purpose) as beside:
        if not beside:  # what is half-written may be the other one's
            for sentence in reap(root, config.testbed.platform, config.testbed):
                print(sentence, file=sys.stderr, flush=True)
        busy = wait_until_quiet(config.testbed, config.testbed_name, bool(beside))
        run = _Run(config, repetition, Path(data).resolve(), Path(testbed_facts), root)
        run.failure_is_result, run.block = failure_is_result, block
        run.remarks = [text for text in (beside, busy) if text]
        try:
            run.measure()
        except BaseException:
            run.discard(keep=isinstance(sys.exc_info()[1], Exception))
            raise
        final.parent.mkdir(parents=True, exist_ok=True)
        if final.exists():  # made empty by the workflow, or an older one that is to be redone
            remove_folder(final)
        run.folder.replace(final)
        if run.status != "completed":  # of a warm-up, no table will tell
            said = f"{run.status}: {redacted(run.reason)}; its records and logs are in {final}"
            print(said, file=sys.stderr, flush=True)
    return final


class _Run:
    """The state of one run between its start and its manifest."""

    def __init__(self, config: RunConfig, repetition: int, data: Path, testbed: Path, root: Path):
        self.config, self.repetition = config, repetition
        self.sut = suts.get(config.sut)()
        self.testbed_facts = json.loads(testbed.read_text())
        self.dataset = identified(config.workload, data)
        accelerator = config.workload.workers.accelerator
        self.platform_kind = platforms.get(config.testbed.platform)
        problem = self.platform_kind.accelerator_problem(config.testbed, accelerator)
        if problem:
            raise TrialwattError(f"{problem}; nothing was started")
        self._refuse_full_disk(root)
        self.run_id = f"{run_hash(config)}-r{repetition}-{secrets.token_hex(3)}"
        self.root = root
        self.folder = _new_folder(root, self.run_id)
        self.job = Job(
            run_id=self.run_id,
            config=config,
            repetition=repetition,
            seed=repetition_seed(config.seed, repetition),
            folder=str(self.folder),
            data=str(data),
            threads=config.threads,
            worker_cpu=config.worker_cpu,
            service=config.testbed.service,
            packages=needed_by_components(config, type(self.sut)),
        )
        self.inventory = Inventory(self.job, self.platform_kind.renewal)
        self.failure_is_result = self._is_clear = False
        self.remarks: list[str] = []  # for what it did not wait any longer, for the record
        self.block: dict[str, int | str] | None = None
        self.status, self.reason = "completed", ""
        self.best: dict | None = None
        self.test: dict | None = None

    def measure(self) -> None:
        """The seven steps. Undeploy always runs, after any failure and any signal too."""
        started = now()
        write_job(self.job)
        if self.config.workload.trial is not None:
            shutil.copyfile(self.job.data, self.folder / FUNCTION)
        platform = self.platform_kind.open(self.run_id, self.config.testbed, self.folder)
        try:
            self._measure_on(platform, started)
        finally:
            self._clear(platform)

    def _measure_on(self, platform: Platform, started: Stamp) -> None:
        accelerators = self.config.workload.workers.accelerator != "cpu"
        meters = open_available(self.config.testbed, self.testbed_facts["power"], accelerators)
        events = EventWriter(self.folder, self.run_id, "harness")
        for remark in self.remarks:
            events.write("note", text=remark)
        deadline = time.monotonic() + self.config.workload.deadline_s
        sample_hz = self.config.testbed.sample_hz
        sampler = Sampler(meters.meters, self.folder, sample_hz, platform.machine)
        steps = _Steps(events, sampler)
        try:
            roles = self.sut.roles(as_seen(self.job, platform))
            platform.expect(roles)  # its machine may be what they reserve
            supervisor = Supervisor(self.job, platform, sampler, events, deadline, self.inventory)
            sampler.start()
            steps.enter("deploy")
            try:
                supervisor.deploy(roles)
                supervisor.spending = self._spending(platform, started, meters, sampler)
                self._job_steps(supervisor, steps, events)
                # Now, for the run's series may go with undeploy.
                meters.collect(self.folder, started, now(), platform.series_labels)
            except Infeasible as error:
                self.status, self.reason = "infeasible", str(error)
            except DeadlineReached as error:
                self.status, self.reason = "deadline", str(error)
            except RunFailed as error:
                self._fail(error)
            finally:
                steps.enter("undeploy")
                supervisor.stop(GRACE_S)
                shutil.rmtree(self.folder / STATES, ignore_errors=True)
                supervisor.record_disturbances()
                if self.status != "completed":
                    reason = "deadline" if self.status == "deadline" else "lost"
                    supervisor.close_open_trials(reason)
                enforcement, host = platform.facts, self._host(platform)
                environment = platform.environment
                self._clear(platform)
                clock = _clock(platform)  # it was measured once more before all was gone
                steps.leave()
            # And what undeploy drew.
            meters.collect(self.folder, started, now(), platform.series_labels, settle=True)
            if meters.missing:
                print(meters.missing, file=sys.stderr, flush=True)
        finally:
            meters.close()
            sampler.stop()
            events.close()
        self.inventory.read(self.folder, supervisor.members)
        self._judge(supervisor)
        seal(self.folder)
        known = {"enforcement": enforcement, "environment": environment}
        known |= {"clock": clock, "host": host}
        write_manifest(self.folder, self._manifest(started, known, meters, sampler))

    def _clear(self, platform: Platform) -> None:
        """Remove all that is not of the records, each part though another one stays; once."""
        with ExitStack() as parts:  # the last one goes first
            if not self._is_clear:
                parts.callback(self.sut.clean, self.job)
                parts.callback(hide_credentials, self.folder)
            parts.callback(self._remove, platform)
        self._is_clear = True

    def _remove(self, platform: Platform) -> None:
        """Remove all of it. What went wrong before is what a person is told of; that something is
        left is a note to it, for both may have one cause."""
        first = sys.exception()
        try:
            platform.remove()
        except TrialwattError as left:
            note = f"and what was made is left: {left}"
            if first is None and not self.reason:
                raise
            if first is None:
                raise TrialwattError(f"{self.reason}; {note}") from left
            if note not in "\n".join([str(first), *getattr(first, "__notes__", ())]):
                first.add_note(note)

    def discard(self, keep: bool) -> None:
        """Take the half run away: to results/failed where a person may want to look at it."""
        if not self.folder.exists():
            return
        if keep:
            target = self.root / "failed" / self.run_id
            target.parent.mkdir(exist_ok=True)
            self.folder.replace(target)
            print(f"its records and logs are in {target}", file=sys.stderr, flush=True)
        else:
            remove_folder(self.folder)

    def _job_steps(self, supervisor: Supervisor, steps: _Steps, events: EventWriter) -> None:
        workload = self.config.workload
        kept = f"{BEST}{workload.model_suffix}"
        steps.enter("setup")
        supervisor.ask_lead("setup")
        steps.enter("trials")
        supervisor.run_trials()
        steps.enter("collect")
        best = supervisor.collect()
        if best is not None:
            if workload.is_tested:
                trial, weights = supervisor.fetch_weights(best["number"])
                shutil.copyfile(weights, self.folder / kept)
            else:
                trial = supervisor.trial_of(best["number"])
            self.best = best | {"trial": trial}
            events.write("result", **self.best)
        steps.enter("test")
        if self.best is not None and workload.is_tested:
            answer = supervisor.ask_lead("test", gives=(kept,), phi=best["phi"], weights=kept)
            self.test = answer["scores"]
        steps.enter("metrics")
        if workload.trial is not None:  # it may be a pickle, which no archive is to hold
            (self.folder / kept).unlink(missing_ok=True)
        shutil.rmtree(self.folder / WEIGHTS, ignore_errors=True)

    def _spending(
        self, platform: Platform, started: Stamp, meters: Chosen, sampler: Sampler
    ) -> Spending | None:
        """Watches the budget, where it is not of trials alone. Raises TrialwattError where no
        meter could tell."""
        workload = self.config.workload
        if (budget := workload.search.spends) is None:
            return None
        later = [name for name in meters.headline_domains if not meters.meters[name].sampled]
        if budget.of_energy and later:
            raise TrialwattError(
                f"search.budget: {', '.join(later)} cannot be read while the run goes on; name a "
                "meter that can be before it in the testbed's meters"
            )
        host = {"host": self._host(platform)}
        known = self._manifest(started, host, meters, sampler) | {"status": ""}
        return Spending(
            budget, workload.goal, self.folder, lambda: known | {"clock": _clock(platform)}
        )

    def _judge(self, supervisor: Supervisor) -> None:
        """A job that went through and has no completed trial: an observation, or a failure."""
        writers = ("harness", *supervisor.members)
        ends = [end for who in writers for end in progress(self.folder, who).ended]
        if self.status != "completed" or any(end["outcome"] == "completed" for end in ends):
            return
        if fault := fault_of_all(ends):
            self._fail(RunFailed(fault))
        elif not (ends or supervisor.ended_by or supervisor.unbegun_for_memory):
            self._fail(RunFailed("no trial was run, and nothing says why"))
        else:
            self.status, self.reason = "infeasible", "no trial completed"

    def _fail(self, error: RunFailed) -> None:
        """Raises it, unless failures are kept."""
        if not self.failure_is_result:
            raise error
        self.status, self.reason = "failed", str(error)

    def _host(self, platform: Platform) -> dict:
        """For the manifest: on other machines, its size is what the run has reserved of them."""
        if not self.platform_kind.remote:
            return self.testbed_facts["host"]
        machine = platform.machine()
        components = platform.facts.get("components", {}).values()
        nodes = {each.get("node_hash") for each in components} - {None}
        size = {"cores": machine.cores, "memory_mb": machine.memory_mb, "nodes": len(nodes)}
        machine.close()
        return self.testbed_facts["host"] | size

    def _manifest(
        self, started: Stamp, known: dict, meters: Chosen, sampler: Sampler
    ) -> dict[str, Any]:
        """What run.json says; `known` is of the platform."""
        config, host = self.config, known["host"]
        defined = meters.defined_idle(host["cores"], host["memory_mb"] / 1024)
        return {
            "format": 1,
            "run_id": self.run_id,
            "folder": run_folder(config),
            "hash": run_hash(config),
            "repetition": self.repetition,
            "block": self.block,
            "seed": self.job.seed,
            "config": config.model_dump(mode="json"),
            "status": self.status,
            "reason": redacted(self.reason),
            "started_utc_ns": started.utc_ns,
            "ended_utc_ns": now().utc_ns,
            **self.inventory.facts(
                code_version(PROJECT),
                versions_used(config, type(self.sut), self.platform_kind, meters.meters.values()),
            ),
            "control": self.sut.is_control,
            **known,
            "meters": meters.facts(),
            "meter_errors": [*sampler.errors, *meters.errors],
            "headline_meter": meters.headline,
            "headline_domains": meters.headline_domains,
            "idle": idle_of(self.testbed_facts["idle"], meters.headline_domains, defined),
            "dataset": self.dataset,
            "best": self.best,
            "test": self.test,
        }

    def _refuse_full_disk(self, root: Path) -> None:
        free = shutil.disk_usage(root).free
        if free < SPARE_BYTES:
            raise TrialwattError(
                f"{root}: only {free // 2**20} MB are free, a run needs {SPARE_BYTES // 2**20} MB; "
                "nothing was started"
            )


def _new_folder(root: Path, run_id: str) -> Path:
    """Where the run lives until it is whole: in the results themselves, as it is then renamed."""
    if (root / PARTIAL).is_symlink():
        raise TrialwattError(f"{root / PARTIAL}: is a link: remove it; nothing was started")
    folder = (root / PARTIAL / run_id).absolute()
    folder.mkdir(parents=True)
    return folder


def _clock(platform: Platform) -> dict:
    """For the manifest; offsets_ns: what the reader adds to the stamps of each component."""
    return platform.clock_facts() | {"offsets_ns": platform.clock_offsets_ns()}


class _Steps:
    """Records the lifecycle steps: one starts where the one before it ends, with a sample there."""

    def __init__(self, events: EventWriter, sampler: Sampler):
        self._events, self._sampler, self._open = events, sampler, ""

    def enter(self, step: str) -> None:
        self.leave()
        self._open = step
        self._events.write("step", at=self._at, step=step, status="start")

    def leave(self) -> None:
        self._at = self._sampler.tick()
        if self._open:
            self._events.write("step", at=self._at, step=self._open, status="end")
        self._open = ""


def attempt(
    config: RunConfig,
    repetition: int,
    data: str,
    testbed_facts: str,
    results: str,
    **more: Any,
) -> Path:
    """Run one repetition; returns its folder. more: further keywords of `execute`.

    One that fails for another reason than its treatment is tried once more, then it is a hole: a
    folder with status failed, with which the workflow goes on to tables and figures that show it.
    """
    again = partial(execute, config, repetition, data, testbed_facts, results, **more)
    try:
        return again()
    except RunFailed as error:
        print(f"failed: {error}; it is tried once more", file=sys.stderr, flush=True)
    return again(failure_is_result=True)
