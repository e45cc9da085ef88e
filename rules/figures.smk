# Tables → figures, tables for people, answers, and the report; each with the chain to its records.

for experiment in plan.experiments:

    rule:
        # all figures of one experiment at once: importing and reading cost more than drawing
        name:
            f"figures_of_{experiment.replace('-', '_')}"
        input:
            f"{RESULTS}/metrics/{experiment}/runs.parquet",
            f"{RESULTS}/metrics/{experiment}/convergence.json",
        output:
            reported_figures(experiment),
        log:
            f"{RESULTS}/logs/figures/{experiment}.log",
        conda:
            "../envs/trialwatt.yaml"
        params:
            source=plan.source(experiment),
            figures=figures_of(plan.experiments[experiment].varies),
        script:
            "../scripts/figures.py"

    rule:
        # snakemake --profile local r_mem: one experiment alone, named as its file
        name:
            experiment.replace("-", "_")
        input:
            figure_files(experiment),
            table_files(experiment),
            f"{RESULTS}/metrics/{experiment}/complete.json",


rule table:
    input:
        f"{RESULTS}/metrics/{{experiment}}/runs.parquet",
        f"{RESULTS}/metrics/{{experiment}}/unavailable.json",
    output:
        report(
            f"{RESULTS}/tables/{{experiment}}.csv",
            caption="../captions/table.rst",
            category="{experiment}",
            subcategory="Tables",
            labels={"table": "results"},
        ),
        report(
            f"{RESULTS}/tables/best/{{experiment}}.csv",
            caption="../captions/best.rst",
            category="{experiment}",
            subcategory="Tables",
            labels={"table": "best treatments"},
        ),
        multiext(f"{RESULTS}/tables/{{experiment}}", ".md", ".tex", ".json"),
        multiext(f"{RESULTS}/tables/best/{{experiment}}", ".md", ".tex", ".json"),
    log:
        f"{RESULTS}/logs/table/{{experiment}}.log",
    wildcard_constraints:
        experiment="(?!answers)[^/]+",
    conda:
        "../envs/trialwatt.yaml"
    params:
        source=lambda wc: plan.source(wc.experiment),
    script:
        "../scripts/table.py"


rule answers:
    # the hypotheses, under every power model that we ship
    input:
        runs=expand(
            f"{RESULTS}/metrics/{{experiment}}/runs.parquet",
            experiment=plan.experiments,
        ),
        carbon=plan.paths(plan.carbon_series),
    output:
        [
            report(
                f"{RESULTS}/tables/answers{part}.csv",
                caption="../captions/answers.rst",
                category="Answers",
                labels={"table": f"answers{part}"},
            )
            for part in ["", "-tests", "-best"]
        ],
        expand(
            f"{RESULTS}/tables/answers{{part}}{{ending}}",
            part=["", "-tests", "-best"],
            ending=[".md", ".tex", ".json"],
        ),
    log:
        f"{RESULTS}/logs/answers.log",
    conda:
        "../envs/trialwatt.yaml"
    params:
        sources=[plan.source(name) for name in plan.experiments],
        context=plan.context.model_dump(),
        power={name: model.model_dump() for name, model in plan.power.items()},
    script:
        "../scripts/answers.py"


rule report:
    input:
        figures=[file for name in plan.experiments for file in figure_files(name)],
        tables=[file for name in plan.experiments for file in table_files(name)],
        answers=rules.answers.output,
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
        results=subpath(output[0], parent=True),
        experiments=plan.sections,
    script:
        "../scripts/report.py"
