// Fetches the first steps again when an answer on the draw page has become a label.

const steps = document.querySelector('[data-part="first-steps"]');
const count = document.querySelector("[data-toward-count]");

async function renew() {
  const answer = await fetch(location.pathname, { headers: { Accept: "text/html" }, cache: "no-store" });
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  const other = fresh.querySelector('[data-part="first-steps"]');
  if (other) steps.replaceChildren(...document.importNode(other, true).childNodes);
}

if (count) {
  new MutationObserver(() => {
    renew().catch((error) => {
      if (!(error instanceof TypeError)) throw error; // no connection: the next answer tells
    });
  }).observe(count, { childList: true });
}
