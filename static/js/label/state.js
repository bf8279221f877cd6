// The state of the label page. The other modules in this folder change it.

import { uuid } from "../api.js";

export const page = document.querySelector("[data-label]");
export const find = (name) => page.querySelector(`[data-${name}]`);
export const urls = page.dataset;
export const user = Number(page.dataset.user);
export const isPriorityFirst = "priorityFirst" in page.dataset; // "Decide now" led here
export const COUNTED = 10_000; // the server counts what is left up to this

const numberIn = (name) => parseInt(find(name).textContent.replaceAll(",", ""), 10);

export const state = {
  items: [], // leased by this page; the first is on screen
  done: [], // answers that can be undone, the newest last
  waiting: new Map(), // unsent answers: request id → entry, in the order they were given
  saved: numberIn("saved"),
  left: numberIn("left"),
  isLocked: false, // logged out, or not allowed: nothing is sent
  isBroken: false, // the last request did not get through
  quietUntil: 0, // keys before this time are ignored
  outlook: null, // why there is nothing to show
  holds: uuid(), // names this page's leases, so that a repeated request does not void them
};

const SETTLING = 350; // ms; the page changed the item, so a key may be meant for the old one

export function keepQuiet() {
  state.quietUntil = performance.now() + SETTLING;
}

export const isQuiet = () => performance.now() < state.quietUntil;

export const ownIds = () =>
  [...state.items, ...state.waiting.values()].map((one) => one.id).filter(Boolean);
