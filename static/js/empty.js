// An empty page is loaded again once there is something to show on it.

const EVERY = 4_000; // ms between two looks

async function look() {
  const answer = await fetch(location.href, { headers: { Accept: "text/html" }, cache: "no-store" });
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  if (!fresh.querySelector("[data-nothing-yet]")) location.reload();
}

async function follow() {
  try {
    if (!document.hidden) await look();
  } catch (error) {
    if (!(error instanceof TypeError)) throw error; // no connection: look again later
  }
  setTimeout(follow, EVERY);
}

setTimeout(follow, EVERY);
