// Elements and words. What comes from the data is only ever set as text, never as markup.
const DATA = JSON.parse(document.getElementById("content").textContent);
const COLUMN = Object.fromEntries(DATA.columns.values.map((name, place) => [name, place]));
const SVG = "http://www.w3.org/2000/svg";

function made(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "sut") element.style.setProperty("--sut", colourOf(value));
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(9).filter((child) => child !== null && child !== undefined));
  return element;
}

const h = (name, attributes = {}, ...children) =>
  made(document.createElement(name), attributes, children);

const s = (name, attributes = {}, ...children) =>
  made(document.createElementNS(SVG, name), attributes, children);

const colourOf = (sut) => (DATA.suts[sut] || ["#666666"])[0];

/** A value of a run by its column's name; null where it is not known. */
const valueOf = (run, name) => run.values[COLUMN[name]];

/** Three significant digits, as in the figures and tables. */
function number(value) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  if (value === 0) return "0";
  const size = Math.floor(Math.log10(Math.abs(value)));
  return size >= -4 && size < 6 ? value.toFixed(Math.max(0, 2 - size)) : value.toExponential(2);
}

/** Round numbers between two ends, about so many. */
function ticks(low, high, count) {
  const rough = (high - low) / count || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((times) => times * power).find((each) => each >= rough);
  const digits = Math.max(0, -Math.floor(Math.log10(step)) + (step / power === 2.5 ? 1 : 0));
  const found = [];
  for (let at = Math.ceil(low / step - 1e-9); at * step <= high + 1e-9 * step; at += 1) {
    found.push([at * step, (at * step).toFixed(Math.min(digits, 12))]);
  }
  return found;
}

const withUnit = (value, unit) => `${number(value)}${unit.startsWith("10") ? " ×" : ""} ${unit}`.trim();

const methodOf = (run) => (run.energy_method || "method unknown").split("+").join(" and ");

/** A file made of what is on this page, as an address that holds all of it. */
const dataAddress = (kind, text) => `data:${kind};charset=utf-8,${encodeURIComponent(text)}`;

function csv(rows) {
  const cell = (value) => {
    const text = value === null || value === undefined ? "" : String(value);
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return rows.map((row) => row.map(cell).join(",")).join("\n") + "\n";
}
