import sys
from pathlib import Path

from trialwatt import platforms
from trialwatt.analysis.sweeping import Move
from trialwatt.config.blocks import SCOUTS
from trialwatt.config.files import asks_platform, experiments_among, rule_of
from trialwatt.config.identity import run_text
from trialwatt.config.plan import ELSEWHERE
from trialwatt.config.planner import load_plan
from trialwatt.config.profiles import testbed_of_profile
from trialwatt.config.settings import image_arguments
from trialwatt.errors import TrialwattError
from trialwatt.figures.products import PRODUCTS, archived
from trialwatt.lifecycle.workflow import asked_for, began, ended, foretell, started

if not Path("config/config.yaml").exists():
    raise TrialwattError(
        f"{Path.cwd()} holds no config/config.yaml: start the workflow in the project's folder,"
        " or name it with --directory"
    )


configfile: "config/config.yaml"


report: "captions/workflow.rst"


config |= testbed_of_profile(config, sys.argv)  # `--profile k8s` runs on a cluster
# validated here, all errors at once; nothing runs on a bad file
# naming an experiment as target (r_mem) adds it to those of the configuration
named = experiments_among(sys.argv[1:])
plan = load_plan(
    config,
    files=workflow.configfiles,
    experiments=named,
    ask_platform=asks_platform(sys.argv[1:]),
    workflow=workflow.basedir,
)
RESULTS, BEGAN = plan.here.results, began()
IS_REMOTE = platforms.get(plan.testbed.platform).remote
# what is foretold and counted: of the experiments alone that are named, where nothing else is
ASKED = asked_for(plan, named, sys.argv[1:])
foretell(plan, ASKED)
workflow.global_resources["testbed"] = 1  # one measuring run at a time


include: "rules/common.smk"
include: "rules/data.smk"  # datasets → one memory-mapped file
# what this machine, or the cluster, is, and its idle power
include: "rules/cluster.smk" if IS_REMOTE else "rules/testbed.smk"
include: "rules/runs.smk"  # one HPO job per folder
include: "rules/metrics.smk"  # records → tidy tables
include: "rules/replay.smk"  # trials → searches that were not run, checked by those that were
include: "rules/figures.smk"  # tables → pictures, tables for people, the report
include: "rules/page.smk"  # all of it → a page to look around in
include: "rules/paper.smk"  # figures, tables and answers → the paper
include: "rules/archive.smk"  # everything → one file that a stranger can check


rule all:
    default_target: True
    input:
        pages(),
        replays(),
        f"{RESULTS}/plan.json",
        expand(
            f"{RESULTS}/metrics/{{experiment}}/complete.json",
            experiment=plan.experiments,
        ),


rule runs:
    # only the measuring: snakemake --profile local runs
    input:
        # known from the start, so that the first block begins when all that it holds is known
        plan.fixed_repetitions(),
        [end for name in plan.experiments for end in ends_of(name)],
        lambda wc: [
            folder for name in plan.experiments for folder in repetitions_of(name)
        ],


onstart:
    # Snakemake's limit of jobs per second sets a timer at each look for jobs, after which it looks
    # again: with each job that is done one more look per second, a core of its own in the end
    workflow.scheduler.job_rate_limiter = None
    started(plan, ASKED)


onsuccess:
    ended(RESULTS, taken_by("report") + pages(), BEGAN)


onerror:
    ended(RESULTS, taken_by("report") + pages(), BEGAN, is_cut_off=True)
