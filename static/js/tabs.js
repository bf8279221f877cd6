// Tabs of one browser do not work on the same items. A tab keeps a web lock while it is open and
// lists its leased items in localStorage. The list of a tab without a lock is ignored.

import { uuid } from "./api.js";

const HELD = "inkloop-held-";
const LOCK = "inkloop-tab-";

export const tab = uuid();

/** Runs `act` in one tab at a time, if the browser has web locks. */
export const alone = (name, act) => (navigator.locks ? navigator.locks.request(name, act) : act());

let letGo = () => {};

export function comeAlive() {
  navigator.locks?.request(LOCK + tab, () => new Promise((resolve) => (letGo = resolve)));
}

export function leaveTabs() {
  listHeld([]);
  letGo();
}

export async function livingTabs() {
  if (!navigator.locks) return new Set([tab]);
  const { held } = await navigator.locks.query();
  return new Set(held.map(({ name }) => name.replace(LOCK, "")));
}

export function listHeld(ids) {
  try {
    if (ids.length) localStorage.setItem(HELD + tab, JSON.stringify(ids));
    else localStorage.removeItem(HELD + tab);
  } catch {
    // Without storage two tabs may get the same items; the server then accepts only one lease token.
  }
}

export async function heldElsewhere() {
  const living = await livingTabs();
  const ids = [];
  try {
    for (const key of Object.keys(localStorage).filter((name) => name.startsWith(HELD))) {
      const other = key.slice(HELD.length);
      if (!living.has(other)) localStorage.removeItem(key);
      else if (other !== tab) ids.push(...JSON.parse(localStorage.getItem(key)));
    }
  } catch {
    return [];
  }
  return ids;
}

/** Calls `act` with the ids that another tab has just listed as its own. */
export function whenHeldElsewhere(act) {
  addEventListener("storage", (event) => {
    if (event.key?.startsWith(HELD) && event.newValue) act(JSON.parse(event.newValue));
  });
}
