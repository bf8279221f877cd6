// The page of a prediction: keys for the feedback form, and a button that copies the link. The page
// works without this file.

const feedback = document.querySelector("[data-feedback]");
const link = document.querySelector("[data-link]");
const copied = document.querySelector("[data-copied]");

function buttonFor(key) {
  const value = /^[0-9]$/.test(key) ? key : key.toLowerCase() === "n" ? "none" : null;
  const button = value && feedback.querySelector(`[name=said][value="${value}"]`);
  // The button of the digit that was read is disabled, so its key presses "right".
  return button?.disabled ? feedback.querySelector('[name=said][value="right"]') : button;
}

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.altKey || event.ctrlKey || event.metaKey) return;
  if (event.target.closest?.("input, textarea, select")) return;
  const button = buttonFor(event.key);
  if (!button) return;
  event.preventDefault();
  button.click();
});

document.querySelector("[data-copy]").addEventListener("click", async () => {
  link.select();
  try {
    await navigator.clipboard.writeText(link.value);
    copied.textContent = "Copied.";
  } catch {
    copied.textContent = "It is selected: copy it with your keyboard."; // no clipboard over plain HTTP
  }
});
