from pathlib import Path

from trialwatt.lifecycle.script import user_errors
from trialwatt.metrics.context import MetricsContext, read_intensity
from trialwatt.metrics.tables import ExperimentRow, build_tables

with user_errors(snakemake.log[0]):
    values = dict(snakemake.params.context)
    for file in snakemake.input.carbon:  # one, or none
        values["intensity"] = read_intensity(Path(file))
    build_tables(
        folders=[Path(folder) for folder in snakemake.input.folders],
        rows=[ExperimentRow(**row) for row in snakemake.params.rows],
        context=MetricsContext(**values),
        output_folder=Path(snakemake.output[0]).parent,
    )
