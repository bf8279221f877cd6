// Which digit a key means, and which elements use keys themselves.

export const isTyping = (target) => target.closest?.("input:not([type=hidden]), textarea, select, [contenteditable]");
export const isControl = (target) => target.closest?.("a, button, summary");
export const isPlain = (event) =>
  !(event.defaultPrevented || event.isComposing || event.ctrlKey || event.altKey || event.metaKey);

/** Uses the key's place, not its letter: the digit row of a French keyboard types "&é". */
export function digitOf(event) {
  const place = /^(?:Digit|Numpad)([0-9])$/.exec(event.code);
  const isPad = event.code?.startsWith("Numpad");
  if (place && (isPad || !event.shiftKey || /^[0-9]$/.test(event.key))) return place[1];
  if (!event.code && /^[0-9]$/.test(event.key)) return event.key;
  return undefined;
}
