// Two months or two versions side by side: bars from zero, each with its interval.

import { axis, between, color, options, records, shareAxis, told } from "./charts.js";
import { start } from "./figures.js";
import { count } from "./numbers.js";

/** The drawings behind a bar. Parts are digits; of one digit, days of a month or (of versions) months. */
function behind(part, at) {
  const { drawings, source } = document.querySelector("[data-figure=compare]").dataset;
  if (!drawings) return { address: null };
  const asked = new URL(source, location).searchParams;
  const query = new URLSearchParams({ label: asked.get("digit") ?? part });
  const month = asked.get("by") === "versions" ? null : asked.get(at ? "other" : "one");
  for (const name of ["first", "last"]) {
    const found = month ?? asked.get(name);
    if (found) query.set(name, found);
  }
  if (asked.has("digit") && month) {
    const [since, until] = part.split("–").map((day) => `${month}-${day.padStart(2, "0")}`);
    query.set("since", since);
    query.set("until", until);
  } else if (asked.has("digit")) {
    const first = new Date(`1 ${part}`);
    const name = `${first.getFullYear()}-${String(first.getMonth() + 1).padStart(2, "0")}`;
    query.set("first", name);
    query.set("last", name);
  }
  return { address: `${drawings.split("?")[0]}?${query}` };
}

function sideBySide(figure) {
  const found = records(figure);
  const sides = [...new Set(found.map((each) => each.side))];
  const parts = [...new Set(found.map((each) => each.part))];
  const inks = ["--line-2", "--pen"];
  return {
    type: "bar",
    data: {
      labels: parts,
      datasets: sides.map((side, at) => {
        const rows = parts.map((part) => found.find((each) => each.side === side && each.part === part));
        return {
          label: side, rows: parts.map((part) => behind(part, at)),
          data: rows.map((each) => each?.share ?? null),
          told: rows.map((each) => (each ? `${side}, ${each.part}: ${told(each)}` : "")),
          intervals: rows.map((each) => (each && each.share !== null ? [each.low, each.high] : null)),
          whiskerColor: color("--ink"),
          backgroundColor: rows.map((each) => (each?.enough ? color(inks[at]) : between("--few", inks[at], 0.3))), inLegend: color(inks[at]),
          borderColor: color(inks[at]), borderWidth: 1.5,
          borderRadius: 3, maxBarThickness: 40, categoryPercentage: 0.75, barPercentage: 0.9,
        };
      }),
    },
    options: options({
      legend: true,
      scales: { x: axis({ grid: { display: false } }), y: shareAxis({ min: 0 }) },
    }),
  };
}

start({ compare: sideBySide });
