from pathlib import Path

from trialwatt.lifecycle.script import user_errors
from trialwatt.review.pack import pack

with user_errors(snakemake.log[0]):
    pack(
        root=Path(),
        results=Path(snakemake.params.results),
        output=Path(snakemake.output[0]),
        config_files=snakemake.params.config_files,
        light=snakemake.params.light,
    )
