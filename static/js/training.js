// Updates the page of a run without a reload. The server renders the table beside the chart; this
// file adds new rows, and draws the chart from the table. When the state of the run changes, the
// rendered part of the page is fetched again and replaced.

import { inPercent } from "./numbers.js";

const WHILE_ACTIVE = 1000; // ms between two polls of an active run
const WHILE_IDLE = 10_000; // ms between two polls for a run started elsewhere
const LONGEST_WAIT = 30_000; // longest ms between two polls while the server does not answer
const ACTIVE = new Set(["queued", "running"]);

const find = (name, within = document) => within.querySelector(`[data-${name}]`);
const home = find("training"); // only on the training page
const charts = new Map();
let tag = ""; // ETag of the run as shown
let failures = 0;

// -- the table --------------------------------------------------------------------------

function rowOf(epoch) {
  const row = document.createElement("tr");
  row.dataset.loss = epoch.loss;
  row.dataset.accuracy = epoch.accuracy;
  const name = document.createElement("th");
  name.scope = "row";
  name.textContent = epoch.number;
  row.append(name);
  for (const text of [epoch.loss.toFixed(4), inPercent(epoch.accuracy)]) {
    row.insertCell().textContent = text;
  }
  return row;
}

function show(run) {
  const bar = find("progress");
  if (bar) {
    bar.value = run.progress;
    find("percent").textContent = inPercent(run.progress);
    find("outlook").textContent = run.outlook;
  }
  find("epochs").replaceChildren(...run.epochs.map(rowOf));
  const isEmpty = run.epochs.length === 0;
  find("no-epochs").hidden = !isEmpty;
  for (const part of document.querySelectorAll("[data-has-epochs]")) part.hidden = isEmpty;
  const log = find("log");
  const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 8;
  log.textContent = run.log.join("\n");
  if (atEnd) log.scrollTop = log.scrollHeight;
  draw();
}

// -- the curve ----------------------------------------------------------------------------------

function colorOf(name) {
  const probe = document.createElement("span");
  probe.className = name;
  document.body.append(probe);
  const color = getComputedStyle(probe).color;
  probe.remove();
  return color;
}

function points(name) {
  const rows = [...find("epochs").rows];
  return rows.map((row) => Number(row.dataset[name]));
}

function line(name, label) {
  const color = colorOf("pen");
  return {
    label, data: points(name), borderColor: color, backgroundColor: color, borderWidth: 2, pointRadius: 2.5,
  };
}

function settings(dataset, format) {
  const ink = colorOf("faint");
  const scale = { grid: { color: colorOf("rule") }, border: { display: false } };
  const ticks = { color: ink, maxTicksLimit: 5, font: { family: "Inter, sans-serif", size: 11 } };
  const planned = Math.max(Number(find("planned").dataset.planned), find("epochs").rows.length);
  return {
    type: "line",
    data: { labels: Array.from({ length: planned }, (_, at) => at + 1), datasets: [dataset] },
    options: {
      animation: false,
      maintainAspectRatio: false,
      interaction: { mode: "index", intersect: false },
      scales: {
        x: { ...scale, ticks: { ...ticks, maxTicksLimit: 12 }, title: { display: true, text: "Epoch", color: ink } },
        y: { ...scale, ticks: { ...ticks, callback: format } },
      },
      plugins: {
        legend: { display: false },
        tooltip: { callbacks: { label: (item) => `${item.dataset.label}: ${format(item.parsed.y)}` } },
      },
    },
  };
}

function drawOne(name, dataset, format) {
  const canvas = document.querySelector(`[data-chart="${name}"]`);
  const before = charts.get(name);
  const wanted = settings(dataset, format);
  if (before && before.canvas === canvas) {
    before.data = wanted.data;
    before.options = wanted.options;
    before.update("none");
    return;
  }
  before?.destroy();
  charts.set(name, new Chart(canvas, wanted));
}

function draw() {
  if (!find("curve") || find("has-epochs").hidden || typeof Chart === "undefined") return;
  drawOne("loss", line("loss", "loss"), (value) => Number(value).toFixed(3));
  drawOne("accuracy", line("accuracy", "accuracy while learning"), (value) => `${+(value * 100).toFixed(2)}%`);
}

// -- polling ------------------------------------------------------------------------------------

async function ask(address, headers = {}) {
  const answer = await fetch(address, { headers: { Accept: "application/json", ...headers } });
  if (answer.status === 401 || answer.status === 403) {
    location.reload(); // signed out: the page redirects to the login
    return new Promise(() => {});
  }
  if (!answer.ok && answer.status !== 304) throw new Error(`status ${answer.status}`);
  return answer;
}

/** Replace the rendered part of the page, but only at a later poll while a person is typing. */
async function renew() {
  const typing = document.activeElement?.closest?.("input[type=text]");
  if (typing) {
    tag = ""; // the next poll must return the change again
    return;
  }
  const answer = await ask(location.href, { Accept: "text/html" });
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const part of document.querySelectorAll("[data-part]")) {
    if (part.parentElement.closest("[data-part]")) continue; // replaced with its parent
    const other = fresh.querySelector(`[data-part="${part.dataset.part}"]`);
    if (other) part.replaceWith(document.importNode(other, true));
  }
  document.querySelector(".messages")?.remove(); // they are about the old state
  tag = "";
  draw();
  dispatchEvent(new CustomEvent("pagechanged"));
}

async function look() {
  const shown = find("run");
  if (!shown || !ACTIVE.has(shown.dataset.state)) {
    if (!home) return;
    const answer = await ask(`${home.dataset.runs}?limit=1`);
    const newest = (await answer.json()).results[0];
    if (newest && newest.id !== shown?.dataset.run) await renew();
    return;
  }
  const answer = await ask(shown.dataset.source, tag ? { "If-None-Match": tag } : {});
  if (answer.status === 304) return;
  tag = answer.headers.get("ETag") ?? "";
  const run = await answer.json();
  show(run);
  if (run.state !== shown.dataset.state) await renew();
}

function say(text) {
  const said = find("said");
  if (said && said.textContent !== text) said.textContent = text;
}

async function follow() {
  const state = find("run")?.dataset.state;
  if (!ACTIVE.has(state) && !home) return;
  let wait = ACTIVE.has(state) ? WHILE_ACTIVE : WHILE_IDLE;
  if (!document.hidden) {
    try {
      await look();
      failures = 0;
      say("");
      if (ACTIVE.has(find("run")?.dataset.state)) wait = WHILE_ACTIVE;
    } catch (error) {
      if (!(error instanceof TypeError) && !/^status /.test(error.message)) throw error;
      failures += 1;
      wait = Math.min(WHILE_ACTIVE * 2 ** failures, LONGEST_WAIT);
      say("The server does not answer; what you see may be old. Trying again.");
    }
  }
  setTimeout(follow, wait);
}

addEventListener("themeshown", draw);
draw();
if (find("curve") || home) setTimeout(follow, WHILE_ACTIVE);
