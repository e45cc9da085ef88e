from pathlib import Path

from trialwatt.analysis.sweeping import Move, write_end
from trialwatt.config.plan_parts import Sweep
from trialwatt.lifecycle.script import user_errors

with user_errors(snakemake.log[0]):
    last = Move.read(Path(snakemake.input[-1]))
    write_end(Sweep(**snakemake.params.sweep), last, Path(snakemake.output[0]))
