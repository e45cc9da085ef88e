// The best score so far against what had been spent by then: a line for each run.
const SCORE = 3; // the place of the score among the columns of a curve

/** axis: which of the columns is spent. key: the one treatment that is shown, -1 for all. */
function curvePlot(section, axis, key, width, open) {
  const spent = section.curves.axes[axis];
  const runs = shownRuns(section).filter(
    ([run, , own]) => (key < 0 || own === key) && (DATA.runs[run].curve || [[]])[axis].length,
  );
  const height = Math.max(260, Math.min(400, width * 0.55));
  const xs = runs.flatMap(([run]) => DATA.runs[run].curve[axis]).filter((at) => at !== null);
  const most = (xs.length ? Math.max(...xs) : 0) * spent.factor * 1.03 || 1;
  const scores = runs.flatMap(([run]) => DATA.runs[run].curve[SCORE]);
  const { score: name, sign, goals, first } = section.curves; // sign: -1 where less is better
  const end = sign * Math.max(...[...scores, ...goals].map((score) => sign * score), -Infinity);
  const begin = sign * Math.min(sign * first, sign * end);
  const room = end - begin || sign;
  const worst = begin - 0.05 * room;
  const [bottom, top] = [worst, end + 0.06 * room].sort((a, b) => a - b);
  const marks = ticks(bottom, top, 5);
  const left = 14 + 7.2 * Math.max(...marks.map(([, said]) => said.length));
  const [right, upper, lower] = [width - 14, 26, height - 44];
  const px = (at) => left + (at / most) * (right - left);
  const shown = (score) => sign * Math.max(sign * score, sign * worst);
  const py = (score) => lower - ((shown(score) - bottom) / (top - bottom)) * (lower - upper);
  const svg = canvas(width, height, `Best ${name} so far against ${spent.title}`);
  for (const [at, said] of marks) {
    svg.append(s("line", { class: "grid", x1: left, x2: right, y1: py(at), y2: py(at) }));
    svg.append(text(left - 6, py(at) + 4, said, "end", "soft"));
  }
  svg.append(text(2, 13, `best ${name} so far`, "start", "soft"));
  for (const [at, said] of ticks(0, most, width < 520 ? 4 : 7)) {
    svg.append(text(px(at), lower + 17, said, "middle", "soft"));
  }
  svg.append(s("line", { class: "axis", x1: left, x2: right, y1: lower, y2: lower }));
  svg.append(text((left + right) / 2, height - 6, `${spent.title} (${spent.head})`, "middle"));
  for (const goal of goals) {
    svg.append(s("line", { class: "goal", x1: left, x2: right, y1: py(goal), y2: py(goal) }));
    svg.append(text(right, py(goal) + (sign > 0 ? 14 : -5), "goal", "end", "soft"));
  }
  const points = [];
  for (const [run, number, own] of runs) {
    const group = section.groups[number];
    const curve = DATA.runs[run].curve;
    const parts = [];
    curve[axis].forEach((at, place) => {
      if (at === null) return;
      const [x, y] = [px(at * spent.factor), py(curve[SCORE][place])];
      parts.push(parts.length ? `H${x}V${y}` : `M${x},${y}`);
      if (place === curve[axis].length - 1 && place > 0) return; // the end of the job is no trial
      points.push({
        x, y, run, key: own, value: at * spent.factor,
        also: `best ${name} so far ${Number(curve[SCORE][place].toPrecision(5))}`,
      });
    });
    svg.append(s("path", {
      class: "sut", sut: group.sut, d: parts.join(""), fill: "none", stroke: "currentColor",
      "stroke-width": 1.3, opacity: 0.65, "stroke-dasharray": DASHES[group.order % DASHES.length],
    }));
  }
  for (const { x, y, run } of points) {
    svg.append(marker(DATA.runs[run].sut, x, y, 3, DATA.runs[run].status === "deadline", true));
  }
  if (!points.length) svg.append(text((left + right) / 2, (upper + lower) / 2, "nothing to show", "middle"));
  const panel = { title: spent.title, unit: spent.unit, energy: axis === 0 };
  return interactive(svg, points, (point) => told(section, point, panel), open);
}
