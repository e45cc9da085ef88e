from pathlib import Path

from trialwatt.analysis.sweeping import Move, next_move, observed
from trialwatt.config.plan_parts import Sweep
from trialwatt.lifecycle.script import user_errors

with user_errors(snakemake.log[0]):
    before = Move.read(Path(snakemake.input[0])) if snakemake.input else None
    sweep = Sweep(**snakemake.params.sweep)
    move = next_move(sweep, before, observed(Path(snakemake.params.results)))
    move.write(Path(snakemake.output[0]))
