from pathlib import Path

from trialwatt.lifecycle.script import user_errors
from trialwatt.metrics.context import MetricsContext, read_intensity
from trialwatt.metrics.experiment_notes import write_notes
from trialwatt.metrics.tables import ExperimentRow, build_tables

with user_errors(snakemake.log[0]):
    values = dict(snakemake.params.context)
    for file in snakemake.input.carbon:  # one, or none
        values["intensity"] = read_intensity(Path(file))
    folder = Path(snakemake.output[0]).parent
    build_tables(
        folders=[Path(each) for each in snakemake.input.folders],
        rows=[ExperimentRow(**row) for row in snakemake.params.rows],
        context=MetricsContext(**values),
        output_folder=folder,
    )
    write_notes(folder, snakemake.input.sweeps, snakemake.params.unavailable)
