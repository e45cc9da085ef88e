"""What a replayed job takes beside its trials: all that is reserved, and the framework itself."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trialwatt.analysis.framework_cost import QUANTITIES, TERMS, Law
from trialwatt.config.models import RunConfig
from trialwatt.errors import TrialwattError
from trialwatt.metrics import formulas
from trialwatt.metrics.formulas import MB_PER_GB
from trialwatt.replay.simulate import Setting
from trialwatt.replay.table import TrialTable
from trialwatt.suts import get

NS_PER_S = 1e9


@dataclass(frozen=True)
class Added:
    """What a framework adds in one search, beside what plain takes: s, J and money, each per job,
    per trial and per report; its services are in it. The job's may be less than nothing. workers:
    of the jobs in which that was measured, whose reserved power and price it holds."""

    seconds: tuple[float, ...] = (0.0, 0.0, 0.0)
    joules: tuple[float, ...] = (0.0, 0.0, 0.0)
    money: tuple[float, ...] = (0.0, 0.0, 0.0)
    workers: int = 0


@dataclass(frozen=True)
class Frame:
    """Beside the trials: s of deploy, setup, collection and all after; J before and after the
    trials, and mean W of all but workers meanwhile."""

    deploy_s: float
    setup_s: float
    collect_s: float
    after_s: float
    before_j: float
    after_j: float
    else_w: float


@dataclass(frozen=True)
class Costs:
    """Of every search of one setting.

    worker_w, worker_price: static power and price per s of a worker; services_w, services_price: of
    all services, 0 where the framework's law has them. frames: beside the trials of each measured
    job, by its seed. added: of each block of the framework's law; none where it is not given.
    g_per_kwh: carbon, PUE included; NaN where the testbed has a series of intensities. is_control:
    whether it is the SUT that others' laws are compared with, which adds nothing.
    """

    workers: int
    worker_w: float
    worker_price: float
    g_per_kwh: float
    services_w: float
    services_price: float
    frames: tuple[Frame, ...]
    added: tuple[Added, ...]
    is_control: bool = False

    @property
    def framework(self) -> str:
        """What is known of the cost of the framework itself."""
        if self.is_control:
            return "none: it has no framework"
        if self.added:
            return f"{len(self.added)} blocks of its measured cost"
        return "its own cost is not counted, only what its services reserve"

    @property
    def framework_known(self) -> bool:
        return self.is_control or bool(self.added)

    def drawn(self, rng: np.random.Generator, whole: int | None) -> tuple[Frame, Added]:
        """What stands beside the trials of one search: that of one measured job, and one block's
        cost of the framework. whole: the seed that all of the search is of, or None."""
        frame = self.frames[rng.integers(len(self.frames)) if whole is None else whole]
        return frame, self.added[rng.integers(len(self.added))] if self.added else Added()


def costs_of(
    table: TrialTable, config: RunConfig, worker_w: float, laws: Sequence[Law] | None
) -> Costs:
    """Of jobs of this configuration on the table's testbed.

    worker_w: static power of a worker. laws: of this SUT (analysis.framework_cost); None where they
    are not known: then its services are counted by what they reserve, and nothing else of it. The
    control adds nothing, whatever the laws are of.
    Raises TrialwattError where the laws are of another SUT, or lack time, energy or cost.
    """
    count, wanted = config.workload.workers.count, config.workload.workers
    measured = table.workload.workers.count
    context = table.facts.context
    control = get(config.sut).is_control
    added = () if laws is None or control else _added(laws, config.sut)

    def price(cores: float, memory_mb: float, accelerators: float = 0.0) -> float:
        prices = context.price_per_cpu_h, context.price_per_gb_h
        held = accelerators * NS_PER_S
        per_h = context.price_per_accelerator_h.get(wanted.accelerator, math.nan) if held else 0.0
        return float(formulas.cost(cores, memory_mb, NS_PER_S, *prices, held, per_h))

    def static_w(cores: float, memory_mb: float) -> float:
        facts = table.facts
        return facts.static_w_per_core * cores + facts.static_w_per_gb * memory_mb / MB_PER_GB

    roles = get(config.sut)().planned_roles(config)
    held = [] if added else [(role.cpu, role.memory_mb) for role in roles if role.kind != "worker"]
    jobs = zip(table.facts.sources, table.facts.outside, strict=True)
    by_seed = [outside for _, outside in sorted(jobs, key=lambda job: job[0].repetition)]
    frames = tuple(
        Frame(
            deploy_s=one.deploy_s,
            setup_s=one.setup_s,
            collect_s=one.collect_s,
            after_s=one.after_s,
            before_j=one.before_workers_j * count / measured + one.before_else_j,
            after_j=one.after_workers_j * count / measured + one.after_else_j,
            else_w=one.else_w,
        )
        for one in by_seed
    )
    accelerators = 0.0 if wanted.accelerator == "cpu" else 1.0
    intensity = math.nan if context.intensity is None else context.intensity
    return Costs(
        workers=count,
        worker_w=worker_w,
        worker_price=price(config.worker_cpu, wanted.memory_mb, accelerators),
        g_per_kwh=intensity * context.pue,
        services_w=sum(static_w(*each) for each in held),
        services_price=sum(price(*each) for each in held),
        frames=frames,
        added=added,
        is_control=control,
    )


def _added(laws: Sequence[Law], sut: str) -> tuple[Added, ...]:
    own = {law.quantity.name: law for law in laws if law.sut == sut}
    if lacking := [quantity.name for quantity in QUANTITIES if quantity.name not in own]:
        known = ", ".join(sorted({law.sut for law in laws})) or "none"
        raise TrialwattError(
            f"the runs tell no {', '.join(lacking)} that {sut} adds (known: {known}); measure the "
            "experiment framework-cost with it, or leave its cost out"
        )
    time, joules, money = (_terms(own[name]).tolist() for name in ("time", "energy", "cost"))
    workers = int(own["energy"].runs["wn"].iloc[0])
    return tuple(
        Added(tuple(lasts), tuple(drawn), tuple(paid), workers)
        for lasts, drawn, paid in zip(time, joules, money, strict=True)
    )


def _terms(law: Law) -> np.ndarray:
    """(blocks, 3): what a trial and a report take in the mean of the blocks, and what each block
    leaves by that for the job, so that the jobs of the law took what they took.

    A framework makes no trial cheaper: a mean of less than nothing is noise, and 0. A block's own
    fit of them is noise of a few short jobs, which a search of many trials would multiply. The job
    may be less than nothing: a worker that imports before the job begins has less to import in it.
    What is not identified is 0.
    """
    fitted = dict(zip(law.terms, law.per_block.T, strict=True))
    found = np.zeros((len(law.per_block), len(TERMS)))
    found[:, 0] = fitted.pop("job")
    for name, of_blocks in fitted.items():
        mean = max(0.0, of_blocks.mean())
        found[:, TERMS.index(name)] = mean
        found[:, 0] += (of_blocks - mean) * law.points[f"{name}s"].mean()
    return found


def setting(costs: Costs, added: Added, budget: int) -> Setting:
    """A law's seconds are of the job, which its workers share: each loses as many times more."""
    _, trial, report = added.seconds
    return Setting(costs.workers, budget, trial * added.workers, report * added.workers)
