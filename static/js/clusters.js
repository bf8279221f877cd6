// The map of digits: each drawing is shown as its label, at the position that the network gives it.
// Pointing shows the drawing and pressing opens it. Arrow keys move to the next one in their
// direction. The map can be enlarged and moved. Reviewers select drawings with a lasso or by key, and
// send them to review. People who may not see drawings get the map and its table without pictures.

import { axis, color, FONT, options, records, timeInWords } from "./charts.js";
import { start } from "./figures.js";
import { count, percent } from "./numbers.js";

const WHOLE = 1.06; // how far the map reaches from its middle
const CLOSEST = 0.06;
const STEP = 1.5; // of one press on + or −
const STEPS = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] };

const find = (name) => document.querySelector(`[data-map-${name}]`);
const canvas = () => document.querySelector("[data-chart=clusters]");

let rows = [];
let drawings = []; // [page, picture, id] of each row; empty if the person may not see them
let chart = null;
let at = -1; // the row pointed at
let view = { x: 0, y: 0, reach: WHOLE };
let chosen = new Set();
let lasso = null; // corners in pixels while it is drawn
let moved = null; // where a drag began
const hidden = new Set(); // digits that the legend has switched off

const ink = (digit) => color(`--digit-${digit}`);
const isShown = (row) => !hidden.has(row.label);

// -- drawing ----------------------------------------------------------------------------------------

const marks = {
  id: "digits",
  afterDatasetsDraw(drawn) {
    chart = drawn;
    const { ctx: pen, chartArea: area } = drawn;
    const places = drawn.getDatasetMeta(0).data;
    const size = (drawn.width < 500 ? 10 : 13) * Math.min(2, Math.sqrt(WHOLE / view.reach));
    const inks = Array.from({ length: 10 }, (_, digit) => ink(digit));
    const [wrong, strong, pick] = ["--wrong", "--ink", "--pen"].map((name) => color(name));
    pen.save();
    pen.beginPath();
    pen.rect(area.left, area.top, area.width, area.height);
    pen.clip();
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    rows.forEach((row, index) => {
      if (!isShown(row)) return;
      const { x, y } = places[index];
      const ring = (style, width, radius) => {
        pen.strokeStyle = style;
        pen.lineWidth = width;
        pen.beginPath();
        pen.arc(x, y, size * radius, 0, 2 * Math.PI);
        pen.stroke();
      };
      if (chosen.has(index)) {
        pen.fillStyle = color("--pen", 0.22);
        pen.beginPath();
        pen.arc(x, y, size * 0.85, 0, 2 * Math.PI);
        pen.fill();
        ring(pick, 1.25, 0.85);
      }
      pen.font = `${row.is_right ? 500 : 700} ${size}px ${FONT}`;
      pen.fillStyle = inks[row.label];
      pen.fillText(String(row.label), x, y);
      if (!row.is_right) ring(wrong, 1.5, 0.7);
      if (index === at) ring(strong, 2.5, 1);
    });
    drawLasso(pen, pick);
    pen.restore();
  },
};

function drawLasso(pen, pick) {
  if (!lasso?.length) return;
  pen.beginPath();
  lasso.forEach(([x, y]) => pen.lineTo(x, y));
  pen.closePath();
  pen.fillStyle = color("--pen", 0.1);
  pen.fill();
  pen.strokeStyle = pick;
  pen.lineWidth = 1.5;
  pen.setLineDash([5, 4]);
  pen.stroke();
}

function map(figure) {
  rows = records(figure);
  at = -1;
  const across = { type: "linear", display: false };
  return {
    type: "scatter",
    data: {
      datasets: [{
        label: figure.title, data: rows.map((row) => (isShown(row) ? { x: row.x, y: row.y } : { x: NaN, y: NaN })),
        pointRadius: 0, pointHoverRadius: 0, pointHitRadius: 9,
      }],
    },
    options: options({
      layout: { padding: 4 },
      interaction: { mode: "nearest", intersect: true },
      tooltip: { enabled: false },
      onHover: (event, found) => {
        if (lasso || moved) return;
        event.native.target.style.cursor = isSelecting() ? "crosshair" : found.length && drawings.length ? "pointer" : "grab";
        if (event.type !== "click") show(found[0]?.index ?? -1);
      },
      onClick: (_, found) => {
        if (isSelecting() || !found.length) return;
        show(found[0].index);
        openIt();
      },
      scales: { x: axis({ ...across, ...ends("x") }), y: axis({ ...across, ...ends("y") }) },
    }),
    plugins: [marks],
  };
}

// -- pointing ---------------------------------------------------------------------------------------

function inWords(row) {
  const read = row.is_right ? `read right` : `read as ${row.read}`;
  return `A ${row.label}, ${read}, ${percent(row.confidence)} sure, drawn on ${timeInWords(row.day)}`;
}

function show(index) {
  if (index === at) return;
  at = index;
  chart?.draw();
  const row = rows[index];
  const peek = find("peek");
  peek.hidden = !row || !drawings[index];
  find("said").textContent = row ? `${inWords(row)}.` : "";
  if (peek.hidden) return;
  peek.querySelector("img").src = drawings[index][1];
  peek.querySelector("p").textContent = row.is_right ? `${row.label}` : `${row.label}, read ${row.read}`;
  const box = chart.canvas.getBoundingClientRect();
  const { x, y } = chart.getDatasetMeta(0).data[index];
  const left = Math.min(box.left + x + 14, innerWidth - peek.offsetWidth - 8);
  const top = Math.min(Math.max(8, box.top + y - peek.offsetHeight / 2), innerHeight - peek.offsetHeight - 8);
  peek.style.left = `${left}px`;
  peek.style.top = `${top}px`;
}

function openIt() {
  if (drawings[at]) location.assign(drawings[at][0]);
}

/** The nearest drawing in this direction; sideways distance counts double. */
function step(right, down) {
  const places = chart.getDatasetMeta(0).data;
  if (at < 0) return rows.findIndex(isShown);
  const here = places[at];
  let best = at;
  let nearest = Infinity;
  places.forEach((place, index) => {
    if (!isShown(rows[index])) return;
    const ahead = (place.x - here.x) * right + (place.y - here.y) * down;
    if (ahead <= 0.5) return;
    const aside = Math.abs((place.x - here.x) * down) + Math.abs((place.y - here.y) * right);
    const far = ahead + 2 * aside;
    if (far < nearest) [nearest, best] = [far, index];
  });
  return best;
}

function press(event) {
  if (!chart || !rows.length || event.altKey || event.ctrlKey || event.metaKey) return;
  if (STEPS[event.key]) show(step(...STEPS[event.key]));
  else if (event.key === "Enter") openIt();
  else if (event.key === "Escape") show(-1);
  else if (event.key === "+" || event.key === "=") enlarge(STEP);
  else if (event.key === "-") enlarge(1 / STEP);
  else if (event.key === "0") look({ x: 0, y: 0, reach: WHOLE });
  else if (event.key === " " && at >= 0 && find("form")) choose([at], { isToggle: true });
  else return;
  event.preventDefault();
}

// -- enlarging and moving -----------------------------------------------------------------------------

const ends = (name) => ({ min: view[name] - view.reach, max: view[name] + view.reach });

function look(next) {
  const reach = Math.min(WHOLE, Math.max(CLOSEST, next.reach));
  const kept = (middle) => Math.min(WHOLE - reach, Math.max(reach - WHOLE, middle));
  view = { x: kept(next.x), y: kept(next.y), reach };
  if (!chart) return;
  Object.assign(chart.options.scales.x, ends("x"));
  Object.assign(chart.options.scales.y, ends("y"));
  chart.update();
  chart.canvas.style.touchAction = reach < WHOLE || isSelecting() ? "none" : "";
}

/** Closer by this factor; the drawing pointed at becomes the middle. */
function enlarge(factor, middle = rows[at] ?? view) {
  look({ x: middle.x, y: middle.y, reach: view.reach / factor });
}

function onWheel(event) {
  if (!event.ctrlKey && !event.metaKey) return; // the page scrolls
  event.preventDefault();
  const x = chart.scales.x.getValueForPixel(event.offsetX);
  const y = chart.scales.y.getValueForPixel(event.offsetY);
  const reach = view.reach / (event.deltaY < 0 ? 1.2 : 1 / 1.2);
  const share = reach / view.reach; // the place under the pointer stays there
  look({ x: x + (view.x - x) * share, y: y + (view.y - y) * share, reach });
}

// -- selecting ----------------------------------------------------------------------------------------

const isSelecting = () => find("lasso")?.getAttribute("aria-pressed") === "true";

function choose(indices, { isToggle = false, isMore = false } = {}) {
  if (!isToggle && !isMore) chosen = new Set();
  for (const index of indices) {
    if (isToggle && chosen.has(index)) chosen.delete(index);
    else chosen.add(index);
  }
  const picked = [...chosen].map((index) => rows[index]);
  const form = find("form");
  form.hidden = !picked.length;
  form.elements.drawings.value = [...chosen].map((index) => drawings[index]?.[2]).join(" ");
  const [wrong, audits] = [picked.filter((row) => !row.is_right).length, picked.filter((row) => row.is_audit).length];
  find("chosen").textContent = `${count(picked.length)} selected, ${count(wrong)} of them read wrong.`
    + (audits ? ` ${count(audits)} were chosen at random for an audit and are left alone.` : "");
  chart?.draw();
}

/** Whether a place lies within the corners: it does if a line from it crosses their border an odd number of times. */
function isWithin({ x, y }, corners) {
  let isInside = false;
  corners.forEach(([x1, y1], index) => {
    const [x2, y2] = corners.at(index - 1);
    if (y1 > y !== y2 > y && x < ((x2 - x1) * (y - y1)) / (y2 - y1) + x1) isInside = !isInside;
  });
  return isInside;
}

function onDown(event) {
  if (!chart || event.button) return;
  if (isSelecting()) lasso = [[event.offsetX, event.offsetY]];
  else if (view.reach < WHOLE) moved = { x: event.offsetX, y: event.offsetY, view };
  else return;
  event.target.setPointerCapture(event.pointerId);
}

function onMove(event) {
  if (lasso) {
    lasso.push([event.offsetX, event.offsetY]);
    chart.draw();
  } else if (moved) {
    const scale = (2 * moved.view.reach) / chart.chartArea.width;
    const high = (2 * moved.view.reach) / chart.chartArea.height;
    look({ ...moved.view, x: moved.view.x - (event.offsetX - moved.x) * scale, y: moved.view.y + (event.offsetY - moved.y) * high });
  }
}

function onUp(event) {
  const corners = lasso;
  [lasso, moved] = [null, null];
  if (!corners) return;
  const places = chart.getDatasetMeta(0).data;
  choose(
    rows.flatMap((row, index) => (isShown(row) && isWithin(places[index], corners) ? [index] : [])),
    { isMore: event.shiftKey },
  );
}

// -- the page -----------------------------------------------------------------------------------------

function pressButton({ target }) {
  const button = target.closest?.("button");
  if (!button) return;
  const { mapZoom, mapDigit } = button.dataset;
  if (mapZoom) return mapZoom === "whole" ? look({ x: 0, y: 0, reach: WHOLE }) : enlarge(mapZoom === "in" ? STEP : 1 / STEP);
  if (button.matches("[data-map-lasso]")) {
    button.setAttribute("aria-pressed", String(!isSelecting()));
    return look(view);
  }
  if (button.matches("[data-map-wrong]")) return choose(rows.flatMap((row, index) => (isShown(row) && !row.is_right ? [index] : [])));
  if (button.matches("[data-map-clear]")) return choose([]);
  if (mapDigit === undefined) return;
  const digit = Number(mapDigit);
  if (hidden.has(digit)) hidden.delete(digit);
  else hidden.add(digit);
  button.setAttribute("aria-pressed", String(!hidden.has(digit)));
  chart.data.datasets[0].data = rows.map((row) => (isShown(row) ? { x: row.x, y: row.y } : { x: NaN, y: NaN }));
  chart.update();
}

/** The map of another view of the page; without a request for people who may not see drawings. */
async function begin() {
  [chart, drawings, chosen, view] = [null, [], new Set(), { x: 0, y: 0, reach: WHOLE }];
  hidden.clear();
  const here = canvas();
  if (!here) return;
  here.addEventListener("keydown", press);
  here.addEventListener("wheel", onWheel, { passive: false });
  here.addEventListener("pointerdown", onDown);
  here.addEventListener("pointermove", onMove);
  here.addEventListener("pointerup", onUp);
  here.addEventListener("pointerleave", () => show(-1));
  here.addEventListener("blur", () => show(-1));
  const address = document.querySelector(".map").dataset.drawings;
  if (!address) return;
  const answer = await fetch(address, { headers: { Accept: "application/json" } });
  if (answer.ok) drawings = (await answer.json()).drawings;
}

document.addEventListener("click", pressButton);
start({ clusters: map }, begin);
