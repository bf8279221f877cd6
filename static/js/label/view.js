// Shows the state of the label page. It reads the state and changes only the document.

import { COUNTED, find, page, state } from "./state.js";

const SHOWN_BEFORE = 8; // recent answers shown

const number = (count) => count.toLocaleString("en-US");
const counted = (count, one, many) => `${number(count)} ${count === 1 ? one : many}`;

export const wordFor = (digit) => (digit === null ? "unreadable" : String(digit));
export const tellLast = (text) => (find("last").textContent = text);
export const announce = (text) => (find("announce").textContent = text);

export function picture(src, alt) {
  const image = new Image();
  image.src = src;
  image.alt = alt;
  return image;
}

// -- the item -------------------------------------------------------------------------------------

let onStage = null;

export function showStage() {
  const item = state.items[0];
  const isNew = item !== onStage;
  onStage = item;
  page.dataset.held = state.items.length;
  find("stage").hidden = !item;
  find("pad").hidden = !item && !state.done.length;
  find("pad").toggleAttribute("data-idle", !item); // only "Undo" can be used
  find("wait").hidden = Boolean(item);
  find("note-box").hidden = !item;
  find("guess-line").hidden = !item || item.guess === null;
  if (!item) return showWait();
  if (!isNew) return;
  find("glyph").replaceChildren(item.glyphImage);
  find("drawing").replaceChildren(item.drawingImage);
  find("guess").textContent = item.guess ?? "";
  page.dataset.item = item.id;
  item.shownAt = performance.now();
  showLeft();
}

// Work that can wait runs after the frame with the next glyph is painted.
const painted = new MessageChannel();
let paintedActs = [];
painted.port1.onmessage = () => {
  for (const act of paintedActs.splice(0)) act();
};

export function afterPaint(act) {
  paintedActs.push(act);
  if (paintedActs.length > 1) return;
  if (document.hidden) painted.port2.postMessage(0); // nothing is painted then
  else requestAnimationFrame(() => painted.port2.postMessage(0));
}

/** Measures the time from the key press until the frame with the next glyph is painted. */
export function measure(event) {
  if (!state.items.length) return;
  const start = event.timeStamp;
  afterPaint(() => {
    const { duration } = performance.measure("key-to-glyph", { start, end: performance.now() });
    page.dataset.keyToGlyph = duration.toFixed(1);
  });
}

// -- nothing to show ------------------------------------------------------------------------------

export function showWait() {
  delete page.dataset.item;
  const [title, words, isDone] = waitWords();
  find("wait-title").textContent = title;
  find("wait-words").textContent = words;
  find("wait-next").hidden = !isDone;
}

function waitWords() {
  const { isLocked, isBroken, outlook, waiting } = state;
  if (isLocked) return ["Logged out", "Log in again to go on."];
  if (isBroken) {
    const kept = waiting.size ? ` ${counted(waiting.size, "answer waits", "answers wait")} safely in this browser.` : "";
    return ["No connection", `Items come back with it, by themselves.${kept}`];
  }
  if (!outlook || waiting.size) return ["Fetching items", ""];
  if (!outlook.isKnown) return ["Nothing here right now", "What is left is open in another tab of yours."];
  if (outlook.left === 0) return ["All done", "Nothing is left to label. New drawings appear here by themselves.", true];
  const leftWords = `${number(outlook.left)} left`;
  if (!outlook.held_by_others) return [leftWords, outlook.left === 1
    ? "It waits for somebody else: you drew, answered or skipped it."
    : "All wait for somebody else: you drew, answered or skipped them."];
  const since = (performance.now() - outlook.at) / 1000;
  const seconds = Math.max(0, Math.ceil((outlook.next_free_in ?? 0) - since));
  const clock = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
  return [leftWords, `${number(outlook.held_by_others)} held by others, next free in ${clock}.`];
}

// -- figures --------------------------------------------------------------------------------------

export function showTally() {
  find("saved").textContent = number(state.saved);
  find("waiting").textContent = number(state.waiting.size);
  find("waiting-words").hidden = state.waiting.size === 0;
  find("offline").hidden = navigator.onLine && !state.isBroken;
  page.dataset.waiting = state.waiting.size;
}

export const showLeft = () =>
  (find("left").textContent = number(state.left) + (state.left < COUNTED ? "" : "+"));

export function showProgress({ per_hour, streak, gold_answered, gold_right, priority_left }) {
  find("priority-done")?.toggleAttribute("hidden", priority_left);
  find("per-hour").textContent = number(Math.round(per_hour));
  find("streak").textContent = streak;
  find("gold").textContent = gold_answered ? `${gold_right} of ${gold_answered}` : "–";
  showTally();
  showLeft();
}

// -- what was said ----------------------------------------------------------------------------------

const rowOf = (requestId) => find("recent").querySelector(`[data-request="${requestId}"]`);
export const unmark = (requestId) => rowOf(requestId)?.remove();
export const unmarkItem = (id) => find("recent").querySelector(`[data-item="${id}"]`)?.remove();

export function mark(entry, item) {
  const one = state.done.find((each) => each.request_id === entry.request_id);
  if (!one) return; // undone already
  const isSkip = entry.kind === "skip";
  const row = document.createElement("li");
  row.dataset.request = entry.request_id;
  row.dataset.item = item.id;
  row.toggleAttribute("data-unsaved", !isSkip);
  const word = document.createElement("span");
  word.textContent = isSkip ? "–" : entry.digit === null ? "×" : String(entry.digit);
  row.append(picture(item.glyph, ""), word);
  find("recent").prepend(row);
  while (find("recent").children.length > SHOWN_BEFORE) find("recent").lastElementChild.remove();
  if (one.guess !== undefined) return showGuess(entry.request_id, one.guess); // the server has answered already
  tellLast(isSkip ? "Skipped: somebody else gets it." : `You said ${wordFor(entry.digit)}.`);
}

export function showGuess(requestId, guess) {
  const one = state.done.find((each) => each.request_id === requestId);
  const row = rowOf(requestId);
  row?.removeAttribute("data-unsaved");
  if (!one) return;
  one.guess = guess;
  row?.toggleAttribute("data-differs", guess !== null && guess !== one.digit);
  if (row) row.title = wordsAbout(one, guess);
  if (state.done.at(-1) === one) tellLast(wordsAbout(one, guess));
}

// The guess of an audit item is never shown.
const wordsAbout = ({ digit }, guess) =>
  `You said ${wordFor(digit)}${guess === null ? "" : `, the model said ${guess}`}.`;

// -- what went wrong --------------------------------------------------------------------------------

let lostCount = 0;

export function showLost(entry, reason) {
  lostCount += 1;
  const row = document.createElement("li");
  if (entry.glyph) row.append(picture(entry.glyph, ""));
  row.append(wordFor(entry.digit ?? null));
  row.title = reason;
  find("lost-list").append(row);
  find("lost-words").textContent = `${number(lostCount)} not saved: the hold had run out, or somebody else had the item.`;
  find("lost").hidden = false;
}

find("lost-seen").addEventListener("click", () => {
  lostCount = 0;
  find("lost-list").replaceChildren();
  find("lost").hidden = true;
});

export function showElsewhere(count) {
  const words = `${counted(count, "answer", "answers")} of another account ${count === 1 ? "waits" : "wait"} in this browser until it logs in.`;
  find("elsewhere").textContent = count ? words : "";
  find("elsewhere").hidden = !count;
}

export function showTrouble(isOther) {
  const box = find("trouble");
  box.hidden = !state.isLocked;
  box.replaceChildren();
  if (!state.isLocked) return;
  const { size } = state.waiting;
  const waits = size ? ` ${counted(size, "answer waits", "answers wait")} here and will be sent then.` : "";
  const link = document.createElement("a");
  link.href = `/accounts/login/?next=${encodeURIComponent(location.pathname + location.search)}`;
  link.textContent = "Log in again";
  const why = isOther ? "This account may not label, or another one is logged in. " : "You are logged out. ";
  box.append(why, link, `.${waits}`);
}
