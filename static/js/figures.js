// Shared by all pages of figures. The server renders each figure's text, table and heat map. This
// module draws the chart from the same figure as JSON, keeps both up to date, draws again when the
// theme changes, and downloads figures as PNG. The module of a page says which chart belongs to
// which figure: `start({ "accuracy-by-month": shareOverMonths })`.

import { count, percent } from "./numbers.js";

const LOOK_EVERY = 15_000; // ms between two checks whether the figures have changed
const LONGEST_WAIT = 120_000; // ms between two tries while the server does not answer
const FONT = "Inter, system-ui, sans-serif";
const ROOM_FOR_A_VALUE = 46; // px; the least distance of two points for their values to be written
const PNG_SCALE = 2;

const root = document.documentElement;
const charts = new Map(); // canvas → Chart
const known = new Map(); // address → {tag, figure}
const onScreen = new Set();
let builders = {};
let failures = 0;

// -- words and colors ---------------------------------------------------------------------------

/** A color of the stylesheet in the current theme. */
export function color(name, share = 1) {
  const probe = document.createElement("span");
  probe.style.color = share < 1 ? `color-mix(in srgb, var(${name}) ${share * 100}%, transparent)` : `var(${name})`;
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

/** A mix of two colors of the stylesheet; 0 is the first. */
export function between(first, second, share) {
  const probe = document.createElement("span");
  probe.style.color = `color-mix(in oklab, var(${second}) ${share * 100}%, var(${first}))`;
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

/** A row as an object, by the columns' keys. */
export function records(figure) {
  const keys = figure.columns.map((column) => column.key);
  return figure.rows.map((row) => Object.fromEntries(keys.map((key, at) => [key, row[at]])));
}

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** 2026-09 as Sep 2026; 2026-09-04 as Sep 4. */
export function timeInWords(time) {
  const [year, month, day] = time.split("-").map(Number);
  return day ? `${MONTHS[month - 1]} ${day}` : `${MONTHS[month - 1]} ${year}`;
}

/** The text of a tooltip: a share with its interval and n. */
export function told(each) {
  if (each.share === null) return "no labels";
  const few = each.enough ? "" : "; too few to say";
  return `${percent(each.share)} of ${count(each.n)} (95%: ${percent(each.low)} to ${percent(each.high)})${few}`;
}

// -- what Chart.js does not draw by itself --------------------------------------------------------

/** Draws the 95 % interval of each point or bar: `intervals` of a dataset, [low, high] or null. */
const whiskers = {
  id: "whiskers",
  afterDatasetsDraw(chart) {
    const pen = chart.ctx;
    chart.data.datasets.forEach((set, index) => {
      if (!set.intervals || !chart.isDatasetVisible(index)) return;
      const meta = chart.getDatasetMeta(index);
      const scale = chart.scales[meta.yAxisID];
      pen.save();
      pen.lineWidth = set.whiskerWidth ?? 1.75;
      meta.data.forEach((element, at) => {
        const ends = set.intervals[at];
        if (!ends || ends[0] === null) return;
        const [low, high] = ends.map((end) => scale.getPixelForValue(end));
        const cap = 4;
        pen.strokeStyle = Array.isArray(set.whiskerColor) ? set.whiskerColor[at] : set.whiskerColor;
        pen.beginPath();
        pen.moveTo(element.x, low);
        pen.lineTo(element.x, high);
        for (const end of [low, high]) {
          pen.moveTo(element.x - cap, end);
          pen.lineTo(element.x + cap, end);
        }
        pen.stroke();
      });
      pen.restore();
    });
  },
};

/** Writes the value of each point or bar if there is room: `values` of a dataset. */
const values = {
  id: "values",
  afterDatasetsDraw(chart) {
    const pen = chart.ctx;
    chart.data.datasets.forEach((set, index) => {
      if (!set.values || !chart.isDatasetVisible(index)) return;
      const { data, yAxisID } = chart.getDatasetMeta(index);
      const scale = chart.scales[yAxisID];
      const room = data.length > 1 ? Math.abs(data[1].x - data[0].x) : Infinity;
      if (room < (set.valuesNeed ?? ROOM_FOR_A_VALUE)) return;
      pen.save();
      pen.font = `500 12px ${FONT}`;
      pen.fillStyle = set.valueColor;
      pen.textAlign = "center";
      data.forEach((element, at) => {
        if (!set.values[at]) return;
        if (set.valuesAtBase) {
          pen.textBaseline = "bottom";
          pen.fillText(set.values[at], element.x, scale.bottom - 7);
          return;
        }
        const top = scale.getPixelForValue(set.intervals?.[at]?.[1] ?? set.data[at]);
        pen.textBaseline = "bottom";
        pen.fillText(set.values[at], element.x, top - 5);
      });
      pen.restore();
    });
  },
};

/** Marks promotions: `marks` of the options, [{at, title}], where `at` is a place on the x axis. */
const marks = {
  id: "marks",
  beforeDatasetsDraw(chart, _, options) {
    const { ctx: pen, chartArea: area, scales } = chart;
    const rows = [-Infinity, -Infinity]; // the right end of the text in each row
    pen.save();
    pen.font = `500 11px ${FONT}`;
    pen.lineWidth = 1.5;
    for (const mark of options.list ?? []) {
      const x = scales.x.getPixelForValue(mark.at);
      if (x < area.left - 1 || x > area.right + 1) continue;
      pen.strokeStyle = options.line;
      pen.setLineDash([4, 3]);
      pen.beginPath();
      pen.moveTo(x, area.top - 4);
      pen.lineTo(x, area.bottom);
      pen.stroke();
      const width = pen.measureText(mark.title).width;
      const left = Math.max(area.left, Math.min(x - width / 2, area.right - width));
      const row = rows.findIndex((end) => left > end + 8);
      if (row === -1) continue; // no room: the list below the chart has it
      rows[row] = left + width;
      pen.setLineDash([]);
      pen.fillStyle = options.ink;
      pen.textBaseline = "bottom";
      pen.fillText(mark.title, left, area.top - 7 - 14 * row);
    }
    pen.restore();
  },
};

// -- charts of more than one page -----------------------------------------------------------------

export function axis(more = {}) {
  const { ticks, title, ...rest } = more;
  return {
    border: { display: false },
    grid: { color: color("--rule"), drawTicks: false },
    ticks: { color: color("--ink-faint"), font: { family: FONT, size: 12 }, padding: 8, maxRotation: 0, ...ticks },
    title: { display: Boolean(title), text: title, color: color("--ink-faint"), font: { family: FONT, size: 12, weight: 500 } },
    ...rest,
  };
}

export function shareAxis(more = {}) {
  const { ticks, ...rest } = more;
  return axis({ max: 1, ticks: { maxTicksLimit: 6, callback: (share) => percent(share), ...ticks }, ...rest });
}

/** The options of every chart. `more` adds scales, marks and a legend. */
export function options({ scales, marks: list, legend = false, tooltip = {}, ...more } = {}) {
  return {
    animation: false,
    maintainAspectRatio: false,
    layout: { padding: { top: list?.length ? 36 : 18, right: 6 } },
    interaction: { mode: "index", intersect: false },
    scales,
    plugins: {
      legend: {
        display: legend, position: "bottom", align: "start",
        labels: {
          color: color("--ink-soft"), font: { family: FONT, size: 12 }, boxWidth: 14, boxHeight: 4,
          generateLabels: (chart) => Chart.defaults.plugins.legend.labels.generateLabels(chart).map((each) => {
            const set = chart.data.datasets[each.datasetIndex];
            return { ...each, fillStyle: set.inLegend ?? (chart.config.type === "line" ? set.borderColor : set.backgroundColor), lineWidth: 0 };
          }),
        },
      },
      marks: { list, line: color("--ink-soft"), ink: color("--ink-soft") },
      tooltip: {
        backgroundColor: color("--ink"), titleColor: color("--sheet"), bodyColor: color("--sheet"),
        titleFont: { family: FONT, weight: 600 }, bodyFont: { family: FONT }, padding: 10, cornerRadius: 8,
        displayColors: false,
        callbacks: { label: (item) => item.dataset.told?.[item.dataIndex] ?? `${item.dataset.label}: ${item.formattedValue}` },
        filter: (item) => !item.dataset.isSilent,
        ...tooltip,
      },
    },
    ...more,
  };
}

/** Places promotions on an axis of months or days; a whole number is the middle of a month or day. */
export function placed(list, times) {
  const found = [];
  for (const mark of list ?? []) {
    const [day, clock] = mark.at.split("T");
    const isDays = times[0]?.length > 7;
    const at = times.indexOf(isDays ? day : mark.month);
    if (at === -1) continue;
    const [year, month, number] = day.split("-").map(Number);
    const hours = Number(clock?.slice(0, 2) ?? 12);
    const share = isDays ? hours / 24 : (number - 1) / new Date(year, month, 0).getDate();
    found.push({ at: at + share - 0.5, title: mark.title });
  }
  return found;
}

/** The highest start of an axis of shares that hides no interval. */
export function floorOf(found, most = 0.95) {
  const lows = found.filter((each) => each.low !== null).map((each) => each.low);
  if (!lows.length) return 0;
  return Math.max(0, Math.min(most, Math.floor(Math.min(...lows) * 20 - 0.001) / 20));
}

/** Makes a line gray before and after a point with too few labels. */
function byEnough(found) {
  const few = (at) => !found[at].enough;
  return { borderColor: (part) => (few(part.p0DataIndex) || few(part.p1DataIndex) ? color("--few") : undefined) };
}

/** The names and counts below bars; without "n" if there is no room. */
function namesAndCounts(more = {}) {
  return axis({
    offset: true, grid: { display: false },
    ticks: {
      autoSkip: false,
      callback(at) {
        const [name, n] = this.chart.data.labels[at];
        return [name, this.chart.width < 460 ? n.replace("n ", "") : n];
      },
    },
    ...more,
  });
}

/** A share over months: a line with the interval of each point, gray where labels are few. */
export function shareOverMonths(figure) {
  const found = records(figure);
  const months = found.map((each) => each.month);
  const ink = found.map((each) => color(each.enough ? "--pen" : "--few"));
  return {
    type: "line",
    data: {
      labels: found.map((each) => [timeInWords(each.month), each.n ? `n = ${count(each.n)}` : "no labels"]),
      datasets: [{
        label: figure.title, data: found.map((each) => each.share), told: found.map(told),
        intervals: found.map((each) => [each.low, each.high]), whiskerColor: ink,
        values: found.map((each) => (each.share === null ? "" : percent(each.share))), valueColor: color("--ink"),
        borderColor: color("--pen"), borderWidth: 2.5, spanGaps: false,
        segment: byEnough(found),
        pointRadius: 5, pointHoverRadius: 7, pointBorderWidth: 2, pointBorderColor: ink,
        pointBackgroundColor: found.map((each) => color(each.enough ? "--pen" : "--sheet")),
      }],
    },
    options: options({
      marks: placed(figure.marks, months),
      scales: { x: axis({ offset: true, grid: { display: false } }), y: shareAxis({ min: floorOf(found) }) },
    }),
  };
}

/** A share over days: a line, the band of its interval, and the number of labels of each day. */
export function shareOverDays(figure) {
  const found = records(figure);
  const days = found.map((each) => each.day);
  const band = { borderWidth: 0, pointRadius: 0, isSilent: true, backgroundColor: color("--pen", 0.16) };
  return {
    type: "line",
    data: {
      labels: days.map(timeInWords),
      datasets: [
        {
          label: figure.title, data: found.map((each) => each.share), told: found.map(told),
          borderColor: color("--pen"), borderWidth: 2, segment: byEnough(found), pointRadius: found.length > 60 ? 1.5 : 3, pointHoverRadius: 5,
          pointBackgroundColor: found.map((each) => color(each.enough ? "--pen" : "--few")), pointBorderWidth: 0,
        },
        { ...band, label: "95 % from", data: found.map((each) => each.low), fill: "+1" },
        { ...band, label: "95 % to", data: found.map((each) => each.high) },
        {
          type: "bar", label: "Labels", yAxisID: "n", data: found.map((each) => each.n || null), isSilent: true,
          backgroundColor: color("--few", 0.45), barPercentage: 0.9, categoryPercentage: 1,
        },
      ],
    },
    options: options({
      marks: placed(figure.marks, days),
      scales: {
        x: axis({ offset: true, grid: { display: false }, ticks: { autoSkipPadding: 24 } }),
        y: shareAxis({ min: floorOf(found) }),
        n: { display: false, min: 0, max: 5 * Math.max(1, ...found.map((each) => each.n)) },
      },
    }),
  };
}

/** A share for each digit (or another key): bars from zero, each with its interval. */
export function shareBars(figure, key = "label") {
  const found = records(figure);
  const ink = found.map((each) => color(each.enough ? "--pen" : "--few"));
  return {
    type: "bar",
    data: {
      labels: found.map((each) => [String(each[key]), each.n ? `n ${count(each.n)}` : "none"]),
      datasets: [{
        label: figure.title, data: found.map((each) => each.share), told: found.map(told),
        intervals: found.map((each) => [each.low, each.high]), whiskerColor: color("--ink"),
        values: found.map((each) => (each.share === null ? "" : percent(each.share).replace("%", ""))),
        valueColor: color("--on-pen"), valuesAtBase: true, valuesNeed: 40,
        backgroundColor: ink, borderRadius: 4, maxBarThickness: 56, categoryPercentage: 0.85, barPercentage: 0.9,
      }],
    },
    options: options({
      scales: { x: namesAndCounts(), y: shareAxis({ min: 0 }) },
    }),
  };
}

/** A distribution for each month or digit: the mean and the middle half (quartiles). */
export function spreads(figure, key) {
  const found = records(figure);
  const isMonth = key === "month";
  const name = (each) => (isMonth ? timeInWords(each.month) : String(each[key]));
  const said = (each) => (each.mean === null
    ? "no drawings"
    : `mean ${percent(each.mean, 2)}, half between ${percent(each.low, 2)} and ${percent(each.high, 2)}, of ${count(each.drawings)}`);
  return {
    type: "bar",
    data: {
      labels: found.map((each) => [name(each), each.drawings ? `n ${count(each.drawings)}` : "none"]),
      datasets: [
        {
          type: "line", label: "mean", data: found.map((each) => each.mean), told: found.map(said),
          showLine: isMonth, borderColor: color("--line-3"), borderWidth: 2, spanGaps: false,
          pointRadius: 5, pointHoverRadius: 7, pointBackgroundColor: color("--line-3"), pointBorderColor: color("--sheet"), pointBorderWidth: 1.5,
        },
        {
          label: "middle half", data: found.map((each) => (each.mean === null ? null : [each.low, each.high])), isSilent: true,
          backgroundColor: color("--line-3", 0.3), borderRadius: 3, borderSkipped: false, maxBarThickness: 28, minBarLength: 3,
        },
      ],
    },
    options: options({
      marks: isMonth ? placed(figure.marks, found.map((each) => each.month)) : [],
      scales: {
        x: isMonth ? axis({ offset: true, grid: { display: false } }) : namesAndCounts(),
        y: shareAxis({ min: floorOf(found.map((each) => ({ low: each.mean === null ? null : Math.min(each.mean, each.low) }))) }),
      },
    }),
  };
}

// -- drawing ----------------------------------------------------------------------------------------

function isEmpty(config) {
  return config.data.datasets.every((set) => set.data.every((each) => each === null || each === undefined));
}

function drawOne(canvas, figure) {
  const build = builders[canvas.dataset.chart];
  if (!build) throw new Error(`no chart for ${canvas.dataset.chart}`);
  charts.get(canvas)?.destroy();
  charts.delete(canvas);
  const config = build(figure, color);
  const box = canvas.parentElement;
  box.querySelector(".fig-none")?.remove();
  if (isEmpty(config)) {
    const none = document.createElement("p");
    none.className = "fig-none";
    none.textContent = "Nothing is counted here yet.";
    box.append(none);
    canvas.hidden = true;
    return;
  }
  canvas.hidden = false;
  config.plugins = [marks, whiskers, values, ...(config.plugins ?? [])];
  charts.set(canvas, new Chart(canvas, config));
  canvas.dataset.drawn = "";
}

function drawAll() {
  for (const figure of document.querySelectorAll("[data-figure]")) {
    const found = known.get(figure.dataset.source);
    if (!found) continue;
    for (const canvas of figure.querySelectorAll("canvas[data-chart]")) drawOne(canvas, found.figure);
  }
}

// -- updates ----------------------------------------------------------------------------------------

/** Fetches a figure and keeps it; returns whether it has changed. */
async function ask(element) {
  const address = element.dataset.source;
  const before = known.get(address);
  const headers = { Accept: "application/json", ...(before ? { "If-None-Match": before.tag } : {}) };
  const answer = await fetch(address, { headers, cache: "no-store" });
  if (answer.status === 304) return false;
  if (!answer.ok) throw new Error(`status ${answer.status}`);
  known.set(address, { tag: answer.headers.get("ETag") ?? "", figure: await answer.json() });
  return true;
}

/** Replace sentences, tables, heat maps and tiles with those in the server's current page. */
async function renewWords() {
  const answer = await fetch(location.href, { headers: { Accept: "text/html" }, cache: "no-store" });
  if (!answer.ok) throw new Error(`status ${answer.status}`);
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const part of document.querySelectorAll("[data-part]")) {
    const other = fresh.querySelector(`[data-part="${part.dataset.part}"]`);
    if (other) part.replaceWith(document.importNode(other, true));
  }
  for (const figure of document.querySelectorAll("[data-figure]")) {
    const other = fresh.getElementById(figure.id);
    for (const part of figure.querySelectorAll("[data-words]")) {
      const words = other?.querySelector(`[data-words="${part.dataset.words}"]`);
      // A part that contains the keyboard focus is not replaced.
      if (words && !(part !== document.activeElement && part.contains(document.activeElement))) {
        part.replaceChildren(...document.importNode(words, true).childNodes);
      }
    }
  }
  document.querySelectorAll("[data-heat]").forEach(oneStop);
}

async function renewAll() {
  const figures = [...document.querySelectorAll("[data-figure]")];
  await Promise.all([renewWords(), ...figures.map(ask)]);
  drawAll();
}

function say(text) {
  const live = document.querySelector("[data-live]");
  if (live && live.textContent !== text) live.textContent = text;
}

async function look() {
  const seen = [...onScreen];
  const changed = await Promise.all(seen.map(ask));
  if (changed.some(Boolean)) await renewAll();
}

async function follow() {
  let wait = LOOK_EVERY;
  if (!document.hidden) {
    try {
      await look();
      failures = 0;
      say("");
    } catch (error) {
      if (!(error instanceof TypeError) && !/^status /.test(error.message)) throw error;
      failures += 1;
      wait = Math.min(LOOK_EVERY * 2 ** failures, LONGEST_WAIT);
      say("The server does not answer; what you see may be old. Trying again.");
    }
  }
  setTimeout(follow, wait);
}

// -- heat maps --------------------------------------------------------------------------------------

/** The Tab key stops once in a heat map; arrows move from cell to cell. */
function oneStop(table) {
  const links = [...table.querySelectorAll("tbody a")];
  links.forEach((link, at) => { link.tabIndex = at ? -1 : 0; });
}

function stepInHeat(event) {
  const steps = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] };
  const link = event.target.closest?.("[data-heat] a");
  if (!link || !steps[event.key] || event.altKey || event.ctrlKey || event.metaKey) return;
  const table = link.closest("table");
  const [down, right] = steps[event.key];
  let { rowIndex } = link.closest("tr");
  let { cellIndex } = link.closest("td");
  let next = null;
  do {
    rowIndex += down;
    cellIndex += right;
    const cell = table.rows[rowIndex]?.cells[cellIndex];
    if (!cell) return; // the edge
    next = cell.querySelector("a");
  } while (!next);
  event.preventDefault();
  link.tabIndex = -1;
  next.tabIndex = 0;
  next.focus();
}

function tellCell(event) {
  const cell = event.target.closest?.("[data-told]");
  const here = cell?.closest("[data-figure]")?.querySelector("[data-told-here]");
  if (here) here.textContent = cell.dataset.told;
}

// -- PNG --------------------------------------------------------------------------------------------

function wrapped(pen, text, width) {
  const lines = [""];
  for (const word of text.split(/\s+/)) {
    const longer = `${lines.at(-1)} ${word}`.trim();
    if (pen.measureText(longer).width <= width) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines.filter(Boolean);
}

/** Paints the cells of a heat map, which is a table, as the page shows them. */
function paintTable(pen, table, left, top) {
  const origin = table.getBoundingClientRect();
  for (const cell of table.querySelectorAll("th, td")) {
    const box = cell.getBoundingClientRect();
    const style = getComputedStyle(cell);
    const [x, y] = [left + box.left - origin.left, top + box.top - origin.top];
    pen.fillStyle = style.backgroundColor;
    pen.beginPath();
    pen.roundRect(x, y, box.width, box.height, 4);
    pen.fill();
    const shown = cell.matches("th") ? cell : cell.querySelector("a, span:not(.visually-hidden)");
    const lines = (shown?.innerText ?? "").split("\n").filter(Boolean);
    pen.fillStyle = style.color;
    pen.textBaseline = "middle";
    pen.textAlign = style.textAlign === "left" || style.textAlign === "start" ? "left" : "center";
    const middle = pen.textAlign === "left" ? x + 2 : x + box.width / 2;
    lines.forEach((line, at) => {
      pen.font = `${at ? 400 : 500} ${at ? 11 : Math.round(parseFloat(style.fontSize))}px ${FONT}`;
      pen.fillText(line, middle, y + box.height / 2 + (at - (lines.length - 1) / 2) * 14);
    });
  }
}

/** The figure as one picture: title, sentence, charts, and what it was sampled from. */
function picture(element) {
  const parts = [...element.querySelectorAll("canvas[data-chart]:not([hidden]), [data-heat]")];
  const sizes = parts.map((part) => part.getBoundingClientRect());
  const margin = 24;
  const wide = Math.max(360, sizes.reduce((sum, size) => sum + size.width + 16, -16));
  const pen = document.createElement("canvas").getContext("2d");
  const said = (name) => element.querySelector(`[data-words="${name}"]`)?.innerText.trim() ?? "";
  const texts = [
    [element.querySelector("h2").innerText, `600 18px ${FONT}`, 24, "--ink"],
    [said("said"), `400 13px ${FONT}`, 19, "--ink-soft"],
    [said("warning"), `500 13px ${FONT}`, 19, "--caution"],
  ].map(([text, font, step, ink]) => {
    pen.font = font;
    return { lines: wrapped(pen, text, wide), font, step, ink: color(ink) };
  });
  pen.font = `400 12px ${FONT}`;
  const below = { lines: wrapped(pen, said("from"), wide), font: pen.font, step: 17, ink: color("--ink-faint") };
  const head = texts.reduce((sum, text) => sum + text.lines.length * text.step, 0);
  const high = Math.max(0, ...sizes.map((size) => size.height));
  pen.canvas.width = (wide + 2 * margin) * PNG_SCALE;
  pen.canvas.height = (head + high + below.lines.length * below.step + 2 * margin + 28) * PNG_SCALE;
  pen.scale(PNG_SCALE, PNG_SCALE);
  pen.fillStyle = color("--sheet");
  pen.fillRect(0, 0, pen.canvas.width, pen.canvas.height);
  let top = margin;
  const write = ({ lines, font, step, ink }) => {
    pen.font = font;
    pen.fillStyle = ink;
    pen.textAlign = "left";
    pen.textBaseline = "top";
    for (const line of lines) {
      pen.fillText(line, margin, top);
      top += step;
    }
  };
  texts.forEach(write);
  top += 14;
  let left = margin;
  parts.forEach((part, at) => {
    if (part.matches("canvas")) pen.drawImage(part, left, top, sizes[at].width, sizes[at].height);
    else paintTable(pen, part, left, top);
    left += sizes[at].width + 16;
  });
  top += high + 14;
  write(below);
  return pen.canvas;
}

function handOut(event) {
  const button = event.target.closest?.("[data-png]");
  if (!button) return;
  const element = button.closest("[data-figure]");
  picture(element).toBlob((blob) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = `${element.dataset.figure}.png`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  }, "image/png");
}

// -- print ------------------------------------------------------------------------------------------

let themeBefore;

function ontoPaper() {
  themeBefore = root.dataset.theme;
  root.dataset.theme = "light";
  drawAll();
}

function fromPaper() {
  if (themeBefore === undefined) delete root.dataset.theme;
  else root.dataset.theme = themeBefore;
  drawAll();
}

/** Draw every figure of the page, and keep it up to date. */
export async function start(given) {
  builders = given;
  addEventListener("themeshown", drawAll);
  addEventListener("beforeprint", ontoPaper);
  addEventListener("afterprint", fromPaper);
  document.addEventListener("keydown", stepInHeat);
  document.addEventListener("pointerover", tellCell);
  document.addEventListener("focusin", tellCell);
  document.addEventListener("click", handOut);
  document.querySelectorAll("[data-heat]").forEach(oneStop);
  const watcher = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (entry.isIntersecting) onScreen.add(entry.target);
      else onScreen.delete(entry.target);
    }
  });
  const figures = [...document.querySelectorAll("[data-figure]")];
  figures.forEach((figure) => watcher.observe(figure));
  try {
    await Promise.all([document.fonts.ready, ...figures.map(ask)]);
    drawAll();
  } catch (error) {
    if (!(error instanceof TypeError) && !/^status /.test(error.message)) throw error;
    say("The server does not answer; the tables hold what is known. Trying again.");
  }
  setTimeout(follow, LOOK_EVERY);
}
