from pathlib import Path

from trialwatt import platforms
from trialwatt.lifecycle.script import user_errors

with user_errors(snakemake.log[0]):
    platforms.get(snakemake.params.platform).build_image(Path(), snakemake.params.arguments)
