from pathlib import Path

from trialwatt.figures.products import make
from trialwatt.lifecycle.script import user_errors

with user_errors(snakemake.log[0]):
    make(
        snakemake.rule.partition("_of_")[0],  # figures_of_r_cpu makes figures
        snakemake.params.plan,
        results=Path(snakemake.params.results),
        series=snakemake.input.get("carbon", []),
        experiment=snakemake.wildcards.get("experiment", ""),
        folders=[Path(folder) for folder in snakemake.input.get("folders", [])],
        ends=snakemake.input.get("sweeps", []),
        elsewhere=Path(snakemake.input.get("elsewhere", "")),
    )
