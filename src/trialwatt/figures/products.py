"""The products of the workflow: what is made of what, in which files, by which function.

This one table is what the rules, `trialwatt remake`, the archive's list of files and the drawn
graph go by. Nothing heavy is imported here, so that planning can ask for names; `make` brings the
function. A new product is an entry here and a rule.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from trialwatt.config.plan import Plan
from trialwatt.config.plan_parts import COPIED_COST, Context, ExperimentRow, PlannedExperiment
from trialwatt.config.tables import PowerModel
from trialwatt.figures import ATTAINMENT, REPLAY_FIGURES, REPLAY_TABLES, planned, second_table
from trialwatt.provenance.embed import FIGURES

TABLE_SUFFIXES = (".csv", ".md", ".tex", ".json")
FIGURE_SUFFIXES = (*FIGURES, ".json")
ANSWERS = ("answers", "answers-tests", "answers-best")


def sections(plan: Plan) -> list[dict[str, Any]]:
    """The experiments of a plan as report, page and paper take them."""
    return [section(one) for one in plan.experiments.values()]


def section(one: PlannedExperiment) -> dict[str, Any]:
    """One of them: what it is called, what it varies, and which figures it has."""
    return {"id": one.id, "title": one.title, "varied": one.varies, "figures": planned(one)}


def replays(plan: Plan) -> list[str]:
    """The experiments of a plan that are replayed."""
    return list(plan.replay.experiments) if plan.replay else []


PARTS: dict[str, Callable[[Plan, str], Any]] = {
    "rows": lambda plan, name: [row.model_dump() for row in plan.experiments[name].rows],
    "unavailable": lambda plan, name: plan.experiments[name].lacking,
    "names": lambda plan, name: planned(plan.experiments[name]),
    "source": lambda plan, name: plan.source(name),
    "sources": lambda plan, _: [plan.source(name) for name in plan.experiments],
    "experiments": lambda plan, _: sections(plan),
    "replays": lambda plan, _: replays(plan),
    "context": lambda plan, _: plan.context.model_dump(),
    "sets": lambda plan, _: {name: one.model_dump() for name, one in plan.power.items()},
    "stated": lambda plan, _: plan.context.model_dump(),
    "described": lambda plan, name: plan.replayed_source(name),
    "replay": lambda plan, name: plan.replayed(name),
    "measured": lambda plan, _: list(plan.experiments),
}
"""What of a plan a product may be made of, as plain data, by the names of functions' arguments."""


@dataclass(frozen=True)
class Product:
    """What a rule of its name makes.

    said: what it is, in the drawn graph, in which it is not where this is empty. takes: the
    products of whose files it is made. files: below the results folder; {experiment} and {figure}
    stand for each of them, {second} for the experiment's second_table. function: as module:name,
    where it is made of records alone. of_plan: the PARTS that it depends on. in_archive: whether
    its files belong into the archive. replayed: it is of the plan's replay, and of no plan that has
    none; each of the experiments that are replayed has one, if each has. kept: made again, it is
    taken as it is: frameworks make it, in a long time, or it comes from elsewhere.
    """

    said: str
    takes: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    function: str = ""
    of_plan: tuple[str, ...] = ()
    in_archive: bool = True
    replayed: bool = False
    kept: bool = False

    @property
    def of_each(self) -> bool:
        """Whether each experiment has one."""
        return any("{experiment}" in file for file in self.files)

    def parts(self, plan: Plan, experiment: str = "") -> dict[str, Any]:
        """What of the plan its files depend on: a rule's parameter."""
        return {name: PARTS[name](plan, experiment) for name in self.of_plan}

    def experiments(self, plan: Plan) -> Mapping[str, PlannedExperiment]:
        """Those of which each has one, if each has."""
        if not self.replayed:
            return plan.experiments
        return plan.replay.experiments if plan.replay else {}

    def files_in(self, plan: Plan, experiment: str | None = None) -> list[str]:
        """Its files below the results folder, of one experiment (none where it is not among them)
        or of all that the plan has."""
        if self.files == (COPIED_COST,) and not (plan.replay and plan.replay.cost_elsewhere):
            return []
        there = self.experiments(plan)
        if self.replayed and not there:
            return []
        return self.files_of(one for name, one in there.items() if experiment in (None, name))

    def files_of(self, experiments: Iterable[PlannedExperiment]) -> list[str]:
        """Its files below the results folder, of these experiments where each has one."""
        if not self.of_each:
            return list(self.files)
        return [
            file.format(experiment=one.id, figure=figure, second=second_table(one.compared or ()))
            for one in experiments
            for figure in (planned(one) if "{figure}" in self.files[0] else [""])
            for file in self.files
        ]


_SHOWN = ("replay_figures", "replay_answers")
"""What there is to show of replayed searches."""
PRODUCTS: dict[str, Product] = {
    "resolved_plan": Product("configuration, resolved"),
    "data": Product("dataset, prepared"),
    "testbed": Product("machine, idle power"),
    "warm_up": Product("a run, not counted", ("data", "testbed")),
    "scout": Product("a run ahead, not counted", ("data", "testbed", "warm_up")),
    "run": Product("one search, its records", ("data", "testbed", "warm_up")),
    "move": Product("what a sweep runs next", ("scout", "run")),
    "sweep": Product("how a sweep ended", ("move",)),
    "metrics": Product(
        "records → tables",
        ("run", "sweep"),
        (
            *(
                f"metrics/{{experiment}}/{t}.{end}"
                for t in ("runs", "trials")
                for end in ("parquet", "csv")
            ),
            *(
                f"metrics/{{experiment}}/{name}.json"
                for name in ("dictionary", "convergence", "unavailable")
            ),
        ),
        "trialwatt.metrics.tables:make_metrics",
        ("rows", "context", "unavailable"),
    ),
    "table": Product(
        "tables for people",
        ("metrics",),
        tuple(
            f"tables/{at}{{experiment}}{end}" for at in ("", "{second}/") for end in TABLE_SUFFIXES
        ),
        "trialwatt.figures.make:make_table",
        ("source",),
    ),
    "figures": Product(
        "tables → pictures",
        ("metrics",),
        tuple(f"figures/{{experiment}}/{{figure}}{end}" for end in FIGURE_SUFFIXES),
        "trialwatt.figures.make:make_figures",
        ("names", "source"),
    ),
    "replay_table": Product(
        "",
        ("run",),
        ("replay/table.parquet", "replay/table.json"),
        "trialwatt.replay.workflow:make_table",
        ("stated", "described"),
        replayed=True,
    ),
    "replay_cost": Product(
        "",
        files=(COPIED_COST,),
        function="trialwatt.replay.workflow:copy_cost",
        replayed=True,
        kept=True,
    ),
    "replay_searches": Product(
        "",
        ("metrics", "replay_table", "replay_cost"),
        ("replay/{experiment}/searches.parquet", "replay/{experiment}/attained.parquet"),
        "trialwatt.replay.workflow:make_searches",
        ("replay", "described"),
        replayed=True,
        kept=True,
    ),
    "replay_check": Product(
        "",
        ("metrics", "replay_searches"),
        ("replay/{experiment}/replay.json",),
        "trialwatt.replay.workflow:make_check",
        ("measured", "described"),
        replayed=True,
    ),
    "replay_figures": Product(
        "",
        ("replay_check",),
        (
            *(f"figures/replay/{{experiment}}/attainment{end}" for end in FIGURE_SUFFIXES),
            *(f"tables/replay/{{experiment}}{end}" for end in TABLE_SUFFIXES),
        ),
        "trialwatt.figures.replayed:make_replayed",
        ("described",),
        replayed=True,
    ),
    "replay_sensitivity": Product(
        "",
        ("replay_table", "replay_searches"),
        ("replay/{experiment}/sensitivity.parquet", "replay/{experiment}/sensitivity.json"),
        "trialwatt.replay.sensitivity:make_sensitivity",
        ("replay", "described", "sets", "context"),
        replayed=True,
        kept=True,
    ),
    "replay_answers": Product(
        "",
        ("replay_check", "replay_sensitivity"),
        (
            *(
                f"figures/replay/{{experiment}}/{name}{end}"
                for name in REPLAY_FIGURES
                if name != ATTAINMENT
                for end in FIGURE_SUFFIXES
            ),
            *(
                f"tables/replay-{name}/{{experiment}}{end}"
                for name in REPLAY_TABLES
                for end in TABLE_SUFFIXES
            ),
        ),
        "trialwatt.figures.replay_answers:make_replay_answers",
        ("described",),
        replayed=True,
    ),
    "answers": Product(
        "hypotheses, tests",
        ("metrics", "replay_check", "replay_sensitivity"),
        tuple(f"tables/{stem}{end}" for stem in ANSWERS for end in TABLE_SUFFIXES),
        "trialwatt.figures.answers:write_answers",
        ("sources", "context", "sets", "replays"),
    ),
    "report": Product(
        "all on one page",
        ("figures", "table", *_SHOWN, "answers"),
        ("report.html",),
        "trialwatt.page.report:write_report",
        ("experiments", "replays"),
    ),
    "page": Product(
        "a page to look around in",
        ("metrics", "figures", "table", *_SHOWN, "answers"),
        ("page.html",),
        "trialwatt.page.make:write_page",
        ("experiments", "replays"),
    ),
    "comparison": Product(
        "",
        ("metrics", "figures", "table", *_SHOWN, "answers"),
        ("comparison.html",),
        "trialwatt.page.make:write_comparison",
        ("experiments", "replays"),
        in_archive=False,
    ),
    "paper": Product(
        "numbers, PDF",
        ("metrics", "figures", *_SHOWN, "answers"),
        ("paper/numbers.json", "paper/paper.pdf", "paper/paper.json"),
        "trialwatt.paper.make:make_paper",
        ("sources", "experiments", "replays"),
    ),
    "archive": Product("one file to check", ("resolved_plan", "run", "report", "page", "paper")),
}
"""Rule → what it makes, each after all that it takes. The drawn graph, which is one of every plan,
has no replay."""
PAPER = "paper"


def archived() -> dict[str, Product]:
    """The products that are made of records and belong into the archive, in the order of making."""
    return {name: one for name, one in PRODUCTS.items() if one.function and one.in_archive}


def make(
    name: str,
    parts: Mapping[str, Any],
    results: Path,
    root: Path = Path(),
    code: Mapping[str, Any] | None = None,
    series: Iterable[str | Path] = (),
    experiment: str = "",
    **given: Any,
) -> None:
    """Make a product below `results`.

    parts: of the plan (Product.parts). root, code: as figures.make.Source has them. series: the
    file of the testbed's carbon series, one or none. experiment: its id, where each has one.
    given: further arguments of its function, of which it takes those that it names.
    """
    product = PRODUCTS[name]
    module, _, function = product.function.partition(":")
    call = getattr(import_module(module), function)
    first = product.files[0].format(experiment=experiment, figure="")
    found = {"results": results, "output": results / first, "paper": Path(PAPER)}
    found |= given | _typed(parts, results, root, code, series)
    wanted = inspect.signature(call).parameters
    call(**{argument: found[argument] for argument in wanted if argument in found})


def _typed(
    parts: Mapping[str, Any],
    results: Path,
    root: Path,
    code: Mapping[str, Any] | None,
    series: Iterable[str | Path],
) -> dict[str, Any]:
    """Plain parts as what the functions take."""
    from trialwatt.figures.make import source_of
    from trialwatt.meters.coefficients import PowerParameters
    from trialwatt.metrics.context import MetricsContext
    from trialwatt.replay.workflow import Asked

    read: dict[str, Callable[[Any], Any]] = {
        "rows": lambda rows: [ExperimentRow(**row) for row in rows],
        "source": lambda source: source_of(source, results, root, code),
        "sources": lambda all_: [source_of(source, results, root, code) for source in all_],
        "described": lambda source: source_of(source, results, root, code),
        "replay": Asked.of,
        "stated": lambda stated: Context(**stated),
        "context": lambda context: MetricsContext.of(context, series),
        "sets": lambda sets: {
            name: PowerParameters.of(PowerModel(**model)) for name, model in sets.items()
        },
    }
    return {name: read[name](part) if name in read else part for name, part in parts.items()}
