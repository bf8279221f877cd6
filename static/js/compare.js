// Two months or two versions side by side: bars from zero, each with its interval.

import { axis, between, color, options, records, shareAxis, told } from "./charts.js";
import { start } from "./figures.js";

const BEHIND = ["label", "first", "last", "since", "until"]; // as the page of drawings calls its filters

/** The drawings behind a bar. */
function behind(row) {
  const { drawings } = document.querySelector("[data-figure=compare]").dataset;
  if (!drawings || !row) return { address: null };
  const query = BEHIND.filter((name) => row[name] !== null).map((name) => [name, row[name]]);
  return { address: `${drawings.split("?")[0]}?${new URLSearchParams(query)}` };
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
          label: side, rows: rows.map(behind),
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
