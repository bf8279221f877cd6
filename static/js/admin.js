// What the admin's own markup does not say to a screen reader or the keyboard.

addEventListener("DOMContentLoaded", () => {
  document.getElementById("main")?.setAttribute("role", "main");
  for (const opener of document.querySelectorAll("[x-on\\:click^='sidebar']")) asButton(opener);
});
// Other scripts write these until everything is loaded.
addEventListener("load", () => setTimeout(() => {
  for (const tip of document.querySelectorAll("span.help-tooltip")) tip.setAttribute("role", "img");
  const sidebar = document.querySelector("#nav-sidebar-apps .simplebar-content-wrapper");
  sidebar?.setAttribute("aria-label", "Tasks and lists");
}));

function asButton(element) {
  element.setAttribute("role", "button");
  element.setAttribute("tabindex", "0");
  element.setAttribute("aria-label", "Menu of the admin");
  element.addEventListener("keydown", event => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    element.click();
  });
}
