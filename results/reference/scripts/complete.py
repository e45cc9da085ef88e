from pathlib import Path

from trialwatt.lifecycle.announce import write_summary
from trialwatt.lifecycle.script import user_errors

with user_errors(snakemake.log[0]):
    folders = [Path(folder) for folder in snakemake.input.folders]
    write_summary(folders, Path(snakemake.output[0]))
