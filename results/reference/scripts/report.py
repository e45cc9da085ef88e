from pathlib import Path

from trialwatt.figures.report import write_report
from trialwatt.lifecycle.script import user_errors

with user_errors(snakemake.log[0]):
    write_report(
        Path(snakemake.params.results), snakemake.params.experiments, Path(snakemake.output[0])
    )
