"""The workflow that an archive brings is told apart from that of the version."""

import json
from pathlib import Path

from trialwatt.files import sha256
from trialwatt.provenance import crate
from trialwatt.review import code
from trialwatt.review.structure import Sums
from trialwatt.review.tree import Tree, workflow_files
from trialwatt.review.verdict import render_text
from trialwatt.review.verify import verify

ROOT = Path(__file__).resolve().parents[2]


def differences(folder) -> dict[str, str]:
    tree = Tree(folder, folder / "results", is_archive=True)
    return {one.path: one.said for one in code.check_code(tree, Sums(tree))}


def test_the_listing_is_that_of_this_checkout():
    """Where not: `python -m trialwatt.review.code` writes it."""
    listed = json.loads(Path(code.__file__).with_name("code.json").read_text("utf-8"))
    version = list(listed)[-1]
    assert listed[version] == {name: sha256(ROOT / name) for name in workflow_files(ROOT)}
    assert {"Snakefile", "pyproject.toml", "k8s/profile.yaml"} <= listed[version].keys()
    assert not any(name.startswith(("config/", "paper/", "LICENSE")) for name in listed[version])


def test_an_archive_of_this_version(unpacked):
    assert differences(unpacked.folder) == {}


def test_a_planted_program_is_found_though_all_checksums_are_right(unpacked):
    snakefile = unpacked / "Snakefile"
    snakefile.write_text('import os; os.system("id")\n' + snakefile.read_text("utf-8"), "utf-8")
    (unpacked / "rules/more.smk").write_text("rule more:\n    shell: 'id'\n")
    (unpacked / "rules/page.smk").unlink()
    listing = unpacked / crate.NAME
    content = json.loads(listing.read_text())
    content["@graph"] = [one for one in content["@graph"] if one["@id"] != "rules/page.smk"]
    content["@graph"].append({"@id": "rules/more.smk", "@type": "File", "sha256": ""})
    listing.write_text(json.dumps(content))
    unpacked.relist()
    verdict = verify(unpacked.folder)
    assert {one["path"]: one["said"] for one in verdict.problems} == {
        "Snakefile": "code differs from version 0.1.0: do not run it unread",
        "rules/more.smk": "code differs from version 0.1.0, which has no such file: "
        "do not run it unread",
        "rules/page.smk": "code differs from version 0.1.0: this file of it is missing: "
        "do not run it unread",
    }
    assert not any(claim["problems"] for claim in verdict.claims)  # results are made without it
    assert "NOT verified: 3 problems" in render_text(verdict)

    verdict = verify(unpacked.folder, code_read=True)
    assert verdict.ok
    assert "note: Snakefile: code differs from version 0.1.0" in render_text(verdict)
