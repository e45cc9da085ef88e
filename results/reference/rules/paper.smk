# Figures, tables and answers → the paper: `snakemake --profile local paper`.


rule paper:
    # every number in it comes from numbers.json; one that is named but not made ends the build
    input:
        source=collect("paper/{file}", file=["main.typ", "style.typ", "references.bib"]),
        sections=sorted(str(file) for file in Path("paper/sections").glob("*.typ")),
        made=taken_by("paper"),
    output:
        report(
            f"{RESULTS}/paper/paper.pdf",
            caption="../captions/paper.rst",
            category="All experiments",
            labels={"file": "paper"},
        ),
        [file for file in outputs("paper") if not file.endswith(".pdf")],
    log:
        f"{RESULTS}/logs/paper.log",
    conda:
        "../envs/trialwatt.yaml"
    params:
        plan=as_is(PRODUCTS["paper"].parts(plan)),
        results=subpath(output[0], ancestor=2),
    script:
        "../scripts/product.py"
