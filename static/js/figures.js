// Shared by all pages of figures. The server renders each figure's text, table and heat map. This
// module draws the chart from the same figure as JSON, keeps both up to date, draws again when the
// theme changes, and shows another view when a filter changes. The module of a page says which chart
// belongs to which figure: `start({ "accuracy-by-month": shareOverMonths })`.

import { plugins } from "./charts.js";
import { isHidden, showLegend } from "./legend.js";
import { handOut } from "./picture.js";

const LOOK_EVERY = 15_000; // ms between two checks whether the figures have changed
const LONGEST_WAIT = 120_000; // ms between two tries while the server does not answer

const root = document.documentElement;
const charts = new Map(); // canvas → Chart
const known = new Map(); // address → {tag, figure}
const onScreen = new Set();
let builders = {};
let shown = () => {}; // of the page's module, after every change of the view
let failures = 0;

const figuresHere = () => [...document.querySelectorAll("[data-figure]")];
const isNoAnswer = (error) => error instanceof TypeError || /^status /.test(error.message);

// -- drawing ----------------------------------------------------------------------------------------

function isEmpty(config) {
  return config.data.datasets.every((set) => set.data.every((each) => each === null || each === undefined));
}

function drawOne(canvas, figure) {
  const name = canvas.dataset.chart;
  if (!builders[name]) throw new Error(`no chart for ${name}`);
  charts.get(canvas)?.destroy();
  charts.delete(canvas);
  const config = builders[name](figure);
  const box = canvas.parentElement;
  box.querySelector(".fig-none")?.remove();
  canvas.hidden = isEmpty(config);
  if (canvas.hidden) {
    box.closest("[data-figure]").querySelector(`[data-legend="${name}"]`)?.remove();
    const none = document.createElement("p");
    none.className = "fig-none";
    none.textContent = "Nothing is counted here yet.";
    box.append(none);
    return;
  }
  for (const set of config.data.datasets) set.hidden = isHidden(name, set.label);
  config.plugins = [...plugins, ...(config.plugins ?? [])];
  config.options.onClick ??= openDrawings;
  config.options.onHover ??= pointAt;
  const chart = new Chart(canvas, config);
  charts.set(canvas, chart);
  showLegend(chart);
  canvas.tabIndex = 0;
  canvas.dataset.drawn = "";
}

function drawAll() {
  for (const figure of figuresHere()) {
    const found = known.get(figure.dataset.source);
    if (!found) continue;
    for (const canvas of figure.querySelectorAll("canvas[data-chart]")) drawOne(canvas, found.figure);
  }
}

// -- the drawings behind a point ------------------------------------------------------------------------

/** The page with the drawings of a row, or null where there is none. */
function drawingsOf(canvas, row) {
  const figure = canvas.closest("[data-figure]");
  const { drawings, source } = figure.dataset;
  if (!drawings || !row) return null;
  if (row.address !== undefined) return row.address;
  const [page, more] = drawings.split("?");
  const query = new URLSearchParams(source.split("?")[1] ?? "");
  for (const [name, value] of new URLSearchParams(more)) query.set(name, value);
  for (const [name, keys] of Object.entries({
    first: ["month"], last: ["last", "month"], since: ["since", "day"], until: ["day"],
    label: ["label"], predicted: ["predicted"], above: ["from"], below: ["to"],
  })) {
    const key = keys.find((each) => row[each] !== undefined && row[each] !== null);
    if (key) query.set(name, row[key]);
  }
  // Figures of confidence count by the digit read, whatever it was.
  if ((row.from !== undefined || query.has("labeled")) && query.has("digit")) {
    query.set("predicted", query.get("digit"));
    query.delete("digit");
  }
  return `${page}?${query}`;
}

const rowAt = (chart, { datasetIndex, index }) => chart.data.datasets[datasetIndex].rows?.[index];

/** Where the first of these leads. */
function addressAt(chart, elements) {
  const rows = elements.map((each) => rowAt(chart, each));
  return rows.map((row) => drawingsOf(chart.canvas, row)).find(Boolean) ?? null;
}

/** Of bars side by side, the one under the pointer; of curves, the nearest. */
function pressedAt(event, elements, chart) {
  const under = chart.getElementsAtEventForMode(event, "nearest", { intersect: true }, true);
  const away = ({ element }) => Math.abs(element.y - event.y);
  return under.length ? under : elements.toSorted((one, other) => away(one) - away(other));
}

function openDrawings(event, elements, chart) {
  const address = addressAt(chart, event.native ? pressedAt(event, elements, chart) : elements);
  if (address) location.assign(address);
}

function pointAt(event, elements, chart) {
  chart.canvas.style.cursor = addressAt(chart, pressedAt(event, elements, chart)) ? "pointer" : "";
}

/** Arrow keys move along a chart's points, Enter opens the drawings of one. */
function stepInChart(event) {
  const chart = charts.get(event.target);
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!chart || event.defaultPrevented || event.altKey || event.ctrlKey || event.metaKey) return;
  const active = chart.getActiveElements();
  if (event.key === "Enter" && active.length) openDrawings(event, active, chart);
  if (!step) return;
  event.preventDefault();
  const length = Math.max(...chart.data.datasets.map((set) => set.data.length));
  const from = active[0]?.index ?? (step > 0 ? -1 : length);
  const index = Math.min(length - 1, Math.max(0, from + step));
  const elements = chart.data.datasets.flatMap((set, datasetIndex) => (
    !set.isSilent && chart.isDatasetVisible(datasetIndex) && index < set.data.length ? [{ datasetIndex, index }] : []
  ));
  chart.setActiveElements(elements);
  chart.tooltip.setActiveElements(elements, { x: 0, y: 0 });
  chart.update();
  const said = elements.map((each) => chart.data.datasets[each.datasetIndex].told?.[index]).filter(Boolean);
  const title = chart.data.labels?.[index];
  say([title, ...said].filter(Boolean).join(": "));
}

// -- updates ----------------------------------------------------------------------------------------

/** Fetches a figure and keeps it; returns whether it has changed. The browser sends the ETag. */
async function ask(element) {
  const address = element.dataset.source;
  const answer = await fetch(address, { headers: { Accept: "application/json" }, cache: "no-cache" });
  if (!answer.ok) throw new Error(`status ${answer.status}`);
  const tag = answer.headers.get("ETag")?.replace(/^W\//, ""); // weak if it was compressed
  if (known.get(address)?.tag === tag) return false;
  known.set(address, { tag, figure: await answer.json() });
  return true;
}

async function pageAt(address, signal) {
  const answer = await fetch(address, { headers: { Accept: "text/html" }, cache: "no-store", signal });
  if (!answer.ok) throw new Error(`status ${answer.status}`);
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  return { page, address: answer.url };
}

const holdsFocus = (part) => part !== document.activeElement && part.contains(document.activeElement);

function renewParts(fresh, isKept = holdsFocus) {
  for (const part of document.querySelectorAll("[data-part]")) {
    const other = fresh.querySelector(`[data-part="${part.dataset.part}"]`);
    if (other && !isKept(part)) part.replaceWith(document.importNode(other, true));
  }
}

/** Replace sentences, tables, heat maps and tiles with those in the server's current page. */
async function renewWords() {
  const { page } = await pageAt(location.href);
  renewParts(page);
  for (const figure of figuresHere()) {
    const other = page.getElementById(figure.id);
    for (const part of figure.querySelectorAll("[data-words]")) {
      const words = other?.querySelector(`[data-words="${part.dataset.words}"]`);
      // A part that contains the keyboard focus is not replaced.
      if (words && !holdsFocus(part)) part.replaceChildren(...document.importNode(words, true).childNodes);
    }
  }
  settle();
}

async function renewAll() {
  await Promise.all([renewWords(), ...figuresHere().map(ask)]);
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
        if (!isNoAnswer(error)) throw error;
      failures += 1;
      wait = Math.min(LOOK_EVERY * 2 ** failures, LONGEST_WAIT);
      say("The server does not answer; what you see may be old. Trying again.");
    }
  }
  setTimeout(follow, wait);
}

// -- filters ----------------------------------------------------------------------------------------

let leaving = null; // stops the request for a view that is no longer wanted
let here = location.pathname + location.search;

/** Shows the view at an address in place of this one. */
async function show(address, { isNew = true } = {}) {
  leaving?.abort();
  leaving = new AbortController();
  const view = document.querySelector("[data-view]");
  view.setAttribute("aria-busy", "true");
  try {
    const found = await pageAt(address, leaving.signal);
    if (isNew) history.pushState(null, "", found.address);
    here = location.pathname + location.search;
    replaceView(view, found.page);
    await showAll();
  } catch (error) {
    if (error.name === "AbortError") return;
    if (!isNoAnswer(error)) throw error;
    location.assign(address); // the server's own words about it
  }
}

function replaceView(view, page) {
  const open = [...view.querySelectorAll("details[open]")].map((each) => each.closest("[data-figure]")?.id);
  const name = document.activeElement?.name;
  charts.forEach((chart) => chart.destroy());
  charts.clear();
  renewParts(page, () => false);
  const other = document.importNode(page.querySelector("[data-view]"), true);
  view.replaceWith(other);
  for (const id of open.filter(Boolean)) other.querySelector(`#${id} details`)?.setAttribute("open", "");
  document.title = page.title;
  if (name) document.querySelector(`[data-filters] [name="${name}"]`)?.focus();
}

function goBack() {
  if (location.pathname + location.search !== here) show(location.href, { isNew: false });
}

function clearFilters(event) {
  const link = event.target.closest?.("[data-filters] a");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  show(link.href);
}

function filter({ target }) {
  const form = target.closest("[data-filters]");
  if (!form) return;
  const query = new URLSearchParams([...new FormData(form)].filter(([, value]) => value));
  show(`${location.pathname}?${query}`.replace(/\?$/, ""));
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

// -- the page -----------------------------------------------------------------------------------------

const watcher = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    if (entry.isIntersecting) onScreen.add(entry.target);
    else onScreen.delete(entry.target);
  }
});

/** After every change of what is on the page. */
function settle() {
  document.querySelectorAll("[data-heat]").forEach(oneStop);
  dispatchEvent(new CustomEvent("pagechanged"));
}

async function showAll() {
  const figures = figuresHere();
  watcher.disconnect();
  onScreen.clear();
  figures.forEach((figure) => watcher.observe(figure));
  settle();
  await Promise.all([document.fonts.ready, shown(), ...figures.map(ask)]);
  drawAll();
}

/** Draw every figure of the page, and keep it up to date. `after` is called after each change of view. */
export async function start(given, after = shown) {
  builders = given;
  shown = after;
  addEventListener("themeshown", drawAll);
  addEventListener("beforeprint", ontoPaper);
  addEventListener("afterprint", fromPaper);
  addEventListener("popstate", goBack);
  document.addEventListener("keydown", stepInHeat);
  document.addEventListener("keydown", stepInChart);
  document.addEventListener("pointerover", tellCell);
  document.addEventListener("focusin", tellCell);
  document.addEventListener("click", handOut);
  document.addEventListener("change", filter);
  document.addEventListener("click", clearFilters);
  try {
    await showAll();
  } catch (error) {
    if (!isNoAnswer(error)) throw error;
    say("The server does not answer; the tables hold what is known. Trying again.");
  }
  setTimeout(follow, LOOK_EVERY);
}
