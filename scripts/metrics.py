from pathlib import Path

from trialwatt.config.plan_parts import ExperimentRow
from trialwatt.lifecycle.script import user_errors
from trialwatt.metrics.context import MetricsContext
from trialwatt.metrics.experiment_notes import write_notes
from trialwatt.metrics.tables import build_tables

with user_errors(snakemake.log[0]):
    folder = Path(snakemake.output[0]).parent
    build_tables(
        folders=[Path(each) for each in snakemake.input.folders],
        rows=[ExperimentRow(**row) for row in snakemake.params.rows],
        context=MetricsContext.of(snakemake.params.context, snakemake.input.carbon),
        output_folder=folder,
    )
    write_notes(folder, snakemake.input.sweeps, snakemake.params.unavailable)
