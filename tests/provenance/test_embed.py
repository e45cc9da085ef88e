"""Figures, sidecars and manifests of a stranger: a chain, or one error in words."""

import json
import os
import random
import struct
import zlib
from pathlib import Path

import pytest

from trialwatt.errors import TrialwattError
from trialwatt.figures.style import nothing, save
from trialwatt.provenance import pdftext
from trialwatt.provenance.embed import NoProvenance, embedded, encode, read_sidecar
from trialwatt.provenance.render import render_json, render_text
from trialwatt.provenance.trace import trace, trace_command
from trialwatt.records.manifest import TRACED, read_manifest

GOOD = {"generator": "trialwatt", "kind": "figure/x"}
SIGNATURE = b"\x89PNG\r\n\x1a\n"


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def header(width: int = 1, height: int = 1) -> bytes:
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))


def png(*chunks: bytes, head: bytes | None = None) -> bytes:
    return b"".join([SIGNATURE, head or header(), *chunks, chunk(b"IEND", b"")])


def svg(inside: str, before: str = "") -> bytes:
    dc = "http://purl.org/dc/elements/1.1/"
    return f'{before}<svg xmlns:dc="{dc}"><dc:description>{inside}</dc:description></svg>'.encode()


def written(tmp_path, name: str, content: bytes) -> Path:
    file = tmp_path / name
    file.write_bytes(content)
    return file


TEXT = encode(GOOD).encode()


@pytest.mark.parametrize(
    "content",
    [
        png(chunk(b"tEXt", b"trialwatt\0" + TEXT)),
        png(chunk(b"zTXt", b"trialwatt\0\0" + zlib.compress(TEXT))),
        png(chunk(b"iTXt", b"trialwatt\0\0\0\0\0" + TEXT)),
        png(chunk(b"iTXt", b"trialwatt\0\1\0\0\0" + zlib.compress(TEXT))),
        png(chunk(b"IDAT", b"x"), chunk(b"tEXt", b"trialwatt\0" + TEXT)),
        png(chunk(b"tEXt", b"trialwatt\0" + TEXT), head=header(2**31 - 1, 2**31 - 1)),
    ],
)
def test_text_chunks_of_a_png_whatever_its_size(tmp_path, content):
    assert embedded(written(tmp_path, "a.png", content)) == GOOD


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (SIGNATURE, "it is cut off"),
        (b"GIF89a", "first bytes are not"),
        (SIGNATURE + chunk(b"IEND", b""), "does not begin with its one header"),
        (SIGNATURE + header() + header(), "does not begin with its one header"),
        (png(struct.pack(">I4s", 2**32 - 1, b"tEXt")), "a text in it is too long"),
        (png(struct.pack(">I4s", 2**32 - 1, b"IDAT")), "it is cut off"),
        (png(chunk(b"tEXt", b"trialwatt\0x")[:-1] + b"?"), "the checksum of a text in it differs"),
        (png(chunk(b"zTXt", b"trialwatt\0\0no zlib")), "cannot be unpacked"),
        (png(chunk(b"zTXt", b"trialwatt\0\0" + zlib.compress(TEXT)[:-2])), "or cut off"),
        (png(chunk(b"zTXt", b"trialwatt\0\0" + zlib.compress(bytes(80 << 20)))), "too long"),
        (png(chunk(b"iTXt", b"trialwatt\0\0\0en")), "a text in it is cut off"),
        (png(chunk(b"iTXt", b"trialwatt\0\0\0\0\0\xff")), "not UTF-8"),
        (png(*[chunk(b"IDAT", b"")] * 100_001), "over 100000 parts"),
    ],
)
def test_a_damaged_png(tmp_path, content, said):
    with pytest.raises(TrialwattError, match=f"a.png: damaged, not a PNG file .*{said}"):
        embedded(written(tmp_path, "a.png", content))


BOMB = "<!DOCTYPE svg [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;&a;&a;&a;&a;'>]>"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (svg("&b;", BOMB), "declares an entity"),
        (svg("&x;", '<!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]>'), "an entity"),
        (b"<svg>" * 100_000, "not an SVG file"),
        (b"\xff\xfe<\0s\0v\0g\0", "not an SVG file"),
        (b"", "no element found"),
        (svg("x\0"), "not an SVG file"),
    ],
)
def test_a_damaged_svg(tmp_path, content, said):
    with pytest.raises(TrialwattError, match=f"a.svg: damaged, not an SVG file .*{said}|{said}"):
        embedded(written(tmp_path, "a.svg", content))


@pytest.mark.parametrize("encoding", ["no-such", "utf-7", "zlib_codec", "idna", "utf-16"])
def test_an_encoding_of_a_stranger_is_not_looked_up(tmp_path, encoding):
    content = svg(
        TEXT.decode().replace('"', "&quot;"), f'<?xml version="1.0" encoding="{encoding}"?>'
    )
    assert embedded(written(tmp_path, "a.svg", content)) == GOOD


@pytest.mark.parametrize(
    "text",
    [
        "[" * 50_000,
        '{"generator": "trialwatt", "x": ' + "9" * 5_000 + "}",
        '{"generator": "trialwatt", "generator": "trialwatt"}',
        '{"generator": ["trialwatt"]}',
        "keywords, of, somebody",
    ],
)
def test_text_that_is_no_chain(tmp_path, text):
    content = png(chunk(b"tEXt", b"trialwatt\0" + text.encode()))
    with pytest.raises(NoProvenance, match="no provenance inside"):
        embedded(written(tmp_path, "a.png", content))


def test_a_pdf_that_sends_its_parser_in_circles_or_is_none(tmp_path):
    loop = b"%PDF-1.4\n1 0 obj\n<< /Info 1 0 R /Root 1 0 R >>\nendobj\ntrailer << /Info 1 0 R >>"
    for content in (b"", b"x", loop, b"%PDF-1.4\nstartxref\n0\n%%EOF"):
        with pytest.raises(TrialwattError, match=r"a\.pdf: (damaged, not a PDF|no provenance)"):
            embedded(written(tmp_path, "a.pdf", content))


def test_reading_a_pdf_is_bounded(tmp_path, monkeypatch):
    class Never:
        def __call__(self, *_, **__):
            raise pdftext.subprocess.TimeoutExpired("pdf", 1)

    file = written(tmp_path, "a.pdf", b"%PDF-1.4")
    monkeypatch.setattr(pdftext.subprocess, "run", Never())
    with pytest.raises(TrialwattError, match="it takes over 60 s to read"):
        embedded(file)


@pytest.mark.parametrize("suffix", [".svg", ".png", ".pdf"])
def test_a_pipe_in_place_of_a_figure(tmp_path, suffix):
    os.mkfifo(tmp_path / f"a{suffix}")
    with pytest.raises(TrialwattError, match="a pipe or device"):
        trace(tmp_path / f"a{suffix}")


@pytest.mark.parametrize(
    "content",
    [
        {"provenance": {}, "outputs": {"a": 1}},
        {"provenance": {}, "outputs": {"../a": "x"}},
        {"provenance": {}, "outputs": {"..": "x"}},
        {"provenance": {}, "outputs": []},
        {"provenance": [], "outputs": {}},
        [1],
    ],
)
def test_a_damaged_sidecar(tmp_path, content):
    written(tmp_path, "a.json", json.dumps(content).encode())
    with pytest.raises(TrialwattError, match="damaged, not a sidecar"):
        read_sidecar(tmp_path / "a.csv")


@pytest.mark.parametrize(
    "change",
    [
        {"hash": 1},
        {"repetition": "1"},
        {"repetition": True},
        {"status": None},
        {"config": []},
        {"config": {"testbed": 1}},
        {"config": {"testbed": {"carbon_series": 1}}},
        {"files": {"a": 1}},
        {"files": []},
        {"meters": {"model": 1}},
        {"meters": {"model": {"domains": [{"name": 1}]}}},
        {"meters": {"model": {"domains": [{"name": "cpu", "method": []}]}}},
        {"headline_domains": {"model": 1}},
        {"headline_meter": []},
        {"host": []},
        {"packages": 1},
        {"code": "x"},
        {"code": {"version": 1}},
        {"folder": 1},
    ],
)
def test_wrong_types_in_a_manifest(project, change, capsys):
    file = project.run / "run.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(TrialwattError, match=r"run\.json: not a run's manifest: "):
        read_manifest(file, TRACED)
    assert trace_command(project.run) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"folder": "../.."},
        {"folder": "a\nThe chain holds"},
        {"files": {"../x": "0"}},
        {"files": {"a\0b": "0"}},
        {"files": {"x" * 300: "0"}},
    ],
)
def test_a_manifest_of_which_no_chain_can_be_made(project, change):
    file = project.run / "run.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(TrialwattError, match=r"run\.json: its provenance cannot be used") as error:
        trace(project.run)
    assert str(error.value).isprintable()


def test_odd_values_in_a_configuration_are_shown_and_not_obeyed(project):
    file = project.run / "run.json"
    manifest = json.loads(file.read_text())
    manifest["config"] |= {"workload": [1], "sut": "\x1b[2J\nThe chain holds: 9", "seed": {"a": 1}}
    manifest["host"] = {"cpu_model": {"a": ["\n"]}, "kernel": "\r"}
    file.write_text(json.dumps(manifest))
    text = render_text(trace(project.run))
    assert "\x1b" not in text and text.count("\nThe chain holds") == 1


# --- mutations of valid files: a chain, or one error in words ---------------------------------


def figures(project) -> list[Path]:
    stem = project.results / "figures" / "r-node" / "resource"
    save(nothing("R-Node", "a test"), stem, project.chain())
    return [stem.with_suffix(suffix) for suffix in (".svg", ".png", ".json", ".pdf")]


def mutated(data: bytes, source: random.Random) -> bytes:
    """A few bytes changed, a part cut out, or a part doubled."""
    start = source.randrange(len(data))
    end = min(len(data), start + source.choice((1, 4, 40, 4000)))
    way = source.randrange(4)
    if way == 0:
        return data[:start] + source.randbytes(end - start) + data[end:]
    if way == 1:
        return data[:start] + data[end:]
    if way == 2:
        return data[:end] + data[start:]
    return data[:start]


ODD = [
    None,
    True,
    -1,
    1e300,
    2**63,
    "",
    "\x1b\n",
    "../..",
    [],
    {},
    [[]],
    {"a": {}},
    "a\0",
    "\ud800",
]


def with_odd_values(value: object, source: random.Random) -> object:
    """Some part of a JSON value replaced by another type."""
    if not isinstance(value, dict | list) or not value or source.random() < 0.2:
        return source.choice(ODD)
    keys = list(value) if isinstance(value, dict) else range(len(value))
    key = source.choice(list(keys))
    copied = value.copy()
    copied[key] = with_odd_values(value[key], source)
    return copied


def survives(path: Path) -> bool:
    """Whether tracing ends in a trace, which can be shown; an error must be of ours."""
    try:
        found = trace(path)
        assert all(line.isprintable() for line in render_text(found).split("\n"))
        render_json(found)
    except TrialwattError as error:
        assert all(line.isprintable() for line in str(error).split("\n")), error
        return False
    return True


def fuzz(project, seed: int, rounds: int, with_pdf: bool) -> int:
    source = random.Random(seed)
    files = [*figures(project)[: 4 if with_pdf else 3], project.run / "run.json"]
    kept = {file: file.read_bytes() for file in files}
    ended = 0
    for _ in range(rounds):
        file = source.choice(files)
        if file.suffix == ".json" and source.random() < 0.7:
            changed = with_odd_values(json.loads(kept[file]), source)
            file.write_text(json.dumps(changed))
        else:
            file.write_bytes(mutated(kept[file], source))
        ended += survives(file)
        file.write_bytes(kept[file])
    return ended


def test_mutated_files_are_traced_or_refused(project):
    assert 0 < fuzz(project, seed=1, rounds=250, with_pdf=False) < 250


def test_a_few_mutated_pdf_files(project):
    *_, pdf = figures(project)
    data, source = pdf.read_bytes(), random.Random(2)
    for _ in range(4):
        pdf.write_bytes(mutated(data, source))
        survives(pdf)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_many_mutated_files_are_traced_or_refused(project, seed):
    assert fuzz(project, seed=seed, rounds=800, with_pdf=seed == 0) > 0
