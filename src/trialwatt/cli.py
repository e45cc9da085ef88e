"""The command line. Each command is a short function that imports what it needs when it runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    name="trialwatt",
    help="What a hyperparameter search costs in energy, carbon, money and time.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

ConfigFiles = Annotated[
    list[Path] | None,
    typer.Option("--configfile", help="Merged over config/config.yaml; may be given repeatedly."),
]


@app.callback(invoke_without_command=True)
def _options(
    version: Annotated[bool, typer.Option("--version", help="Print the version and end.")] = False,
) -> None:
    if version:
        from trialwatt import __version__

        typer.echo(__version__)
        raise typer.Exit


@app.command()
def check(configfile: ConfigFiles = None) -> None:
    """Validate the configuration: every problem at once, with file and key; starts nothing."""
    from trialwatt.config.files import plan_of_files

    plan = plan_of_files(configfile or [])
    typer.echo(
        f"ok: {_count(len(plan.experiments), 'experiment')}, {_count(len(plan.runs), 'run')}"
        f" ({_count(plan.settings.repetitions, 'repetition')} each)"
    )


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
    path: Annotated[Path, typer.Argument(help="A figure, a table, or a repetition's folder.")],
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a tree.")] = False,
) -> None:
    """Print where a figure or table comes from, and check its records against their checksums."""
    from trialwatt.provenance.trace import trace_command

    raise typer.Exit(trace_command(path, json))


@app.command()
def meters(configfile: ConfigFiles = None) -> None:
    """List the energy meters: which work on this machine, and why the others do not."""
    from trialwatt.config.files import plan_of_files
    from trialwatt.meters.choose import meters_table

    plan = plan_of_files(configfile or [])
    for row in meters_table(plan.testbed, plan.tables.power):
        state = "available" if row.available else "not available"
        typer.echo(f"{row.meter}: {state}: {row.reason or ', '.join(row.domains)}")


@app.command()
def reap(configfile: ConfigFiles = None) -> None:
    """Remove what the runs of a killed workflow have left; the next run does so by itself."""
    from trialwatt.config.files import plan_of_files
    from trialwatt.lifecycle.locks import measuring
    from trialwatt.lifecycle.reap import reap as remove

    plan = plan_of_files(configfile or [])
    with measuring():
        said = remove(Path(plan.settings.results), plan.testbed.platform)
    typer.echo("\n".join(said) or "nothing was left behind")


def main() -> None:
    """Run a command; what is meant for the user goes to stderr, without a traceback."""
    from trialwatt.errors import TrialwattError

    try:
        app()
    except TrialwattError as error:
        typer.echo(str(error), err=True)
        sys.exit(1)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


if __name__ == "__main__":
    main()
