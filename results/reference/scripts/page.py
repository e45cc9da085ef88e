from pathlib import Path

from trialwatt.lifecycle.script import user_errors
from trialwatt.page.make import write_comparison, write_page

with user_errors(snakemake.log[0]):
    write = write_comparison if snakemake.params.compared else write_page
    write(Path(snakemake.params.results), snakemake.params.experiments, Path(snakemake.output[0]))
