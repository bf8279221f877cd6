// The review page: keys for the selected dispute; when it is settled, the next one is selected. The
// page works without this file.

import { csrfToken, post, reason, uuid } from "./api.js";
import { digitOf, isPlain, isTyping } from "./keys.js";

const SETTLING = 300; // ms without keys after the page has selected the next dispute
const UNDO_AT_MOST = 50;

const page = document.querySelector("[data-review]");
const find = (name) => page.querySelector(`[data-${name}]`);
const disputes = () => [...page.querySelectorAll("[data-dispute]:not([hidden])")];

let current = null;
let movedAt = -Infinity;
let settled = []; // {dispute, request_id, said}, the newest last
let busy = false;

const ask = (url, body) => post(url, body, csrfToken(page));

function frame(dispute, { byPage = false } = {}) {
  current?.removeAttribute("data-current");
  current = dispute ?? null;
  if (byPage) movedAt = performance.now();
  find("empty").hidden = disputes().length > 0;
  if (!current) return;
  current.setAttribute("data-current", "");
  current.scrollIntoView({ block: "nearest" });
}

function say(words, tone, undo) {
  const box = find("note");
  box.className = `notice review-note ${tone}`;
  box.hidden = false;
  find("note-words").textContent = words;
  box.querySelector("button")?.remove();
  if (!undo) return;
  const button = document.createElement("button");
  button.className = "button";
  button.type = "button";
  button.textContent = "Undo";
  button.addEventListener("click", takeBack);
  box.append(button);
}

/** A key that could be meant for the dispute before is not used, and the page says so. */
const refuse = (said) => say(`Not used: ${said}. The next dispute had just come. Look, and press again.`, "warning", settled.length > 0);

async function settle(dispute, said) {
  if (busy) return refuse(said);
  busy = true;
  const id = dispute.querySelector("[name=item]").value;
  const field = dispute.querySelector("[name=request_id]");
  const digit = said === "unreadable" ? null : Number(said);
  const request_id = field.value; // the same if it is pressed again after a failure
  const answer = await ask(page.dataset.settleUrl, { id, digit, request_id });
  busy = false;
  if (!answer.ok) return say(`Not settled. ${reason(answer)}`, "error");
  field.value = uuid();
  settled = [...settled, { dispute, request_id, said }].slice(-UNDO_AT_MOST);
  const after = dispute.nextElementSibling;
  dispute.hidden = true;
  say(`Settled: ${said}.`, "success", true);
  const next = after && !after.hidden ? after : disputes()[0];
  frame(next, { byPage: true });
}

async function takeBack() {
  const last = settled.at(-1);
  if (busy) return refuse("undo");
  if (!last) return;
  busy = true;
  last.undo_id ??= uuid();
  const answer = await ask(page.dataset.undoUrl, { request_id: last.undo_id, of: last.request_id });
  busy = false;
  if (!answer.ok) return say(`Not taken back. ${reason(answer)}`, "error");
  settled.pop();
  last.dispute.hidden = false;
  say(`Taken back: ${last.said}.`, "", settled.length > 0);
  frame(last.dispute, { byPage: true });
}

// -- keys and buttons ---------------------------------------------------------------------------------

const MEANINGS = { x: "unreadable", u: "undo", arrowdown: "next", arrowup: "before", j: "next", k: "before" };
const meaning = (event) => digitOf(event) ?? MEANINGS[event.key.toLowerCase()];

function step(by) {
  const all = disputes();
  frame(all[Math.min(all.length - 1, Math.max(0, all.indexOf(current) + by))]);
}

document.addEventListener("keydown", (event) => {
  if (!isPlain(event) || isTyping(event.target)) return;
  const said = meaning(event);
  if (!said) return;
  event.preventDefault();
  if (said === "next" || said === "before") return step(said === "next" ? 1 : -1);
  if (event.repeat) return;
  if (busy || performance.now() - movedAt < SETTLING) return refuse(said);
  if (said === "undo") takeBack();
  else if (current) settle(current, said);
});

for (const dispute of disputes()) {
  const said = new Set([...dispute.querySelectorAll("[data-value]")].map((cell) => cell.dataset.value));
  for (const button of dispute.querySelectorAll("[name=said]")) {
    button.toggleAttribute("data-said", said.has(button.value));
  }
  dispute.addEventListener("focusin", () => dispute === current || frame(dispute));
  dispute.addEventListener("submit", (event) => {
    event.preventDefault();
    if (event.submitter) settle(dispute, event.submitter.value);
  });
}
frame(disputes()[0]);
