# Metrics, records and what lies beside them → one file to look around in, run by run.


rule page:
    input:
        metrics=expand(
            f"{RESULTS}/metrics/{{experiment}}/{{table}}",
            experiment=plan.experiments,
            table=[
                "runs.parquet",
                "trials.parquet",
                "convergence.json",
                "unavailable.json",
            ],
        ),
        beside=rules.report.input,
    output:
        f"{RESULTS}/page.html",
    log:
        f"{RESULTS}/logs/page.log",
    conda:
        "../envs/trialwatt.yaml"
    params:
        results=subpath(output[0], parent=True),
        experiments=plan.sections,
        compared=False,
    script:
        "../scripts/page.py"


rule comparison:
    # our results and those that `trialwatt import` took over; they are no part of our archive
    input:
        rules.page.input,
        contributed=lambda wc: sorted(
            str(file) for file in Path(RESULTS).glob("contrib/*.json")
        ),
    output:
        f"{RESULTS}/comparison.html",
    log:
        f"{RESULTS}/logs/comparison.log",
    conda:
        "../envs/trialwatt.yaml"
    params:
        results=subpath(output[0], parent=True),
        experiments=plan.sections,
        compared=True,
    script:
        "../scripts/page.py"
