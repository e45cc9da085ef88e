"""The factors: what of a workload an experiment may vary, and all that is to be known of each.

What an experiment is follows from the keys that it varies, never from its name: `compared` says
which they are, `families` what it is about. A new treatment variable is one entry of FACTORS.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Literal

from trialwatt.config.models import IMAGE_KEYS, Value, Workload
from trialwatt.config.space import most_trials, size

Family = Literal["resource", "search"]
RESOURCE: Family = "resource"
SEARCH: Family = "search"
HYPOTHESES: dict[str, Family] = {"H1": RESOURCE, "H2": SEARCH}
"""Hypothesis → the family of the factors that it is about."""


@dataclass(frozen=True)
class Factor:
    """One workload key, dotted as in `vary`.

    column, kind, definition: its column in the runs table (kind as in the data dictionary).
    unit: what its values are counted in, empty for words. reserved: the column of what a worker
    really gets, which a power model takes; only of resources. title: after an experiment's name;
    said: one level of it, in a sentence; short: in a heat map; label: of an axis. in_budget:
    budgets differ between its levels. by_job: levels are compared by the energy of the job, since
    they make completed trials few, and not by that of a trial. unnamed: values that a run's folder
    does not name, so that the folders of the configurations that come with us stay as they were.
    tested: whether it tells for its family's hypothesis. amount: it is how much there is to do.
    """

    key: str
    family: Family | None
    column: str
    kind: Literal["text", "whole", "real"] = "text"
    definition: str = ""
    unit: str = ""
    reserved: str = ""
    title: str = ""
    said: str = ""
    short: str = ""
    label: str = ""
    in_budget: bool = False
    by_job: bool = False
    unnamed: tuple[Value, ...] | None = None
    tested: bool = True
    amount: bool = False
    read: Callable[[Workload], Value | None] | None = None

    def of(self, workload: Workload) -> Value | None:
        """The value of its column for a workload."""
        if self.read is not None:
            return self.read(workload)
        if self.key in IMAGE_KEYS and workload.trial is not None:
            return None
        found: object = workload
        for part in self.key.split("."):
            found = getattr(found, part)
        return found  # type: ignore[return-value]


def _space_size(workload: Workload) -> int | None:
    return size(workload.space)


def _budget(workload: Workload) -> int | None:
    """Without a budget of its own a search has that of the whole space."""
    return most_trials(workload)


_FACTORS = (
    Factor(
        key="workers.count",
        family=RESOURCE,
        column="wn",
        kind="whole",
        definition="number of workers",
        unit="workers",
        reserved="wn",
        title="number of workers",
        said="number of workers",
        short="workers",
        label="workers ({cores} each)",
    ),
    Factor(
        key="workers.cpu",
        family=RESOURCE,
        column="wcpu",
        kind="real",
        definition="nominal vCPU per worker",
        unit="vCPU",
        reserved="cpu_physical",
        title="vCPU per worker",
        said="vCPU per worker",
        short="vCPU per worker",
        label="physical cores per worker (in brackets vCPU; {wn} workers)",
    ),
    Factor(
        key="workers.memory_mb",
        family=RESOURCE,
        column="wmem_mb",
        kind="whole",
        definition="memory per worker (MB of 2**20 bytes)",
        unit="MB",
        reserved="wmem_mb",
        title="memory per worker",
        said="memory per worker",
        short="memory per worker",
        label="memory per worker (MB; {wn} workers, {cores} each)",
    ),
    Factor(
        key="workers.accelerator",
        family=RESOURCE,
        column="accelerator",
        definition="accelerator type per worker",
        reserved="accelerator",
        title="accelerator per worker",
        said="accelerator",
        short="accelerator",
        label="accelerator per worker ({wn} workers, {cores} each)",
    ),
    Factor(
        key="search.sampler",
        family=SEARCH,
        column="sampler",
        definition="sampling strategy",
        title="sampling strategy",
        said="sampler",
        short="sampler",
        label="sampler",
        by_job=True,
    ),
    Factor(
        key="search.pruner",
        family=SEARCH,
        column="pruner",
        definition="pruning strategy",
        title="pruning strategy",
        said="pruner",
        short="pruner",
        label="pruner",
        by_job=True,
    ),
    Factor(
        key="search.budget",
        family=SEARCH,
        column="budget",
        kind="whole",
        definition="trials that the search may start",
        unit="trials",
        title="budget of the search",
        said="budget",
        short="budget",
        label="trials that the search may start",
        in_budget=True,
        tested=False,  # that more trials take more energy needs no test
        amount=True,
        read=_budget,
    ),
    Factor(
        key="space",
        family=SEARCH,
        column="pS",
        kind="whole",
        definition="size of the search space's grid",
        unit="points",
        title="size of the search space",
        said="space size",
        short="space size",
        label="points of the search space",
        in_budget=True,
        read=_space_size,
    ),
    Factor(
        key="trial",
        family=SEARCH,
        column="function",
        definition="function of the user's that is a trial; null where images are trained on",
        title="function",
        said="function",
        short="function",
        label="function",
        read=lambda workload: workload.trial.name if workload.trial else None,
    ),
    Factor(
        key="dataset",
        family=SEARCH,
        column="dataset",
        definition="dataset",
        title="dataset",
        said="dataset",
        short="dataset",
        label="dataset",
    ),
    Factor(
        key="model",
        family=SEARCH,
        column="model",
        definition="model",
        title="model",
        said="model",
        short="model",
        label="model",
    ),
    Factor(
        key="algorithm",
        family=SEARCH,
        column="algorithm",
        definition="training algorithm",
        title="training algorithm",
        said="training algorithm",
        short="training algorithm",
        label="training algorithm",
        unnamed=("adam",),
    ),
    Factor(
        key="batch",
        family=SEARCH,
        column="batch",
        kind="whole",
        definition="examples in a batch",
        unit="examples",
        title="batch size",
        said="batch size",
        short="batch size",
        label="examples in a batch",
        unnamed=(50, 400),
    ),
    Factor(
        key="epochs",
        family=SEARCH,
        column="epochs",
        kind="whole",
        definition="epochs of a trial",
        unit="epochs",
        title="trial duration",
        said="trial duration",
        short="epochs",
        label="epochs of a trial",
        unnamed=(1, 2, 3, 5, 10),
        tested=False,  # nor that more epochs do
        amount=True,
    ),
)
FACTORS: dict[str, Factor] = {factor.key: factor for factor in _FACTORS}
"""Workload key → factor, in the order of their columns."""


def factor(key: str) -> Factor:
    """The factor of any workload key: of one that is not in the table, what can be said of it.

    Its family is that of the keys beside it, so that an option of a sampler is one of the search;
    its column, which the runs table lacks, is named as the key: analysis.cells.with_levels adds it.
    """
    if key in FACTORS:
        return FACTORS[key]
    head = key.partition(".")[0]
    family = next((f.family for f in _FACTORS if f.key.partition(".")[0] == head), None)
    return Factor(key, family, key, title=key, said=key, short=key)


def compared(ways: Iterable[Collection[str]]) -> tuple[str, ...]:
    """The keys that an experiment compares, from those that each of its ways varies.

    What every way varies is what it is about; what only some vary says how (the sampler and the
    budget of S-Phi). Ways that have no key in common are all compared.
    """
    ways = [list(way) for way in ways]
    every = list(dict.fromkeys(key for way in ways for key in way))
    return tuple([key for key in every if all(key in way for way in ways)] or every)


def joined(keys: Iterable[str]) -> str:
    """The keys as the column `varied` of the runs table has them."""
    return ", ".join(keys)


def split(text: str) -> tuple[str, ...]:
    """The keys of a `varied` column or, as `workers.count=2, epochs=5`, of a treatment's label."""
    return tuple(part.partition("=")[0] for part in text.split(", ") if part)


def families(keys: Iterable[str]) -> set[Family]:
    """What an experiment that varies these keys is about; empty where it varies nothing."""
    return {family for key in keys if (family := factor(key).family) is not None}


def tells_cost(keys: Collection[str]) -> bool:
    """Whether an experiment that varies these keys tells what a framework costs, as a law: it
    varies how many trials there are, and how long they are."""
    return all(one.key in keys for one in _FACTORS if one.amount)


def hypotheses(keys: Iterable[str]) -> set[str]:
    """Which hypotheses an experiment that varies these keys tells of."""
    told = {one.family for one in map(factor, keys) if one.tested}
    return {name for name, family in HYPOTHESES.items() if family in told}


def plural(said: str) -> str:
    """Of what a sentence calls one level: `samplers`, `numbers of workers`."""
    head, of, rest = said.partition(" of ")
    return f"{head}s{of}{rest}"


def heading(title: str, keys: Iterable[str]) -> str:
    """`R-Node by number of workers`: an experiment's title, and what it compares."""
    said = " and ".join(factor(key).title for key in keys)
    return f"{title} by {said}" if said and said not in title else title
