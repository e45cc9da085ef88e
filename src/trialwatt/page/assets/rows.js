// Values of runs in rows: where treatments are words, and for waste by class.
const CLASSES = ["failed", "pruned", "duplicate"];

/** Names one after another; where they have commas of their own, told apart by semicolons. */
const spelt = (names) => names.join(names.some((name) => name.includes(", ")) ? "; " : ", ");

/** The rows of a section that are shown: a head for each group, then its treatments. */
function rowsOf(section) {
  const flat = section.axis.keys.length === 1;
  const rows = [];
  const seen = new Set();
  section.groups.forEach((group, number) => {
    if (!isShown(group)) return;
    if (!flat) rows.push({ head: group.name, group });
    section.axis.keys.forEach(([name], key) => {
      const runs = section.runs.filter(([, own, at]) => own === number && at === key).map(([r]) => r);
      if (runs.length) rows.push({ label: flat ? group.name : name, group, number, key, runs });
    });
    if (seen.has(group.sut)) return;
    seen.add(group.sut);
    for (const gap of section.gaps) {
      if (gap.sut !== group.sut) continue;
      rows.push({ label: "not available", group, runs: [], gone: spelt(gap.names) || gap.reason });
    }
  });
  const nobody = section.gaps.filter((gap) => !gap.sut).flatMap((gap) => gap.names);
  if (nobody.length && rows.length) {
    if (!flat) rows.push({ head: "all systems" });
    rows.push({ label: "not available", runs: [], gone: spelt(nobody) });
  }
  return rows;
}

/**
 * A row for each system and treatment. panel: title, head; value: of a run, in the axis' unit;
 * middle: of a row, [median, low, high]; bars: of a row, [class, width] pieces from zero on.
 */
function rowPlot(section, panel, width, open, { value, middle, bars }) {
  const rows = rowsOf(section);
  const narrow = width < 520;
  const letters = Math.max(6, ...rows.map((row) => row.head ? row.head.length + 2 : row.label.length));
  const left = narrow ? 10 : Math.min(0.45 * width, 7 * letters + 22);
  const [right, upper] = [width - 14, 6];
  const [tall, headTall] = narrow ? [42, 26] : [27, 24];
  let y = upper;
  for (const row of rows) {
    row.top = y;
    y += row.head ? headTall : tall;
  }
  const lower = y + 2;
  const height = lower + 44;
  const all = rows.flatMap((row) => row.runs || []).map((run) => value(DATA.runs[run]));
  const known = all.filter((each) => each !== null);
  const top = (known.length ? Math.max(...known) : 0) * 1.06 || 1;
  const px = (at) => left + (at / top) * (right - left);
  const svg = canvas(width, height, `${panel.title}, a row for each treatment`);
  for (const [at, said] of ticks(0, top, narrow ? 4 : 5)) {
    svg.append(s("line", { class: "grid", x1: px(at), x2: px(at), y1: upper, y2: lower }));
    svg.append(text(px(at), lower + 15, said, "middle", "soft"));
  }
  svg.append(s("line", { class: "axis", x1: left, x2: left, y1: upper, y2: lower }));
  svg.append(text((left + right) / 2, height - 6, panel.head || panel.title, "middle"));
  const points = [];
  for (const row of rows) {
    const sut = row.group ? row.group.sut : "";
    if (row.head) {
      if (row.group) svg.append(marker(sut, 10, row.top + 13, 4.6, row.group.order > 0));
      svg.append(text(row.group ? 22 : 4, row.top + 17, row.head, "start", "head"));
      continue;
    }
    const y = row.top + (narrow ? 27 : 12);
    if (narrow) svg.append(text(left + 4, row.top + 13, fitting(row.label, right - left), "start", "soft"));
    else svg.append(text(left - 8, y + 4, fitting(row.label, left - 12), "end"));
    const states = [...new Set(row.runs.map((run) => DATA.runs[run].status))];
    const with_ = row.runs.filter((run) => value(DATA.runs[run]) !== null);
    if (with_.length) svg.append(s("line", { class: "grid", x1: left, x2: right, y1: y, y2: y }));
    const without = row.runs.filter((run) => value(DATA.runs[run]) === null);
    if (!with_.length) {
      const said = row.gone || (states.includes("completed") ? "not on record" : states.join(", "));
      const at = left + (row.gone ? 4 : 22);
      svg.append(text(at, y + 4, fitting(said, right - at), "start", "soft"));
    }
    let from = 0;
    for (const [kind, size] of bars && with_.length ? bars(row) : []) {
      if (!(size > 0)) continue;
      const box = { x: px(from), y: y - 8, width: px(from + size) - px(from), height: 16 };
      svg.append(s("rect", { class: kind, ...box }));
      from += size;
    }
    for (const run of with_) {
      const it = DATA.runs[run];
      const x = px(value(it));
      const at = bars ? y : y + 7;
      svg.append(bars ? s("circle", { class: "dot", cx: x, cy: at, r: 3.4 })
        : marker(sut, x, at, 3, it.status === "deadline", true));
      points.push({ x, y: at, run, key: row.key, value: value(it) });
    }
    without.forEach((run, n) => {
      const it = DATA.runs[run];
      if (it.status === "completed") return;
      const x = left + 8 + (with_.length ? 10 * n : 0);
      svg.append(cross(sut, x, y, it.status));
      points.push({ x, y, run, key: row.key, value: null });
    });
    const found = middle && middle(row);
    if (found) {
      const [at, low, high] = found.map(px);
      svg.append(s("path", {
        class: "sut", sut, stroke: "currentColor", "stroke-width": 1.4, fill: "none",
        d: `M${low},${y - 2}H${high}M${low},${y - 5}v6M${high},${y - 5}v6`,
      }));
      svg.append(marker(sut, at, y - 2, 4.8, row.group.order > 0));
    }
  }
  return interactive(svg, points, (point) => told(section, point, panel), open);
}

function treatmentPlot(section, measure, width, open) {
  if (!section.axis.words && section.axis.keys.length > 1) return linePlot(section, measure, width, open);
  const panel = section.panels[measure];
  const place = Object.keys(section.panels).indexOf(measure);
  return rowPlot(section, panel, width, open, {
    value: (run) => scaled(run, panel),
    middle: (row) => {
      const cell = section.cells.find(([group, key]) => group === row.number && key === row.key);
      const found = cell && cell[2][place];
      return found ? found.slice(0, 3).map((value) => value * panel.factor) : null;
    },
  });
}

/** Failed, pruned and duplicate trials as a share of the job: means of the completed runs. */
function wastePlot(section, what, width, open) {
  const share = (run, kind) => valueOf(run, `waste_${kind}_${what}_share`);
  const modelled = what === "energy" && section.panels.wte_kwh.head.includes("modelled");
  const panel = {
    title: `Wasted ${what}`, unit: "%", energy: what === "energy", head: `${section.waste_heads[what]}${modelled ? " (modelled)" : ""}`,
  };
  const value = (run) => {
    if (run.status !== "completed") return null;
    const parts = CLASSES.map((kind) => share(run, kind));
    return parts.includes(null) ? null : 100 * parts.reduce((sum, part) => sum + part, 0);
  };
  const bars = (row) => {
    const done = row.runs.map((run) => DATA.runs[run]).filter((run) => value(run) !== null);
    return CLASSES.map((kind) => [
      kind, (100 * done.reduce((sum, run) => sum + share(run, kind), 0)) / done.length,
    ]);
  };
  return rowPlot(section, panel, width, open, { value, bars });
}
