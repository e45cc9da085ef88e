"""The figures: what there is, for which experiments, and what is written under it.

Nothing heavy is imported here, so that planning can ask for names; `Entry.load` brings the
function.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import import_module

ANY = "*"
RESOURCE = ("r-node", "r-mem", "r-cpu", "r-acl")
SEARCH = ("s-sam", "s-pru", "s-phi", "s-dur")
_SEARCH_KEYS = ("search", "space", "epochs")


@dataclass(frozen=True)
class Entry:
    """A figure: its function as module:name, the experiments that it applies to, its caption.

    The function's arguments are given by name: figures.make says what there is. varies: it also
    applies to an experiment that varies a key which begins so; an empty text is any key.
    """

    target: str
    experiments: tuple[str, ...]
    caption: str
    varies: tuple[str, ...] = ()

    def load(self) -> Callable:
        """The function that draws it."""
        module, name = self.target.split(":")
        return getattr(import_module(module), name)

    def applies(self, experiment: str, varied: Iterable[str] = ()) -> bool:
        """Whether this experiment, which varies these workload keys, has this figure."""
        if ANY in self.experiments or experiment in self.experiments:
            return True
        return any(key.startswith(self.varies) for key in varied)


FIGURES: dict[str, Entry] = {
    "resource": Entry(
        "trialwatt.figures.resource:resource",
        RESOURCE,
        "Energy per completed trial (EPT), energy attributed to a trial (TWH), job cost (OC) and "
        "job completion time (JCT) against the treatment, a line for each system under test; a "
        "converged step is ringed.",
        varies=("workers.",),
    ),
    "waste": Entry(
        "trialwatt.figures.waste:waste",
        SEARCH,
        "Worker time, energy and cost of failed, pruned and duplicate trials as a share of the "
        "job's, with their amount.",
        varies=_SEARCH_KEYS,
    ),
    "search": Entry(
        "trialwatt.figures.search:search",
        SEARCH,
        "Job completion time (JCT), job cost (OC), job energy, and the energy until the goal was "
        "reached, for each system under test and treatment.",
        varies=_SEARCH_KEYS,
    ),
    "anytime": Entry(
        "trialwatt.figures.anytime:anytime",
        ("baseline", *SEARCH),
        "The best score so far against the time, energy and cost that had been spent by then.",
        varies=_SEARCH_KEYS,
    ),
    "pareto": Entry(
        "trialwatt.figures.pareto:pareto",
        ("baseline", *SEARCH),
        "Score against energy, of runs and of trials, with the front of those that no other beats "
        "in both.",
        varies=_SEARCH_KEYS,
    ),
    "lifecycle": Entry(
        "trialwatt.figures.lifecycle:lifecycle",
        (ANY,),
        "Time and energy of a run by lifecycle step, with the trials split into loading, training "
        "and validation, and the time in which workers held no trial.",
    ),
    "overhead": Entry(
        "trialwatt.figures.overhead:overhead",
        (ANY,),
        "What a framework itself costs: job completion time, energy and idle share as a ratio to "
        "the framework-free control under the same treatment and sampler.",
    ),
    "wr": Entry(
        "trialwatt.figures.wr:wr",
        (ANY,),
        "The share of the job's energy that workers draw while they hold no trial (WR), when that "
        "is, and how much of their reserved cores they use.",
    ),
    "timeline": Entry(
        "trialwatt.figures.timeline:timeline",
        (ANY,),
        "One run of each system under test under the baseline: each worker's trials, coloured by "
        "how they ended, and the time in which it was idle.",
    ),
    "carbon": Entry(
        "trialwatt.figures.carbon:carbon",
        (ANY,),
        "Carbon per job and per trial; region, year and PUE stand below it.",
    ),
    "correlations": Entry(
        "trialwatt.figures.correlations:correlations",
        (*RESOURCE, *SEARCH),
        "Rank correlations of settings and lifecycle steps with impacts, without those that a "
        "power model makes by construction.",
        varies=("",),
    ),
}
"""Name → figure. A new figure is one file and one line here."""


def category_of(experiment: str) -> str:
    """Where an experiment stands in a report."""
    if experiment in RESOURCE:
        return "Resources of workers"
    if experiment in SEARCH:
        return "Strategy of the search"
    return "Baseline and others"


def figures_of(experiment: str, varied: Iterable[str] = ()) -> list[str]:
    """Names of the figures of an experiment, in the order of the report."""
    varied = list(varied)
    return [name for name, entry in FIGURES.items() if entry.applies(experiment, varied)]
