# Records → tidy tables with a data dictionary, and how the sweeps ended: one set per experiment.


rule metrics:
    input:
        folders=lambda wc: repetitions_of(wc.experiment),
        sweeps=lambda wc: ends_of(wc.experiment),
        carbon=plan.paths(plan.carbon_series),
    output:
        outputs("metrics"),
    log:
        f"{RESULTS}/logs/metrics/{{experiment}}.log",
    conda:
        "../envs/trialwatt.yaml"
    params:
        plan=lambda wc: PRODUCTS["metrics"].parts(plan, wc.experiment),
        results=subpath(output[0], ancestor=3),
    script:
        "../scripts/product.py"


rule complete:
    # fails where a run has failed for good, after all that can be shown has been made
    input:
        folders=lambda wc: repetitions_of(wc.experiment),
        shown=lambda wc: shown_of(wc.experiment),
    output:
        f"{RESULTS}/metrics/{{experiment}}/complete.json",
    log:
        f"{RESULTS}/logs/complete/{{experiment}}.log",
    conda:
        "../envs/trialwatt.yaml"
    script:
        "../scripts/complete.py"
