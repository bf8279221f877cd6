// The map of digits: each drawing is shown as its label, at the position that the network gives it.
// Pointing shows the drawing and pressing opens it. Arrow keys move to the next one in their
// direction. People who may not see drawings get the map and its table without pictures.

import { axis, color, options, records, start, timeInWords } from "./figures.js";
import { percent } from "./numbers.js";

const home = document.querySelector(".map");
const peek = document.querySelector("[data-map-peek]");
const said = document.querySelector("[data-map-said]");
const DIGITS = 10;
let rows = [];
let addresses = []; // [page, picture] of each row; empty if the person may not see them
let chart = null;
let at = -1; // the selected row

/** A hue for each digit. The digit is written too, so nobody depends on colors. */
function hue(digit) {
  const dark = document.documentElement.dataset.shown === "dark";
  return `hsl(${(digit * 360) / DIGITS + 10} ${dark ? "65% 72%" : "70% 33%"})`;
}

const names = {
  id: "names",
  afterDatasetsDraw(drawn) {
    chart = drawn;
    const pen = drawn.ctx;
    pen.save();
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    const places = drawn.getDatasetMeta(0).data;
    const size = drawn.width < 500 ? 10 : 13;
    rows.forEach((row, index) => {
      const { x, y } = places[index];
      pen.font = `${row.is_right ? 500 : 700} ${size}px Inter, system-ui, sans-serif`;
      pen.fillStyle = hue(row.label);
      pen.fillText(String(row.label), x, y);
      if (row.is_right && index !== at) return;
      pen.strokeStyle = index === at ? color("--ink") : color("--wrong");
      pen.lineWidth = index === at ? 2.5 : 1.5;
      pen.beginPath();
      pen.arc(x, y, size * (index === at ? 0.95 : 0.75), 0, 2 * Math.PI);
      pen.stroke();
    });
    pen.restore();
  },
};

function inWords(row) {
  const read = row.is_right ? `read right` : `read as ${row.read}`;
  return `A ${row.label}, ${read}, ${percent(row.confidence)} sure, drawn on ${timeInWords(row.day)}`;
}

function show(index) {
  if (index === at) return;
  at = index;
  chart?.draw();
  const row = rows[index];
  peek.hidden = !row || !addresses[index];
  said.textContent = row ? `${inWords(row)}.` : "";
  if (peek.hidden) return;
  peek.querySelector("img").src = addresses[index][1];
  peek.querySelector("p").textContent = row.is_right ? `${row.label}` : `${row.label}, read ${row.read}`;
  const box = chart.canvas.getBoundingClientRect();
  const { x, y } = chart.getDatasetMeta(0).data[index];
  const left = Math.min(box.left + x + 14, innerWidth - peek.offsetWidth - 8);
  const top = Math.min(Math.max(8, box.top + y - peek.offsetHeight / 2), innerHeight - peek.offsetHeight - 8);
  peek.style.left = `${left}px`;
  peek.style.top = `${top}px`;
}

function openIt() {
  if (addresses[at]) location.assign(addresses[at][0]);
}

/** The nearest drawing in this direction; sideways distance counts double. */
function step(right, down) {
  const places = chart.getDatasetMeta(0).data;
  if (at < 0) return 0;
  const here = places[at];
  let best = at;
  let nearest = Infinity;
  places.forEach((place, index) => {
    const ahead = (place.x - here.x) * right + (place.y - here.y) * down;
    if (ahead <= 0.5) return;
    const aside = Math.abs((place.x - here.x) * down) + Math.abs((place.y - here.y) * right);
    const far = ahead + 2 * aside;
    if (far < nearest) [nearest, best] = [far, index];
  });
  return best;
}

const STEPS = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] };

function press(event) {
  if (!chart || !rows.length || event.altKey || event.ctrlKey || event.metaKey) return;
  if (STEPS[event.key]) show(step(...STEPS[event.key]));
  else if (event.key === "Enter") openIt();
  else if (event.key === "Escape") show(-1);
  else return;
  event.preventDefault();
}

function map(figure) {
  rows = records(figure);
  at = -1;
  const far = { min: -1.06, max: 1.06, display: false };
  return {
    type: "scatter",
    data: {
      datasets: [{ label: figure.title, data: rows.map(({ x, y }) => ({ x, y })), pointRadius: 0, pointHoverRadius: 0, pointHitRadius: 9 }],
    },
    options: options({
      layout: { padding: 4 },
      interaction: { mode: "nearest", intersect: true },
      tooltip: { enabled: false },
      onHover: (event, found) => {
        event.native.target.style.cursor = found.length && addresses.length ? "pointer" : "default";
        if (event.type !== "click") show(found[0]?.index ?? -1);
      },
      onClick: (_, found) => {
        if (!found.length) return;
        show(found[0].index);
        openIt();
      },
      scales: { x: axis({ type: "linear", ...far }), y: axis({ type: "linear", ...far }) },
    }),
    plugins: [names],
  };
}

async function learnAddresses() {
  if (!home.dataset.drawings) return;
  const answer = await fetch(home.dataset.drawings, { headers: { Accept: "application/json" } });
  if (answer.ok) addresses = (await answer.json()).drawings;
}

const canvas = home.querySelector("canvas");
if (canvas) {
  canvas.tabIndex = 0;
  canvas.addEventListener("keydown", press);
  canvas.addEventListener("pointerleave", () => show(-1));
  canvas.addEventListener("blur", () => show(-1));
}
await learnAddresses();
start({ clusters: map });
