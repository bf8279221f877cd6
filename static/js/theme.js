// A classic script in the head, so that it runs before the first paint and no wrong theme flashes.
// The storage key and its JSON are the admin's, so the pages and the admin share one theme.
(function () {
  "use strict";
  const KEY = "adminTheme";
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");

  function chosen() {
    try {
      return JSON.parse(localStorage.getItem(KEY));
    } catch {
      return null; // no access to storage, or another value in it: follow the system
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
    // If the chosen theme is the system's, follow the system again.
    const same = theme === (system.matches ? "dark" : "light");
    try {
      localStorage.setItem(KEY, JSON.stringify(same ? "auto" : theme));
    } catch {
      // Without storage the choice lasts until the page is left.
    }
    show();
    if (root.dataset.shown !== theme) {
      root.dataset.theme = root.dataset.shown = theme;
      dispatchEvent(new CustomEvent("themeshown", { detail: theme }));
    }
  });
})();
