from pathlib import Path

from trialwatt.figures.make import source_of
from trialwatt.lifecycle.script import user_errors
from trialwatt.paper.make import make_paper

with user_errors(snakemake.log[0]):
    make_paper(
        source=Path("paper"),
        sources=[source_of(values) for values in snakemake.params.sources],
        experiments=snakemake.params.experiments,
    )
