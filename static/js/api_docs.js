// Swagger UI has a dark look of its own, under a class of the root.

const root = document.documentElement;
const show = () => root.classList.toggle("dark-mode", root.dataset.shown === "dark");

addEventListener("themeshown", show);
show();

// Its headings follow the page's first, and what scrolls can be reached by key.
const box = document.getElementById("swagger-ui");
const levels = { ".opblock-tag, .models h4": "2", ".opblock-body h4": "3", ".opblock-body h5": "4" };
new MutationObserver(() => {
  for (const [headings, level] of Object.entries(levels))
    for (const each of box.querySelectorAll(headings)) each.setAttribute("aria-level", level);
  for (const each of box.querySelectorAll(".microlight")) each.tabIndex = 0;
}).observe(box, { childList: true, subtree: true });
