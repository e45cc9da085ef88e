# Records → tidy tables with a data dictionary: one set for each experiment.


rule metrics:
    input:
        folders=lambda wc: plan.repetition_folders(wc.experiment),
        carbon=handover.carbon_series(plan),
    output:
        multiext(
            f"{RESULTS}/metrics/{{experiment}}/",
            "runs.parquet",
            "runs.csv",
            "trials.parquet",
            "trials.csv",
            "dictionary.json",
        ),
    log:
        f"{RESULTS}/logs/metrics/{{experiment}}.log",
    conda:
        "../envs/trialwatt.yaml"
    params:
        rows=lambda wc: handover.experiment_rows(plan, wc.experiment),
        context=handover.metrics_values(plan),
    script:
        "../scripts/metrics.py"
