// Answers are stored in IndexedDB, each with its own request id, and sent to the server in order,
// one at a time, until it has answered. A broken network, a reload or a closed laptop delays an
// answer but does not lose or duplicate it.

import { NOT_ALLOWED } from "../api.js";
import { alone, livingTabs } from "../tabs.js";
import { ask, failed, pause, reached, renew } from "./session.js";
import { state, urls, user } from "./state.js";
import { showElsewhere, showTally } from "./view.js";

const REFUSED_FOR_GOOD = new Set([400, 404, 409]);

// -- stored in the browser --------------------------------------------------------------------------

const opened = new Promise((resolve) => {
  const asked = indexedDB.open("inkloop", 1);
  asked.onupgradeneeded = () => {
    asked.result.createObjectStore("outbox", { keyPath: "order", autoIncrement: true });
  };
  asked.onsuccess = () => resolve(asked.result);
  asked.onerror = () => resolve(null); // no access to storage: the outbox is only in memory
});

async function change(mode, act) {
  const store = await opened;
  if (!store) return null;
  return new Promise((resolve, reject) => {
    const transaction = store.transaction("outbox", mode, { durability: "strict" });
    const asked = act(transaction.objectStore("outbox"));
    transaction.oncomplete = () => resolve(asked.result);
    transaction.onerror = transaction.onabort = () => reject(transaction.error);
  });
}

export function store(entry) {
  const { isSending, stored, ...row } = entry;
  entry.stored = change("readwrite", (outbox) => outbox.put(row)).then(
    (order) => {
      if (order !== null) entry.order = order;
      return true;
    },
    () => false, // storage is full or not available: the answer is sent from memory
  );
  return entry.stored;
}

export async function forget(entry) {
  state.waiting.delete(entry.request_id);
  showTally();
  await entry.stored;
  if (entry.order === undefined) return;
  await change("readwrite", (outbox) => outbox.delete(entry.order)).catch(() => {});
}

export function say(entry) {
  state.waiting.set(entry.request_id, entry);
  showTally();
  store(entry);
  drain();
}

/** Takes over the entries of closed pages, to send them. Entries of other accounts stay. */
export async function adopt() {
  const rows = (await change("readonly", (outbox) => outbox.getAll()).catch(() => null)) ?? [];
  const living = await livingTabs();
  const orphans = rows.filter(
    (row) => row.user === user && !living.has(row.tab) && !state.waiting.has(row.request_id),
  );
  for (const row of orphans) {
    row.stored = Promise.resolve(true);
    state.waiting.set(row.request_id, row);
  }
  if (orphans.length) {
    state.waiting = new Map([...state.waiting].sort(([, a], [, b]) => inOrder(a) - inOrder(b)));
  }
  showElsewhere(rows.filter((row) => row.user !== user).length);
  showTally();
  if (orphans.length) drain();
}

const inOrder = (entry) => entry.order ?? Infinity;

// -- sent to the server -----------------------------------------------------------------------------

let told = null; // the callbacks of the page

/** The callbacks: arrived(entry, body), refused(entry, error), lost(entry, reason), emptied(). */
export function whenSent(acts) {
  told = acts;
}

let draining = false;
let retrying = 0;

export async function drain() {
  if (draining || state.isLocked) return;
  draining = true;
  clearTimeout(retrying);
  try {
    await alone("inkloop-outbox", async () => {
      while (state.waiting.size && !state.isLocked) {
        const entry = state.waiting.values().next().value;
        await entry.stored; // stored before it is sent
        if (state.waiting.has(entry.request_id) && !(await deliver(entry))) break;
      }
    });
  } finally {
    draining = false;
  }
  if (state.waiting.size && !state.isLocked) retrying = setTimeout(drain, pause());
  else told.emptied();
}

/** True if the entry has left the outbox, whether it was accepted or refused. */
async function deliver(entry) {
  if (entry.kind !== "undo" && !entry.token) return lose(entry, "its item could not be had again");
  entry.isSending = true;
  let answer;
  try {
    answer = await ask(urlOf(entry), bodyOf(entry));
  } catch {
    return failed();
  } finally {
    entry.isSending = false;
  }
  if (NOT_ALLOWED.has(answer.status)) return (await renew()) ? deliver(entry) : false;
  if (!answer.ok && !REFUSED_FOR_GOOD.has(answer.status)) return stuck(entry, answer.status);
  reached();
  if (answer.ok) {
    await forget(entry);
    await told.arrived(entry, answer.body);
  } else if (entry.kind === "label") {
    await lose(entry, answer.body?.error?.message ?? "the server did not take it");
  } else {
    await forget(entry);
    told.refused(entry, answer.body?.error);
  }
  return true;
}

/** After every four failures with status 500, an answer goes to the end of the queue. */
function stuck(entry, status) {
  entry.stumbles = (entry.stumbles ?? 0) + 1;
  if (status === 500 && entry.stumbles % 4 === 0) {
    state.waiting.delete(entry.request_id);
    state.waiting.set(entry.request_id, entry);
  }
  return failed();
}

/** Removes an answer that the server will never accept, and the undo of it. */
async function lose(entry, reason) {
  await forget(entry);
  for (const other of [...state.waiting.values()]) {
    if (other.kind === "undo" && other.of === entry.request_id) await forget(other);
  }
  told.lost(entry, reason);
  return true;
}

const urlOf = (entry) =>
  ({ label: urls.labelsUrl, skip: urls.skipUrl, undo: urls.undoUrl })[entry.kind];

export function bodyOf(entry) {
  const { id, token, request_id, digit, seconds, guess_shown, of } = entry;
  if (entry.kind === "label") return { id, token, request_id, digit, seconds, guess_shown };
  return entry.kind === "skip" ? { id, token } : { request_id, of, page: state.holds };
}
