# Everything → one file that a stranger can check: `snakemake --profile local archive`.
# `light_archive` leaves out what `trialwatt remake` makes of the rest.


rule resolved_plan:
    # what is to be made of the records, so that it can be made again without what ran
    input:
        list(plan.here.elsewhere.values()),
    output:
        f"{RESULTS}/plan.json",
        [f"{RESULTS}/{ELSEWHERE}/{name}" for name in plan.here.elsewhere],
    log:
        f"{RESULTS}/logs/plan.log",
    conda:
        "../envs/trialwatt.yaml"
    params:
        text=lambda wc: plan.as_json(),
        elsewhere=as_is(list(plan.here.elsewhere)),
    script:
        "../scripts/plan.py"


rule archive:
    input:
        f"{RESULTS}/plan.json",
        rules.paper.input,
        made=[file for name in archived() for file in files_of(name)],
        config=plan.paths(plan.files),
        folders=lambda wc: [
            folder for name in plan.experiments for folder in repetitions_of(name)
        ],
    output:
        f"{RESULTS}/archive/trialwatt-{plan.testbed_name}.zip",
    log:
        f"{RESULTS}/logs/archive.log",
    conda:
        "../envs/trialwatt.yaml"
    params:
        results=subpath(output[0], ancestor=2),
        config_files=as_is(plan.paths(plan.files)),
        light=False,
    script:
        "../scripts/archive.py"


rule light_archive:
    # the same without figures, report, logs and weights: what fits a repository. It can be made
    # of the records of a light archive too, and so does not want the whole one.
    input:
        rules.archive.input,
    output:
        f"{RESULTS}/archive/trialwatt-{plan.testbed_name}-light.zip",
    log:
        f"{RESULTS}/logs/light-archive.log",
    conda:
        "../envs/trialwatt.yaml"
    params:
        results=subpath(output[0], ancestor=2),
        config_files=as_is(plan.paths(plan.files)),
        light=True,
    script:
        "../scripts/archive.py"
