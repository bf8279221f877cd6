// The dashboard for everybody: which chart belongs to which figure.

import {
  aloneOr, axis, between, color, FONT, options, placed, records, shareAxis, shareBars, shareOverMonths, spreads,
  timeAxis, timeInWords, told,
} from "./charts.js";
import { start } from "./figures.js";
import { count, percent } from "./numbers.js";

const MOST_MONTHS = 4; // curves or bars side by side; of more months, evenly spaced ones are chosen

/** Ten shares as slices, darker where more was read wrong. The digit and the share are written on them. */
function sharePie(figure) {
  const found = records(figure);
  const wrong = found.map((each) => (each.enough ? 1 - each.share : 0));
  const worst = Math.max(...wrong) || 1;
  return {
    type: "pie",
    data: {
      labels: found.map((each) => String(each.label)),
      datasets: [{
        data: found.map((each) => each.share), told: found.map((each) => `${each.label}: ${told(each)}`), rows: found,
        backgroundColor: found.map((each, at) => (each.enough ? between("--heat-0", "--heat-4", wrong[at] / worst) : color("--few", 0.4))),
        borderColor: color("--edge"), borderWidth: 1,
      }],
    },
    options: options({
      layout: { padding: 6 }, interaction: { mode: "nearest", intersect: true },
      tooltip: { callbacks: { title: () => "", label: (item) => item.dataset.told[item.dataIndex] } },
    }),
    plugins: [sliceNames],
  };
}

const sliceNames = {
  id: "sliceNames",
  afterDatasetsDraw(chart) {
    const pen = chart.ctx;
    pen.save();
    pen.fillStyle = color("--ink");
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    chart.getDatasetMeta(0).data.forEach((slice, at) => {
      if (!slice.circumference) return;
      const angle = (slice.startAngle + slice.endAngle) / 2;
      const reach = slice.outerRadius * 0.76;
      const [x, y] = [slice.x + Math.cos(angle) * reach, slice.y + Math.sin(angle) * reach];
      pen.font = `600 14px ${FONT}`;
      pen.fillText(chart.data.labels[at], x, y - 7);
      pen.font = `400 11px ${FONT}`;
      pen.fillText(percent(chart.data.datasets[0].data[at]).replace("%", ""), x, y + 7);
    });
    pen.restore();
  },
};

/** A cumulative count over days, as an area. */
function sumOverDays(figure) {
  const found = records(figure);
  const days = found.map((each) => each.day);
  return {
    type: "line",
    data: {
      labels: days.map(timeInWords),
      datasets: [{
        label: figure.title, data: found.map((each) => each.total), stepped: true,
        told: found.map((each) => `${count(each.total)} so far, ${count(each.new)} on this day`),
        borderColor: color("--line-2"), borderWidth: 2.5, backgroundColor: color("--line-2", 0.15), fill: true,
        pointRadius: aloneOr(found), pointHoverRadius: 5, pointBackgroundColor: color("--line-2"),
      }],
    },
    options: options({
      marks: placed(figure.marks, days),
      scales: {
        x: timeAxis(days, { offset: false }),
        y: axis({ min: 0, title: figure.title, ticks: { precision: 0, maxTicksLimit: 6, callback: count } }),
      },
    }),
  };
}

const DASHES = [[], [7, 3], [3, 3], [1, 3]]; // of curves, from the newest

/** The rows of each month, oldest first; at most MOST_MONTHS, with the first and the last. */
function byMonth(figure, key = "count") {
  const groups = Map.groupBy(records(figure), (each) => each.month);
  const months = [...groups.keys()].filter((month) => groups.get(month).some((each) => each[key]));
  const step = Math.max(1, (months.length - 1) / (MOST_MONTHS - 1));
  const chosen = [...new Set(months.map((_, at) => months[Math.round(at * step)]))].filter(Boolean);
  // Newer months have more contrast, so that their order is visible without colors.
  return chosen.map((month, at) => ({
    month, rows: groups.get(month), name: timeInWords(month),
    ink: between("--few", "--pen", chosen.length > 1 ? at / (chosen.length - 1) : 1),
    dash: DASHES[chosen.length - 1 - at],
  }));
}

/** Histogram of the confidence of each month's drawings, with the months side by side. */
function histogram(figure) {
  const months = byMonth(figure);
  const first = months[0]?.rows ?? [];
  return {
    type: "bar",
    data: {
      labels: first.map((each) => String(Math.round(100 * each.low))),
      datasets: months.map(({ rows, name, ink }) => ({
        label: name, data: rows.map((each) => each.share), backgroundColor: ink, borderRadius: 2,
        told: rows.map((each) => `${name}: ${percent(each.share)}, ${count(each.count)} drawings`),
        rows: rows.map((each) => ({ ...each, from: each.low, to: each.high })),
        categoryPercentage: 0.84, barPercentage: 0.94, minBarLength: 1,
      })),
    },
    options: options({
      legend: true,
      tooltip: { callbacks: { title: ([item]) => (item ? `Confidence ${item.label} to ${Number(item.label) + 10}%` : ""), label: (item) => item.dataset.told[item.dataIndex] } },
      scales: {
        x: axis({ grid: { display: false }, title: "Confidence from, in %", ticks: { autoSkip: false } }),
        y: axis({ min: 0, title: "Of the month’s drawings", ticks: { maxTicksLimit: 6, callback: (share) => percent(share) } }),
      },
    }),
  };
}

/** Confidence on a logarithmic axis: from 0.9 to 0.99 is as wide as from 0.99 to 0.999. */
const stretched = (confidence) => -Math.log10(1 - confidence);
/** The confidence in the middle between two points; beyond the ends, that end. */
const halfway = (one, other, end) => (one && other ? (1 - 10 ** (-(stretched(one.confidence) + stretched(other.confidence)) / 2)).toFixed(6) : end);
const TICKS = [0.5, 0.9, 0.99, 0.999, 0.9999];

/** Density of the confidence of each month's drawings: the area under each curve is the same. */
function density(figure) {
  const months = byMonth(figure, "density");
  return {
    type: "line",
    data: {
      datasets: months.map(({ rows, name, ink, dash }, at) => ({
        label: name, borderColor: ink, backgroundColor: color("--pen", 0.1), borderDash: dash,
        borderWidth: at === months.length - 1 ? 3 : 2, fill: at === months.length - 1,
        data: rows.map((each) => ({ x: stretched(each.confidence), y: each.density })),
        told: rows.map((each) => `${name}, at ${percent(each.confidence, 2)}: ${each.density.toFixed(2)}`),
        rows: rows.map((each, place) => ({ month: each.month, from: halfway(rows[place - 1], each, 0), to: halfway(each, rows[place + 1], 1) })),
        pointRadius: 0, pointHoverRadius: 5, pointBackgroundColor: ink,
      })),
    },
    options: options({
      legend: true,
      tooltip: { callbacks: { title: () => "", label: (item) => item.dataset.told[item.dataIndex] } },
      scales: {
        x: axis({
          type: "linear", min: 0, max: stretched(TICKS.at(-1)), title: "Confidence",
          afterBuildTicks: (scale) => { scale.ticks = TICKS.map((tick) => ({ value: stretched(tick) })); },
          ticks: { callback: (_, at) => percent(TICKS[at], 2), autoSkip: false },
        }),
        y: axis({ min: 0, title: "Density", ticks: { maxTicksLimit: 6 } }),
      },
    }),
  };
}

start({
  "accuracy-by-month": shareOverMonths,
  "accuracy-by-digit": (figure) => shareBars(figure),
  "accuracy-by-digit-as-pie": sharePie,
  corrections: sumOverDays,
  "confidence-by-month": (figure) => spreads(figure, "month"),
  "confidence-histogram-by-month": histogram,
  "confidence-density-by-month": density,
});
