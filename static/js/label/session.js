// Requests as the person who opened the page. If the session was renewed in another tab, the page
// is fetched again for its new CSRF token.

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

/** Milliseconds until the next try: exponential backoff with jitter. */
export const pause = () =>
  failures ? Math.min(SLOWEST_RETRY, 500 * 2 ** failures) * (0.75 + Math.random() / 2) : 0;

export const forgetFailures = () => (failures = 0);

/** True if the same person is still logged in and may label. */
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
  // If a request is refused right after a renewal, the cause is the account, not the token.
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
