// Tabs of this browser that hold items know of each other. Each keeps a lock while it lives and
// lists what it holds in localStorage; without a lock, what a tab has listed counts for nothing.

import { uuid } from "./api.js";

const HELD = "inkloop-held-";
const LOCK = "inkloop-tab-";

export const tab = uuid();

/** One tab at a time, where the browser can say so. */
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
    // Without storage two tabs may be handed the same items; the holds' tokens sort that out.
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

/** Calls back with the ids that another tab has just listed as its own. */
export function whenHeldElsewhere(act) {
  addEventListener("storage", (event) => {
    if (event.key?.startsWith(HELD) && event.newValue) act(JSON.parse(event.newValue));
  });
}
