// Swagger UI has a dark look of its own, under a class of the root.

const root = document.documentElement;
const show = () => root.classList.toggle("dark-mode", root.dataset.shown === "dark");

addEventListener("themeshown", show);
show();
