// The label page: the digit key is the label and the submit, and the next item is already here.
//
// Items are leased some way ahead and their pictures decoded, so a key shows the next one in the
// same frame. What was said goes into an outbox kept in IndexedDB, each with a request id of its
// own, and from there to the server in order, one at a time, until the server has answered: a
// broken network, a reload or a closed laptop delays an answer and neither loses nor doubles it.

const AHEAD = 15; // items the page holds
const REFILL = 10; // fewer than this, and more are asked for
const SHOWN_BEFORE = 8; // answers kept in sight
const REMEMBERED = 100; // answers that "u" can take back without asking the server which
const KEEP_EVERY = 60_000; // ms; a hold lasts three minutes
const COUNTED = 10_000; // what is left is not counted any further
const AWAY = 600_000; // ms without a press; then the holds are left to run out, for others
const PROGRESS_EVERY = 30_000; // ms
const ASK_AGAIN = 10_000; // ms between two looks at an empty queue
const PATIENCE = 15_000; // ms until an unanswered request counts as failed
const SLOWEST_RETRY = 30_000; // ms
const SETTLING = 350; // ms without keys after the page, not the person, changed the item
const MOST_NAMED = 200; // ids the server takes in one request
const REFUSED_FOR_GOOD = new Set([400, 404, 409]);
const NOT_ALLOWED = new Set([401, 403]);

const page = document.querySelector("[data-label]");
const find = (name) => page.querySelector(`[data-${name}]`);
const urls = page.dataset;
const form = find("form");
const user = Number(page.dataset.user);
let csrf = form.querySelector("[name=csrfmiddlewaretoken]").value;

const uuid = () =>
  crypto.randomUUID?.() ?? // absent over plain HTTP
  "10000000-1000-4000-8000-100000000000".replace(/[018]/g, (c) =>
    (c ^ (crypto.getRandomValues(new Uint8Array(1))[0] & (15 >> (c / 4)))).toString(16),
  );
const tab = uuid();
let grip = uuid(); // what the server knows this page's holds by: a question asked twice voids none

let items = []; // held by this page, the first on screen
let done = []; // what was answered here and can be taken back, the last one last
let waiting = new Map(); // the outbox: request id → entry, in the order it was said
let saved = Number(find("saved").textContent.replaceAll(",", ""));
let left = parseInt(find("left").textContent.replaceAll(",", ""), 10);
let locked = false; // logged out, or not allowed: nothing is sent
let broken = false; // the last request did not get through
let quietUntil = 0; // keys before this time were meant for another item
let outlook = null; // why there is nothing to show

// -- talking to the server ------------------------------------------------------------------------

async function post(url, body) {
  return answerOf(
    await fetch(url, { ...request(body), signal: AbortSignal.timeout(PATIENCE) }),
  );
}

const request = (body) => ({
  method: "POST",
  body: JSON.stringify(body),
  headers: { "Content-Type": "application/json", "X-CSRFToken": csrf },
});

async function answerOf(response) {
  const isJson = response.headers.get("Content-Type")?.includes("json");
  const body = isJson ? await response.json() : null;
  return { status: response.status, ok: response.ok, body };
}

// One tab at a time, where the browser can say so; the request ids make the rest harmless.
const alone = (name, act) => (navigator.locks ? navigator.locks.request(name, act) : act());

// -- the outbox -------------------------------------------------------------------------------------

const opened = openStore();

function openStore() {
  return new Promise((resolve) => {
    const asked = indexedDB.open("inkloop", 1);
    asked.onupgradeneeded = () => {
      asked.result.createObjectStore("outbox", { keyPath: "order", autoIncrement: true });
    };
    asked.onsuccess = () => resolve(asked.result);
    asked.onerror = () => resolve(null); // storage is closed to us: the outbox lasts as long as the page
  });
}

function change(mode, act) {
  return opened.then(
    (store) =>
      new Promise((resolve, reject) => {
        if (!store) return resolve(null);
        const transaction = store.transaction("outbox", mode, { durability: "strict" });
        const asked = act(transaction.objectStore("outbox"));
        transaction.oncomplete = () => resolve(asked.result);
        transaction.onerror = transaction.onabort = () => reject(transaction.error);
      }),
  );
}

const kept = ({ order, ...entry }) => (order === undefined ? entry : { order, ...entry });

function put(entry) {
  const { isSending, stored, ...row } = entry;
  entry.stored = change("readwrite", (outbox) => outbox.put(kept(row))).then(
    (order) => {
      if (order !== null) entry.order = order;
      return true;
    },
    () => false, // full or closed: it is sent from memory
  );
  return entry.stored;
}

async function forget(entry) {
  waiting.delete(entry.request_id);
  showTally();
  await entry.stored;
  if (entry.order !== undefined) await change("readwrite", (outbox) => outbox.delete(entry.order)).catch(() => {});
}

function say(entry) {
  waiting.set(entry.request_id, entry);
  showTally();
  put(entry);
  drain();
}

// Entries of pages that are gone become this page's to send. Those of other accounts stay.
async function adopt() {
  const rows = (await change("readonly", (outbox) => outbox.getAll()).catch(() => null)) ?? [];
  const living = await livingTabs();
  const orphans = rows.filter(
    (row) => row.user === user && !living.has(row.tab) && !waiting.has(row.request_id),
  );
  for (const row of orphans) {
    row.stored = Promise.resolve(true);
    waiting.set(row.request_id, row);
  }
  if (orphans.length) waiting = new Map([...waiting].sort(([, a], [, b]) => inOrder(a) - inOrder(b)));
  showElsewhere(rows.filter((row) => row.user !== user).length);
  showTally();
  if (orphans.length) drain();
}
const inOrder = (entry) => entry.order ?? Infinity;

let draining = false;
let failures = 0;
let retrying = 0;

async function drain() {
  if (draining || locked) return;
  draining = true;
  clearTimeout(retrying);
  try {
    await alone("inkloop-outbox", async () => {
      while (waiting.size && !locked) {
        const entry = waiting.values().next().value;
        await entry.stored; // kept before it is sent
        if (waiting.has(entry.request_id) && !(await deliver(entry))) break;
      }
    });
  } finally {
    draining = false;
  }
  if (!waiting.size && performance.now() - progressAt > PROGRESS_EVERY / 3) showProgress();
  if (waiting.size && !locked) retryLater();
  else if (!items.length) fill();
}

function retryLater() {
  const pause = Math.min(SLOWEST_RETRY, 500 * 2 ** failures) * (0.75 + Math.random() / 2);
  retrying = setTimeout(drain, failures ? pause : 0);
}

// True when the entry is off the outbox, whatever became of it.
async function deliver(entry) {
  if (entry.kind !== "undo" && !entry.token) return lose(entry, "its item could not be had again");
  entry.isSending = true;
  let answer;
  try {
    answer = await post(urlOf(entry), bodyOf(entry));
  } catch {
    return failed();
  } finally {
    entry.isSending = false;
  }
  if (NOT_ALLOWED.has(answer.status)) return (await renew()) ? deliver(entry) : false;
  if (!answer.ok && !REFUSED_FOR_GOOD.has(answer.status)) return stuck(entry, answer.status);
  reached();
  if (answer.ok) await arrived(entry, answer.body);
  else await refused(entry, answer.body?.error);
  return true;
}

// One answer the server stumbles over does not hold up the others for ever.
function stuck(entry, status) {
  entry.stumbles = (entry.stumbles ?? 0) + 1;
  if (status === 500 && entry.stumbles % 4 === 0) {
    waiting.delete(entry.request_id);
    waiting.set(entry.request_id, entry);
  }
  return failed();
}

function failed() {
  failures += 1;
  broken = true;
  showTally();
  if (!items.length) showStage();
  return false;
}

function reached() {
  failures = 0;
  broken = false;
}

const urlOf = (entry) =>
  ({ label: urls.labelsUrl, skip: urls.skipUrl, undo: urls.undoUrl })[entry.kind];

function bodyOf(entry) {
  const { id, token, request_id, digit, seconds, guess_shown, of } = entry;
  if (entry.kind === "label") return { id, token, request_id, digit, seconds, guess_shown };
  return entry.kind === "skip" ? { id, token } : { request_id, of, page: grip };
}

async function arrived(entry, body) {
  await forget(entry);
  if (entry.kind === "label") {
    saved += 1;
    showTally();
    showGuess(entry.request_id, body.guess);
  } else if (entry.kind === "undo") {
    saved = Math.max(0, saved - 1);
    showTally();
    await comeBack(entry, body.item);
  }
}

async function refused(entry, error) {
  if (entry.kind === "label") return lose(entry, error?.message ?? "the server did not take it");
  await forget(entry);
  if (entry.kind === "undo") {
    drop(entry.id, (item) => !item.token);
    tellLast(error?.message ?? "It could not be taken back.");
  } // a skip that is refused has happened already, or the item is somebody else's: both are well
}

// An answer the server will never take. Told, with its item; what was to take it back goes too.
async function lose(entry, reason) {
  await forget(entry);
  for (const other of [...waiting.values()]) {
    if (other.kind === "undo" && other.of === entry.request_id) await forget(other);
  }
  done = done.filter((one) => one.request_id !== entry.request_id);
  unmark(entry.request_id);
  tellLast("");
  showLost(entry, reason);
  return true;
}

// -- being let in -------------------------------------------------------------------------------------

// The session may have been renewed in another tab: the page itself tells, and brings its token.
let renewing = null;
let renewedAt = -Infinity;

const renew = () => (renewing ??= askForToken().finally(() => (renewing = null)));

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
    csrf = mine.querySelector("[name=csrfmiddlewaretoken]").value;
    renewedAt = performance.now();
    setLocked(false);
    return true;
  }
  setLocked(true, response.status === 403 || isHere);
  return false;
}

function setLocked(on, isOther = false) {
  locked = on;
  const box = find("trouble");
  box.hidden = !on;
  box.replaceChildren();
  if (!on) return;
  const waits = waiting.size ? ` ${counted(waiting.size, "answer waits", "answers wait")} here and will be sent then.` : "";
  const link = document.createElement("a");
  link.href = `/accounts/login/?next=${encodeURIComponent(location.pathname)}`;
  link.textContent = "Log in again";
  box.append(isOther ? "This account may not label, or another one is logged in. " : "You are logged out. ", link, `.${waits}`);
}

// -- items ----------------------------------------------------------------------------------------------

let filling = false;
let fillAgain = false; // asked for while an earlier question was on its way
let nothingNewUntil = 0;

async function fill() {
  if (filling) fillAgain = true;
  if (filling || locked || items.length >= REFILL) return;
  if (items.length && performance.now() < nothingNewUntil) return;
  filling = true;
  fillAgain = false;
  try {
    const answer = await alone("inkloop-claim", async () => {
      const holding = [...new Set([...ownIds(), ...(await idsOfOtherTabs())])].slice(0, MOST_NAMED);
      const got = await post(urls.nextUrl, { count: AHEAD - items.length, holding, page: grip });
      if (got.ok) await take(got.body.items);
      return got;
    });
    if (NOT_ALLOWED.has(answer.status)) {
      if (await renew()) setTimeout(fill);
    } else if (answer.ok) {
      reached();
      outlook = { ...answer.body.outlook, at: performance.now(), isKnown: answer.body.outlook !== null };
      if (outlook.isKnown) left = outlook.left;
      showLeft();
      nothingNewUntil = answer.body.items.length ? 0 : performance.now() + ASK_AGAIN;
    } else failed();
  } catch {
    failed();
  } finally {
    filling = false;
  }
  showStage();
  if (fillAgain && !broken) return fill();
  if (!items.length) lookAgainLater();
}

const ownIds = () => [...items, ...waiting.values()].map((one) => one.id).filter(Boolean);

async function take(fresh) {
  const known = new Set(ownIds());
  const added = fresh.filter((item) => !known.has(item.id));
  await Promise.all(added.map(prepare));
  items.push(...added);
  tellOtherTabs();
}

// Decoded now, so that showing it later costs no frame. The drawing may still be on its way.
function prepare(item) {
  item.glyphImage = picture(item.glyph, "The glyph to label");
  item.drawingImage = picture(item.drawing_url, "The drawing it was made of");
  item.drawingImage.decode().catch(() => {});
  return item.glyphImage.decode().catch(() => {});
}

function picture(src, alt) {
  const image = new Image();
  image.src = src;
  image.alt = alt;
  return image;
}

let lookingAgain = 0;
function lookAgainLater() {
  clearTimeout(lookingAgain);
  const free = outlook?.next_free_in;
  const pause = free == null ? ASK_AGAIN : Math.min(ASK_AGAIN, Math.max(500, free * 1000 + 200));
  lookingAgain = setTimeout(() => (items.length ? null : fill()), pause);
}

function drop(id, condition) {
  const before = items[0];
  items = items.filter((item) => item.id !== id || !condition(item));
  if (items[0] !== before) changedByPage();
}

// The item under the person's eyes changed without a key of theirs: a key on its way was not for it.
function changedByPage() {
  quietUntil = performance.now() + SETTLING;
  showStage();
}

// -- other tabs of this browser ----------------------------------------------------------------------------

const HELD = "inkloop-held-";

async function livingTabs() {
  if (!navigator.locks) return new Set([tab]);
  const { held } = await navigator.locks.query();
  return new Set(held.map(({ name }) => name.replace("inkloop-tab-", "")));
}

let letGo = () => {};
function comeAlive() {
  navigator.locks?.request(`inkloop-tab-${tab}`, () => new Promise((resolve) => (letGo = resolve)));
}

function tellOtherTabs() {
  try {
    localStorage.setItem(HELD + tab, JSON.stringify(ownIds()));
  } catch {
    // Without storage two tabs may be handed the same items; the holds' tokens sort that out.
  }
}

async function idsOfOtherTabs() {
  const living = await livingTabs();
  const ids = [];
  try {
    for (const key of Object.keys(localStorage).filter((name) => name.startsWith(HELD))) {
      const other = key.slice(HELD.length);
      if (!living.has(other)) localStorage.removeItem(key);
      else if (other !== tab) ids.push(...JSON.parse(localStorage.getItem(key)));
    }
  } catch {
    return [];
  }
  return ids;
}

// A grid opened in another tab takes over what this page held; a key must not land on it.
addEventListener("storage", (event) => {
  if (!event.key?.startsWith(HELD) || !event.newValue) return;
  for (const id of JSON.parse(event.newValue)) drop(id, () => true);
  fill();
});

// -- holding on and letting go -----------------------------------------------------------------------------

let keptAt = performance.now();
let pressedAt = performance.now();

// True once after a long absence: what is on screen may be somebody else's by now, so the press
// that ends the absence only brings the page up to date.
function wasAway() {
  const away = performance.now() - pressedAt > AWAY;
  pressedAt = performance.now();
  if (away) {
    quietUntil = performance.now() + SETTLING;
    keep();
  }
  return away;
}

async function keep() {
  const held = [...items, ...[...waiting.values()].filter((entry) => entry.kind !== "undo")].filter((one) => one.token);
  if (!held.length || locked) return;
  const tokens = [...new Set(held.map((one) => one.token))].slice(0, MOST_NAMED);
  try {
    const answer = await post(urls.keepUrl, { tokens });
    if (NOT_ALLOWED.has(answer.status)) return void (await renew());
    if (!answer.ok) return;
    keptAt = performance.now();
    const standing = new Set(answer.body.kept);
    for (const { id, token } of held) {
      if (!standing.has(token)) drop(id, (item) => item.token === token);
    }
    fill();
  } catch {
    broken = true; // the next beat, or the next answer, tries again
  }
}

function leave() {
  const held = items.filter((item) => item.token);
  if (held.length) {
    const body = { ids: held.map(({ id }) => id), tokens: [...new Set(held.map(({ token }) => token))] };
    fetch(urls.releaseUrl, { ...request(body), keepalive: true }).catch(() => {});
  }
  // What is still waiting is kept, and sent once more from here: the request ids make that safe.
  for (const entry of [...waiting.values()].filter((one) => one.kind === "label" && one.token).slice(0, 50)) {
    fetch(urls.labelsUrl, { ...request(bodyOf(entry)), keepalive: true }).catch(() => {});
  }
  items = [];
  grip = uuid(); // come back by the Back button, it holds anew: the release may arrive later than that
  try {
    localStorage.removeItem(HELD + tab);
  } catch {
    // Nothing was stored either.
  }
  letGo();
}

function comeHere() {
  if (locked) return void renew().then((isIn) => isIn && (drain(), fill()));
  if (performance.now() - keptAt > KEEP_EVERY * 0.8) keep();
  adopt();
  drain();
  fill();
}

// -- what a person does ---------------------------------------------------------------------------------------

const WORDS = { unreadable: "unreadable", skip: "skipped" };
const wordFor = (digit) => (digit === null ? "unreadable" : String(digit));

function act(said, event) {
  if (said === "undo") return undo();
  if (performance.now() < quietUntil || !items.length) return;
  const item = items.shift();
  if (!items.length) outlook = null; // not asked since
  showStage();
  if (event) measure(event);
  const entry = {
    request_id: uuid(), user, tab, kind: said === "skip" ? "skip" : "label",
    id: item.id, token: item.token, glyph: item.glyph,
  }; // prettier-ignore
  if (entry.kind === "label") {
    entry.digit = said === "unreadable" ? null : Number(said);
    entry.seconds = Math.max(0, (performance.now() - item.shownAt) / 1000);
    entry.guess_shown = item.guess !== null;
    if (left < COUNTED) left = Math.max(0, left - 1);
  }
  done.push({ ...entry, item });
  done = done.slice(-REMEMBERED);
  say(entry);
  afterPaint(() => {
    mark(entry, item);
    announce(`${WORDS[said] ?? said}. ${items.length ? "Next item" : "No next item yet"}.`);
    fill();
  });
}

function undo() {
  const last = done.pop();
  if (!last) return say({ request_id: uuid(), user, tab, kind: "undo" });
  const entry = waiting.get(last.request_id);
  if (entry && !entry.isSending) {
    forget(entry);
  } else if (last.kind === "skip") {
    return tellLast("A skipped item has gone to somebody else. Press U again for the answer before it.");
  } else {
    last.item.token = null; // the undo brings a new hold
    say({ request_id: uuid(), user, tab, kind: "undo", of: last.request_id, id: last.id });
  }
  if (last.kind === "label" && left < COUNTED) left += 1;
  items.unshift(last.item);
  unmark(last.request_id);
  tellLast(`Took back ${wordFor(last.digit ?? null)}.`);
  announce(`Took back. Which digit is it?`);
  showStage();
}

// What was taken back is held anew: the item on screen and any answer to it learn the new token.
async function comeBack(entry, fresh) {
  const returning = items.find((item) => item.id === (fresh?.id ?? entry.id) && !item.token);
  const answers = [...waiting.values()].filter((one) => one.id && one.id === entry.id && one.kind !== "undo" && !one.token);
  if (!fresh) {
    drop(entry.id, (item) => !item.token);
    return tellLast("Taken back. Somebody else has the item now.");
  }
  if (returning) returning.token = fresh.token;
  for (const one of answers) {
    one.token = fresh.token;
    await put(one);
  }
  if (returning || answers.length) return;
  await prepare(fresh);
  items.unshift(fresh);
  changedByPage();
  tellLast("Took back your last answer.");
}

// -- showing -----------------------------------------------------------------------------------------------------

function showStage() {
  const item = items[0];
  const isNew = item !== showStage.item;
  showStage.item = item;
  page.dataset.held = items.length;
  find("stage").hidden = find("why-line").hidden = !item;
  find("pad").hidden = !item && !done.length;
  find("pad").toggleAttribute("data-idle", !item); // only "Undo" makes sense
  find("wait").hidden = Boolean(item);
  find("guess-line").hidden = !item || item.guess === null;
  if (!item) return showWait();
  if (!isNew) return;
  find("glyph").replaceChildren(item.glyphImage);
  find("drawing").replaceChildren(item.drawingImage);
  find("why").textContent = item.why;
  find("guess").textContent = item.guess ?? "";
  page.dataset.item = item.id;
  item.shownAt = performance.now();
  showLeft();
}

// What can wait until the frame with the next glyph is painted does.
const painted = new MessageChannel();
let paintedActs = [];
painted.port1.onmessage = () => {
  for (const act of paintedActs.splice(0)) act();
};
function afterPaint(act) {
  paintedActs.push(act);
  if (paintedActs.length > 1) return;
  if (document.hidden) painted.port2.postMessage(0); // nothing is painted then
  else requestAnimationFrame(() => painted.port2.postMessage(0));
}

// From the key's own time to the moment after the frame with the next glyph was painted.
function measure(event) {
  if (!items.length) return;
  const start = event.timeStamp;
  afterPaint(() => {
    const { duration } = performance.measure("key-to-glyph", { start, end: performance.now() });
    page.dataset.keyToGlyph = duration.toFixed(1);
  });
}

const counted = (count, one, many) => `${count.toLocaleString("en-US")} ${count === 1 ? one : many}`;

function showWait() {
  delete page.dataset.item;
  const [title, words] = waitWords();
  find("wait-title").textContent = title;
  find("wait-words").textContent = words;
}

function waitWords() {
  if (locked) return ["Logged out", "Log in again to go on."];
  if (broken) {
    const kept = waiting.size ? ` ${counted(waiting.size, "answer waits", "answers wait")} safely in this browser.` : "";
    return ["No connection", `Items come back with it, by themselves.${kept}`];
  }
  if (!outlook || waiting.size) return ["Fetching items", ""];
  if (!outlook.isKnown) return ["Nothing here right now", "What is left is open in another tab of yours."];
  if (outlook.left === 0) return ["All done", "Nothing is left to label. New drawings appear here by themselves."];
  const leftWords = `${outlook.left.toLocaleString("en-US")} left`;
  if (!outlook.held_by_others) return [leftWords, outlook.left === 1
    ? "It waits for somebody else: you have answered or skipped it."
    : "All wait for somebody else: you have answered or skipped them."];
  const since = (performance.now() - outlook.at) / 1000;
  const seconds = Math.max(0, Math.ceil((outlook.next_free_in ?? 0) - since));
  const clock = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
  return [leftWords, `${outlook.held_by_others.toLocaleString("en-US")} held by others, next free in ${clock}.`];
}

function showTally() {
  find("saved").textContent = saved.toLocaleString("en-US");
  find("waiting").textContent = waiting.size.toLocaleString("en-US");
  find("waiting-words").hidden = waiting.size === 0;
  page.dataset.waiting = waiting.size;
}

const showLeft = () => (find("left").textContent = left.toLocaleString("en-US") + (left < COUNTED ? "" : "+"));

function mark(entry, item) {
  const one = done.find((each) => each.request_id === entry.request_id);
  if (!one) return; // taken back already
  const row = document.createElement("li");
  row.dataset.request = entry.request_id;
  row.toggleAttribute("data-unsaved", true);
  const glyph = picture(item.glyph, "");
  const word = document.createElement("span");
  const short = entry.kind === "skip" ? "–" : entry.digit === null ? "×" : String(entry.digit);
  word.textContent = short;
  row.append(glyph, word);
  find("recent").prepend(row);
  while (find("recent").children.length > SHOWN_BEFORE) find("recent").lastElementChild.remove();
  if (entry.kind === "skip") row.removeAttribute("data-unsaved");
  if (one.guess !== undefined) return showGuess(entry.request_id, one.guess); // the server was faster
  tellLast(entry.kind === "skip" ? "Skipped: somebody else gets it." : `You said ${wordFor(entry.digit)}.`);
}

const rowOf = (requestId) => find("recent").querySelector(`[data-request="${requestId}"]`);
const unmark = (requestId) => rowOf(requestId)?.remove();

function showGuess(requestId, guess) {
  const one = done.find((each) => each.request_id === requestId);
  const row = rowOf(requestId);
  row?.removeAttribute("data-unsaved");
  if (!one) return;
  one.guess = guess;
  row?.toggleAttribute("data-differs", guess !== null && guess !== one.digit);
  if (row) row.title = wordsAbout(one, guess);
  if (done.at(-1) === one) tellLast(wordsAbout(one, guess));
}

// Of an audit's items the guess stays hidden for good.
const wordsAbout = ({ digit }, guess) =>
  `You said ${wordFor(digit)}${guess === null ? "" : `, the model said ${guess}`}.`;

const tellLast = (text) => (find("last").textContent = text);
const announce = (text) => (find("announce").textContent = text);

let lostCount = 0;
function showLost(entry, reason) {
  lostCount += 1;
  const row = document.createElement("li");
  if (entry.glyph) row.append(picture(entry.glyph, ""));
  row.append(wordFor(entry.digit ?? null));
  row.title = reason;
  find("lost-list").append(row);
  find("lost-words").textContent = `${lostCount.toLocaleString("en-US")} not saved: the hold had run out, or somebody else had the item.`;
  find("lost").hidden = false;
}

find("lost-seen").addEventListener("click", () => {
  lostCount = 0;
  find("lost-list").replaceChildren();
  find("lost").hidden = true;
});

function showElsewhere(count) {
  const words = `${counted(count, "answer", "answers")} of another account ${count === 1 ? "waits" : "wait"} in this browser until it logs in.`;
  find("elsewhere").textContent = count ? words : "";
  find("elsewhere").hidden = !count;
}

let progressAt = -Infinity;
async function showProgress() {
  if (document.hidden || locked) return;
  progressAt = performance.now();
  try {
    const answer = await answerOf(await fetch(urls.progressUrl, { signal: AbortSignal.timeout(PATIENCE) }));
    if (!answer.ok) return;
    const { today, per_hour, streak, gold_answered, gold_right } = answer.body;
    if (!waiting.size) [saved, left] = [today, answer.body.left];
    find("per-hour").textContent = Math.round(per_hour).toLocaleString("en-US");
    find("streak").textContent = streak;
    find("gold").textContent = gold_answered ? `${gold_right} of ${gold_answered}` : "–";
    showTally();
    showLeft();
  } catch {
    // The figures stay as they are until the next time.
  }
}

// -- keys and buttons ------------------------------------------------------------------------------------------------

const isTyping = (target) => target.closest?.("input, textarea, select, [contenteditable]");
const isControl = (target) => target.closest?.("a, button, summary, label");
const help = find("help");

function meaning(event) {
  // The place of the key and not its letter: the digit row of a French keyboard types "&é".
  const place = /^(?:Digit|Numpad)([0-9])$/.exec(event.code);
  const isPad = event.code?.startsWith("Numpad");
  if (place && (isPad || !event.shiftKey || /^[0-9]$/.test(event.key))) return place[1];
  if (!event.code && /^[0-9]$/.test(event.key)) return event.key;
  return { x: "unreadable", s: "skip", u: "undo", "?": "help" }[event.key.toLowerCase()];
}

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.isComposing || help.open) return;
  if (event.ctrlKey || event.altKey || event.metaKey || isTyping(event.target)) return;
  let said = meaning(event);
  if (event.key === "Enter" && !isControl(event.target) && items[0] && items[0].guess !== null) said = String(items[0].guess);
  if (!said) return;
  event.preventDefault();
  if (event.repeat) return; // a key held down is one answer
  if (said === "help") return help.showModal();
  if (wasAway()) return;
  flash(said);
  act(said, event);
});

function flash(said) {
  const button = form.querySelector(`[name=said][value="${said}"]`);
  button?.toggleAttribute("data-pressed", true);
  setTimeout(() => button?.removeAttribute("data-pressed"), 120);
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (event.submitter && !wasAway()) act(event.submitter.value, event);
});
find("help-open").addEventListener("click", () => help.showModal());

// -- the life of the page ---------------------------------------------------------------------------------------------

addEventListener("pagehide", leave);
addEventListener("pageshow", (event) => {
  if (!event.persisted) return;
  comeAlive();
  showStage();
  comeHere();
});
document.addEventListener("visibilitychange", () => document.hidden || comeHere());
addEventListener("online", () => {
  failures = 0;
  comeHere();
});
setInterval(() => {
  if (waiting.size || performance.now() - pressedAt < AWAY) keep();
  adopt();
}, KEEP_EVERY);
setInterval(showProgress, PROGRESS_EVERY);
setInterval(() => items.length || showWait(), 1000);

for (const one of form.querySelectorAll("[name=item], [name=token], [name=request_id]")) one.remove();
comeAlive();
showStage();
adopt().then(fill);
