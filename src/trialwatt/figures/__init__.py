"""The figures: what there is, for which experiments, and what is written under it.

Nothing heavy is imported here, so that planning can ask for names; `Entry.load` brings the
function.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import import_module

ANY = "*"


@dataclass(frozen=True)
class Entry:
    """A figure: its function as module:name, the experiments that it applies to, its caption.

    varies: it also applies to an experiment that varies a key which begins so.
    """

    target: str
    experiments: tuple[str, ...]
    caption: str
    varies: str | None = None

    def load(self) -> Callable:
        """The function that draws it."""
        module, name = self.target.split(":")
        return getattr(import_module(module), name)

    def applies(self, experiment: str, varied: Iterable[str] = ()) -> bool:
        """Whether this experiment, which varies these workload keys, has this figure."""
        if ANY in self.experiments or experiment in self.experiments:
            return True
        return self.varies is not None and any(key.startswith(self.varies) for key in varied)


FIGURES: dict[str, Entry] = {
    "resource": Entry(
        "trialwatt.figures.resource:resource",
        ("r-node", "r-mem", "r-cpu", "r-acl"),
        "Energy per completed trial (EPT), energy attributed to a trial (TWH), job cost (OC) and "
        "job completion time (JCT) against the treatment, a line for each system under test.",
        varies="workers.",
    ),
    "lifecycle": Entry(
        "trialwatt.figures.lifecycle:lifecycle",
        (ANY,),
        "Time and energy of a run by lifecycle step, with the trials split into loading, training "
        "and validation, and the time in which workers held no trial.",
    ),
    "timeline": Entry(
        "trialwatt.figures.timeline:timeline",
        (ANY,),
        "One run of each system under test under the baseline: each worker's trials, coloured by "
        "how they ended, and the time in which it was idle.",
    ),
}
"""Name → figure. A new figure is one file and one line here."""


def figures_of(experiment: str, varied: Iterable[str] = ()) -> list[str]:
    """Names of the figures of an experiment, in the order of the report."""
    varied = list(varied)
    return [name for name, entry in FIGURES.items() if entry.applies(experiment, varied)]
