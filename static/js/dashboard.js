// The dashboard for everybody: which chart belongs to which figure.

const shared = document.querySelector("[data-figures]").dataset.figures;
const {
  start, axis, between, color, count, meanPoints, options, percent, records, shareBars,
  shareOverMonths, timeInWords, told,
} = await import(shared);

/** Ten shares as slices: a digit's name stands on its slice, so no color has to be told apart. */
function sharePie(figure) {
  const found = records(figure);
  return {
    type: "pie",
    data: {
      labels: found.map((each) => String(each.digit)),
      datasets: [{
        data: found.map((each) => each.share), told: found.map((each) => `${each.digit}: ${told(each)}`),
        backgroundColor: found.map((each, at) => (each.enough ? between("--pen", "--line-3", (at % 5) / 5 + (at >= 5 ? 0.1 : 0)) : color("--few"))),
        borderColor: color("--sheet"), borderWidth: 2,
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

/** What adds up over days, as the area it fills. */
function sumOverDays(figure) {
  const found = records(figure);
  return {
    type: "line",
    data: {
      labels: found.map((each) => timeInWords(each.day)),
      datasets: [{
        label: figure.title, data: found.map((each) => each.total), stepped: true,
        told: found.map((each) => `${count(each.total)} so far, ${count(each.corrections)} on this day`),
        borderColor: color("--line-2"), borderWidth: 2.5, backgroundColor: color("--line-2", 0.15), fill: true,
        pointRadius: 0, pointHoverRadius: 5, pointBackgroundColor: color("--line-2"),
      }],
    },
    options: options({
      scales: {
        x: axis({ grid: { display: false }, ticks: { autoSkipPadding: 24 } }),
        y: axis({ min: 0, ticks: { precision: 0, maxTicksLimit: 6 } }),
      },
    }),
  };
}

start({
  "accuracy-by-month": shareOverMonths,
  "accuracy-by-digit": (figure) => shareBars(figure, "digit"),
  "accuracy-by-digit-as-pie": sharePie,
  "confidence-by-month": (figure) => meanPoints(figure, "month", { joined: true }),
  "confidence-histogram": (figure) => meanPoints(figure, "month", { joined: true }),
  corrections: sumOverDays,
});
