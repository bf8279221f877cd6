// The import page: drop a file, and see how much of it is sent. The page works without this file.

import { takeDropped } from "./drop.js";

const find = (name) => document.querySelector(`[data-${name}]`);
const inMegabytes = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;
const input = () => document.querySelector("[data-import] [type=file]");

takeDropped(() => find("drop"), ({ files }) => {
  input().files = files;
  showChosen();
});
document.addEventListener("change", (event) => event.target === input() && showChosen());
document.addEventListener("submit", (event) => {
  if (!event.target.matches("[data-import]")) return;
  event.preventDefault();
  send(event.target);
});

function showChosen() {
  const [file] = input().files;
  find("chosen").textContent = file ? `${file.name}, ${inMegabytes(file.size)}` : "";
}

/** Sends the form; only XMLHttpRequest tells how much is sent. */
function send(form) {
  const request = new XMLHttpRequest();
  const button = form.querySelector("button");
  button.disabled = true;
  tell("Sending", 0);
  request.upload.addEventListener("progress", ({ loaded, total }) => {
    if (loaded < total) tell(`${inMegabytes(loaded)} of ${inMegabytes(total)} sent`, loaded / total);
  });
  request.upload.addEventListener("load", () => tell("Sent. Reading the images", null));
  request.addEventListener("load", () => {
    // The answer is this page, with messages that it shows only once.
    const page = new DOMParser().parseFromString(request.responseText, "text/html");
    const fresh = page.querySelector("#content");
    document.querySelector("#content").replaceWith(fresh);
    fresh.focus();
  });
  request.addEventListener("error", () => {
    button.disabled = false;
    tell("Not sent: there is no connection. Press Import again.", 0);
  });
  request.open("POST", form.action);
  request.send(new FormData(form));
}

function tell(words, share) {
  find("progress").hidden = false;
  find("words").textContent = words;
  if (share === null) find("bar").removeAttribute("value");
  else find("bar").value = share;
}
