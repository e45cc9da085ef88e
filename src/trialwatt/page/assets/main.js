// Which experiment is shown, of what, and what the address says: #<experiment>/<folder of a run>.
const hidden = { sut: new Set(), method: new Set(), testbed: new Set() };
const page = document.getElementById("experiment");
let drawings = [];
let current = null;

const isShown = (group) => !hidden.sut.has(group.sut) && !hidden.method.has(group.method) && !hidden.testbed.has(group.testbed);

// what is nobody's, or of no energy at all, stands whatever is filtered
const isRowShown = (row) => !hidden.sut.has(row.sut) && !(row.method && hidden.method.has(row.method))
  && !(row.testbed && hidden.testbed.has(row.testbed));

const address = (section, number) => `#${encodeURI(section.id)}${number === undefined ? "" : `/${encodeURI(DATA.runs[number].folder)}`}`;

const open = (number) => {
  tip.hide();
  location.hash = address(current, number);
};

const close = () => {
  location.hash = address(current);
};

function plot(caption, draw, choice = null, wide = false) {
  const place = h("div");
  const head = h("span", { class: "small" });
  const redraw = () => {
    const width = Math.floor(place.getBoundingClientRect().width);
    if (width > 0) place.replaceChildren(draw(width));
  };
  drawings.push(redraw);
  return h("figure", { class: wide ? "wide" : null }, h("figcaption", {}, caption, head), choice && choice(redraw), place);
}

const headed = (panel) => [panel.title, panel.head ? h("span", { class: "small" }, `(${panel.head})`) : null];

function buttons(label, names, chosen, choose) {
  const group = h("div", { class: "choice", role: "group", "aria-label": label });
  names.forEach((name, place) => group.append(h("button", {
    type: "button",
    "aria-pressed": String(place === chosen),
    onclick: (event) => {
      for (const button of group.querySelectorAll("button")) button.setAttribute("aria-pressed", String(button === event.currentTarget));
      choose(place);
    },
  }, name)));
  return group;
}

const selection = (label, names, choose) => h("label", { class: "choice" }, h("span", { class: "small" }, `${label} `),
  h("select", { onchange: (event) => choose(Number(event.currentTarget.value)) },
    names.map((name, place) => h("option", { value: place }, name))));

function plotsOf(section) {
  const measures = Object.keys(section.panels);
  const found = measures.slice(0, section.at_once).map((measure) =>
    plot(headed(section.panels[measure]), (width) => treatmentPlot(section, measure, width, open)));
  let other = measures[section.at_once];
  found.push(plot("Another measure", (width) => treatmentPlot(section, other, width, open), (redraw) =>
    selection("Show", measures.slice(section.at_once).map((measure) => {
      const { title, head } = section.panels[measure];
      return head ? `${title} (${head})` : title;
    }), (place) => {
      other = measures[section.at_once + place];
      redraw();
    }), true));
  if (section.waste) {
    const whats = ["energy", "time", "cost"];
    let what = 0;
    found.push(h("div", { class: "wide" },
      plot("Waste by class", (width) => wastePlot(section, whats[what], width, open), (redraw) =>
        buttons("Waste of", whats, what, (place) => {
          what = place;
          redraw();
        })),
      h("ul", { class: "legend" }, CLASSES.map((kind) => h("li", {},
        s("svg", { class: "mark", width: 16, height: 16, "aria-hidden": "true" }, s("rect", { class: kind, width: 16, height: 16 })), kind)),
      h("li", {}, s("svg", { class: "mark", width: 16, height: 16, "aria-hidden": "true" }, s("circle", { class: "dot", cx: 8, cy: 8, r: 4 })), "all waste of one run")),
      h("p", { class: "small" }, `${section.waste} Bars: means of the completed runs.`)));
  }
  if (section.curves) {
    let [axis, key] = [0, -1];
    const names = section.axis.keys.map(([name]) => name);
    found.push(plot("Best score so far", (width) => curvePlot(section, axis, key, width, open), (redraw) =>
      h("div", { class: "choice" },
        buttons("Against", section.curves.axes.map(({ title }) => title), axis, (place) => {
          axis = place;
          redraw();
        }),
        names.length > 1 ? selection("Treatment", ["all", ...names], (place) => {
          key = place - 1;
          redraw();
        }) : null), true));
  }
  return found;
}

function legendOf(section) {
  const runs = section.runs.map(([run]) => DATA.runs[run].status);
  const line = (...children) => h("li", {}, children);
  const sign = (...children) => s("svg", { class: "mark", width: 16, height: 16, viewBox: "-8 -8 16 16", "aria-hidden": "true" }, children);
  const ring = s("circle", { class: "ring", r: 7 });
  return h("ul", { class: "legend", "aria-label": "Legend" },
    section.groups.filter(isShown).map((group) => line(
      s("svg", { class: "mark", width: 34, height: 16, viewBox: "-17 -8 34 16", "aria-hidden": "true" },
        s("line", { class: "sut", sut: group.sut, x1: -17, x2: 17, stroke: "currentColor", "stroke-width": 1.8, "stroke-dasharray": DASHES[group.order % DASHES.length] }),
        marker(group.sut, 0, 0, 5.2, group.order > 0)), group.name)),
    section.converged.length ? line(sign(ring), "converged step") : null,
    runs.includes("infeasible") ? line(sign(cross("", 0, 0, "infeasible")), "infeasible") : null,
    runs.includes("failed") ? line(sign(cross("", 0, 0, "failed")), "failed: not known") : null,
    runs.includes("deadline") ? line(swatch("", true), "ended by deadline") : null);
}

function runList(section) {
  const panels = ["jct_ms", "ept_kwh"].map((measure) => section.panels[measure]);
  const heads = ["run", "status", ...panels.map(({ title, head }) => `${title.split(":")[0]} (${head})`)];
  const rows = shownRuns(section).map(([number]) => h("tr", {},
    h("th", { scope: "row" }, h("a", { class: "link", href: address(section, number) }, nameOf(section, number))),
    h("td", {}, DATA.runs[number].status),
    panels.map((panel) => h("td", {}, number_(DATA.runs[number], panel)))));
  return h("details", {}, h("summary", {}, `All ${rows.length} runs shown`),
    h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Runs" },
      h("table", {}, h("thead", {}, h("tr", {}, heads.map((head) => h("th", { scope: "col", class: "plain" }, head)))), h("tbody", {}, rows))));
}

const number_ = (run, panel) => number(scaled(run, panel));

function list(heading, sentences) {
  return sentences.length ? [h("h3", {}, heading), h("ul", { class: "small" }, sentences.map((each) => h("li", {}, each)))] : [];
}

function showExperiment(section) {
  current = section;
  drawings = [];
  for (const anchor of document.querySelectorAll("#experiments a")) {
    if (anchor.getAttribute("href") === `#${section.id}`) anchor.setAttribute("aria-current", "page");
    else anchor.removeAttribute("aria-current");
  }
  const parts = [h("h2", {}, section.heading), section.heading.startsWith(section.title) ? null : h("p", {}, section.title), h("p", { class: "lead" }, section.lead)];
  if (section.replayed) {
    parts.push(replayedOf(section), besides(section));
  } else if (!section.runs.length) {
    parts.push(list("What is not there", section.absent), besides(section));
  } else if (!section.groups.some(isShown)) {
    parts.push(h("p", { class: "notice" }, "No run is shown by these filters."));
  } else {
    parts.push(
      h("p", { class: "small" }, section.conditions),
      legendOf(section),
      h("div", { class: "plots" }, plotsOf(section)),
      h("p", { class: "small" }, "Large: median of the completed runs, with their range (from six runs on the 95 % interval of the median). Small: every run; select one for its configuration and origin."),
      list("What is not there", [...section.absent, ...section.not_shown]),
      list("How the sweeps ended", section.sweeps),
      section.tables.map((table) => [h("h3", {}, table.title), sortable(table, `${table.title}, ${section.heading}`), h("p", { class: "small" }, table.explanation)]),
      runList(section),
      h("h3", {}, "Take it away"), downloads(section), besides(section));
  }
  page.replaceChildren(...parts.flat(9).filter((part) => part !== null));
  draw();
}

function draw() {
  tip.hide();
  for (const each of drawings) each();
}

function filters() {
  const groups = DATA.experiments.flatMap((section) => section.groups || []);
  const choices = {
    sut: ["System", Object.keys(DATA.suts)],
    method: ["Energy", [...new Set(groups.map((group) => group.method))].sort()],
    testbed: ["Testbed", [...new Set(groups.map((group) => group.testbed))].sort()],
  };
  const form = document.getElementById("filters");
  form.addEventListener("submit", (event) => event.preventDefault());
  for (const [kind, [label, names]] of Object.entries(choices)) {
    if (!names.length || (kind === "testbed" && names.length < 2)) continue;
    form.append(h("fieldset", {}, h("legend", {}, label), names.map((name) => h("label", { class: "chip" },
      h("input", {
        type: "checkbox",
        checked: true,
        onchange: (event) => {
          hidden[kind][event.currentTarget.checked ? "delete" : "add"](name);
          showExperiment(current);
        },
      }), kind === "sut" ? swatch(name) : null, name))));
  }
}

function go() {
  let said = "";
  try {
    said = decodeURIComponent(location.hash.slice(1));
  } catch {
    said = ""; // an address that somebody cut off
  }
  const [id, ...rest] = said.split("/");
  const folder = rest.join("/");
  const number = folder ? DATA.runs.findIndex((run) => run.folder === folder) : -1;
  const holds = (section) => section.runs.some(([run]) => run === number);
  const named = DATA.experiments.find((section) => section.id === id);
  const wanted = number >= 0 && !(named && holds(named)) ? DATA.experiments.find(holds) : named;
  const section = wanted || DATA.experiments[0];
  if (!section) return;
  if (section !== current) showExperiment(section);
  if (number >= 0 && holds(section)) showRun(section, number, close);
  else if (dialog.open) dialog.close();
}

filters();
dialog.addEventListener("cancel", (event) => {
  event.preventDefault();
  close();
});
dialog.addEventListener("close", () => {
  if (location.hash.includes("/")) close(); // the browser closed it by itself
});
dialog.addEventListener("click", (event) => {
  if (event.target === dialog) close();
});
addEventListener("hashchange", go);
let width = 0;
new ResizeObserver(() => {
  const now = Math.floor(page.getBoundingClientRect().width);
  if (now !== width) {
    width = now;
    draw();
  }
}).observe(page);
go();
