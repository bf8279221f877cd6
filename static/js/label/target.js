// How many labels a person means to give in one go. It lasts until it is reached or changed, also
// over a reload; at the end the page stops, so that nobody has to count.

import { find, user } from "./state.js";

const KEY = `inkloop-target-${user}`;
const choice = find("target");
const end = find("end");

let target = stored() ?? { goal: 0, done: 0, since: Date.now() };

function stored() {
  try {
    return JSON.parse(localStorage.getItem(KEY));
  } catch {
    return null; // no storage: the target lasts as long as the page
  }
}

function keep() {
  try {
    localStorage.setItem(KEY, JSON.stringify(target));
  } catch {
    // The same.
  }
  show();
}

function show() {
  const { goal, done } = target;
  choice.value = String(goal);
  find("target-words").textContent = goal ? `${Math.min(done, goal)} of ${goal}` : "";
  find("target-bar").hidden = !goal;
  find("target-bar").max = goal || 1;
  find("target-bar").value = done;
}

export const isReached = () => target.goal > 0 && target.done >= target.goal;

/** Counts answers, or an undo as -1. */
export function count(by) {
  if (!target.goal) return;
  target.done = Math.max(0, target.done + by);
  keep();
  showEnd();
}

export function showEnd() {
  const wasHidden = end.hidden;
  end.hidden = !isReached();
  if (end.hidden || !wasHidden) return;
  const minutes = Math.max(1, Math.round((Date.now() - target.since) / 60_000));
  find("end-words").textContent = `${target.done} labels in ${minutes} minute${minutes === 1 ? "" : "s"}. The items you hold go back to the queue when you leave.`;
  find("go-on").focus({ preventScroll: true });
}

function begin(goal) {
  target = { goal, done: 0, since: Date.now() };
  keep();
  showEnd();
}

choice.addEventListener("change", () => begin(Number(choice.value)));
find("go-on").addEventListener("click", () => begin(target.goal));
show();
