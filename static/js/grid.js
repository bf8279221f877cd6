// The grid: fifty glyphs with the same guess. Each cell is a checkbox for "wrong". Arrows move,
// Space marks, Enter confirms the others as one batch, which can be undone as a whole.

import { csrfToken, post, reason, sendLast, uuid } from "./api.js";
import { isControl, isPlain } from "./keys.js";
import { comeAlive, leaveTabs, listHeld } from "./tabs.js";

const KEEP_EVERY = 60_000; // ms between renewals of the lease, which lasts three minutes
const SETTLING = 400; // ms in which a second Enter must not confirm the new grid

const page = document.querySelector("[data-grid]");
const find = (name) => page.querySelector(`[data-${name}]`);
const form = find("form");
const cells = find("cells");
const csrf = csrfToken(form);

let digit = Number(page.dataset.digit);
let shown = null; // {token, ids, request_id} while a grid is on screen
let lastBatch = null;
let busy = false;
let shownAt = 0;

const ask = (url, body) => post(url, body, csrf);

// -- showing a grid ------------------------------------------------------------------------------------

async function load() {
  const asked = digit;
  clear();
  wait("Fetching glyphs", "");
  const answer = await ask(page.dataset.gridUrl, { digit: asked });
  if (asked !== digit) {
    if (answer.ok) release(answer.body.token, answer.body.items);
    return;
  }
  if (!answer.ok) return wait("Not fetched", reason(answer));
  if (!answer.body.items.length) {
    return wait("None left", `No glyph that is read as ${digit} waits for a label. Pick another digit.`);
  }
  show(answer.body);
}

function show({ token, items }) {
  shown = { token, ids: items.map((item) => item.id), request_id: uuid() };
  cells.append(...items.map(cellFor));
  find("wait").hidden = true;
  find("actions").hidden = false;
  shownAt = performance.now();
  listHeld(shown.ids); // so that the label page in another tab does not use them
  count();
  boxes()[0].focus({ preventScroll: true });
  announce(`${items.length} glyphs read as ${digit}.`);
}

function cellFor(item, at) {
  const cell = document.createElement("label");
  cell.className = "grid-cell";
  const box = document.createElement("input");
  box.type = "checkbox";
  box.value = item.id;
  box.tabIndex = at ? -1 : 0; // one stop for the Tab key; arrows move within
  box.setAttribute("aria-label", `Glyph ${at + 1} is wrong`);
  const glyph = new Image(28, 28);
  glyph.src = item.glyph;
  glyph.alt = "";
  cell.append(box, glyph);
  return cell;
}

function clear() {
  shown = null;
  cells.querySelectorAll(".grid-cell").forEach((cell) => cell.remove());
  find("actions").hidden = true;
  listHeld([]);
}

function wait(title, words) {
  find("wait").hidden = false;
  find("wait-title").textContent = title;
  find("wait-words").textContent = words;
}

const boxes = () => [...cells.querySelectorAll("input")];
const wrongs = () => boxes().filter((box) => box.checked).map((box) => box.value);

function count() {
  const wrong = wrongs().length;
  const right = shown.ids.length - wrong;
  const also = wrong ? `, send ${wrong} to the queue` : "";
  find("confirm").textContent = `Confirm ${right} as ${digit}${also}`;
}

const announce = (text) => (find("announce").textContent = text);

function note(text, tone = "") {
  find("note").textContent = text;
  find("note").className = `notice ${tone}`;
  find("note").hidden = !text;
}

// -- confirm and undo --------------------------------------------------------------------------------------

async function confirm() {
  if (!shown) return;
  if (busy || performance.now() - shownAt < SETTLING) return note("Not confirmed: these glyphs had just come. Look, and press Enter again.", "warning");
  busy = true;
  const { token, ids, request_id } = shown;
  const answer = await ask(page.dataset.confirmUrl, { digit, token, ids, request_id, wrong: wrongs() });
  busy = false;
  if (answer.ok) {
    lastBatch = answer.body;
    note("");
    showDone(`${answer.body.confirmed} confirmed, ${answer.body.sent_back} sent to the queue`, true);
  } else if (answer.status === 409) {
    note(`Nothing was confirmed. ${reason(answer)}`, "warning");
  } else {
    // The next press sends the same request id, so it cannot confirm twice.
    return note(`Not confirmed yet. ${reason(answer)} Your marks stay; press Enter again.`, "error");
  }
  load();
}

function showDone(words, canUndo) {
  find("done-words").textContent = words;
  find("done").hidden = false;
  find("undo").hidden = !canUndo;
}

async function undo() {
  if (!lastBatch || busy) return;
  busy = true;
  const answer = await ask(page.dataset.batchesUrl.replace("00000000-0000-0000-0000-000000000000", lastBatch.batch), {});
  busy = false;
  if (!answer.ok && ![404, 409].includes(answer.status)) return note(`Not taken back. ${reason(answer)}`, "error");
  note("");
  showDone(answer.ok ? `Taken back: ${answer.body.undone} labels` : reason(answer), false);
  lastBatch = null;
  find("cells").querySelector("input")?.focus({ preventScroll: true });
}

// -- renewing and releasing the lease -----------------------------------------------------------------------

async function keep() {
  if (!shown) return;
  const { token } = shown;
  const answer = await ask(page.dataset.keepUrl, { tokens: [token] });
  if (answer.ok && shown?.token === token && !answer.body.kept.includes(token)) {
    note("You were away for long, so these were free for others. Here are fresh ones.", "warning");
    load();
  }
}

function release(token, items) {
  if (!token) return;
  sendLast(page.dataset.releaseUrl, { ids: items.map((item) => item.id), tokens: [token] }, csrf);
}

function leave() {
  if (shown) release(shown.token, shown.ids.map((id) => ({ id })));
  clear();
  leaveTabs();
}

// -- keys, tabs and buttons ------------------------------------------------------------------------------------

function pick(next) {
  if (next === digit || busy) return;
  if (shown) release(shown.token, shown.ids.map((id) => ({ id })));
  digit = next;
  history.replaceState(null, "", `?digit=${digit}`);
  for (const each of page.querySelectorAll("[data-tab]")) {
    if (Number(each.dataset.tab) === digit) each.setAttribute("aria-current", "true");
    else each.removeAttribute("aria-current");
  }
  for (const each of page.querySelectorAll("[data-title]")) each.textContent = digit;
  find("done").hidden = true;
  note("");
  load();
}

page.querySelector(".digit-tabs").addEventListener("click", (event) => {
  const chosen = event.target.closest("[data-tab]");
  if (!chosen || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  pick(Number(chosen.dataset.tab));
});

// The number of cells in a row on this screen, for the up and down arrows.
function columns(all) {
  const top = all[0].getBoundingClientRect().top;
  const below = all.findIndex((box) => box.getBoundingClientRect().top > top + 4);
  return below < 0 ? all.length : below;
}

function move(key) {
  const all = boxes();
  const at = Math.max(0, all.indexOf(document.activeElement));
  const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns(all), ArrowDown: columns(all) }[key];
  const to = key === "Home" ? 0 : key === "End" ? all.length - 1 : at + step;
  if (!all[to]) return;
  for (const box of all) box.tabIndex = -1;
  all[to].tabIndex = 0;
  all[to].focus();
}

const MOVES = new Set(["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End"]);

document.addEventListener("keydown", (event) => {
  if (!isPlain(event)) return;
  const isOnGrid = cells.contains(event.target) || event.target === document.body;
  if (shown && isOnGrid && MOVES.has(event.key)) move(event.key);
  else if (event.key === "Enter" && !isControl(event.target)) event.repeat || confirm();
  else if (event.key.toLowerCase() === "u" && !event.repeat) undo();
  else return;
  event.preventDefault();
});

cells.addEventListener("change", count);
form.addEventListener("submit", (event) => {
  event.preventDefault();
  confirm();
});
find("undo").addEventListener("click", undo);
addEventListener("pagehide", leave);
addEventListener("pageshow", (event) => {
  if (!event.persisted) return;
  comeAlive();
  load();
});
document.addEventListener("visibilitychange", () => document.hidden || keep());
setInterval(keep, KEEP_EVERY);

comeAlive();
load();
