from pathlib import Path

from trialwatt.lifecycle.script import user_errors
from trialwatt.provenance.plans import write_plan

with user_errors(snakemake.log[0]):
    elsewhere = dict(zip(snakemake.params.elsewhere, snakemake.input, strict=True))
    write_plan(Path(snakemake.output[0]).parent, snakemake.params.text, elsewhere)
