// Requests to the server and their error messages, shared by all pages.

export const PATIENCE = 15_000; // ms until an unanswered request counts as failed
export const NOT_ALLOWED = new Set([401, 403]);

// Only pages served over HTTPS have crypto.randomUUID.
export const uuid = () =>
  crypto.randomUUID?.() ??
  "10000000-1000-4000-8000-100000000000".replace(/[018]/g, (c) =>
    (c ^ (crypto.getRandomValues(new Uint8Array(1))[0] & (15 >> (c / 4)))).toString(16),
  );

export const csrfToken = (element) => element.querySelector("[name=csrfmiddlewaretoken]").value;

export const request = (body, csrf) => ({
  method: "POST",
  body: JSON.stringify(body),
  headers: { "Content-Type": "application/json", "X-CSRFToken": csrf },
});

export async function answerOf(response) {
  const isJson = response.headers.get("Content-Type")?.includes("json");
  const body = isJson ? await response.json() : null;
  return { ok: response.ok, status: response.status, body };
}

/** Throws where there is no connection or no answer in time. */
export async function send(url, body, csrf) {
  return answerOf(
    await fetch(url, { ...request(body, csrf), signal: AbortSignal.timeout(PATIENCE) }),
  );
}

/** Status 0 where there is no connection: the same request may be sent again. */
export async function post(url, body, csrf) {
  try {
    return await send(url, body, csrf);
  } catch {
    return { ok: false, status: 0, body: null };
  }
}

/** For a page that is closing. */
export function sendLast(url, body, csrf) {
  fetch(url, { ...request(body, csrf), keepalive: true }).catch(() => {});
}

export function reason(answer) {
  if (answer.status === 0) return "There is no connection.";
  if (NOT_ALLOWED.has(answer.status)) return "You are logged out. Reload the page to log in again.";
  return messageOf(answer);
}

export const messageOf = (answer) =>
  answer.body?.error?.message ?? `The server answered ${answer.status}. Try again.`;
