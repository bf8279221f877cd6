// The label page: a digit key submits the label, and the next item is already loaded. This module
// handles keys and buttons. The modules in label/ load items, send answers and show both.

import { PATIENCE, answerOf, messageOf, uuid } from "./api.js";
import { digitOf, isControl, isPlain, isTyping } from "./keys.js";
import { drop, fill, keep, leave, prepare, sinceKept } from "./label/items.js";
import { adopt, drain, forget, say, store, whenSent } from "./label/outbox.js";
import { ask, forgetFailures, renew } from "./label/session.js";
import {
  COUNTED, find, isPriorityFirst, isQuiet, keepQuiet, page, state, urls, user,
} from "./label/state.js";
import {
  afterPaint, announce, mark, measure, showGuess, showLost, showProgress, showStage, showTally,
  showWait, tellLast, unmark, unmarkItem, wordFor,
} from "./label/view.js";
import { count, isReached, showEnd } from "./label/target.js";
import { comeAlive, tab } from "./tabs.js";

const REMEMBERED = 100; // answers that "u" can take back without asking the server which
const KEEP_EVERY = 60_000; // ms between renewals of the leases, which last three minutes
const AWAY = 600_000; // ms without a press; after that the leases are not renewed
const PROGRESS_EVERY = 30_000; // ms
const AWAY_WORDS = "You were away for a while, and the item may have changed. Look, and press again.";
const WORDS = { unreadable: "unreadable", skip: "skipped" };

const form = find("form");
const help = find("help");
let pressedAt = performance.now();

// -- answers and undo -------------------------------------------------------------------------------

function act(said, event) {
  if (said === "undo") return undo();
  if (said === "note") return writeNote();
  if (isReached()) return refuse(said, "Your target is reached: press “Go on” for more.");
  if (!state.items.length) return refuse(said, "There is no item to answer.");
  if (isQuiet()) return refuse(said, "The item had just changed. Look, and press again.");
  const item = state.items.shift();
  find("note-box").open = false;
  if (!state.items.length) state.outlook = null; // it is out of date
  showStage();
  if (event) measure(event);
  const entry = entryOf(item, said);
  if (entry.kind === "label") count(1);
  if (entry.kind === "label" && state.left < COUNTED) state.left = Math.max(0, state.left - 1);
  state.done = [...state.done, { ...entry, item }].slice(-REMEMBERED);
  say(entry);
  afterPaint(() => {
    mark(entry, item);
    announce(`${WORDS[said] ?? said}. ${state.items.length ? "Next item" : "No next item yet"}.`);
    fill();
  });
}

/** A press that could be meant for another item is not kept, and the page says so. */
function refuse(said, why) {
  const words = `Not saved: ${WORDS[said] ?? said}. ${why}`;
  tellLast(words);
  announce(words);
}

function entryOf(item, said) {
  const { id, token, glyph } = item;
  const entry = { request_id: uuid(), user, tab, kind: "label", id, token, glyph };
  if (said === "skip") return { ...entry, kind: "skip" };
  return {
    ...entry,
    digit: said === "unreadable" ? null : Number(said),
    seconds: Math.max(0, (performance.now() - item.shownAt) / 1000),
    guess_shown: item.guess !== null,
  };
}

function undo() {
  const last = state.done.pop();
  if (!last) return say({ request_id: uuid(), user, tab, kind: "undo" });
  const entry = state.waiting.get(last.request_id);
  if (entry && !entry.isSending) {
    forget(entry);
  } else if (last.kind === "skip") {
    return tellLast("A skipped item has gone to somebody else. Press U again for the answer before it.");
  } else {
    last.item.token = null; // the answer to the undo has a new lease token
    say({ request_id: uuid(), user, tab, kind: "undo", of: last.request_id, id: last.id });
  }
  if (last.kind === "label") count(-1);
  if (last.kind === "label" && state.left < COUNTED) state.left += 1;
  state.items.unshift(last.item);
  unmark(last.request_id);
  tellLast(`Took back ${wordFor(last.digit ?? null)}.`);
  announce("Took back. Which digit is it?");
  showStage();
}

/** Sends what is written about the item on screen; reviewers see it. */
async function writeNote() {
  const [item] = state.items;
  const text = find("note").value.trim();
  if (!item || !text) return tellNote("Nothing is written yet.");
  try {
    const answer = await ask(urls.notesUrl, { id: item.id, token: item.token, text });
    if (!answer.ok) return tellNote(messageOf(answer));
  } catch {
    return tellNote("Not saved: there is no connection. Press it again.");
  }
  find("note").value = "";
  find("note-box").open = false;
  tellLast("Note saved: reviewers see it.");
  announce("Note saved.");
}

const tellNote = (words) => (find("note-words").textContent = words);

find("note-box").addEventListener("toggle", () => {
  tellNote("");
  if (find("note-box").open) find("note").focus();
});

// -- answers of the server --------------------------------------------------------------------------

whenSent({
  async arrived(entry, body) {
    if (entry.kind === "label") {
      state.saved += 1;
      showGuess(entry.request_id, body.guess);
    } else if (entry.kind === "undo") {
      state.saved = Math.max(0, state.saved - 1);
      await comeBack(entry, body.item);
    }
    showTally();
  },
  refused(entry, error) {
    // A refused skip was done before, or somebody else has the item: nothing is left to do.
    if (entry.kind !== "undo") return;
    drop(entry.id, (item) => !item.token);
    tellLast(error?.message ?? "It could not be taken back.");
  },
  lost(entry, reason) {
    state.done = state.done.filter((one) => one.request_id !== entry.request_id);
    unmark(entry.request_id);
    tellLast("");
    showLost(entry, reason);
  },
  emptied() {
    const isDue = isPriorityFirst || performance.now() - progressAt > PROGRESS_EVERY / 3;
    if (!state.waiting.size && isDue) askProgress();
    if (!state.items.length) fill();
  },
});

/** An undone item has a new lease: give its token to the item on screen and to answers to it. */
async function comeBack(entry, fresh) {
  const isSame = (one) => one.id === (fresh?.id ?? entry.id) && !one.token;
  const returning = state.items.find(isSame);
  const answers = [...state.waiting.values()].filter(
    (one) => one.id && one.id === entry.id && one.kind !== "undo" && !one.token,
  );
  if (!fresh) {
    drop(entry.id, (item) => !item.token);
    return tellLast("Taken back. Somebody else has the item now.");
  }
  if (returning) returning.token = fresh.token;
  for (const one of answers) {
    one.token = fresh.token;
    await store(one);
  }
  if (returning || answers.length) return;
  unmarkItem(fresh.id); // an answer from before the page was loaded
  await prepare(fresh);
  state.items.unshift(fresh);
  keepQuiet();
  showStage();
  tellLast("Took back your last answer.");
}

let progressAt = -Infinity;
async function askProgress() {
  if (document.hidden || state.isLocked) return;
  progressAt = performance.now();
  try {
    const answer = await answerOf(await fetch(urls.progressUrl, { signal: AbortSignal.timeout(PATIENCE) }));
    if (!answer.ok) return;
    if (!state.waiting.size) [state.saved, state.left] = [answer.body.today, answer.body.left];
    showProgress(answer.body);
  } catch {
    // The figures are updated the next time.
  }
}

// -- keys and buttons -------------------------------------------------------------------------------

/**
 * True once after a long absence. Somebody else may have the item on screen by now, so the first
 * press only updates the page.
 */
function wasAway() {
  const away = performance.now() - pressedAt > AWAY;
  pressedAt = performance.now();
  if (away) {
    keepQuiet();
    keep();
  }
  return away;
}

const meaning = (event) =>
  digitOf(event) ?? { x: "unreadable", s: "skip", u: "undo", n: "open", "?": "help" }[event.key.toLowerCase()];

document.addEventListener("keydown", (event) => {
  if (!isPlain(event) || help.open || isTyping(event.target)) return;
  const guess = state.items[0]?.guess ?? null;
  const agrees = event.key === "Enter" && !isControl(event.target) && guess !== null;
  const said = agrees ? String(guess) : meaning(event);
  if (!said) return;
  event.preventDefault();
  if (event.repeat) return; // a key held down is one answer
  if (said === "help") return help.showModal();
  if (said === "open") return (find("note-box").open = true);
  flash(said);
  if (wasAway()) return refuse(said, AWAY_WORDS);
  act(said, event);
});

function flash(said) {
  const button = form.querySelector(`[name=said][value="${said}"]`);
  button?.toggleAttribute("data-pressed", true);
  setTimeout(() => button?.removeAttribute("data-pressed"), 120);
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (!event.submitter) return;
  if (wasAway()) return refuse(event.submitter.value, AWAY_WORDS);
  act(event.submitter.value, event);
});
find("help-open").addEventListener("click", () => help.showModal());

// -- events of the page -----------------------------------------------------------------------------

async function comeHere() {
  if (state.isLocked) {
    if (!(await renew())) return;
  } else {
    if (sinceKept() > KEEP_EVERY * 0.8) keep();
    adopt();
  }
  drain();
  fill();
}

addEventListener("pagehide", leave);
addEventListener("pageshow", (event) => {
  if (!event.persisted) return;
  comeAlive();
  showStage();
  comeHere();
});
document.addEventListener("visibilitychange", () => document.hidden || comeHere());
addEventListener("offline", showTally);
addEventListener("online", () => {
  forgetFailures();
  comeHere();
});
setInterval(() => {
  if (state.waiting.size || performance.now() - pressedAt < AWAY) keep();
  adopt();
}, KEEP_EVERY);
setInterval(askProgress, PROGRESS_EVERY);
setInterval(() => state.items.length || showWait(), 1000);

for (const one of form.querySelectorAll("[name=item], [name=token], [name=request_id]")) one.remove();
comeAlive();
showStage();
showEnd();
adopt().then(fill);
