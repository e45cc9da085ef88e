# Tables → figures, tables for people, and the report; each with the chain to its records.


rule figure:
    input:
        rules.metrics.output,
    output:
        multiext(
            f"{RESULTS}/figures/{{experiment}}/{{figure}}",
            ".svg",
            ".pdf",
            ".png",
            ".json",
        ),
    log:
        f"{RESULTS}/logs/figure/{{experiment}}-{{figure}}.log",
    conda:
        "../envs/trialwatt.yaml"
    params:
        source=lambda wc: handover.source(plan, wc.experiment),
    script:
        "../scripts/figure.py"


rule table:
    input:
        rules.metrics.output,
    output:
        multiext(f"{RESULTS}/tables/{{experiment}}", ".csv", ".md", ".tex", ".json"),
        multiext(
            f"{RESULTS}/tables/best/{{experiment}}", ".csv", ".md", ".tex", ".json"
        ),
    log:
        f"{RESULTS}/logs/table/{{experiment}}.log",
    wildcard_constraints:
        experiment="[^/]+",
    conda:
        "../envs/trialwatt.yaml"
    params:
        source=lambda wc: handover.source(plan, wc.experiment),
    script:
        "../scripts/table.py"


rule report:
    input:
        figures=[file for name in plan.experiments for file in figure_files(name)],
        tables=[file for name in plan.experiments for file in table_files(name)],
    output:
        f"{RESULTS}/report.html",
    log:
        f"{RESULTS}/logs/report.log",
    conda:
        "../envs/trialwatt.yaml"
    params:
        results=subpath(output[0], parent=True),
        experiments=handover.report_sections(plan),
    script:
        "../scripts/report.py"
