"""The figures: what there is, for which experiments, and what is written under it.

Nothing heavy is imported here, so that planning can ask for names; `Entry.load` brings the
function.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import import_module
from typing import Literal

from trialwatt.config.factors import RESOURCE, SEARCH, families, tells_cost
from trialwatt.config.plan_parts import PlannedExperiment

About = Literal["resource", "search", "baseline", "any", "series", "cost"]


@dataclass(frozen=True)
class Entry:
    """A figure: its function as module:name, the experiments that it applies to, its caption.

    The function's arguments are given by name: figures.make says what there is. about: the
    families of factors that an experiment must vary one of (config.factors); "baseline": also
    one that varies nothing; "series": any whose carbon intensity is no single number; "cost": one
    that tells what a framework costs, which has no other figure; "any": all others.
    """

    target: str
    about: tuple[About, ...]
    caption: str

    def load(self) -> Callable:
        """The function that draws it."""
        module, name = self.target.split(":")
        return getattr(import_module(module), name)

    def applies(self, varied: Iterable[str], series: bool = False) -> bool:
        """Whether an experiment that varies these workload keys has this figure; series: whether
        its carbon intensity is one."""
        varied = list(varied)
        if tells_cost(varied):
            return "cost" in self.about
        kinds: set[str] = {"any", *families(varied)}
        kinds |= {name for name, holds in (("baseline", not varied), ("series", series)) if holds}
        return not kinds.isdisjoint(self.about)


FIGURES: dict[str, Entry] = {
    "resource": Entry(
        "trialwatt.figures.resource:resource",
        (RESOURCE,),
        "Energy per completed trial (EPT), energy attributed to a trial (TWH), job cost (OC) and "
        "job completion time (JCT) against the treatment, a line for each system under test; a "
        "converged step is ringed.",
    ),
    "waste": Entry(
        "trialwatt.figures.waste:waste",
        (SEARCH,),
        "Worker time, energy and cost of failed, pruned and duplicate trials as a share of the "
        "job's, with their amount.",
    ),
    "search": Entry(
        "trialwatt.figures.search:search",
        (SEARCH,),
        "Job completion time (JCT), job cost (OC), job energy, and the energy until the goal was "
        "reached, for each system under test and treatment.",
    ),
    "anytime": Entry(
        "trialwatt.figures.anytime:anytime",
        ("baseline", SEARCH),
        "The best score so far against the time, energy and cost that had been spent by then.",
    ),
    "pareto": Entry(
        "trialwatt.figures.pareto:pareto",
        (SEARCH,),
        "Best score against job energy, a point for each system under test and treatment, with the "
        "front of those that no other beats in both.",
    ),
    "winners": Entry(
        "trialwatt.figures.winners:winners",
        ("baseline", SEARCH),
        "Which hyperparameters won: their values in the best trial of each run, for each system "
        "under test and treatment, among those that the search could choose from.",
    ),
    "lifecycle": Entry(
        "trialwatt.figures.lifecycle:lifecycle",
        ("any",),
        "Time and energy of a run by lifecycle step, with the trials split into loading, training "
        "and validation, and the time in which workers held no trial.",
    ),
    "overhead": Entry(
        "trialwatt.figures.overhead:overhead",
        ("any",),
        "What a framework itself costs: job completion time, energy and idle share as a ratio to "
        "the framework-free control under the same treatment and sampler.",
    ),
    "cost": Entry(
        "trialwatt.figures.framework_cost:framework_cost",
        ("cost",),
        "What a framework adds to a job, with the law that is fitted to it, and from which length "
        "of a trial on that is a small share of what the trials take.",
    ),
    "wr": Entry(
        "trialwatt.figures.wr:wr",
        ("baseline", RESOURCE),
        "The share of the job's energy that workers draw while they hold no trial (WR), when that "
        "is, and how much of their reserved cores they use.",
    ),
    "timeline": Entry(
        "trialwatt.figures.timeline:timeline",
        ("baseline",),
        "The run of median length of each system under test: each worker's trials, coloured by "
        "how they ended, and the time in which it was idle.",
    ),
    "carbon": Entry(
        "trialwatt.figures.carbon:carbon",
        ("series",),
        "Carbon per job and per trial, and the intensity of the time in which it ran.",
    ),
}
"""Name → figure. A new figure is one file and one line here."""


ATTAINMENT = "attainment"
REPLAY_FIGURES: dict[str, str] = {
    ATTAINMENT: "Replayed searches: how many of them have reached the goal by an energy, a time "
    "and a cost.",
    "search": "Replayed searches: job completion time (JCT), job cost (OC), job energy, and the "
    "energy until the goal was reached, a small point for each measured seed.",
    "waste": "Replayed searches: worker time, energy and cost of failed, pruned and duplicate "
    "trials as a share of the job's, with their amount, a small point for each measured seed.",
    "equal-score": "Replayed searches at equal score: the energy until scores were reached that a "
    "half to a fiftieth of the grid has, with its interval over the measured seeds.",
}
"""Of an experiment that is replayed: name → caption."""
REPLAY_TABLES = ("seeds", "equal-score", "sensitivity")
"""Beside the comparison of its strategies."""


def category_of(varied: Iterable[str]) -> str:
    """Where an experiment that varies these keys stands in a report."""
    varied = list(varied)
    about = families(varied)
    if tells_cost(varied):
        return "Cost of frameworks"
    if SEARCH in about:
        return "Strategy of the search"
    return "Resources of workers" if about else "Baseline and others"


def second_table(varied: Iterable[str]) -> str:
    """What is told of an experiment beside its results, and the folder of that table: `cost`, what
    frameworks cost, or `best`, the treatment of the least energy."""
    return "cost" if tells_cost(list(varied)) else "best"


def figures_of(varied: Iterable[str], series: bool = False) -> list[str]:
    """Names of the figures of an experiment that varies these keys, in the order of the report;
    series: whether its carbon intensity is one."""
    varied = list(varied)
    return [name for name, entry in FIGURES.items() if entry.applies(varied, series)]


def planned(experiment: PlannedExperiment) -> list[str]:
    """Names of the figures of a planned experiment; none where there is nothing to compare."""
    if experiment.is_alone:
        return []
    return figures_of(experiment.varies, experiment.intensity_varies)
