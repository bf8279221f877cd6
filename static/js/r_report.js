// While a report is being made, parts of the page are replaced with the server's current ones.

const EVERY = 1000; // ms between two requests
const LONGEST_WAIT = 30_000; // ms between two tries while the server does not answer

let wait = EVERY;

async function look() {
  const answer = await fetch(location.href, { headers: { Accept: "text/html" }, cache: "no-store" });
  if (!answer.ok) throw new Error(`status ${answer.status}`);
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const part of document.querySelectorAll("[data-part]")) {
    const other = fresh.querySelector(`[data-part="${part.dataset.part}"]`);
    if (other && !part.isEqualNode(other)) part.replaceWith(document.importNode(other, true));
  }
}

async function follow() {
  if (!document.querySelector("[data-r-report][data-active]")) return;
  try {
    await look();
    wait = EVERY;
  } catch (error) {
    if (!(error instanceof TypeError) && !/^status /.test(error.message)) throw error;
    wait = Math.min(wait * 2, LONGEST_WAIT);
  }
  setTimeout(follow, wait);
}

setTimeout(follow, wait);
