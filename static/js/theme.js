// A classic script in the head: it runs before the first paint, so a chosen theme never flashes.
// The key and its JSON are the admin's, so both halves of the product turn dark together.
(function () {
  "use strict";
  const KEY = "adminTheme";
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");

  function chosen() {
    try {
      return JSON.parse(localStorage.getItem(KEY));
    } catch {
      return null; // storage is closed to us or holds something else: follow the system
    }
  }

  function show() {
    const theme = chosen();
    const forced = theme === "light" || theme === "dark";
    const shown = forced ? theme : system.matches ? "dark" : "light";
    if (forced) root.dataset.theme = theme;
    else delete root.dataset.theme;
    root.dataset.shown = shown;
    dispatchEvent(new CustomEvent("themeshown", { detail: shown }));
  }

  root.dataset.js = "";
  show();
  system.addEventListener("change", show);
  addEventListener("storage", (event) => {
    if (event.key === KEY) show();
  });
  addEventListener("themechosen", (event) => {
    const theme = event.detail;
    // Choosing what the system says anyway means following it again.
    const same = theme === (system.matches ? "dark" : "light");
    try {
      localStorage.setItem(KEY, JSON.stringify(same ? "auto" : theme));
    } catch {
      // Without storage the choice lasts as long as the page.
    }
    show();
    if (root.dataset.shown !== theme) {
      root.dataset.theme = root.dataset.shown = theme;
      dispatchEvent(new CustomEvent("themeshown", { detail: theme }));
    }
  });
})();
