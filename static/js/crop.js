// The box on a picture: it shows where the digit was found, and a person moves it by pointer or by
// arrow keys. A box is [left, top, right, bottom], in shares of the picture.

const LEAST = 0.04; // of the picture's width and height
const STEP = 0.02; // by an arrow key; a quarter of it with Shift
const ROOM = 0.12; // left around the ink that was found, as a share of its longer side
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

// What a handle makes of a box when it is moved by these shares.
const MOVES = {
  whole([left, top, right, bottom], [x, y]) {
    const across = clamp(x, -left, 1 - right);
    const down = clamp(y, -top, 1 - bottom);
    return [left + across, top + down, right + across, bottom + down];
  },
  start: ([left, top, right, bottom], [x, y]) => [
    clamp(left + x, 0, right - LEAST), clamp(top + y, 0, bottom - LEAST), right, bottom,
  ],
  end: ([left, top, right, bottom], [x, y]) => [
    left, top, clamp(right + x, left + LEAST, 1), clamp(bottom + y, top + LEAST, 1),
  ],
};

// `frame` gives the place of the picture in `root`, in shares of it; `changed` gets a box that a
// person has made.
export function cropIn(root, frame, changed) {
  const outline = root.querySelector("[data-crop-box]");
  let box = null;

  function show(shown) {
    box = shown;
    root.hidden = !box;
    if (!box) return;
    const { left, top, width, height } = frame();
    const percent = (share) => `${(share * 100).toFixed(3)}%`;
    outline.style.left = percent(left + box[0] * width);
    outline.style.top = percent(top + box[1] * height);
    outline.style.width = percent((box[2] - box[0]) * width);
    outline.style.height = percent((box[3] - box[1]) * height);
  }

  function showAround([left, top, right, bottom]) {
    const { width, height } = frame();
    const room = ROOM * Math.max((right - left) * width, (bottom - top) * height);
    const [across, down] = [room / width, room / height];
    show([
      Math.max(0, left - across), Math.max(0, top - down),
      Math.min(1, right + across), Math.min(1, bottom + down),
    ]);
  }

  function pointOf(event) {
    const page = root.parentElement.getBoundingClientRect();
    const { left, top, width, height } = frame();
    return [
      clamp(((event.clientX - page.left) / page.width - left) / width, 0, 1),
      clamp(((event.clientY - page.top) / page.height - top) / height, 0, 1),
    ];
  }

  // Follow a pointer that was pressed on `target`; `made` gives the box for where it is.
  function follow(target, event, made) {
    const before = box;
    const move = (moved) => {
      if (moved.pointerId === event.pointerId) show(made(pointOf(moved)) ?? before);
    };
    const lift = (lifted) => {
      if (lifted.pointerId !== event.pointerId) return;
      target.removeEventListener("pointermove", move);
      target.removeEventListener("pointerup", lift);
      target.removeEventListener("pointercancel", lift);
      if (lifted.type === "pointercancel") show(before);
      else if (box !== before) changed(box);
    };
    event.preventDefault();
    target.setPointerCapture(event.pointerId);
    target.addEventListener("pointermove", move);
    target.addEventListener("pointerup", lift);
    target.addEventListener("pointercancel", lift);
  }

  for (const handle of root.querySelectorAll("[data-crop-handle]")) {
    const moved = MOVES[handle.dataset.cropHandle];
    handle.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      const [from, start] = [pointOf(event), box];
      follow(handle, event, ([x, y]) => moved(start, [x - from[0], y - from[1]]));
      handle.focus({ preventScroll: true });
    });
    handle.addEventListener("keydown", (event) => {
      const arrow = ARROWS[event.key];
      if (!arrow || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      const step = event.shiftKey ? STEP / 4 : STEP;
      show(moved(box, [arrow[0] * step, arrow[1] * step]));
      changed(box);
    });
  }

  // A new box, from where the pointer was pressed beside the old one.
  function begin(target, event) {
    const from = pointOf(event);
    follow(target, event, (to) => {
      const [left, right] = [from[0], to[0]].sort((a, b) => a - b);
      const [top, bottom] = [from[1], to[1]].sort((a, b) => a - b);
      return right - left < LEAST || bottom - top < LEAST ? null : [left, top, right, bottom];
    });
  }

  return { show, showAround, begin };
}
