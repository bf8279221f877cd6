// The draw page: the visitor draws, sees a guess that is updated, and answers whether it is right.
// An answer stores the drawing and clears the paper for the next one; "Submit" stores it without.
// Strokes are stored as points from 0 to 1, so the same drawing can be painted for another screen
// size or theme. The image that is sent is always black on white, 280×280.

import { answerOf, csrfToken, messageOf, request } from "./api.js";
import { cropIn } from "./crop.js";
import { takeDropped } from "./drop.js";
import { asConfidence, closePercent, nines } from "./numbers.js";

const SENT = 280; // pixels a side of the image that is sent
const PEN = 0.07; // the line's width as a share of the paper's side
const NEAR = 0.012; // a point nearer than this to the one before it adds only jitter
const WHILE_DRAWING = 250; // ms between two guesses within one stroke
const SMALLEST = 0.04; // as a share of the paper's side; a smaller drawing is a dot, which nobody reads
const RETRY = 3000; // ms until a lost connection is tried again
const LARGEST_SENT = 2_000_000; // bytes; the server refuses more
const LARGEST_SIDE = 1600; // pixels; larger photographs are shrunk before they are sent
const KEPT_TYPES = new Set(["image/png", "image/jpeg", "image/webp"]);
const MIDDLE = [0.3, 0.3, 0.7, 0.7]; // the box on a picture in which no digit was found

const desk = document.querySelector("[data-draw]");
const find = (name) => desk.querySelector(`[data-${name}]`);
const paper = find("paper");
const canvas = find("canvas");
const form = find("upload-form");
const feedback = find("feedback");
const reading = find("reading");
const note = find("note");
const token = csrfToken(form);

let strokes = []; // each a list of [x, y]
let image = null; // {bitmap, blob, box} if an image is on the paper instead of strokes;
// its box is null until the visitor has moved it
let current = null; // {pointer, stroke, tip}: the stroke being drawn, and where its pointer is
let guessed = null; // the digit that the page shows as read
let stored = null; // the prediction, once it is submitted
let wanted = null; // the answer that was pressed: a digit or "none"
let sending = false;

// -- the paper --------------------------------------------------------------------------------

function trace(context, stroke, side) {
  const at = ([x, y]) => [x * side, y * side];
  context.beginPath();
  context.moveTo(...at(stroke[0]));
  for (let i = 1; i < stroke.length - 1; i++) {
    const [x, y] = at(stroke[i]);
    const [nextX, nextY] = at(stroke[i + 1]);
    context.quadraticCurveTo(x, y, (x + nextX) / 2, (y + nextY) / 2);
  }
  context.lineTo(...at(stroke[stroke.length - 1])); // a single point becomes a dot, because of the round caps
  context.stroke();
}

function ink(context, side, color) {
  context.strokeStyle = color;
  context.lineWidth = PEN * side;
  context.lineCap = context.lineJoin = "round";
  for (const stroke of strokes) {
    trace(context, stroke === current?.stroke ? [...stroke, current.tip] : stroke, side);
  }
}

// The place of the image on the paper, in shares of its side.
function frame() {
  const { width, height } = image.bitmap;
  const longer = Math.max(width, height);
  return {
    left: (1 - width / longer) / 2, top: (1 - height / longer) / 2,
    width: width / longer, height: height / longer,
  };
}

function lay(context, side) {
  const { left, top, width, height } = frame();
  context.drawImage(image.bitmap, left * side, top * side, width * side, height * side);
}

const crop = cropIn(find("crop"), frame, (box) => {
  image.box = box;
  guess();
});

let painting = 0;
function paint() {
  painting ||= requestAnimationFrame(() => {
    painting = 0;
    const side = Math.round(canvas.clientWidth * devicePixelRatio);
    if (!side) return;
    if (canvas.width !== side) canvas.width = canvas.height = side;
    const context = canvas.getContext("2d");
    context.clearRect(0, 0, side, side);
    if (image) lay(context, side);
    ink(context, side, getComputedStyle(canvas).color);
  });
}

function drawingBlob() {
  const sheet = document.createElement("canvas");
  sheet.width = sheet.height = SENT;
  const context = sheet.getContext("2d");
  context.fillStyle = "#fff";
  context.fillRect(0, 0, SENT, SENT);
  ink(context, SENT, "#000");
  return new Promise((resolve) => sheet.toBlob(resolve, "image/png"));
}

const isEmpty = () => !image && strokes.length === 0;

function isDot() {
  const points = strokes.flat();
  const across = (axis) => Math.max(...points.map((each) => each[axis])) - Math.min(...points.map((each) => each[axis]));
  return !image && Math.hypot(across(0), across(1)) < SMALLEST;
}

function refresh() {
  paper.toggleAttribute("data-inked", !isEmpty());
  find("undo").disabled = find("clear").disabled = isEmpty() || sending;
  find("submit").disabled = isEmpty() || sending || stored !== null;
  feedback.hidden = guessed === null;
  find("after").hidden = stored === null;
  find("crop-hint").hidden = !image || stored !== null;
  find("crop").inert = sending || stored !== null;
  if (!image) crop.show(null);
  paint();
}

// -- strokes ----------------------------------------------------------------------------------

function pointOf(event) {
  const box = canvas.getBoundingClientRect();
  return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
}

function moveTo(point) {
  const [x, y] = current.stroke[current.stroke.length - 1];
  if (Math.hypot(point[0] - x, point[1] - y) >= NEAR) current.stroke.push(point);
  current.tip = point;
}

canvas.addEventListener("pointerdown", (event) => {
  if (current || event.button !== 0 || sending) return;
  if (image && !stored) return crop.begin(canvas, event);
  event.preventDefault();
  if (stored) startAgain();
  canvas.setPointerCapture(event.pointerId);
  const start = pointOf(event);
  current = { pointer: event.pointerId, stroke: [start], tip: start };
  strokes.push(current.stroke);
  refresh();
});

canvas.addEventListener("pointermove", (event) => {
  if (current?.pointer !== event.pointerId) return;
  const passed = event.getCoalescedEvents?.() ?? [];
  for (const step of passed.length ? passed : [event]) moveTo(pointOf(step));
  paint();
  guessWhileDrawing();
});

function lift(event) {
  if (current?.pointer !== event.pointerId) return;
  if (event.type === "pointercancel") strokes.pop(); // a palm or a system gesture
  else current.stroke.push(pointOf(event));
  current = null;
  refresh();
  guess();
}
canvas.addEventListener("pointerup", lift);
canvas.addEventListener("pointercancel", lift);

function undo() {
  if (stored || sending || current || isEmpty()) return;
  if (image?.box) image.box = null;
  else if (image) image = null;
  else strokes.pop();
  say("");
  refresh();
  guess();
}

function startAgain() {
  if (sending) return;
  strokes = [];
  image = current = stored = wanted = null;
  showPressed();
  say("");
  refresh();
  guess();
}

find("undo").addEventListener("click", undo);
find("clear").addEventListener("click", () => {
  startAgain();
  find("file").focus();
});
find("again").addEventListener("click", () => {
  startAgain();
  find("file").focus({ preventScroll: true });
});

// -- the guess --------------------------------------------------------------------------------

let turn = 0; // only the answer to the latest request may change the page
let asking = null; // the AbortController of the running request
let askedAt = 0;
let retry = 0;
let announcing = 0;

function guessWhileDrawing() {
  if (asking || performance.now() - askedAt < WHILE_DRAWING) return;
  guess();
}

async function guess() {
  const mine = ++turn;
  asking?.abort();
  asking = null;
  clearTimeout(retry);
  if (isEmpty() || isDot()) {
    showReading(null);
    busy(false);
    return;
  }
  busy(true);
  askedAt = performance.now();
  const controller = (asking = new AbortController());
  try {
    const answer = await send(desk.dataset.previewUrl, controller.signal);
    if (mine !== turn) return;
    if (answer.ok) {
      showReading(answer.body);
      if (image && !image.box) crop.showAround(answer.body.box);
      say("");
    } else if (!current) {
      showReading(null);
      if (image) crop.show(image.box ?? MIDDLE);
      say(messageOf(answer), "warning");
    }
  } catch (failure) {
    if (mine !== turn || failure.name === "AbortError") return;
    showOffline();
  } finally {
    if (asking === controller) asking = null;
    if (mine === turn) busy(false);
  }
}

const busy = (is) => reading.setAttribute("aria-busy", String(is));

function showOffline() {
  reading.toggleAttribute("data-stale", true);
  say("No connection. The guess returns with it; your drawing stays.");
  retry = setTimeout(() => stored || guess(), RETRY);
}
addEventListener("online", () => {
  if (!stored && reading.hasAttribute("data-stale")) guess();
});

async function send(url, signal) {
  const body = new FormData();
  body.append("image", image ? image.blob : await drawingBlob(), "drawing");
  body.append("source", image ? "upload" : "draw");
  if (image?.box) body.append("box", image.box.map((side) => side.toFixed(6)).join(","));
  return answerOf(await fetch(url, { method: "POST", body, signal, headers: { "X-CSRFToken": token } }));
}

const withArticle = (digit) => `${Number(digit) === 8 ? "an" : "a"} ${digit}`;

function showReading(body) {
  guessed = body ? body.digit : null;
  reading.toggleAttribute("data-empty", !body);
  reading.removeAttribute("data-stale");
  find("digit").textContent = body ? body.digit : "–";
  find("confidence").textContent = body ? asConfidence(body.confidence) : "";
  find("sure").textContent = body ? "confidence" : "Draw, and the guess appears here";
  find("strange").hidden = !body || body.is_digit;
  const glyph = find("glyph");
  glyph.hidden = !body;
  if (body) {
    glyph.src = body.glyph_url;
    glyph.alt = "The glyph: the drawing as the network sees it, 28 by 28 gray values";
  }
  desk.querySelectorAll("[data-bar]").forEach((row, digit) => {
    const share = body ? body.probabilities[digit] : 0;
    row.toggleAttribute("data-top", body?.digit === digit);
    row.querySelector("rect").setAttribute("width", `${(share * 100).toFixed(2)}%`);
    row.querySelector("[data-share]").textContent = body ? asConfidence(share) : "–";
  });
  if (body) ask(body.digit);
  announce(body);
  refresh();
}

function ask(digit) {
  find("question").textContent = `${stored ? "Stored. " : ""}Is it ${withArticle(digit)}?`;
  for (const button of feedback.querySelectorAll("[name=said]")) {
    button.disabled = button.value === String(digit); // "Right" says that
  }
}

// For screen readers, after a pause in drawing and not at every change.
function announce(body) {
  clearTimeout(announcing);
  announcing = setTimeout(() => {
    const sure = body && `${body.digit}, ${asConfidence(body.confidence)} confidence`;
    const strange = body && !body.is_digit ? ". Probably not a digit" : "";
    find("announce").textContent = sure ? sure + strange : "";
  }, 600);
}

function say(text, tone = "") {
  note.textContent = text;
  note.className = `notice ${tone}`;
  note.hidden = !text;
}

// -- images from outside ------------------------------------------------------------------------

async function place(file) {
  if (sending) return;
  startAgain();
  let bitmap;
  try {
    bitmap = await createImageBitmap(file, { imageOrientation: "from-image" });
  } catch {
    say("This browser cannot read that file as an image. Try a PNG, JPEG or WebP.", "warning");
    return;
  }
  const fits = KEPT_TYPES.has(file.type) && file.size <= LARGEST_SENT;
  const blob = fits && Math.max(bitmap.width, bitmap.height) <= LARGEST_SIDE ? file : await smaller(bitmap);
  strokes = [];
  image = { bitmap, blob, box: null };
  refresh();
  guess();
}

function smaller(bitmap) {
  const scale = Math.min(1, LARGEST_SIDE / Math.max(bitmap.width, bitmap.height));
  const sheet = document.createElement("canvas");
  sheet.width = Math.max(1, Math.round(bitmap.width * scale));
  sheet.height = Math.max(1, Math.round(bitmap.height * scale));
  const context = sheet.getContext("2d");
  context.fillStyle = "#fff"; // JPEG has no transparency
  context.fillRect(0, 0, sheet.width, sheet.height);
  context.drawImage(bitmap, 0, 0, sheet.width, sheet.height);
  return new Promise((resolve) => sheet.toBlob(resolve, "image/jpeg", 0.92));
}

for (const input of desk.querySelectorAll("[data-file]")) {
  input.addEventListener("change", () => {
    if (input.files[0]) place(input.files[0]);
    input.value = ""; // the same file may be chosen again
  });
}

const imageIn = (transfer) =>
  [...(transfer?.files ?? [])].find((file) => file.type.startsWith("image/")) ?? transfer?.files?.[0];

document.addEventListener("paste", (event) => {
  const file = imageIn(event.clipboardData);
  if (!file) return;
  event.preventDefault();
  place(file);
});

takeDropped(() => paper, (transfer) => place(imageIn(transfer)));

// -- submit and answer ----------------------------------------------------------------------------

form.addEventListener("submit", (event) => {
  event.preventDefault();
  submit(prompted() ?? wanted);
});

feedback.addEventListener("submit", (event) => {
  event.preventDefault();
  const said = event.submitter?.value;
  if (said) submit(said === "right" ? String(guessed) : said);
});

/** Stores the drawing, if it is not stored, and then what was said about it, if something was. */
async function submit(said) {
  if (isEmpty()) return;
  if (current) return say("Lift the pen first: nothing is saved yet.", "warning");
  if (isDot()) return say("This is only a dot. Draw a digit.", "warning");
  wanted = said;
  showPressed();
  if (sending) return; // what is under way tells it, or says that it failed
  sending = true;
  refresh();
  if (!stored) await store();
  while (stored && wanted !== null) await tell(stored, wanted);
  sending = false;
  refresh();
}

async function store() {
  turn++; // ignore answers to earlier requests
  asking?.abort();
  busy(false);
  clearTimeout(retry);
  try {
    const answer = await send(desk.dataset.storeUrl);
    if (answer.ok) return keep(answer.body);
    say(messageOf(answer), "error");
  } catch {
    say("Not stored: there is no connection. Your drawing stays; submit it again.", "error");
  }
  wanted = null;
  showPressed();
}

function keep(prediction) {
  stored = prediction;
  showReading(prediction);
  find("link").href = feedback.action = pageOf(prediction);
  say("");
  showBest(prediction.confidence);
  if (wanted !== null) return;
  find("question").focus({ preventScroll: true });
  feedback.scrollIntoView({ block: "nearest" });
}

const pageOf = (prediction) => `${desk.dataset.pageUrl}${prediction.id}/`;

function showBest(confidence) {
  const best = desk.dataset.best ? Number(desk.dataset.best) : -1;
  if (confidence <= best) return;
  desk.dataset.best = confidence;
  find("best-text").textContent = `${nines(confidence)}, this one`;
  find("best-confidence").textContent = `(confidence ${closePercent(confidence)})`;
}

async function tell(about, said) {
  const digit = said === "none" ? null : Number(said);
  wanted = null;
  let answer;
  try {
    const url = `${desk.dataset.storeUrl}${about.id}/feedback/`;
    const body = digit === about.digit ? { correct: true } : { digit };
    answer = await answerOf(await fetch(url, request(body, token)));
  } catch {
    showPressed();
    return say("Your answer is not kept: there is no connection. Press it again.", "error");
  }
  if (wanted !== null) return; // another answer was pressed meanwhile, and is sent next
  showPressed();
  if (!answer.ok) return say(messageOf(answer), "error");
  showToward(answer.body.labels_toward_next_run);
  showLast(about, digit, answer.body.label);
  const wasHere = feedback.contains(document.activeElement);
  sending = false;
  startAgain();
  if (wasHere) find("file").focus({ preventScroll: true }); // the buttons are hidden now
  if (prompting.checked) nextPrompt();
}

function showPressed() {
  for (const button of feedback.querySelectorAll("[name=said]")) {
    const value = button.value === "right" ? String(guessed) : button.value;
    button.setAttribute("aria-pressed", String(wanted !== null && value === wanted));
  }
}

/** The drawing that was answered last, beside the empty paper. */
function showLast(about, digit, isLabel) {
  const words = digit === about.digit ? "Right" : digit === null ? "Not a digit" : `It is ${withArticle(digit)}`;
  find("last").hidden = false;
  find("last-glyph").src = about.glyph_url;
  find("said").textContent = `Read as ${about.digit}. You said: ${words}${isLabel ? ", saved as a label, unless it is an audit" : ""}.`;
  find("last-link").href = pageOf(about);
}

// -- prompts ----------------------------------------------------------------------------------------

// The digits with the fewest labels first. Who is told what to draw says with "Submit" what it is.
const needed = desk.dataset.needed.split(" ");
const prompting = document.querySelector("[data-prompting]");
const otherPrompt = document.querySelector("[data-prompt-other]");
let prompts = 0;

const prompted = () => (prompting.checked && !stored ? needed[prompts % needed.length] : null);

function showPrompt() {
  const digit = prompting.checked ? needed[prompts % needed.length] : null;
  otherPrompt.hidden = digit === null;
  document.querySelector("[data-title]").textContent = `Draw ${digit === null ? "a digit" : withArticle(digit)}`;
  find("submit").textContent = digit === null ? "Submit" : `It is ${withArticle(digit)}`;
}

function nextPrompt() {
  prompts += 1;
  showPrompt();
}

prompting.addEventListener("change", showPrompt);
otherPrompt.addEventListener("click", nextPrompt);
showPrompt();

// Progress to the next fine-tune; shown only to people whose feedback is a label.
function showToward(labels) {
  const toward = desk.querySelector("[data-toward]");
  if (!toward || labels === null) return;
  const share = Math.min(100, (100 * labels) / Number(toward.dataset.enough));
  find("toward-count").textContent = labels.toLocaleString("en-US");
  find("toward-word").textContent = labels === 1 ? "label" : "labels";
  find("toward-bar").setAttribute("width", `${share}%`);
}

// -- keys -------------------------------------------------------------------------------------------

const isTyping = (target) => target.closest?.("input:not([type=file], [type=checkbox]), textarea, select, [contenteditable]");
const isControl = (target) => target.closest?.("a, button, summary, label, input");

function answerWith(key) {
  const said = /^[0-9]$/.test(key) ? key : key.toLowerCase() === "n" ? "none" : null;
  if (said === null || isEmpty()) return false;
  submit(said);
  return true;
}

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.altKey || isTyping(event.target)) return;
  const withCommand = event.ctrlKey || event.metaKey;
  if (withCommand && !event.shiftKey && event.key.toLowerCase() === "z") undo();
  else if (withCommand) return;
  else if (event.key === "Escape") startAgain();
  else if (event.repeat) return;
  else if (event.key === "Enter" && (event.target === prompting || !isControl(event.target))) submit(prompted() ?? wanted);
  else if (!answerWith(event.key)) return;
  event.preventDefault();
});

new ResizeObserver(paint).observe(canvas);
addEventListener("themeshown", paint);
refresh();
