// Values of runs against treatments that are numbers: a line for each system.
/** EPT, TWH, OC, JCT, … against a treatment that is a number. */
function linePlot(section, measure, width, open) {
  const panel = section.panels[measure];
  const place = Object.keys(section.panels).indexOf(measure);
  const groups = section.groups.map((_, number) => number).filter((n) => isShown(section.groups[n]));
  const runs = shownRuns(section);
  const known = runs.map(([run]) => scaled(DATA.runs[run], panel)).filter((v) => v !== null);
  const top = (known.length ? Math.max(...known) : 0) * 1.08 || 1;
  const height = Math.max(230, Math.min(320, width * 0.6));
  const marks = ticks(0, top, 5);
  const left = 14 + 7.2 * Math.max(...marks.map(([, said]) => said.length));
  const label = wrapped(section.axis.label, width - left - 8);
  const [right, upper, lower] = [width - 8, 10, height - 38 - 14 * label.length];
  const keys = section.axis.keys;
  const ends = keys.map(([, , at]) => at);
  const first = Math.min(...ends) - section.axis.margin;
  const last = Math.max(...ends) + section.axis.margin;
  const px = (at) => left + ((at - first) / (last - first)) * (right - left);
  const py = (value) => lower - (value / top) * (lower - upper);
  const svg = canvas(width, height, `${panel.title} against ${section.axis.label}`);
  for (const [at, said] of marks) {
    svg.append(s("line", { class: "grid", x1: left, x2: right, y1: py(at), y2: py(at) }));
    svg.append(text(left - 6, py(at) + 4, said, "end", "soft"));
  }
  svg.append(s("line", { class: "axis", x1: left, x2: right, y1: lower, y2: lower }));
  let free = -Infinity;
  for (const [, tick, at] of keys) {
    const lines = tick.split("\n");
    const half = 3.6 * Math.max(...lines.map((line) => line.length));
    if (px(at) - half < free) continue;
    free = px(at) + half + 6;
    svg.append(s("line", { class: "axis", x1: px(at), x2: px(at), y1: lower, y2: lower + 4 }));
    lines.forEach((line, n) => svg.append(text(px(at), lower + 17 + 13 * n, line, "middle", "soft")));
  }
  label.forEach((line, n) => svg.append(
    text((left + right) / 2, height - 6 - 14 * (label.length - 1 - n), line, "middle"),
  ));
  for (const key of keys.length > 1 ? section.axis.baseline : []) {
    const x = px(keys[key][2]);
    svg.append(s("line", { class: "base", x1: x, x2: x, y1: upper, y2: lower }));
  }
  const sorted = [...ends].sort((a, b) => a - b);
  const gap = Math.min(...sorted.slice(1).map((at, n) => px(at) - px(sorted[n])));
  const slot = Math.min(22, (0.8 * gap) / groups.length);
  const points = [];
  groups.forEach((number, row) => {
    const group = section.groups[number];
    const shift = (row - (groups.length - 1) / 2) * slot;
    const cells = section.cells.filter(([own]) => own === number);
    const parts = [];
    let pen = "M";
    for (const [, key, values] of cells) {
      const found = values[place];
      if (!found) {
        pen = "M";
        continue;
      }
      parts.push(`${pen}${px(keys[key][2]) + shift},${py(found[0] * panel.factor)}`);
      pen = "L";
    }
    svg.append(s("path", {
      class: "sut", sut: group.sut, d: parts.join(""), fill: "none", stroke: "currentColor",
      "stroke-width": 1.8, "stroke-dasharray": DASHES[group.order % DASHES.length],
    }));
    const aside = Math.min(9, 0.55 * slot);
    for (const [run, own, key] of runs) {
      if (own !== number) continue;
      const it = DATA.runs[run];
      const value = scaled(it, panel);
      const x = px(keys[key][2]) + shift + (value === null ? 0 : aside);
      if (value !== null) {
        svg.append(marker(group.sut, x, py(value), 3.2, it.status === "deadline", true));
        points.push({ x, y: py(value), run, key, value });
      } else if (it.status !== "completed") {
        svg.append(cross(group.sut, x, lower, it.status));
        points.push({ x, y: lower, run, key, value });
      }
    }
    for (const [, key, values] of cells) {
      const found = values[place];
      if (!found) continue;
      const x = px(keys[key][2]) + shift;
      const [middle, low, high] = found.slice(0, 3).map((value) => py(value * panel.factor));
      svg.append(s("path", {
        class: "sut", sut: group.sut, stroke: "currentColor", "stroke-width": 1.2, fill: "none",
        d: `M${x},${low}V${high}M${x - 3},${low}h6M${x - 3},${high}h6`,
      }));
      svg.append(marker(group.sut, x, middle, 5.2, group.order > 0));
      if (section.converged.some(([g, k]) => g === number && k === key)) {
        svg.append(s("circle", {
          class: "sut", sut: group.sut, cx: x, cy: middle, r: 10, fill: "none",
          stroke: "currentColor", "stroke-width": 1.5,
        }));
      }
    }
  });
  if (!known.length) svg.append(text((left + right) / 2, (upper + lower) / 2, "not on record", "middle"));
  return interactive(svg, points, (point) => told(section, point, panel), open);
}
