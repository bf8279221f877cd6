// A file dropped anywhere on the page. While one is held over it, the given box says so.

/** Calls `take` with the dropped data; `box` finds the box, which may be replaced meanwhile. */
export function takeDropped(box, take) {
  const dropping = (on) => box().toggleAttribute("data-dropping", on);
  document.addEventListener("dragover", (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    dropping(true);
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) dropping(false);
  });
  document.addEventListener("drop", (event) => {
    dropping(false);
    if (!event.dataTransfer?.files.length) return;
    event.preventDefault();
    take(event.dataTransfer);
  });
}
