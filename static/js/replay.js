// The replay page: the server renders the heat map; this module draws the learning curve.

import { axis, color, options, records, shareAxis } from "./charts.js";
import { start } from "./figures.js";
import { count, percent } from "./numbers.js";

const told = (name, n, wrong, share, low, high) =>
  `${name}: ${percent(share, 2)} wrong, ${count(wrong)} of ${count(n)} (95%: ${percent(low, 2)} to ${percent(high, 2)})`;

/** Error on audited drawings by number of training labels. */
function learningCurve(figure) {
  const rows = records(figure).filter((each) => each.share !== null);
  const look = rows.map((each) => color(each.enough ? "--pen" : "--few"));
  const { versions } = document.querySelector("[data-versions]").dataset;
  return {
    type: "scatter",
    data: {
      datasets: [{
        data: rows.map((each) => ({ x: each.labels, y: each.share })),
        told: rows.map((each) => told(
          `${each.version}, ${count(each.labels)} labels`, each.n, each.right, each.share, each.low, each.high,
        )),
        rows: rows.map((each) => ({ address: each.labels ? `${versions}${encodeURIComponent(each.version)}/drawings/` : null })),
        intervals: rows.map((each) => [each.low, each.high]), whiskerColor: look,
        names: rows.map((each) => each.version), nameColor: color("--ink-soft"), clip: false,
        borderColor: color("--pen"), borderWidth: 2, showLine: true,
        pointRadius: 5, pointHoverRadius: 7, pointBorderWidth: 2, pointBorderColor: look,
        pointBackgroundColor: rows.map((each, at) => (each.enough ? look[at] : color("--sheet"))),
      }],
    },
    options: options({
      layout: { padding: { top: 24, right: 72 } }, // the last name stands right of its point
      interaction: { mode: "nearest", intersect: false },
      tooltip: { callbacks: { title: () => "", label: (item) => item.dataset.told[item.dataIndex] } },
      scales: {
        x: axis({ type: "linear", min: 0, title: "Labels learned from", ticks: { callback: (number) => count(number), precision: 0 } }),
        y: shareAxis({ min: 0, max: undefined, suggestedMax: 1.05 * Math.max(...rows.map((each) => each.high)), title: "Read wrong" }),
      },
    }),
  };
}

start({ "learning-curve": learningCurve });
