from pathlib import Path

from trialwatt.files import write_whole
from trialwatt.lifecycle.script import user_errors

with user_errors(snakemake.log[0]):
    write_whole(Path(snakemake.output[0]), snakemake.params.text)
