// The dashboard for everybody: which chart belongs to which figure.

import {
  axis, between, color, options, placed, records, shareAxis, shareBars, shareOverMonths, spreads,
  start, timeInWords, told,
} from "./figures.js";
import { count, percent } from "./numbers.js";

const MOST_MONTHS = 6; // months in a chart; if there are more, they are chosen evenly spaced

/** Ten shares as slices. The digit is written on its slice, so nobody depends on colors. */
function sharePie(figure) {
  const found = records(figure);
  const shade = (each, at) => (each.enough ? between("--pen", "--line-3", (at % 5) / 5 + (at >= 5 ? 0.1 : 0)) : color("--few"));
  return {
    type: "pie",
    data: {
      labels: found.map((each) => String(each.label)),
      datasets: [{
        data: found.map((each) => each.share), told: found.map((each) => `${each.label}: ${told(each)}`),
        backgroundColor: found.map(shade), borderColor: color("--sheet"), borderWidth: 2,
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
    pen.font = "600 14px Inter, system-ui, sans-serif";
    pen.fillStyle = color("--on-pen");
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    chart.getDatasetMeta(0).data.forEach((slice, at) => {
      if (!slice.circumference) return;
      const angle = (slice.startAngle + slice.endAngle) / 2;
      const reach = slice.outerRadius * 0.76;
      pen.fillText(chart.data.labels[at], slice.x + Math.cos(angle) * reach, slice.y + Math.sin(angle) * reach);
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
        pointRadius: 0, pointHoverRadius: 5, pointBackgroundColor: color("--line-2"),
      }],
    },
    options: options({
      marks: placed(figure.marks, days),
      scales: {
        x: axis({ grid: { display: false }, ticks: { autoSkipPadding: 24 } }),
        y: axis({ min: 0, ticks: { precision: 0, maxTicksLimit: 6 } }),
      },
    }),
  };
}

/** The rows of each month, oldest first; at most MOST_MONTHS, with the first and the last. */
function byMonth(figure) {
  const groups = Map.groupBy(records(figure), (each) => each.month);
  const months = [...groups.keys()].filter((month) => groups.get(month).some((each) => each.count));
  const step = Math.max(1, (months.length - 1) / (MOST_MONTHS - 1));
  const chosen = [...new Set(months.map((_, at) => months[Math.round(at * step)]))].filter(Boolean);
  // Newer months have more contrast, so that their order is visible without colors.
  return chosen.map((month, at) => ({
    month, rows: groups.get(month), name: timeInWords(month),
    ink: between("--few", "--pen", chosen.length > 1 ? at / (chosen.length - 1) : 1),
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

const SUREST = 0.9999; // the last bin ends at 1 but is drawn to end here

/** Confidence on a logarithmic axis: from 0.9 to 0.99 is as wide as from 0.99 to 0.999. */
const stretched = (confidence) => -Math.log10(1 - Math.min(confidence, SUREST));

/** Density of the confidence of each month's drawings: the area under each line is the same. */
function density(figure) {
  const months = byMonth(figure);
  const ticks = [0.5, 0.9, 0.99, 0.999];
  const height = (each, rows) => {
    const all = rows.reduce((sum, other) => sum + other.count, 0);
    return each.count / all / (stretched(each.high) - stretched(each.low));
  };
  return {
    type: "line",
    data: {
      datasets: months.map(({ rows, name, ink }, at) => ({
        label: name, borderColor: ink, backgroundColor: color("--pen", 0.1),
        borderWidth: at === months.length - 1 ? 3 : 2, fill: at === months.length - 1,
        data: rows.map((each) => ({
          x: (stretched(each.low) + stretched(each.high)) / 2, y: height(each, rows),
        })),
        told: rows.map((each) => `${name}: ${count(each.count)} drawings between ${percent(each.low)} and ${percent(each.high)}`),
        pointRadius: 0, pointHoverRadius: 5, pointBackgroundColor: ink, cubicInterpolationMode: "monotone",
      })),
    },
    options: options({
      legend: true,
      tooltip: { callbacks: { title: () => "", label: (item) => item.dataset.told[item.dataIndex] } },
      scales: {
        x: axis({
          type: "linear", min: 0, max: stretched(SUREST), title: "Confidence",
          afterBuildTicks: (scale) => { scale.ticks = ticks.map((tick) => ({ value: stretched(tick) })); },
          ticks: { callback: (_, at) => percent(ticks[at]) },
        }),
        y: axis({ min: 0, ticks: { display: false } }),
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
