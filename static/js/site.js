// On every page: the theme toggle and the person's menu.

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
