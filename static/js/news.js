// Says on any page that something this browser saw begin has ended: a run, a trial, or a report in R.
// Pages mark it with the address that tells of it (data-awaited) and, once it has ended, with a
// sentence (data-ended). The addresses are kept in the browser and asked until then.

const KEY = "awaited";
const EVERY = 5_000; // ms between the first two looks
const LONGEST_WAIT = 60_000; // ms; a trial takes days, so a page that stays open looks less and less often
const title = document.title;

function awaited() {
  try {
    return JSON.parse(localStorage.getItem(KEY)) ?? [];
  } catch {
    return []; // no access to storage, or another value in it
  }
}

function keep(addresses) {
  try {
    if (addresses.length) localStorage.setItem(KEY, JSON.stringify(addresses));
    else localStorage.removeItem(KEY);
  } catch {
    // Without storage, only the page itself tells.
  }
}

const marked = (address, within) =>
  [...within.querySelectorAll("[data-awaited]")].find((each) => each.dataset.awaited === address);

function noteWhatBegan(within) {
  const begun = [...within.querySelectorAll("[data-awaited]")].filter((each) => !each.dataset.ended);
  const known = awaited();
  const fresh = begun.map((each) => each.dataset.awaited).filter((address) => !known.includes(address));
  if (fresh.length) keep([...known, ...fresh]);
}

/** The sentence that says how it ended; "" while it goes on, null when nobody can tell.
 *
 * Its page may tell what has begun with its end: of a run, the trial of its version.
 */
async function endOf(address) {
  const here = marked(address, document)?.dataset.ended;
  if (here) return here;
  const answer = await fetch(address, { headers: { Accept: "text/html" }, cache: "no-store" });
  if (answer.status >= 500) return "";
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  noteWhatBegan(fresh);
  return marked(address, fresh)?.dataset.ended ?? null; // null also on the page of the login
}

function show(address, sentence) {
  const notice = document.createElement("p");
  notice.className = "notice";
  const link = document.createElement("a");
  link.href = address;
  link.textContent = sentence;
  const close = document.createElement("button");
  close.type = "button";
  close.className = "button quiet";
  close.textContent = "Close";
  close.addEventListener("click", () => notice.remove());
  notice.append(link, close);
  document.querySelector("[data-news]").append(notice);
}

async function look() {
  noteWhatBegan(document);
  for (const address of awaited()) {
    const sentence = await endOf(address);
    if (sentence === "") continue;
    if (sentence && document.hidden) {
      document.title = `${sentence} · ${title}`; // told once more when the page is looked at
      continue;
    }
    keep(awaited().filter((other) => other !== address));
    document.title = title;
    if (sentence) show(address, sentence);
  }
}

async function follow(wait = EVERY) {
  try {
    await look();
  } catch (error) {
    if (!(error instanceof TypeError)) throw error; // no connection: look again later
  }
  setTimeout(follow, wait, Math.min(1.2 * wait, LONGEST_WAIT));
}

follow();
