// A replayed experiment: pictures and tables, for there are no runs to be selected.
function replayedOf(section) {
  const { note, findings, figures, tables } = section.replayed;
  const table = ({ title, heads, rows, explanation }) => [
    h("h3", {}, title),
    h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": `${title}, ${section.heading}` },
      h("table", {}, h("thead", {}, h("tr", {}, heads.map((head) => h("th", { scope: "col", class: "plain" }, head)))),
        h("tbody", {}, rows.map((row) => h("tr", {}, row.map((cell) => h("td", {}, cell))))))),
    h("p", { class: "small" }, explanation)];
  return [
    h("p", { class: "small" }, note),
    list("What replayed searches show", findings),
    figures.filter(([, data]) => data).map(([caption, data]) =>
      h("figure", { class: "wide picture" }, h("figcaption", {}, caption), h("img", { src: data, alt: caption }))),
    list("What is not there", [...section.absent, ...section.not_shown]),
    tables.map(table)];
}
