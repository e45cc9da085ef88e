// The shape of each system under test: the same as in the figures.
const SHAPES = {
  s: [[-1, -1], [1, -1], [1, 1], [-1, 1]],
  "^": [[0, -1.2], [1.15, 0.9], [-1.15, 0.9]],
  v: [[0, 1.2], [1.15, -0.9], [-1.15, -0.9]],
  "<": [[-1.2, 0], [0.9, -1.15], [0.9, 1.15]],
  ">": [[1.2, 0], [-0.9, -1.15], [-0.9, 1.15]],
  D: [[0, -1.3], [1.3, 0], [0, 1.3], [-1.3, 0]],
  p: regular(5, 1.2),
  h: regular(6, 1.2),
  P: [[-0.4, -1.2], [0.4, -1.2], [0.4, -0.4], [1.2, -0.4], [1.2, 0.4], [0.4, 0.4],
    [0.4, 1.2], [-0.4, 1.2], [-0.4, 0.4], [-1.2, 0.4], [-1.2, -0.4], [-0.4, -0.4]],
  X: [[0, -0.5], [0.7, -1.2], [1.2, -0.7], [0.5, 0], [1.2, 0.7], [0.7, 1.2],
    [0, 0.5], [-0.7, 1.2], [-1.2, 0.7], [-0.5, 0], [-1.2, -0.7], [-0.7, -1.2]],
};

function regular(corners, size) {
  return Array.from({ length: corners }, (_, place) => {
    const angle = (2 * Math.PI * place) / corners - Math.PI / 2;
    return [size * Math.cos(angle), size * Math.sin(angle)];
  });
}

/** The marker of a system at a place. hollow: another testbed or sampler, or ended by deadline. */
function marker(sut, x, y, size, hollow = false, faint = false) {
  const shape = (DATA.suts[sut] || ["", "o"])[1];
  const look = {
    class: `sut ${hollow ? "hollow" : "rim"}`,
    sut,
    stroke: hollow ? "currentColor" : null,
    fill: hollow ? null : "currentColor",
    "stroke-width": hollow ? 1.5 : 0.8,
    opacity: faint ? 0.75 : null,
  };
  if (!SHAPES[shape]) return s("circle", { ...look, cx: x, cy: y, r: size });
  const points = SHAPES[shape].map(([a, b]) => `${x + a * size},${y + b * size}`).join(" ");
  return s("polygon", { ...look, points });
}

/** What stands for a run without a value, at a place: infeasible, or failed and so not known. */
function cross(sut, x, y, status) {
  const look = { class: "sut", sut };
  if (status === "failed") {
    return s("g", look, s("text", {
      x, y: y + 4, "text-anchor": "middle", class: "head", fill: "currentColor",
    }, "?"));
  }
  const d = `M${x - 4},${y - 4}l8,8M${x - 4},${y + 4}l8,-8`;
  return s("path", { ...look, d, stroke: "currentColor", "stroke-width": 2, fill: "none" });
}

const swatch = (sut, hollow = false) =>
  s("svg", { class: "mark", width: 16, height: 16, viewBox: "-8 -8 16 16", "aria-hidden": "true" },
    marker(sut, 0, 0, 5.5, hollow));
