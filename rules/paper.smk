# Figures, tables and answers → the paper: `snakemake --profile local paper`.


rule paper:
    # every number in it comes from numbers.json; one that is named but not made ends the build
    input:
        source=collect("paper/{file}", file=["main.typ", "style.typ", "references.bib"]),
        sections=sorted(str(file) for file in Path("paper/sections").glob("*.typ")),
        runs=expand(
            f"{RESULTS}/metrics/{{experiment}}/{{table}}",
            experiment=plan.experiments,
            table=["runs.parquet", "convergence.json", "unavailable.json"],
        ),
        figures=[file for name in plan.experiments for file in figure_files(name)],
        answers=rules.answers.output,
    output:
        report(
            f"{RESULTS}/paper/paper.pdf",
            caption="../captions/paper.rst",
            category="All experiments",
            labels={"file": "paper"},
        ),
        f"{RESULTS}/paper/paper.json",
        f"{RESULTS}/paper/numbers.json",
    log:
        f"{RESULTS}/logs/paper.log",
    conda:
        "../envs/trialwatt.yaml"
    params:
        sources=[plan.source(name) for name in plan.experiments],
        experiments=plan.sections,
    script:
        "../scripts/paper.py"
