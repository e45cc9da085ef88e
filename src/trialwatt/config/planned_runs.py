"""The runs of one experiment, gathered way by way, and the sweeps that they make up."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from trialwatt.config.checks import PlatformChecks, SutChecks
from trialwatt.config.expansion import Resolved, Treatment
from trialwatt.config.identity import run_folder
from trialwatt.config.loading import Problems
from trialwatt.config.models import RunConfig, Sweep, Value, Workload
from trialwatt.config.plan import PlannedRun, PlannedSweep

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
        self.baselines: set[str] = set()

    def make(self, sut: str, resolved: Resolved) -> RunConfig:
        assert self._run_of is not None, "asked only where there is a testbed"
        return self._run_of(sut, resolved.workload)

    def lacking_accelerator(self, treatment: Treatment, resolved: Resolved) -> str:
        """Why a treatment of `all` accelerators cannot be run here; empty if it can."""
        if self._platform is None or ACCELERATOR not in treatment.found:
            return ""
        return self._platform.accelerator_problem(resolved.workload.workers.accelerator)

    def add(
        self,
        way: int,
        values: dict[str, Value],
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
            planned = PlannedRun(sut, values, folder in self.baselines, folder, run)
            self._by_way.setdefault(way, {})[folder] = planned

    def add_baseline(self, sut: str, resolved: Resolved, values: dict[str, Value]) -> None:
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

    def all(self) -> Iterator[PlannedRun]:
        for way in sorted(self._by_way):
            yield from self._by_way[way].values()

    def folders_of_ways(self, wanted: Callable[[int], bool]) -> tuple[str, ...]:
        return tuple(
            folder for way in sorted(self._by_way) if wanted(way) for folder in self._by_way[way]
        )

    def sweeps(self, way: int, key: str, sweep: Sweep) -> list[PlannedSweep]:
        """The sweep of each SUT and sampler in this way."""
        found: dict[tuple[str, str], list[PlannedRun]] = {}
        for run in self._by_way.get(way, {}).values():
            if isinstance(run.value, int | float):  # else a problem has been reported
                found.setdefault((run.sut, run.run.workload.search.sampler), []).append(run)
        return [
            PlannedSweep(
                sut=sut,
                sampler=sampler,
                testbed=runs[0].run.testbed_name,
                key=key,
                steps=tuple(
                    sorted(
                        (run for run in runs if run.folder not in self._beside),
                        key=lambda run: run.value,
                    )
                ),
                baseline=next(run for run in runs if run.is_baseline),
                tolerance=sweep.tolerance,
                patience=sweep.patience,
            )
            for (sut, sampler), runs in found.items()
        ]
