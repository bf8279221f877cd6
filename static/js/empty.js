// An empty page is loaded again once there is something to show on it. Until then it says how far
// the made-up history is, if one was asked for.

const EVERY = 4_000; // ms between two looks
const WHILE_MADE = 1_000; // the same while a history is being made up

const demo = (within) => within.querySelector('[data-part="demo"]');
const isMade = () => demo(document)?.matches("[data-under-way]") ?? false;

async function look() {
  const answer = await fetch(location.href, { headers: { Accept: "text/html" }, cache: "no-store" });
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  if (!fresh.querySelector("[data-nothing-yet]")) return location.reload();
  const other = demo(fresh);
  if (isMade() && other) demo(document).replaceWith(document.importNode(other, true));
}

async function follow() {
  try {
    if (!document.hidden) await look();
  } catch (error) {
    if (!(error instanceof TypeError)) throw error; // no connection: look again later
  }
  setTimeout(follow, isMade() ? WHILE_MADE : EVERY);
}

setTimeout(follow, isMade() ? WHILE_MADE : EVERY);
