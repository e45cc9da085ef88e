from pathlib import Path

from trialwatt.lifecycle.script import user_errors
from trialwatt.page.report import write_report

with user_errors(snakemake.log[0]):
    write_report(
        Path(snakemake.params.results), snakemake.params.experiments, Path(snakemake.output[0])
    )
