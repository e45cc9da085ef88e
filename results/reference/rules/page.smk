# Metrics, records and what lies beside them → one file to look around in, run by run.


rule page:
    input:
        taken_by("page"),
    output:
        outputs("page"),
    log:
        f"{RESULTS}/logs/page.log",
    conda:
        "../envs/trialwatt.yaml"
    params:
        plan=as_is(PRODUCTS["page"].parts(plan)),
        results=subpath(output[0], parent=True),
    script:
        "../scripts/product.py"


rule comparison:
    # our results and those that `trialwatt import` took over; they are no part of our archive
    input:
        taken_by("comparison"),
        contributed=lambda wc: sorted(
            str(file) for file in Path(RESULTS).glob("contrib/*.json")
        ),
    output:
        outputs("comparison"),
    log:
        f"{RESULTS}/logs/comparison.log",
    conda:
        "../envs/trialwatt.yaml"
    params:
        plan=as_is(PRODUCTS["comparison"].parts(plan)),
        results=subpath(output[0], parent=True),
    script:
        "../scripts/product.py"
