import sys
from pathlib import Path

from trialwatt.analysis.moves import Move
from trialwatt.config import handover
from trialwatt.config.files import experiments_among
from trialwatt.config.planner import load_plan
from trialwatt.figures import figures_of
from trialwatt.lifecycle.workflow import began, ended, foretell, started
from trialwatt.provenance.planfile import plan_text


configfile: "config/config.yaml"


# validated here, all errors at once; nothing runs on a bad file
# naming an experiment as target (r_mem) adds it to those of the configuration
named = experiments_among(sys.argv[1:])
plan = load_plan(config, files=workflow.configfiles, experiments=named)
RESULTS, BEGAN = plan.settings.results, began()
foretell(plan)
workflow.global_resources["testbed"] = 1  # one measuring run at a time


include: "rules/common.smk"
include: "rules/data.smk"  # datasets → one memory-mapped file
include: "rules/testbed.smk"  # what this machine is, and its idle power
include: "rules/runs.smk"  # one HPO job per folder
include: "rules/metrics.smk"  # records → tidy tables
include: "rules/figures.smk"  # tables → pictures, tables for people, the report
include: "rules/paper.smk"  # figures, tables and answers → the paper
include: "rules/archive.smk"  # everything → one file that a stranger can check


rule all:
    default_target: True
    input:
        f"{RESULTS}/report.html",
        f"{RESULTS}/plan.json",
        expand(
            f"{RESULTS}/metrics/{{experiment}}/complete.json",
            experiment=plan.experiments,
        ),


rule runs:
    # only the measuring: snakemake --profile local runs
    input:
        lambda wc: [
            folder for name in plan.experiments for folder in repetitions_of(name)
        ],


onstart:
    started(plan)


onsuccess:
    ended(RESULTS, rules.report.input + rules.report.output, BEGAN)


onerror:
    ended(RESULTS, rules.report.input + rules.report.output, BEGAN)
