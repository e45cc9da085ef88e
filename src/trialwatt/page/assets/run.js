// One run: what it came to, its resolved configuration, and the chain of its origin.
const dialog = document.getElementById("run");

const sum = (checksum) => h("span", { class: "sum" }, ` sha256 ${checksum || "not on record"}`);

function link(title, ...more) {
  return h("li", {}, h("b", {}, title), " ", ...more);
}

function listed(files) {
  return h("ul", {}, Object.entries(files).map(([name, checksum]) =>
    h("li", {}, h("code", {}, name), sum(checksum))));
}

function pairs(values) {
  return Object.entries(values).filter(([, value]) => value !== null && value !== "" && typeof value !== "object")
    .map(([name, value]) => `${name} ${value}`).join(", ") || "not on record";
}

function chainOf(section, run) {
  const own = section.files.find((files) => files.lab === run.lab) || { configuration: {} };
  const [code, data] = [DATA.pools.code[run.code], DATA.pools.data[run.data]];
  const commit = code.commit ? `, commit ${code.commit}` : ", commit not on record";
  const metrics = `${run.folder.split("runs/")[0]}metrics/${section.id}/runs.csv`;
  return h("ol", { class: "chain" },
    link("This page", "shows a row of ", h("code", {}, metrics)),
    link("Run", h("code", {}, run.folder), h("ul", {}, h("li", {}, h("code", {}, "run.json"), sum(run.manifest)))),
    link("Records", listed(run.records)),
    link("Configuration", "hash ", h("code", {}, run.hash), ", resolved below, from", listed(own.configuration)),
    link("Dataset", h("code", {}, data.name || "not on record"), sum(data.sha256)),
    link("Energy", `${methodOf(run)}; meter ${run.energy_meter || "not on record"}, domains ${run.energy_domains || "not on record"}, `
      + `${number(valueOf(run, "sample_hz"))} Hz, gaps ${number(100 * (valueOf(run, "gap_share") || 0))} % of the time`),
    link("Code", `trialwatt ${code.version || "unknown"}${commit}${code.dirty ? ", with uncommitted changes" : ""}`),
    link("Packages", pairs(DATA.pools.packages[run.packages])),
    link("Host", pairs(DATA.pools.host[run.host]), `; limits: ${run.enforcement || "not on record"}`),
    link("When", run.started ? `${run.started} to ${run.ended || "unknown"}` : "not on record"));
}

/** A column of a run: its number, its text or, of a φ, its hyperparameters. */
function columnOf(run, name) {
  const value = valueOf(run, name) ?? run[name] ?? "";
  if (value === "") return "unknown";
  return name.endsWith("phi") ? pairs(JSON.parse(value)) : value;
}

function valuesOf(section, run) {
  const rows = Object.values(section.panels).map((panel) => {
    const value = run.values[panel.value];
    return [
      panel.title,
      value === null ? "–" : withUnit(value * panel.factor, panel.unit),
      panel.energy && value !== null ? methodOf(run) : "",
    ];
  });
  const counts = DATA.columns.told.map(([name, title]) => [title, columnOf(run, name), ""]);
  return h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Values of this run" },
    h("table", {},
      h("thead", {}, h("tr", {}, ["metric", "value", "energy method"].map((head) => h("th", { scope: "col", class: "plain" }, head)))),
      h("tbody", {}, [...rows, ...counts].map(([name, value, how]) =>
        h("tr", {}, h("th", { scope: "row" }, name), h("td", { class: String(value).length > 48 ? "long" : null }, value), h("td", {}, how))))));
}

/** The parts of a run below its title, each with a button that leads to it. */
function parts(named) {
  const heads = Object.keys(named).map((name) => h("h3", { tabindex: -1 }, name));
  const jumps = h("div", { class: "choice", role: "group", "aria-label": "Parts" }, heads.map((head) =>
    h("button", { type: "button", onclick: () => {
      head.scrollIntoView();
      head.focus({ preventScroll: true });
    } }, head.textContent)));
  return [jumps, Object.values(named).map((own, place) => [heads[place], own])];
}

function showRun(section, number, close) {
  const run = DATA.runs[number];
  const whose = run.lab ? `Contributed by ${run.lab}. ` : "";
  const state = run.status === "completed" ? "Completed." : `${run.status}: ${run.reason || "no reason on record"}`;
  dialog.replaceChildren(...[
    h("header", {},
      h("h2", { id: "run-title" }, swatch(run.sut), ` ${nameOf(section, number)}`),
      h("button", { type: "button", onclick: close }, "Close")),
    h("p", {}, `${whose}${section.heading}. Testbed ${run.testbed}. ${state}`),
    run.remarks.length ? h("ul", { class: "notice" }, run.remarks.map((remark) => h("li", {}, remark))) : null,
    ...parts({
      Values: valuesOf(section, run),
      Origin: [
        chainOf(section, run),
        h("p", {}, "Check every link, from this page’s folder: ", h("code", {}, `trialwatt trace ${run.folder}`)),
      ],
      Configuration: [
        h("p", { class: "small" }, "Hash ", h("code", {}, run.hash), "; everything that decides about the run."),
        h("pre", { tabindex: 0 }, JSON.stringify(configurationOf(run), null, 2)),
      ],
    }).flat(9),
    h("ul", { class: "links" }, h("li", {}, h("a", {
      download: `${run.sut}-${run.hash}-rep${valueOf(run, "repetition")}.json`,
      href: dataAddress("application/json", asJson(whole(run))),
    }, "↓ this run as JSON"))),
  ].filter((part) => part !== null));
  if (!dialog.open) dialog.showModal();
  dialog.scrollTop = 0;
}
