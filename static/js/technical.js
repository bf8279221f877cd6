// The technical dashboard: which chart belongs to which figure.

import {
  aloneOr, axis, color, options, records, shareAxis, shareOverDays, shareOverMonths, spreads, timeAxis, timeInWords, told,
} from "./charts.js";
import { start } from "./figures.js";
import { count, percent } from "./numbers.js";

/** Accuracy by confidence. On the diagonal line the network is calibrated. */
function reliability(figure) {
  const found = records(figure).filter((each) => each.share !== null);
  const ink = found.map((each) => color(each.enough ? "--pen" : "--few"));
  return {
    type: "scatter",
    data: {
      datasets: [
        {
          label: figure.title, data: found.map((each) => ({ x: each.mean, y: each.share })),
          told: found.map((each) => `sure to ${percent(each.mean)}: right ${told(each)}`), rows: found, clip: false,
          intervals: found.map((each) => [each.low, each.high]), whiskerColor: ink,
          pointRadius: 5, pointHoverRadius: 7, pointBorderWidth: 2, pointBorderColor: ink,
          pointBackgroundColor: found.map((each) => color(each.enough ? "--pen" : "--sheet")),
        },
        {
          type: "line", label: "as sure as right", data: [{ x: 0, y: 0 }, { x: 1, y: 1 }], isSilent: true,
          borderColor: color("--ink-faint"), borderWidth: 1.5, borderDash: [5, 4], pointRadius: 0, pointHitRadius: 0,
        },
      ],
    },
    options: options({
      interaction: { mode: "nearest", intersect: false },
      tooltip: { callbacks: { title: () => "", label: (item) => item.dataset.told[item.dataIndex] } },
      scales: {
        x: shareAxis({ type: "linear", min: 0, title: "Confidence" }),
        y: shareAxis({ min: 0, title: "Read right" }),
      },
    }),
  };
}

/** The time of a row of the flow: a day, and after two years a month. */
const timeOf = (each) => each.month ?? each.day;

/** Items that came in (up) and were settled (down). If the bars are equal, the queue keeps up. */
function flow(figure) {
  const found = records(figure);
  const bars = { categoryPercentage: 1, barPercentage: 0.85, stack: "flow", borderRadius: 2, maxBarThickness: 48 };
  return {
    type: "bar",
    data: {
      labels: found.map((each) => timeInWords(timeOf(each))),
      datasets: [
        { ...bars, label: "in", data: found.map((each) => each.came), told: found.map((each) => `${count(each.came)} came in`), backgroundColor: color("--pen") },
        { ...bars, label: "settled", data: found.map((each) => -each.settled), told: found.map((each) => `${count(each.settled)} settled`), backgroundColor: color("--line-2") },
      ],
    },
    options: options({
      legend: true,
      scales: {
        x: timeAxis(found.map(timeOf), { stacked: true }),
        y: axis({ stacked: true, ticks: { precision: 0, maxTicksLimit: 7, callback: (number) => count(Math.abs(number)) } }),
      },
    }),
  };
}

function waiting(figure) {
  const found = records(figure);
  return {
    type: "line",
    data: {
      labels: found.map((each) => timeInWords(timeOf(each))),
      datasets: [{
        label: "not settled", data: found.map((each) => each.waiting), told: found.map((each) => `${count(each.waiting)} not settled`),
        borderColor: color("--ink-soft"), backgroundColor: color("--few", 0.25), fill: true, borderWidth: 2, pointRadius: aloneOr(found), pointHoverRadius: 5,
      }],
    },
    options: options({
      scales: {
        x: timeAxis(found.map(timeOf), { offset: false }),
        y: axis({ min: 0, title: "Not settled", ticks: { precision: 0, maxTicksLimit: 6 } }),
      },
    }),
  };
}

start({
  "accuracy-by-day": shareOverDays,
  reliability,
  "confidence-by-digit": (figure) => spreads(figure, "predicted"),
  "label-flow": flow,
  "label-flow-waiting": waiting,
  "agreement-by-month": shareOverMonths,
  "accuracy-of-all-labeled": shareOverMonths,
});
