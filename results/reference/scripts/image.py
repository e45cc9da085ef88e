from pathlib import Path

from trialwatt.lifecycle.script import user_errors
from trialwatt.platforms.kubernetes.image import build

with user_errors(snakemake.log[0]):
    build(project=Path(), arguments=snakemake.params.arguments)
