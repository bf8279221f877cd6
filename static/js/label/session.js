// Asking the server as the person who opened the page. The session may have been renewed in
// another tab: then the page, fetched once more, brings its new CSRF token.

import { PATIENCE, csrfToken, send, sendLast } from "../api.js";
import { page, state, user } from "./state.js";
import { showStage, showTally, showTrouble } from "./view.js";

let csrf = csrfToken(page);
let renewing = null;
let renewedAt = -Infinity;
let failures = 0;

export const ask = (url, body) => send(url, body, csrf);
export const askLast = (url, body) => sendLast(url, body, csrf);

export function failed() {
  failures += 1;
  state.isBroken = true;
  showTally();
  if (!state.items.length) showStage();
  return false;
}

export function reached() {
  failures = 0;
  state.isBroken = false;
}

const SLOWEST_RETRY = 30_000; // ms

/** Milliseconds until the next try; longer after each failure, and never the same for all pages. */
export const pause = () =>
  failures ? Math.min(SLOWEST_RETRY, 500 * 2 ** failures) * (0.75 + Math.random() / 2) : 0;

export const forgetFailures = () => (failures = 0);

/** True when this person may go on. */
export const renew = () => (renewing ??= askForToken().finally(() => (renewing = null)));

async function askForToken() {
  let response;
  let text;
  try {
    response = await fetch(location.pathname, { cache: "no-store", signal: AbortSignal.timeout(PATIENCE) });
    text = await response.text();
  } catch {
    return failed();
  }
  const isHere = response.ok && new URL(response.url).pathname === location.pathname;
  const fresh = isHere ? new DOMParser().parseFromString(text, "text/html") : null;
  const mine = fresh?.querySelector(`[data-label][data-user="${user}"]`);
  // Refused again right after: it is about the account, not about the token.
  if (mine && performance.now() - renewedAt > PATIENCE) {
    csrf = csrfToken(mine);
    renewedAt = performance.now();
    state.isLocked = false;
    showTrouble();
    return true;
  }
  state.isLocked = true;
  showTrouble(response.status === 403 || isHere);
  return false;
}
