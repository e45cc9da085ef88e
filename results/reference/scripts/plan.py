from pathlib import Path

from trialwatt.lifecycle.script import user_errors
from trialwatt.provenance.files import write_whole

with user_errors(snakemake.log[0]):
    write_whole(Path(snakemake.output[0]), snakemake.params.text)
