// The legend of a chart: a button for each curve, which shows and hides it by mouse, touch and key.

const hidden = new Map(); // chart's name → names of the curves that are switched off

export const isHidden = (chart, curve) => hidden.get(chart)?.has(curve) ?? false;

/** Shows or hides all parts of what a button names. */
function toggle(chart, button, curve) {
  const name = chart.canvas.dataset.chart;
  const isShown = button.getAttribute("aria-pressed") === "false";
  if (!hidden.has(name)) hidden.set(name, new Set());
  if (isShown) hidden.get(name).delete(curve);
  else hidden.get(name).add(curve);
  button.setAttribute("aria-pressed", String(isShown));
  chart.data.datasets.forEach((set, at) => { if (set.label === curve) chart.setDatasetVisibility(at, isShown); });
  chart.update();
}

function buttonOf(chart, set) {
  const button = document.createElement("button");
  button.type = "button";
  button.setAttribute("aria-pressed", String(!isHidden(chart.canvas.dataset.chart, set.label)));
  const line = document.createElement("span");
  const ink = set.inLegend ?? (chart.config.type === "line" ? set.borderColor : set.backgroundColor);
  line.style.borderTop = `${set.borderDash?.length ? "3px dashed" : "4px solid"} ${ink}`;
  button.append(line, set.label);
  button.addEventListener("click", () => toggle(chart, button, set.label));
  return button;
}

/** Puts the legend below the chart, in place of the one that it had. */
export function showLegend(chart) {
  const charts = chart.canvas.closest(".fig-charts");
  const name = chart.canvas.dataset.chart;
  const before = charts.parentElement.querySelector(`[data-legend="${name}"]`);
  const focused = before ? [...before.querySelectorAll("button")].indexOf(document.activeElement) : -1;
  before?.remove();
  if (!chart.config.options.hasLegend) return;
  const list = document.createElement("ul");
  list.className = "legend";
  list.dataset.legend = name;
  list.setAttribute("aria-label", "Curves shown");
  for (const set of chart.data.datasets.filter((each) => !each.isOutOfLegend)) {
    const item = document.createElement("li");
    item.append(buttonOf(chart, set));
    list.append(item);
  }
  charts.after(list);
  list.querySelectorAll("button")[focused]?.focus();
}
