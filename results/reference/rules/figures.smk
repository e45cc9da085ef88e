# Tables → figures, tables for people, answers, and the report; each with the chain to its records.

for experiment in plan.experiments:

    if files_of("figures", experiment):

        rule:
            # all figures of one experiment at once: importing and reading cost more than drawing
            name:
                f"figures_of_{rule_of(experiment)}"
            input:
                taken_by("figures", experiment),
            output:
                reported_figures(experiment),
            log:
                f"{RESULTS}/logs/figures/{experiment}.log",
            conda:
                "../envs/trialwatt.yaml"
            params:
                plan=as_is(PRODUCTS["figures"].parts(plan, experiment)),
                results=subpath(output[0], ancestor=3),
            script:
                "../scripts/product.py"

    rule:
        name:
            f"table_of_{rule_of(experiment)}"
        input:
            taken_by("table", experiment),
        output:
            reported_tables(experiment),
        log:
            f"{RESULTS}/logs/table/{experiment}.log",
        conda:
            "../envs/trialwatt.yaml"
        params:
            plan=as_is(PRODUCTS["table"].parts(plan, experiment)),
            results=subpath(output[0], ancestor=2),
        script:
            "../scripts/product.py"

    rule:
        # snakemake --profile local r_mem: one experiment alone, named as its file
        name:
            rule_of(experiment)
        input:
            shown_of(experiment),
            f"{RESULTS}/metrics/{experiment}/complete.json",


rule answers:
    # the hypotheses, under every power model that we ship
    input:
        metrics=taken_by("answers"),
        carbon=plan.paths(plan.carbon_series),
    output:
        [
            report(
                file,
                caption="../captions/answers.rst",
                category="Answers",
                labels={"table": Path(file).stem},
            )
            for file in outputs("answers")
            if file.endswith(".csv")
        ],
        [file for file in outputs("answers") if not file.endswith(".csv")],
    log:
        f"{RESULTS}/logs/answers.log",
    conda:
        "../envs/trialwatt.yaml"
    params:
        plan=as_is(PRODUCTS["answers"].parts(plan)),
        results=subpath(output[0], ancestor=2),
    script:
        "../scripts/product.py"


rule report:
    input:
        taken_by("report"),
    output:
        report(
            f"{RESULTS}/report.html",
            caption="../captions/report.rst",
            category="All experiments",
            labels={"file": "report"},
        ),
    log:
        f"{RESULTS}/logs/report.log",
    conda:
        "../envs/trialwatt.yaml"
    params:
        plan=as_is(PRODUCTS["report"].parts(plan)),
        results=subpath(output[0], parent=True),
    script:
        "../scripts/product.py"
