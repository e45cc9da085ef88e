# Records → tidy tables with a data dictionary, and how the sweeps ended: one set per experiment.


rule metrics:
    input:
        folders=lambda wc: repetitions_of(wc.experiment),
        sweeps=lambda wc: ends_of(wc.experiment),
        carbon=plan.paths(plan.carbon_series),
    output:
        multiext(
            f"{RESULTS}/metrics/{{experiment}}/",
            "runs.parquet",
            "runs.csv",
            "trials.parquet",
            "trials.csv",
            "dictionary.json",
            "convergence.json",
            "unavailable.json",
        ),
    log:
        f"{RESULTS}/logs/metrics/{{experiment}}.log",
    conda:
        "../envs/trialwatt.yaml"
    params:
        rows=lambda wc: [
            row.model_dump() for row in plan.experiments[wc.experiment].rows
        ],
        context=plan.context.model_dump(),
        unavailable=lambda wc: plan.experiments[wc.experiment].lacking,
    script:
        "../scripts/metrics.py"


rule complete:
    # fails where a run has failed for good, after all that can be shown has been made
    input:
        folders=lambda wc: repetitions_of(wc.experiment),
        shown=lambda wc: figure_files(wc.experiment) + table_files(wc.experiment),
    output:
        f"{RESULTS}/metrics/{{experiment}}/complete.json",
    log:
        f"{RESULTS}/logs/complete/{{experiment}}.log",
    conda:
        "../envs/trialwatt.yaml"
    script:
        "../scripts/complete.py"
