from pathlib import Path

from trialwatt.lifecycle.script import user_errors
from trialwatt.metrics.context import MetricsContext
from trialwatt.metrics.tables import ExperimentRow, build_tables

with user_errors(snakemake.log[0]):
    build_tables(
        folders=[Path(folder) for folder in snakemake.input],
        rows=[ExperimentRow(**row) for row in snakemake.params.rows],
        context=MetricsContext(**snakemake.params.context),
        output_folder=Path(snakemake.output[0]).parent,
    )
