"""The runs of one experiment, gathered way by way, and the sweeps that they make up."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from trialwatt.config.checks import PlatformChecks, SutChecks
from trialwatt.config.expansion import Resolved, Treatment
from trialwatt.config.identity import run_folder
from trialwatt.config.loading import Problems
from trialwatt.config.models import RunConfig, Sweep, Value, Workload
from trialwatt.config.plan_parts import PlannedRun, PlannedSweep

ACCELERATOR = "workers.accelerator"


class PlannedRuns:
    """Runs are added treatment by treatment; one that is there already is not added again.

    baselines: folders of the runs that count as the Baseline, to be known before any is added.
    Without a testbed (`run_of` None) nothing is made, only checked.
    """

    def __init__(
        self,
        run_of: Callable[[str, Workload], RunConfig] | None,
        platform: PlatformChecks | None,
        suts: SutChecks,
        problems: Problems,
    ):
        self._run_of, self._platform = run_of, platform
        self._suts, self._problems = suts, problems
        self._by_way: dict[int, dict[str, PlannedRun]] = {}
        self._beside: set[str] = set()  # Baselines that are no treatment
        self.configs: dict[str, RunConfig] = {}
        self.baselines: set[str] = set()

    def make(self, sut: str, resolved: Resolved) -> RunConfig:
        assert self._run_of is not None, "asked only where there is a testbed"
        return self._run_of(sut, resolved.workload)

    def no_room(self, sut: str, resolved: Resolved) -> str:
        """Why the platform has no room for a SUT with this workload; empty if it has."""
        if self._platform is None or self._run_of is None:
            return ""
        return "; ".join(self._platform.room(self.make(sut, resolved), self._suts, resolved))

    def lacking_accelerator(self, treatment: Treatment, resolved: Resolved) -> str:
        """Why a treatment of `all` accelerators cannot be run here; empty if it can."""
        if self._platform is None or ACCELERATOR not in treatment.found:
            return ""
        return self._platform.accelerator_problem(resolved.workload.workers.accelerator)

    def add(
        self,
        way: int,
        values: Mapping[str, Value | None],
        sut: str,
        resolved: Resolved,
        is_between: bool = False,
    ) -> None:
        """One run; whether the platform has room for it is checked here.

        is_between: a step between two of a sweep; what fits both ends fits those between.
        """
        if self._run_of is None:
            return
        run = self.make(sut, resolved)
        if self._platform is not None and not is_between:
            self._platform.check(run, self._suts, resolved, self._problems)
        folder = run_folder(run)
        if not any(folder in there for there in self._by_way.values()):
            planned = PlannedRun(
                folder=folder, treatment=dict(values), is_baseline=folder in self.baselines
            )
            self._by_way.setdefault(way, {})[folder] = planned
            self.configs[folder] = run

    def add_baseline(
        self, sut: str, resolved: Resolved, values: Mapping[str, Value | None]
    ) -> None:
        """The Baseline, where no treatment is the same; it goes before the treatments."""
        if self._run_of is None:
            return
        folder = run_folder(self.make(sut, resolved))
        if any(folder in there for there in self._by_way.values()):
            return
        self._beside.add(folder)
        before = self._by_way.pop(0, {})
        self.add(0, values, sut, resolved)
        self._by_way = {0: {**self._by_way.pop(0, {}), **before}, **self._by_way}

    def all(self) -> list[PlannedRun]:
        return [run for way in sorted(self._by_way) for run in self._by_way[way].values()]

    def sweeps(self, way: int, key: str, sweep: Sweep) -> list[PlannedSweep]:
        """The sweep of each SUT and sampler in this way."""
        found: dict[tuple[str, str], list[PlannedRun]] = {}
        for run in self._by_way.get(way, {}).values():
            if run.number is not None:  # else a problem has been reported
                config = self.configs[run.folder]
                found.setdefault((config.sut, config.workload.search.sampler), []).append(run)
        return [
            PlannedSweep(
                sut=sut,
                sampler=sampler,
                key=key,
                steps=[
                    run.folder
                    for run in sorted(runs, key=lambda run: run.number or 0.0)
                    if run.folder not in self._beside
                ],
                baseline=next(run.folder for run in runs if run.is_baseline),
                tolerance=sweep.tolerance,
            )
            for (sut, sampler), runs in found.items()
        ]
