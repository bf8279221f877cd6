// The technical dashboard: which chart belongs to which figure.

const shared = document.querySelector("[data-figures]").dataset.figures;
const {
  start, color, meanPoints, options, percent, records, shareAxis, shareOverDays, told,
} = await import(shared);

/** How often it was right where it was so sure: on the line, its confidence means what it says. */
function reliability(figure) {
  const found = records(figure).filter((each) => each.share !== null);
  const ink = found.map((each) => color(each.enough ? "--pen" : "--few"));
  return {
    type: "scatter",
    data: {
      datasets: [
        {
          label: figure.title, data: found.map((each) => ({ x: each.confidence, y: each.share })),
          told: found.map((each) => `sure to ${percent(each.confidence)}: right ${told(each)}`),
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

start({
  "accuracy-by-day": shareOverDays,
  reliability,
  "confidence-by-digit": (figure) => meanPoints(figure, "digit"),
});
