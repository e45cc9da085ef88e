"""The command line. Each command is a short function that imports what it needs when it runs."""

from __future__ import annotations

import errno
import sys
from pathlib import Path
from typing import Annotated

import typer

from trialwatt.printable import printable

app = typer.Typer(
    name="trialwatt",
    help="What a hyperparameter search costs in energy, carbon, money and time.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

ConfigFiles = Annotated[
    list[Path] | None,
    typer.Option("--configfile", help="Merged over config/config.yaml; may be given repeatedly."),
]
CodeRead = Annotated[
    bool,
    typer.Option(
        "--code-read",
        help="Its workflow's code was read: where it differs from this version's is no problem.",
    ),
]
OtherTestbed = Annotated[
    str | None, typer.Option("--testbed", help="Instead of the configuration's, as k8s-local.")
]
TrialTable = Annotated[Path, typer.Argument(help="A trial table, as `trialwatt table` makes it.")]
WhoseStrategies = Annotated[str, typer.Option(help="Whose strategies.")]
Strategy = Annotated[str, typer.Option(help="As `trialwatt suts` has it.")]


StrategyOptions = Annotated[
    list[str] | None,
    typer.Option(help="Of the sampler or pruner: pruner.n_startup_trials=2; repeatable."),
]
GoalScore = Annotated[float | None, typer.Option(help="The goal's score, instead of the table's.")]
PartOfSpace = Annotated[
    Path | None, typer.Option(help="A file of a space that is a part of the table's.")
]
FrameworkCost = Annotated[
    Path | None,
    typer.Option(help="runs.parquet of framework-cost: what the framework itself takes."),
]
AllowFlagged = Annotated[bool, typer.Option("--flagged", help="Allow flagged runs.")]
Processes = Annotated[int, typer.Option(min=1, help="Side by side.")]


NEEDS_TABLE = (
    "a handful of runs tells what a job takes, not how a strategy searches: samplers, pruners, "
    "targets and spaces need a trial table"
)


@app.callback(invoke_without_command=True)
def _options(
    version: Annotated[bool, typer.Option("--version", help="Print the version and end.")] = False,
) -> None:
    if version:
        from trialwatt import __version__

        typer.echo(__version__)
        raise typer.Exit


@app.command()
def check(configfile: ConfigFiles = None, testbed: OtherTestbed = None) -> None:
    """Validate the configuration: every problem at once, with file and key; starts nothing."""
    from trialwatt.config.files import plan_of_files

    plan = plan_of_files(configfile or [], testbed=testbed)
    experiments = _count(len(plan.experiments), "experiment")
    typer.echo(f"ok: {experiments}, {_count(len(plan.configurations), 'configuration')}")


@app.command()
def plan(configfile: ConfigFiles = None, testbed: OtherTestbed = None) -> None:
    """Say what will run, how many runs at most, and how long it takes: by the records so far, or,
    where there are none, by a trial that is timed now.

    Where this testbed cannot run all of it, the plan is printed all the same, and what is wrong.
    """
    from trialwatt.config.files import plan_of_files
    from trialwatt.errors import ConfigError
    from trialwatt.lifecycle.forecast import forecast_text, trials_alone

    configfile = configfile or []
    try:
        planned = plan_of_files(configfile, testbed=testbed)
    except ConfigError as error:
        try:
            planned = plan_of_files(configfile, testbed=testbed, ask_platform=False)
        except ConfigError:  # wrong on any machine
            raise error from None
        typer.echo(forecast_text(planned, calibrated=trials_alone))
        raise
    typer.echo(forecast_text(planned, calibrated=trials_alone))


@app.command()
def schema(
    write: Annotated[bool, typer.Option("--write", help="Write them to config/schema.")] = False,
) -> None:
    """Print the JSON schema of every kind of configuration file, for editors."""
    from trialwatt.config.schema import schema_text, schemas, write_schemas

    if write:
        for path in write_schemas(Path.cwd()):
            typer.echo(path.relative_to(Path.cwd()))
    else:
        typer.echo(schema_text(schemas()), nl=False)


@app.command()
def trace(
    path: Annotated[
        Path, typer.Argument(help="Any file of the results, or a run's or configuration's folder.")
    ],
    number: Annotated[
        str | None,
        typer.Option(help="A number of the paper: its name in numbers.json, or text around it."),
    ] = None,
    results: Annotated[
        Path | None,
        typer.Option(help="The results folder, if the file does not lie in it any more."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a tree.")] = False,
) -> None:
    """Print where a figure, table or number comes from, and check its records' checksums."""
    from trialwatt.provenance.trace import trace_command

    traced = None
    if number is not None:
        from trialwatt.paper.trace import trace_number

        def traced():
            return trace_number(path, number, results)

    raise typer.Exit(trace_command(path, json, results, traced=traced))


@app.command()
def show(
    path: Annotated[Path, typer.Argument(help="A file of a run, as if none had been sealed.")],
) -> None:
    """Print a file of a run, sealed or plain: a record, a sample file, a log."""
    from trialwatt.records.show import show as show_file

    show_file(path, sys.stdout)


@app.command()
def archive(
    results: Annotated[
        Path, typer.Argument(help="The results folder of a finished workflow, or an archive.")
    ] = Path("results"),
    output: Annotated[
        Path | None, typer.Option(help="Instead of archive/ in the results folder.")
    ] = None,
    light: Annotated[bool, typer.Option("--light", help="As `light_archive` makes it.")] = False,
    sign: Annotated[
        Path | None,
        typer.Option("--sign", metavar="KEY", help="Sign it with this SSH key, beside it (.sig)."),
    ] = None,
    configfile: ConfigFiles = None,
) -> None:
    """Write the archive of a results folder, and sign it; of an archive: only sign it."""
    from trialwatt.review.pack import archive_command

    typer.echo(archive_command(results, output, light, sign, configfile or []))


@app.command()
def verify(
    path: Annotated[
        Path, typer.Argument(help="An archive, an unpacked one, or the results folder.")
    ],
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")] = False,
    signature: Annotated[
        Path | None, typer.Option(help="A detached signature; by default FILE.sig beside FILE.")
    ] = None,
    signers: Annotated[
        Path | None, typer.Option(help="Who may sign: lines of a name and an SSH public key.")
    ] = None,
    code_read: CodeRead = False,
) -> None:
    """Check results against their checksums, make everything of their records again, compare."""
    from trialwatt.review.verify import verify_command

    raise typer.Exit(
        verify_command(path, json, signature=signature, signers=signers, code_read=code_read)
    )


@app.command()
def remake(
    path: Annotated[
        Path, typer.Argument(help="An archive, an unpacked one, or the results folder.")
    ],
    output: Annotated[Path, typer.Option(help="A new folder.")] = Path("remade"),
) -> None:
    """Make all metrics, tables and figures of records again; needs nothing that ran them."""
    from trialwatt.review.verify import remake_command

    typer.echo(remake_command(path, output))


@app.command(name="import")
def import_(
    archive: Annotated[Path, typer.Argument(help="An archive from another lab.")],
    name: Annotated[str, typer.Option(help="How the results are called here.")],
    results: Annotated[Path, typer.Option(help="The results folder.")] = Path("results"),
    code_read: CodeRead = False,
) -> None:
    """Verify an archive and take its results into results/contrib/<name>."""
    from trialwatt.review.contribute import import_command

    typer.echo(import_command(archive, name, results, code_read))


@app.command()
def meters(configfile: ConfigFiles = None, testbed: OtherTestbed = None) -> None:
    """List the energy meters: which work on this machine, and why the others do not."""
    import shutil

    from trialwatt.config.files import plan_of_files
    from trialwatt.meters.choose import listed, meters_table

    plan = plan_of_files(configfile or [], testbed=testbed, ask_platform=False)
    rows = meters_table(plan.testbed, plan.power_model)
    typer.echo(listed(rows, shutil.get_terminal_size((100, 24)).columns))


@app.command(context_settings={"allow_interspersed_args": False})
def measure(
    command: Annotated[
        list[str], typer.Argument(metavar="[--] PROGRAM [ARGUMENT]...", help="What to run.")
    ],
    region: Annotated[str, typer.Option(help="Where the electricity comes from.")] = "world",
    prices: Annotated[str, typer.Option(help="The set of prices.")] = "gcp-n2",
    pue: Annotated[float, typer.Option(help="Of the data centre.")] = 1.0,
    hz: Annotated[float, typer.Option(help="Samples per second.")] = 5.0,
    cores: Annotated[
        float | None, typer.Option(help="Charged for; by default all that it may use.")
    ] = None,
    tables: Annotated[
        Path | None, typer.Option(help="A folder with power, prices and carbon tables.")
    ] = None,
    json: Annotated[Path | None, typer.Option(help="A file for the whole result.")] = None,
) -> None:
    """Run a program, and say what it and all that it starts cost in energy, carbon and money."""
    from trialwatt.measure.command import measure_command

    options = {"region": region, "prices": prices, "pue": pue, "hz": hz}
    options |= {"cores": cores, "tables": tables}
    raise typer.Exit(measure_command(command, json, options))


@app.command()
def table(
    results: Annotated[Path, typer.Argument(help="The results folder of a finished workflow.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The Parquet file to write.")],
    experiment: Annotated[str, typer.Option(help="That measured a whole grid.")] = "trial-table",
    csv: Annotated[Path | None, typer.Option(help="The rows alone, as CSV too.")] = None,
) -> None:
    """Make the trial table of an experiment's records: the trials that are replayed."""
    from trialwatt.replay.command import table_command

    typer.echo(table_command(results, output, experiment, csv))


@app.command()
def replay(
    table: TrialTable,
    sut: WhoseStrategies = "optuna",
    sampler: Strategy = "random",
    pruner: Strategy = "none",
    option: StrategyOptions = None,
    budget: Annotated[
        int | None, typer.Option(min=1, help="Trials of a search; by default the grid's size.")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Virtual workers.")] = 4,
    searches: Annotated[int, typer.Option(min=1, help="How many.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Of all draws.")] = 1,
    target: GoalScore = None,
    space: PartOfSpace = None,
    cost: FrameworkCost = None,
    draw: Annotated[
        str, typer.Option(help="A measured seed for each `search`, or each `trial`.")
    ] = "search",
    flagged: AllowFlagged = False,
    processes: Processes = 2,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A folder for the searches.")
    ] = None,
) -> None:
    """Replay searches on a trial table: the distribution of what a strategy costs there."""
    from trialwatt.replay.command import replay_command, wanted_of

    wanted = wanted_of(
        sut, sampler, pruner, option or [], budget, workers, seed, target, space, draw
    )
    typer.echo(replay_command(table, wanted, searches, processes, cost, flagged, output))


@app.command()
def estimate(
    source: Annotated[
        Path,
        typer.Argument(help="A trial table; or a folder of runs of the workload, a handful of."),
    ],
    sut: Annotated[
        list[str] | None, typer.Option(help="Whose strategies; repeatable; by default all.")
    ] = None,
    sampler: Annotated[str | None, typer.Option(help="This one alone.")] = None,
    pruner: Annotated[str | None, typer.Option(help="This one alone.")] = None,
    option: StrategyOptions = None,
    budget: Annotated[
        int | None, typer.Option(min=1, help="Trials of the search; by default as were measured.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="By default as many as were measured with.")
    ] = None,
    target: GoalScore = None,
    space: PartOfSpace = None,
    cost: FrameworkCost = None,
    flagged: AllowFlagged = False,
    searches: Annotated[int, typer.Option(min=20, help="Of each strategy.")] = 400,
    seconds: Annotated[
        float, typer.Option(min=0, help="Of each strategy; slow ones have fewer searches.")
    ] = 15.0,
    processes: Processes = 2,
) -> None:
    """Say what a search will take before it is run: energy, carbon, money, time.

    Of a trial table for every strategy that can be replayed, and which needs least to the goal; of
    a handful of runs, what a job of so many trials takes.
    """
    if source.is_dir():
        from trialwatt.replay.handful_command import handful_estimate

        only_of_tables = (sampler, pruner, option, target, space)
        if any(given is not None for given in only_of_tables):
            raise typer.BadParameter(NEEDS_TABLE, param_hint="source")
        typer.echo(handful_estimate(source, sut or [], budget, workers, cost, flagged))
        return
    from trialwatt.replay.command import wanted_of
    from trialwatt.replay.estimate import Effort
    from trialwatt.replay.estimate_command import table_estimate
    from trialwatt.replay.strategies import choices

    base = wanted_of("plain", "random", "none", option or [], budget, workers, 1, target, space)
    chosen = choices(sut or [], sampler, pruner)
    effort = Effort(searches, seconds, processes)
    typer.echo(table_estimate(source, base, chosen, cost, flagged, effort))


@app.command()
def coverage(
    folders: Annotated[
        list[Path],
        typer.Argument(help="Of replayed searches, or of an experiment that a workflow replayed."),
    ],
    runs: Annotated[
        Path | None,
        typer.Option(help="runs.parquet of live searches by these strategies; a workflow has its."),
    ] = None,
) -> None:
    """Check replayed searches against live ones: how many fall where the replay says."""
    from trialwatt.replay.command import coverage_command

    typer.echo(coverage_command(folders, runs))


@app.command()
def compare(
    folders: Annotated[
        list[Path],
        typer.Argument(
            help="Of replayed searches; the first is what the others are compared with."
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="A folder.")] = Path("replayed"),
) -> None:
    """Compare replayed strategies: attainment curves and a table."""
    from trialwatt.figures.replayed import compare_command

    typer.echo(compare_command(folders, output))


@app.command()
def suts(
    write: Annotated[
        Path | None,
        typer.Option("--write", metavar="DOCUMENT", help="Make its strategy table anew instead."),
    ] = None,
) -> None:
    """List the systems under test: versions, samplers and pruners, what is missing for them."""
    from trialwatt.suts import matrix, names

    if write:
        matrix.write_table(write)
    else:
        typer.echo(matrix.printed(names()))


@app.command()
def reap(
    configfile: ConfigFiles = None,
    testbed: OtherTestbed = None,
    all_hosts: Annotated[
        bool,
        typer.Option("--all-hosts", help="On a cluster: also what coordinators elsewhere left."),
    ] = False,
) -> None:
    """Remove what the runs of a killed workflow have left; the next run does so by itself."""
    from trialwatt.config.files import plan_of_files
    from trialwatt.lifecycle.reap import reap_plan

    # The platform is not asked what it could serve: it is only cleaned.
    plan = plan_of_files(configfile or [], testbed=testbed, ask_platform=False)
    typer.echo("\n".join(reap_plan(plan, all_hosts)))


@app.command()
def doctor(
    configfile: ConfigFiles = None,
    testbed: OtherTestbed = None,
    fix: Annotated[
        bool, typer.Option("--fix", help="First remove what dead runs have left, as `reap` does.")
    ] = False,
) -> None:
    """Look at this machine, at what dead runs have left and at the results, and say what to do.

    Changes nothing without --fix. Ends with 1 where there is a problem.
    """
    from trialwatt.lifecycle.doctor.command import doctor_command

    raise typer.Exit(doctor_command(configfile or [], testbed, fix, typer.echo))


@app.command()
def collect(
    results: Annotated[Path, typer.Argument(help="The results folder.")] = Path("results"),
    url: Annotated[
        str | None, typer.Option(help="Where the server is now, if not where the runs say.")
    ] = None,
    instead: Annotated[
        str | None,
        typer.Option(
            metavar="METER", help="Is to be the headline of runs whose headline has no readings."
        ),
    ] = None,
) -> None:
    """Ask a meter's server (Prometheus) again for what finished runs lack, and put it into them."""
    from trialwatt.lifecycle.collect import collect_command
    from trialwatt.printable import printable

    typer.echo(printable(collect_command(results, url, instead).split("\n")))


@app.command()
def reference(
    dataset: Annotated[str, typer.Option(help="digits, mnist or fashion-mnist.")] = "mnist",
    seeds: Annotated[int, typer.Option(min=1, help="Repetitions of the whole grid.")] = 3,
    data: Annotated[str | None, typer.Option(help="Data folder (or TRIALWATT_DATA).")] = None,
) -> None:
    """Train the base grid and write config/goals/<dataset>.json, the value behind the goal."""
    import tempfile

    from trialwatt.config.goals import base_workload, write_reference
    from trialwatt.records.installation import versions
    from trialwatt.workload.reference import train_grid
    from trialwatt.workload.sources import prepare

    workload = base_workload(Path.cwd(), dataset)
    command = f"trialwatt reference --dataset {dataset} --seeds {seeds}"
    installed = versions(("trialwatt", "torch", "numpy"))
    with tempfile.TemporaryDirectory() as folder:
        prepared = Path(folder, f"{dataset}.safetensors")
        prepare(dataset, prepared, data)
        found = train_grid(workload, prepared, seeds, command, installed, typer.echo)
    path = write_reference(Path.cwd(), found)
    typer.echo(f"best macro-F1 {found.best():.4f}, target {found.target():.4f}: {path}")


def main() -> None:
    """Run a command; what is meant for the user goes to stderr, without a traceback.

    That a file cannot be opened, or written to the end, is for the user too; any other error is
    a fault of ours and keeps its traceback.
    """
    from trialwatt.credentials import hide_in_tracebacks
    from trialwatt.errors import TrialwattError

    hide_in_tracebacks()
    try:
        app()
    except TrialwattError as error:
        typer.echo(printable(str(error).split("\n")), err=True)
        sys.exit(1)
    except OSError as error:
        if error.filename is None and error.errno not in _NO_ROOM:
            raise
        where = f"{error.filename}: " if error.filename is not None else ""
        typer.echo(printable([f"{where}{error.strerror}"]), err=True)
        sys.exit(1)


_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Errors of writing, which name no file."""


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


if __name__ == "__main__":
    main()
