// What all plots share: each point is a run that can be pointed at, told, and opened.
const DASHES = [null, "6 3", "6 2 1.5 2", "1.5 2.5"];
const REACH = 26; // pixels around a point in which it is meant

/** A picture whose points can be pointed at, walked along with the arrow keys, and opened. */
function interactive(svg, points, say, open) {
  const ring = s("circle", { class: "ring", r: 9, visibility: "hidden" });
  svg.append(ring);
  let current = -1;
  const clear = () => {
    current = -1;
    ring.setAttribute("visibility", "hidden");
    tip.hide();
  };
  const choose = (place) => {
    current = place;
    const { x, y } = points[place];
    for (const [name, value] of [["cx", x], ["cy", y], ["visibility", "visible"]]) {
      ring.setAttribute(name, value);
    }
    const box = svg.getBoundingClientRect();
    tip.show(say(points[place]), box.left + x, box.top + y);
  };
  const nearest = (event) => {
    const box = svg.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    let found = -1;
    let least = REACH;
    points.forEach((point, place) => {
      const far = Math.hypot(point.x - x, point.y - y);
      if (far < least) [found, least] = [place, far];
    });
    return found;
  };
  svg.addEventListener("pointermove", (event) => {
    const place = nearest(event);
    if (place < 0) clear();
    else if (place !== current) choose(place);
  });
  svg.addEventListener("pointerleave", clear);
  svg.addEventListener("blur", clear);
  svg.addEventListener("click", (event) => {
    const place = nearest(event);
    if (place >= 0) open(points[place].run);
  });
  svg.addEventListener("keydown", (event) => {
    const steps = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };
    const count = points.length;
    if (!count) return;
    if (event.key in steps && current < 0) choose(steps[event.key] > 0 ? 0 : count - 1);
    else if (event.key in steps) choose((current + steps[event.key] + count) % count);
    else if (event.key === "Home") choose(0);
    else if (event.key === "End") choose(count - 1);
    else if ((event.key === "Enter" || event.key === " ") && current >= 0) open(points[current].run);
    else if (event.key === "Escape") clear();
    else return;
    event.preventDefault();
  });
  return svg;
}

function canvas(width, height, label) {
  return s("svg", {
    class: "plot", width, height, viewBox: `0 0 ${width} ${height}`, tabindex: 0,
    role: "application", "aria-roledescription": "chart",
    "aria-label": `${label}. Arrow keys go from run to run, Enter opens one.`,
  });
}

const text = (x, y, said, anchor = "start", kind = "") =>
  s("text", { x, y, "text-anchor": anchor, class: kind }, said);

/** The runs of a section that are shown, as [run, group, key]. */
const shownRuns = (section) => section.runs.filter(([, group]) => isShown(section.groups[group]));

/** Value in the unit of the axis; null where it is not known. */
const scaled = (run, panel) => {
  const value = run.values[panel.value];
  return value === null ? null : value * panel.factor;
};

/** As much of a text as fits, with 12 px letters. */
function fitting(said, width) {
  const most = Math.max(4, Math.floor(width / 6.6));
  return said.length <= most ? said : `${said.slice(0, most - 1)}…`;
}

/** A text in as many lines as it needs, with 12 px letters. */
function wrapped(said, width) {
  const most = Math.max(12, Math.floor(width / 6.4));
  const lines = [""];
  for (const word of said.split(" ")) {
    const longer = `${lines.at(-1)} ${word}`.trim();
    if (longer.length <= most || !lines.at(-1)) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}

/** What is told of a run that is pointed at: a title, and lines. */
function told(section, point, panel) {
  const run = DATA.runs[point.run];
  const lines = [];
  if (point.value === null || point.value === undefined) lines.push(run.status);
  else {
    const from = panel.energy ? ` (${methodOf(run)})` : "";
    lines.push(`${panel.title}: ${withUnit(point.value, panel.unit)}${from}`);
    if (run.status !== "completed") lines.push(run.status);
  }
  if (point.also) lines.push(point.also);
  lines.push(`Energy method: ${methodOf(run)}. Testbed: ${run.testbed}.`);
  return { title: nameOf(section, point.run), lines };
}

/** `optuna, 2 workers, repetition 1` */
function nameOf(section, number) {
  const run = DATA.runs[number];
  const point = section.runs.find(([own]) => own === number);
  const treatment = point ? [section.axis.keys[point[2]][0]] : [];
  const sampler = point && section.groups[point[1]].name.includes("(") ? [run.sampler] : [];
  return [run.sut, ...sampler, ...treatment, `repetition ${valueOf(run, "repetition")}`]
    .filter((part, place, all) => all.indexOf(part) === place).join(", ");
}

const tip = {
  box: document.getElementById("tip"),
  show({ title, lines }, x, y) {
    this.box.replaceChildren(h("b", {}, title), ...lines.map((line) => h("div", {}, line)));
    this.box.hidden = false;
    const { width, height } = this.box.getBoundingClientRect();
    const room = document.documentElement.clientWidth - width - 8;
    this.box.style.left = `${Math.max(8, Math.min(room, x - width / 2))}px`;
    this.box.style.top = `${y - height - 16 < 4 ? y + 16 : y - height - 16}px`;
  },
  hide() {
    this.box.hidden = true;
  },
};
