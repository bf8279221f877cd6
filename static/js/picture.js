// A figure as one picture: its text, its charts or heat map, and what it was sampled from.

import { color, FONT } from "./charts.js";

const PNG_SCALE = 2;
const KEYS_STEP = 20; // px between two lines of the legend

function wrapped(pen, text, width) {
  const lines = [""];
  for (const word of text.split(/\s+/)) {
    const longer = `${lines.at(-1)} ${word}`.trim();
    if (pen.measureText(longer).width <= width) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines.filter(Boolean);
}

/** Paints the cells of a heat map, which is a table, as the page shows them. */
function paintTable(pen, table, left, top) {
  const origin = table.getBoundingClientRect();
  for (const cell of table.querySelectorAll("th, td")) {
    const box = cell.getBoundingClientRect();
    const style = getComputedStyle(cell);
    const [x, y] = [left + box.left - origin.left, top + box.top - origin.top];
    pen.fillStyle = style.backgroundColor;
    pen.beginPath();
    pen.roundRect(x, y, box.width, box.height, 4);
    pen.fill();
    const shown = cell.matches("th") ? cell : cell.querySelector("a, span:not(.visually-hidden)");
    const lines = (shown?.innerText ?? "").split("\n").filter(Boolean);
    pen.fillStyle = style.color;
    pen.textBaseline = "middle";
    pen.textAlign = style.textAlign === "left" || style.textAlign === "start" ? "left" : "center";
    const middle = pen.textAlign === "left" ? x + 2 : x + box.width / 2;
    lines.forEach((line, at) => {
      pen.font = `${at ? 400 : 500} ${at ? 11 : Math.round(parseFloat(style.fontSize))}px ${FONT}`;
      pen.fillText(line, middle, y + box.height / 2 + (at - (lines.length - 1) / 2) * 14);
    });
  }
}

/** The curves of the legend that are shown, as lines of [text, color, left]. */
function keysOf(pen, element, wide) {
  const lines = [];
  let left = wide;
  for (const button of element.querySelectorAll("[data-legend] [aria-pressed=true]")) {
    const text = button.innerText;
    const width = pen.measureText(text).width + 40;
    if (left + width > wide) {
      lines.push([]);
      left = 0;
    }
    lines.at(-1).push([text, getComputedStyle(button.firstElementChild).borderTopColor, left]);
    left += width;
  }
  return lines;
}

/** The figure as one picture: title, sentence, charts, and what it was sampled from. */
function picture(element) {
  const parts = [...element.querySelectorAll("canvas[data-chart]:not([hidden]), [data-heat]")];
  const sizes = parts.map((part) => part.getBoundingClientRect());
  const margin = 24;
  const wide = Math.max(360, sizes.reduce((sum, size) => sum + size.width + 16, -16));
  const pen = document.createElement("canvas").getContext("2d");
  const said = (name) => element.querySelector(`[data-words="${name}"]`)?.innerText.trim() ?? "";
  const texts = [
    [element.querySelector("h2").innerText, `600 18px ${FONT}`, 24, "--ink"],
    [said("said"), `400 13px ${FONT}`, 19, "--ink-soft"],
    [said("warning"), `500 13px ${FONT}`, 19, "--caution"],
  ].map(([text, font, step, ink]) => {
    pen.font = font;
    return { lines: wrapped(pen, text, wide), font, step, ink: color(ink) };
  });
  pen.font = `400 12px ${FONT}`;
  const below = { lines: wrapped(pen, said("from"), wide), font: pen.font, step: 17, ink: color("--ink-faint") };
  const keys = keysOf(pen, element, wide);
  const head = texts.reduce((sum, text) => sum + text.lines.length * text.step, 0);
  const high = Math.max(0, ...sizes.map((size) => size.height));
  pen.canvas.width = (wide + 2 * margin) * PNG_SCALE;
  pen.canvas.height = (head + high + keys.length * KEYS_STEP + below.lines.length * below.step + 2 * margin + 28) * PNG_SCALE;
  pen.scale(PNG_SCALE, PNG_SCALE);
  pen.fillStyle = color("--sheet");
  pen.fillRect(0, 0, pen.canvas.width, pen.canvas.height);
  let top = margin;
  const write = ({ lines, font, step, ink }) => {
    pen.font = font;
    pen.fillStyle = ink;
    pen.textAlign = "left";
    pen.textBaseline = "top";
    for (const line of lines) {
      pen.fillText(line, margin, top);
      top += step;
    }
  };
  texts.forEach(write);
  top += 14;
  let left = margin;
  parts.forEach((part, at) => {
    if (part.matches("canvas")) pen.drawImage(part, left, top, sizes[at].width, sizes[at].height);
    else paintTable(pen, part, left, top);
    left += sizes[at].width + 16;
  });
  top += high + 14;
  pen.font = below.font;
  for (const line of keys) {
    for (const [text, ink, from] of line) {
      pen.fillStyle = ink;
      pen.fillRect(margin + from, top + 5, 16, 4);
      pen.fillStyle = color("--ink-soft");
      pen.textAlign = "left";
      pen.textBaseline = "top";
      pen.fillText(text, margin + from + 22, top);
    }
    top += KEYS_STEP;
  }
  write(below);
  return pen.canvas;
}

/** Downloads the figure whose PNG button was pressed. */
export function handOut(event) {
  const button = event.target.closest?.("[data-png]");
  if (!button) return;
  const element = button.closest("[data-figure]");
  picture(element).toBlob((blob) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = `${element.dataset.figure}.png`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  }, "image/png");
}
