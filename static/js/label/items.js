// Items are leased and their pictures decoded in advance, so that a key shows the next one in the
// same frame.

import { NOT_ALLOWED, uuid } from "../api.js";
import { alone, heldElsewhere, leaveTabs, listHeld, whenHeldElsewhere } from "../tabs.js";
import { bodyOf } from "./outbox.js";
import { ask, askLast, failed, reached, renew } from "./session.js";
import { isPriorityFirst, keepQuiet, ownIds, state, urls } from "./state.js";
import { picture, showLeft, showStage } from "./view.js";

const AHEAD = 15; // items the page holds
const REFILL = 10; // with fewer items, more are requested
const ASK_AGAIN = 10_000; // ms between two requests to an empty queue
const MOST_NAMED = 200; // ids the server takes in one request
const MOST_LAST = 50; // answers sent again while the page closes

let filling = false;
let fillAgain = false; // fill() was called while a request was running
let nothingNewUntil = 0;
let lookingAgain = 0;
let keptAt = performance.now();

export async function fill() {
  if (filling) fillAgain = true;
  if (filling || state.isLocked || state.items.length >= REFILL) return;
  if (state.items.length && performance.now() < nothingNewUntil) return;
  filling = true;
  fillAgain = false;
  try {
    const answer = await alone("inkloop-claim", claim);
    if (NOT_ALLOWED.has(answer.status)) {
      if (await renew()) setTimeout(fill);
    } else if (answer.ok) {
      reached();
      learn(answer.body);
    } else failed();
  } catch {
    failed();
  } finally {
    filling = false;
  }
  showStage();
  if (fillAgain && !state.isBroken) return fill();
  if (!state.items.length) lookAgainLater();
}

async function claim() {
  const holding = [...new Set([...ownIds(), ...(await heldElsewhere())])].slice(0, MOST_NAMED);
  const asked = {
    count: AHEAD - state.items.length, holding, page: state.holds, priority_first: isPriorityFirst,
  };
  const answer = await ask(urls.nextUrl, asked);
  if (answer.ok) await take(answer.body.items);
  return answer;
}

async function take(fresh) {
  const known = new Set(ownIds());
  const added = fresh.filter((item) => !known.has(item.id));
  await Promise.all(added.map(prepare));
  state.items.push(...added);
  listHeld(ownIds());
}

function learn({ items, outlook }) {
  state.outlook = { ...outlook, at: performance.now(), isKnown: outlook !== null };
  if (outlook !== null) state.left = outlook.left;
  showLeft();
  nothingNewUntil = items.length ? 0 : performance.now() + ASK_AGAIN;
}

/** Decodes the glyph now, so that showing it later is fast. The drawing may still be loading. */
export function prepare(item) {
  item.glyphImage = picture(item.glyph, "The glyph to label");
  item.drawingImage = picture(item.drawing_url, "The drawing it was made of");
  item.drawingImage.decode().catch(() => {});
  return item.glyphImage.decode().catch(() => {});
}

function lookAgainLater() {
  clearTimeout(lookingAgain);
  const free = state.outlook?.next_free_in;
  const pause = free == null ? ASK_AGAIN : Math.min(ASK_AGAIN, Math.max(500, free * 1000 + 200));
  lookingAgain = setTimeout(() => (state.items.length ? null : fill()), pause);
}

/** Removes an item. If the one on screen changes, keys are ignored for a moment. */
export function drop(id, condition = () => true) {
  const before = state.items[0];
  state.items = state.items.filter((item) => item.id !== id || !condition(item));
  if (state.items[0] === before) return;
  keepQuiet();
  showStage();
}

// A grid opened in another tab takes over the items of this page, so they are removed here.
whenHeldElsewhere((ids) => {
  for (const id of ids) drop(id);
  fill();
});

// -- renewing and releasing leases ------------------------------------------------------------------

export async function keep() {
  const answers = [...state.waiting.values()].filter((entry) => entry.kind !== "undo");
  const held = [...state.items, ...answers].filter((one) => one.token);
  if (!held.length || state.isLocked) return;
  const tokens = [...new Set(held.map((one) => one.token))].slice(0, MOST_NAMED);
  try {
    const answer = await ask(urls.keepUrl, { tokens });
    if (NOT_ALLOWED.has(answer.status)) return void (await renew());
    if (!answer.ok) return;
    keptAt = performance.now();
    const standing = new Set(answer.body.kept);
    for (const { id, token } of held) {
      if (!standing.has(token)) drop(id, (item) => item.token === token);
    }
    fill();
  } catch {
    state.isBroken = true; // the next renewal, or the next answer, tries again
  }
}

export const sinceKept = () => performance.now() - keptAt;

export function leave() {
  const held = state.items.filter((item) => item.token);
  if (held.length) {
    const tokens = [...new Set(held.map(({ token }) => token))];
    askLast(urls.releaseUrl, { ids: held.map(({ id }) => id), tokens });
  }
  // Waiting answers are stored, and also sent once more here: their request ids prevent duplicates.
  const labels = [...state.waiting.values()].filter((one) => one.kind === "label" && one.token);
  for (const entry of labels.slice(0, MOST_LAST)) askLast(urls.labelsUrl, bodyOf(entry));
  state.items = [];
  state.holds = uuid(); // after Back the page leases again, maybe before this release arrives
  leaveTabs();
}
