from pathlib import Path

from trialwatt.lifecycle.script import user_errors
from trialwatt.workload.sources import prepare

with user_errors(snakemake.log[0]):
    prepare(snakemake.wildcards.dataset, Path(snakemake.output[0]), snakemake.params.folder)
