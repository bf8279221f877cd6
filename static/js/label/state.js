// What the label page knows, in one place. The modules beside this one change it.

import { uuid } from "../api.js";

export const page = document.querySelector("[data-label]");
export const find = (name) => page.querySelector(`[data-${name}]`);
export const urls = page.dataset;
export const user = Number(page.dataset.user);
export const COUNTED = 10_000; // what is left is not counted any further

const numberIn = (name) => parseInt(find(name).textContent.replaceAll(",", ""), 10);

export const state = {
  items: [], // held by this page, the first on screen
  done: [], // what was answered here and can be taken back, the last one last
  waiting: new Map(), // answers on their way: request id → entry, in the order they were said
  saved: numberIn("saved"),
  left: numberIn("left"),
  isLocked: false, // logged out, or not allowed: nothing is sent
  isBroken: false, // the last request did not get through
  quietUntil: 0, // keys before this time were meant for another item
  outlook: null, // why there is nothing to show
  holds: uuid(), // what the server knows this page's holds by: a question asked twice voids none
};

const SETTLING = 350; // ms without keys after the page, not the person, changed the item

export function keepQuiet() {
  state.quietUntil = performance.now() + SETTLING;
}

export const isQuiet = () => performance.now() < state.quietUntil;

export const ownIds = () =>
  [...state.items, ...state.waiting.values()].map((one) => one.id).filter(Boolean);
