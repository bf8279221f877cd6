// On every page: the theme toggle, the person's menu, which tables go on beyond their box, and news of
// what has ended meanwhile.

import "./news.js";

const root = document.documentElement;
const toggle = document.querySelector("[data-theme-toggle]");
const menu = document.querySelector("[data-menu]");

function showTheme() {
  const shown = root.dataset.shown;
  toggle.setAttribute("aria-pressed", String(shown === "dark"));
  const paper = getComputedStyle(document.body).backgroundColor;
  for (const tag of document.querySelectorAll('meta[name="theme-color"]')) tag.content = paper;
}

toggle.addEventListener("click", () => {
  const other = root.dataset.shown === "dark" ? "light" : "dark";
  dispatchEvent(new CustomEvent("themechosen", { detail: other }));
});
addEventListener("themeshown", showTheme);
showTheme();

// A part that was closed stays closed in this browser, until its name changes.
for (const part of document.querySelectorAll("details[data-remember]")) {
  const key = `inkloop-closed-${part.dataset.remember}`;
  try {
    if (localStorage.getItem(key)) part.open = false;
    part.addEventListener("toggle", () => (part.open ? localStorage.removeItem(key) : localStorage.setItem(key, "yes")));
  } catch {
    // Without storage it is open on every page.
  }
}

/** Brings the current link of each row of links into sight: on a phone the row goes on beyond the screen. */
function showWhereOneIs() {
  for (const here of document.querySelectorAll("nav[data-scrolls] [aria-current]")) {
    const row = here.parentElement;
    const middle = (box) => box.left + box.width / 2;
    row.scrollLeft += middle(here.getBoundingClientRect()) - middle(row.getBoundingClientRect());
  }
}

for (const change of ["pagechanged", "load"]) addEventListener(change, showWhereOneIs);
showWhereOneIs();

if (menu) {
  document.addEventListener("click", (event) => {
    if (!menu.contains(event.target)) menu.open = false;
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !menu.open) return;
    menu.open = false;
    menu.querySelector("summary").focus();
    event.preventDefault();
  });
}

/** Says at a box in which directions its content goes on; the stylesheet shows it. */
function markEdges(box) {
  const right = box.scrollWidth - box.clientWidth - box.scrollLeft > 1;
  const down = box.scrollHeight - box.clientHeight - box.scrollTop > 1;
  const more = [right && "right", down && "down"].filter(Boolean).join(" ");
  if (more) box.dataset.more = more;
  else delete box.dataset.more;
}

const markAllEdges = () => document.querySelectorAll("[data-scrolls]").forEach(markEdges);

addEventListener("scroll", ({ target }) => target.matches?.("[data-scrolls]") && markEdges(target), true);
for (const change of ["resize", "pagechanged", "load"]) addEventListener(change, markAllEdges);
addEventListener("toggle", markAllEdges, true);
markAllEdges();
