// The replay page: the server renders the heat map; this module draws the learning curve.

import { axis, color, options, records, shareAxis, start } from "./figures.js";
import { count, percent } from "./numbers.js";

const told = (name, n, wrong, share, low, high) =>
  `${name}: ${percent(share, 2)} wrong, ${count(wrong)} of ${count(n)} (95%: ${percent(low, 2)} to ${percent(high, 2)})`;

/** Error by number of training labels, on audited drawings and on held-out drawings. */
function learningCurve(figure) {
  const found = records(figure);
  const line = (name, ink, prefix, dash) => {
    const rows = found.filter((each) => each[`${prefix}share`] !== null);
    const look = rows.map((each) => color(each[`${prefix}enough`] ? ink : "--few"));
    return {
      label: name,
      data: rows.map((each) => ({ x: each.labels, y: each[`${prefix}share`] })),
      told: rows.map((each) => told(
        `${each.version}, ${count(each.labels)} labels, ${name}`,
        each[prefix ? "holdout_n" : "n"], each[prefix ? "holdout_wrong" : "right"],
        each[`${prefix}share`], each[`${prefix}low`], each[`${prefix}high`],
      )),
      intervals: rows.map((each) => [each[`${prefix}low`], each[`${prefix}high`]]), whiskerColor: look,
      borderColor: color(ink), borderWidth: 2, borderDash: dash, showLine: true, inLegend: color(ink),
      pointRadius: 5, pointHoverRadius: 7, pointBorderWidth: 2, pointBorderColor: look,
      pointBackgroundColor: rows.map((each, at) => (each[`${prefix}enough`] ? look[at] : color("--sheet"))),
      pointStyle: dash.length ? "rectRot" : "circle",
    };
  };
  return {
    type: "scatter",
    data: {
      datasets: [
        line("audited drawings", "--pen", "", []),
        line("drawings the gate held back", "--line-2", "holdout_", [5, 4]),
      ],
    },
    options: options({
      legend: true,
      interaction: { mode: "nearest", intersect: false },
      tooltip: { callbacks: { title: () => "", label: (item) => item.dataset.told[item.dataIndex] } },
      scales: {
        x: axis({ type: "linear", min: 0, title: "Labels learned from", ticks: { callback: (number) => count(number), precision: 0 } }),
        y: shareAxis({ min: 0, max: undefined, title: "Read wrong" }),
      },
    }),
  };
}

start({ "learning-curve": learningCurve });
