// Tables that can be sorted, and what can be taken away from the page.
function sortable(table, label) {
  const body = h("tbody");
  const order = { column: -1, down: false };
  const heads = table.heads.map((head, column) => {
    const cell = h("th", { scope: "col" });
    cell.append(h("button", { type: "button", onclick: () => turn(column) }, head, h("span", { "aria-hidden": "true" })));
    return cell;
  });
  const turn = (column) => {
    if (order.column !== column) Object.assign(order, { column, down: false });
    else if (!order.down) order.down = true;
    else order.column = -1;
    fill();
  };
  const before = (a, b) => {
    const column = order.column;
    if (column < 0) return 0;
    const [x, y] = table.numeric[column] ? [a.sort[column], b.sort[column]] : [a.cells[column], b.cells[column]];
    if (x === null || y === null) return (x === null) - (y === null); // not known: always last
    const sign = order.down ? -1 : 1;
    return sign * (typeof x === "number" ? x - y : x.localeCompare(y, "en", { numeric: true }));
  };
  const fill = () => {
    heads.forEach((cell, column) => {
      const own = order.column === column;
      cell.setAttribute("aria-sort", own ? (order.down ? "descending" : "ascending") : "none");
      cell.querySelector("span").textContent = own ? (order.down ? "▼" : "▲") : "";
    });
    const rows = table.rows.filter((row) => isRowShown(row)).sort(before);
    body.replaceChildren(...rows.map((row) => h("tr", {}, row.cells.map((cell, column) =>
      column === 0
        ? h("th", { scope: "row" }, h("span", { class: "named" }, DATA.suts[cell] ? swatch(cell) : null, cell))
        : h("td", { class: cell.length > 48 ? "long" : null }, cell)))));
    if (!rows.length) {
      body.append(h("tr", {}, h("td", { colspan: heads.length }, "No row is shown by these filters.")));
    }
  };
  fill();
  const whole = h("table", {}, h("thead", {}, h("tr", {}, heads)), body);
  return h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": label }, whole);
}

/** A run with all that is known of it, for programs. */
function whole(run) {
  const words = Object.fromEntries(DATA.columns.words.map((name) => [name, run[name]]));
  const values = Object.fromEntries(DATA.columns.values.map((name) => [name, valueOf(run, name)]));
  return {
    folder: run.folder,
    contributed_by: run.lab || null,
    ...words,
    ...values,
    remarks: run.remarks,
    started: run.started,
    ended: run.ended,
    configuration: configurationOf(run),
    run_json_sha256: run.manifest,
    records: run.records,
    dataset_file: DATA.pools.data[run.data],
    host: DATA.pools.host[run.host],
    packages: DATA.pools.packages[run.packages],
    code: DATA.pools.code[run.code],
  };
}

function configurationOf(run) {
  const config = DATA.pools.config[run.config];
  return { ...config, testbed: DATA.pools.testbed[config.testbed] };
}

const asJson = (value) => `${JSON.stringify(value, null, 1)}\n`;

/** Links that hold the experiment's data themselves. */
function downloads(section) {
  const names = ["folder", ...DATA.columns.words, ...DATA.columns.values];
  const rows = section.runs.map(([number, , key]) => {
    const run = DATA.runs[number];
    const words = DATA.columns.words.map((name) => run[name]);
    return [section.axis.keys[key][0], run.folder, ...words, ...run.values];
  });
  const table = section.tables[0];
  const files = [
    [`${section.id}-runs.csv`, "text/csv", csv([["treatment", ...names], ...rows])],
    [`${section.id}-table.csv`, "text/csv", csv([table.heads, ...table.rows.map((row) => row.cells)])],
    [`${section.id}-runs.json`, "application/json", asJson({
      experiment: section.id,
      runs: section.runs.map(([number, , key]) => ({
        treatment: section.axis.keys[key][0], ...whole(DATA.runs[number]),
      })),
    })],
  ];
  return h("ul", { class: "links" }, files.map(([name, kind, content]) =>
    h("li", {}, h("a", { download: name, href: dataAddress(kind, content) }, `↓ ${name}`))));
}

/** Links to what lies beside this page, lab by lab. */
function besides(section) {
  return section.files.map((own) => {
    const linked = (files) => h("ul", { class: "links" }, files.map((file) =>
      h("li", {}, h("a", { href: file.path }, file.name))));
    const figures = own.figures.map((figure) => [h("p", {}, figure.caption), linked(figure.files)]);
    if (!figures.length && !own.tables.length && !own.metrics.length) return null;
    return h("details", {},
      h("summary", {}, own.lab ? `Files of ${own.lab} beside this page` : "Figures, tables and metrics beside this page"),
      figures.length ? h("p", { class: "small" }, "A light archive holds no figures; trialwatt remake makes them.") : null,
      figures, own.tables.length ? [h("p", {}, "Tables"), linked(own.tables)] : [],
      own.metrics.length ? [h("p", {}, "Metrics: every run and trial, and what each column means"), linked(own.metrics)] : []);
  });
}
