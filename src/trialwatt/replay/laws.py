"""Which of the laws of a runs table a replay takes, and what does not fit it."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from trialwatt.analysis.framework_cost import Law, laws
from trialwatt.config.factors import FACTORS, RESOURCE
from trialwatt.config.models import Workload
from trialwatt.errors import TrialwattError
from trialwatt.metrics.tables import read_runs
from trialwatt.records.installation import versions
from trialwatt.replay.conditions import of_table, told_apart
from trialwatt.replay.table import Facts
from trialwatt.suts import get

_RESERVED = [factor for factor in FACTORS.values() if factor.family == RESOURCE]


class Laws:
    """The laws that a runs table tells of a testbed, fitted once. runs: its rows, where their
    energies are not the file's. Raises TrialwattError where it tells none."""

    def __init__(self, file: Path, testbed: str, runs: pd.DataFrame | None = None):
        self._file, runs = file, read_runs(file) if runs is None else runs
        self._all = [
            law for law in laws(runs[runs["testbed"] == testbed]) if law.testbed == testbed
        ]
        if not self._all:
            raise TrialwattError(
                f"{file}: tells no framework's cost on the testbed {testbed}: it needs the "
                "experiment framework-cost, measured there"
            )

    def of(self, wanted: Workload) -> list[Law]:
        """Of several of a SUT those of these workers, else the first."""
        return [law for own in self._by_sut(wanted).values() for law in own]

    def notes(
        self, wanted: Workload, facts: Facts, sut: str | None = None, prunes: bool = False
    ) -> list[str]:
        """What does not fit searches of this workload on a trial table with these facts; sut: of
        this one, None for all; prunes: whether any of them may stop trials."""
        found = self._by_sut(wanted)
        said = list[str]()
        if sut is None or sut in found:
            samplers = ", ".join(sorted({law.sampler for law in self._all}))
            said.append(
                f"what frameworks cost was measured with the sampler {samplers}: what another "
                "computes beyond it is not in it"
            )
        for name, own in found.items():
            if sut not in (None, name):
                continue
            what, one = f"the cost of {name}", own[0]
            said += [f"{what}: measured with {each}" for each in _reserved_apart(one, wanted)]
            if one.blocks and not one.compared:
                said.append(f"{what}: of {one.blocks} blocks only, so that its spread is not known")
            if "report" in one.lacking and prunes:
                said.append(f"{what}: nothing for a report ({one.lacking['report']}): too little")
            here = versions([get(name).package])
            said += told_apart(of_table(facts, here), self._file, one.runs, what)
        return said

    def _by_sut(self, wanted: Workload) -> dict[str, list[Law]]:
        found = dict[str, list[Law]]()
        for name in sorted({law.sut for law in self._all}):
            own = [law for law in self._all if law.sut == name]
            fitting = [law for law in own if not _reserved_apart(law, wanted)] or own
            found[name] = list({law.quantity.name: law for law in reversed(fitting)}.values())
        return found


def laws_of(
    file: Path,
    facts: Facts,
    workload: Workload,
    count: int | None,
    sut: str | None = None,
    prunes: bool = False,
) -> tuple[list[Law], list[str]]:
    """Of a runs table the laws of each SUT on the testbed of a trial table, and what differs.

    count: of workers (None: as many as the workload has). sut: whose differences are told; None for
    all. prunes: whether searches may stop trials, and so are told scores. Raises TrialwattError
    where there are none of this testbed.
    """
    found = Laws(file, str(facts.config["testbed_name"]))
    workers = workload.workers.model_copy(update={"count": count or workload.workers.count})
    wanted = workload.model_copy(update={"workers": workers})
    return found.of(wanted), found.notes(wanted, facts, sut, prunes)


def _reserved_apart(law: Law, wanted: Workload) -> list[str]:
    """What the law's jobs had reserved otherwise, which decides how long its workers wait."""
    first, found = law.runs.iloc[0], list[str]()
    for factor in _RESERVED:
        value = factor.of(wanted)
        if factor.column in first and first[factor.column] != value:
            found.append(f"{factor.key} {first[factor.column]} (not {value})")
    return found
