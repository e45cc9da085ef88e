"""The page in a real browser, without a network. Skipped where there is no Chromium."""

import json
import urllib.parse

import pytest
from tests.page.chromium import Chromium, found

pytestmark = pytest.mark.skipif(found() is None, reason="needs Chromium (headless) on the PATH")
WIDE, PHONE = 1280, 390


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    one = Chromium(tmp_path_factory.mktemp("profile"))
    yield one
    one.close()


@pytest.fixture
def shown(browser, page):
    """Open the page at a place of it, at a width."""

    def show(place: str = "", width: int = WIDE, scheme: str = "light", file=page) -> Chromium:
        browser.view(width, scheme=scheme, touch=width < 500)
        browser.open(f"{file.as_uri()}{place}")
        return browser

    return show


def quiet(browser) -> None:
    """It asked for nothing but itself, and nothing went wrong."""
    assert [url.split("#")[0] for url in browser.requests if not url.startswith("data:")] == [
        browser.run("location.href").split("#")[0]
    ]
    assert browser.complaints == []


def nothing_overflows(browser, width: int) -> None:
    assert browser.run("document.documentElement.scrollWidth") <= width
    wider = browser.run(
        "[...document.querySelectorAll('body *')]"
        ".filter(e => !e.closest('.scroll, pre, details:not([open])'))"
        f".filter(e => e.getBoundingClientRect().right > {width} + 0.5)"
        ".map(e => e.outerHTML.slice(0, 80))"
    )
    assert wider == []


def place_of(browser, element: str) -> tuple[float, float]:
    """The middle of an element, scrolled into view."""
    where = (
        f"(e => (e.scrollIntoView({{block: 'center'}}), e = e.getBoundingClientRect(), "
        f"[e.left + e.width / 2, e.top + e.height / 2]))({element})"
    )
    return tuple(browser.run(where))


FIRST_PLOT = "document.querySelector('svg.plot')"
SMALL = "document.querySelectorAll('svg.plot')[0].querySelectorAll('[opacity]')"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [WIDE, PHONE])
@pytest.mark.parametrize("experiment", ["r-node", "s-sam", "r-mem"])
def test_it_loads_itself_alone_and_fits(shown, experiment, width, scheme):
    browser = shown(f"#{experiment}", width, scheme)
    quiet(browser)
    nothing_overflows(browser, width)
    heads = browser.run("[...document.querySelectorAll('#experiment figcaption')].length")
    assert heads == {"r-node": 5, "s-sam": 7, "r-mem": 0}[experiment]
    current = browser.run("document.querySelector('nav [aria-current]').getAttribute('href')")
    assert current == f"#{experiment}"


CONTRAST = """
(() => {
  const canvas = Object.assign(document.createElement("canvas"), { width: 1, height: 1 });
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  const light = (colour) => {
    pen.fillStyle = "#fff"; pen.fillRect(0, 0, 1, 1);
    pen.fillStyle = colour; pen.fillRect(0, 0, 1, 1);
    return [...pen.getImageData(0, 0, 1, 1).data].slice(0, 3)
      .map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
      .reduce((sum, v, n) => sum + v * [0.2126, 0.7152, 0.0722][n], 0);
  };
  const paper = light(getComputedStyle(document.body).backgroundColor);
  const against = (colour) => {
    const own = light(colour);
    return (Math.max(own, paper) + 0.05) / (Math.min(own, paper) + 0.05);
  };
  const least = (selector, name) => Math.min(
    ...[...document.querySelectorAll(selector)].map((e) => against(getComputedStyle(e)[name])));
  return [least("p, dd, td, figcaption, a:not([aria-current])", "color"),
    least("svg.plot text:not(.sut *)", "fill"), least(".sut", "color")];
})()
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_and_marks_can_be_told_from_the_paper(shown, scheme):
    browser = shown("#s-sam", WIDE, scheme)
    words, labels, marks = browser.run(CONTRAST)
    assert words >= 4.5 and labels >= 4.5 and marks >= 3


def test_what_one_touches_is_large_enough(shown):
    browser = shown("#s-sam", PHONE)
    small = browser.run(
        "[...document.querySelectorAll('nav a, .chip, .choice button, select, .links a')]"
        ".map(e => [e.getBoundingClientRect().height, e.outerHTML])"
        ".filter(([height]) => height > 0 && height < 44)"
    )
    assert small == []


def test_pointing_tells_the_run_and_a_click_opens_it(shown, page):
    browser = shown("#r-node")
    x, y = place_of(browser, f"{SMALL}[0]")
    browser.mouse("mouseMoved", x, y)
    said = browser.run("document.getElementById('tip').innerText")
    assert said.startswith("plain, 1 worker, repetition ")
    assert "EPT: energy per completed trial: " in said and "Wh (modelled)" in said
    browser.click(x, y)
    browser.until("document.querySelector('dialog').open")
    run = json.loads(
        urllib.parse.unquote(
            browser.run("document.querySelector('dialog a[download]').href").split(",", 1)[1]
        )
    )
    folder = page.parent / run["folder"]
    manifest = json.loads((folder / "run.json").read_text())
    assert run["configuration"] == manifest["config"] and run["records"] == manifest["files"]
    inside = browser.run("document.querySelector('dialog').innerText")
    for part in (
        manifest["hash"],
        run["folder"],
        run["run_json_sha256"],
        *manifest["files"].values(),
        f"trialwatt trace {run['folder']}",
        "commit " + "c" * 40,
        '"memory_mb": 2048',
    ):
        assert part in inside, part
    quiet(browser)
    browser.key("Escape", 27)
    browser.until("!document.querySelector('dialog').open && location.hash === '#r-node'")


def test_a_tap_on_a_phone_opens_a_run_that_fits(shown):
    browser = shown("#r-node", PHONE, "dark")
    browser.tap(*place_of(browser, f"{SMALL}[0]"))
    browser.until("document.querySelector('dialog').open")
    box = browser.run(
        "(b => [b.left, b.right, b.top, b.bottom])"
        "(document.querySelector('dialog').getBoundingClientRect())"
    )
    assert box[0] >= 0 and box[1] <= PHONE and box[2] >= 0 and box[3] <= 900
    assert browser.run("(d => d.scrollWidth <= d.clientWidth)(document.querySelector('dialog'))")
    quiet(browser)


def test_runs_can_be_walked_along_with_the_keyboard(shown):
    browser = shown("#r-node")
    browser.run(f"{FIRST_PLOT}.focus()")
    browser.key("ArrowRight", 39)
    first = browser.run("document.getElementById('tip').innerText")
    browser.key("End", 35)
    last = browser.run("document.getElementById('tip').innerText")
    assert "repetition 1" in first and "optuna, 4 workers" in last and "infeasible" in last
    browser.key("Enter", 13)
    browser.until("document.querySelector('dialog').open")
    assert "no worker could start: 64 MB" in browser.run(
        "document.querySelector('dialog').innerText"
    )


def test_an_address_leads_to_a_run(shown, page):
    folder = next(page.parent.glob("runs/*/*/rep1")).relative_to(page.parent).as_posix()
    browser = shown(f"#r-mem/{folder}")  # not an experiment that holds it
    assert browser.run("document.querySelector('dialog').open")
    assert folder in browser.run("document.querySelector('dialog').innerText")
    browser = shown("#nothing/of-the-kind%")
    quiet(browser)
    assert browser.run("document.querySelector('#experiment h2').innerText").startswith("How many")


def test_a_system_can_be_left_out(shown):
    browser = shown("#r-node")
    cells = "[...document.querySelectorAll('#experiment table')][0].innerText"
    assert "plain" in browser.run(cells)
    browser.run("document.querySelector('#filters input').click()")
    assert "plain" not in browser.run(cells) and "optuna" in browser.run(cells)
    assert browser.run("document.querySelector('.legend').innerText").split() == [
        "optuna",
        "infeasible",
    ]
    for each in (1, 2):
        browser.run(f"document.querySelectorAll('#filters input')[{each}].click()")
    assert "No run is shown" in browser.run("document.getElementById('experiment').innerText")
    quiet(browser)


def test_the_table_is_sorted_by_value_and_unknown_is_last(shown):
    browser = shown("#r-node")
    column = (
        "(t => [...t.tBodies[0].rows].map(r => r.cells[2].innerText.split(' ')[0]))"
        "(document.querySelector('#experiment table'))"
    )
    head = "document.querySelectorAll('#experiment table th button')[2].click()"
    browser.run(head)
    up = browser.run(column)
    browser.run(head)
    down = browser.run(column)
    known = sorted(float(value) for value in up if value != "–")
    assert [float(value) for value in up[:-1]] == known and up[-1] == down[-1] == "–"
    assert [float(value) for value in down[:-1]] == known[::-1]


def test_data_can_be_taken_away(shown, page):
    browser = shown("#s-sam")
    links = dict(
        browser.run(
            "[...document.querySelectorAll('#experiment a[download]')]"
            ".map(a => [a.download, a.href])"
        )
    )
    assert set(links) == {"s-sam-runs.csv", "s-sam-table.csv", "s-sam-runs.json"}
    assert all(link.startswith("data:") for link in links.values())
    text = urllib.parse.unquote(links["s-sam-runs.csv"].split(",", 1)[1])
    assert len(text.strip().split("\n")) == 1 + 6 and text.startswith("treatment,folder,hash,sut,")


def test_what_is_not_available_is_said(shown):
    browser = shown("#s-sam")
    inside = browser.run("document.getElementById('experiment').innerText")
    assert "Not available here. plain offers no sampler tpe; it has: grid, random." in inside
    rows = browser.run(f"[...{FIRST_PLOT}.querySelectorAll('text')].map(t => t.textContent)")
    assert "not available" in rows
    browser.run("location.hash = '#r-mem'")
    browser.until("document.getElementById('experiment').innerText.includes('has no runs yet')")


@pytest.mark.parametrize("width", [WIDE, PHONE])
def test_names_that_mean_harm_do_none(shown, two_labs, width):
    browser = shown("#r-node", width, file=two_labs.results / "comparison.html")
    quiet(browser)
    nothing_overflows(browser, width)
    assert browser.run("document.title") == "Trialwatt results"
    assert browser.run("document.querySelectorAll('img').length") == 0
    inside = browser.run("document.body.innerText")
    assert "Contributed by their-lab" in inside and "onerror" in inside
    browser.run("document.querySelectorAll('details').forEach(d => d.open = true)")
    browser.run("[...document.querySelectorAll('#experiment details a.link')].at(-1).click()")
    browser.until("document.querySelector('dialog').open")
    assert "onerror" in browser.run("document.querySelector('dialog').innerText")
    quiet(browser)


def test_without_scripts_the_head_is_there(browser, page):
    browser("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.view(PHONE)
        browser.open(page.as_uri())
        text = browser.run("document.body.innerText")
        assert "need JavaScript" in text and "Undecided (one platform; demonstration only)." in text
        assert browser.run("document.getElementById('experiment').innerText") == ""
    finally:
        browser("Emulation.setScriptExecutionDisabled", value=False)
