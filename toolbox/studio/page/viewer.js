// Two pictures, or films, on one another: the divider uncovers the left one. Wheel, buttons, fingers and keys zoom and
// move both.

import { layerOf, makePlayer, shownBy } from "./films.js";

const MOST = 32;
const button = (text, label, click) => el("button", { type: "button", class: "button", "aria-label": label, title: label, click }, text);

export function makeViewer(label) {
  let zoom = 1, x = 0, y = 0, split = 50, width = 1, height = 1, fitted = true;
  let loads = 0;
  let right = layerOf(), left = layerOf();
  const player = makePlayer();
  const divider = el("div", { class: "divider", "aria-hidden": "true" });
  const tags = [el("span", { class: "tag left" }), el("span", { class: "tag right" })];
  const silent = el("p", { class: "note", role: "status", hidden: true }, "This browser does not play the film; its first frame is shown. The download is whole.");
  const hint = el("p", { class: "hint", hidden: true });
  const box = el("div", { class: "viewer", tabindex: 0, role: "group",
    "aria-label": `${label}; arrow keys move, plus and minus zoom, 1 shows pixels, 0 all; the space bar plays films` }, right, left, divider, tags, hint);
  const range = el("input", { type: "range", class: "split", min: 0, max: 100, step: 0.5, value: 50,
    "aria-label": "how much of the left picture is shown", input: () => { split = Number(range.value); draw(); } });
  const shownZoom = el("output", { "aria-live": "off" });
  const zoomBar = el("div", { class: "zoom", role: "group", "aria-label": "Zoom" },
    button("−", "smaller", () => zoomAt(zoom / 1.5)), shownZoom, button("+", "larger", () => zoomAt(zoom * 1.5)),
    button("fit", "fit the whole picture", () => fit()), button("1:1", "1:1, its pixels", () => zoomAt(1)));

  const size = () => box.getBoundingClientRect();
  const least = () => Math.min(size().width / width, size().height / height, 1);

  function draw() {
    const place = size();
    const [w, h] = [width * zoom, height * zoom];
    x = w <= place.width ? (place.width - w) / 2 : Math.min(0, Math.max(place.width - w, x));
    y = h <= place.height ? (place.height - h) / 2 : Math.min(0, Math.max(place.height - h, y));
    for (const image of [left, right]) {
      image.style.width = `${width}px`;
      image.style.height = `${height}px`;
      image.style.transform = `translate(${x}px, ${y}px) scale(${zoom})`;
    }
    const edge = (split / 100) * place.width; // of the box, so that the divider is in view at any zoom
    left.style.clipPath = `inset(0 ${Math.min(width, Math.max(0, width - (edge - x) / zoom))}px 0 0)`;
    divider.style.left = `${edge}px`;
    box.classList.toggle("pixels", zoom >= 1);
    shownZoom.textContent = `${Math.round(zoom * 100)} %`;
  }

  function zoomAt(wanted, at = { x: size().width / 2, y: size().height / 2 }) {
    const next = Math.min(MOST, Math.max(least(), wanted));
    x = at.x - ((at.x - x) / zoom) * next;
    y = at.y - ((at.y - y) / zoom) * next;
    zoom = next;
    fitted = next <= least();
    draw();
  }

  function fit() {
    zoom = least();
    fitted = true;
    draw();
  }

  const within = (event) => ({ x: event.clientX - size().left, y: event.clientY - size().top });
  box.addEventListener("wheel", (event) => {
    event.preventDefault();
    zoomAt(zoom * Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.0015)), within(event));
  }, { passive: false });

  const fingers = new Map();
  let dividing = false;
  box.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    dividing = event.target === divider;
    fingers.set(event.pointerId, within(event));
    box.setPointerCapture(event.pointerId);
    box.classList.add("dragging");
  });
  box.addEventListener("pointermove", (event) => {
    const before = fingers.get(event.pointerId), now = within(event);
    if (!before) return;
    const other = [...fingers.entries()].find(([id]) => id !== event.pointerId)?.[1];
    fingers.set(event.pointerId, now);
    if (dividing) {
      split = Math.min(100, Math.max(0, (now.x / size().width) * 100));
      range.value = split;
      draw();
    } else if (other) {
      const far = (point) => Math.hypot(point.x - other.x, point.y - other.y) || 1;
      zoomAt((zoom * far(now)) / far(before), { x: (now.x + other.x) / 2, y: (now.y + other.y) / 2 });
    } else {
      x += now.x - before.x;
      y += now.y - before.y;
      draw();
    }
  });
  for (const over of ["pointerup", "pointercancel"]) {
    box.addEventListener(over, (event) => {
      fingers.delete(event.pointerId);
      dividing = false;
      box.classList.toggle("dragging", fingers.size > 0);
    });
  }
  box.addEventListener("dblclick", (event) => (zoom < 1 ? zoomAt(1, within(event)) : fit()));
  box.addEventListener("keydown", (event) => {
    const step = 60, keys = {
      ArrowLeft: () => { x += step; draw(); }, ArrowRight: () => { x -= step; draw(); },
      ArrowUp: () => { y += step; draw(); }, ArrowDown: () => { y -= step; draw(); },
      "+": () => zoomAt(zoom * 1.5), "=": () => zoomAt(zoom * 1.5), "-": () => zoomAt(zoom / 1.5), 0: fit, 1: () => zoomAt(1),
      " ": () => player.toggle() };
    if (!keys[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    keys[event.key]();
  });
  new ResizeObserver(() => (fitted ? fit() : draw())).observe(box);

  // A layer for what is to be shown: the one that is there where it fits, or another in its place.
  function layer(old, each) {
    const made = layerOf(each);
    if (made.tagName === old.tagName) return old;
    old.replaceWith(made);
    return made;
  }

  // Have both layers show a pair; of a film that does not play, its first frame.
  async function fill(pair) {
    [left, right] = [layer(left, pair[0]), layer(right, pair[1])];
    const layers = [left, right];
    return Promise.all(pair.map(async (each, side) => {
      const image = layers[side];
      if (!each?.source) {
        image.removeAttribute("src");
        return true;
      }
      if (image.getAttribute("src") !== each.source) image.src = each.source;
      image.setAttribute(image.tagName === "IMG" ? "alt" : "aria-label", each.name);
      return shownBy(image, each);
    }));
  }

  // Show a pair {source, name, width, height, film, poster}; one may be missing. The larger one's pixels are those of 1:1.
  async function show(before, after) {
    const turn = ++loads;
    const played = await fill([before, after]);
    if (turn !== loads) return;
    if (played.includes(false)) {
      [before, after] = [before, after].map((each, side) => (played[side] ? each : { ...each, film: null, source: each.poster }));
      await fill([before, after]);
    }
    silent.hidden = !played.includes(false);
    const there = [before, after].filter((each) => each?.source);
    const largest = there.reduce((kept, each) => (each.width > (kept?.width ?? 0) ? each : kept), null);
    const same = before?.source === after?.source;
    if (turn !== loads) return;
    left.hidden = !before?.source;
    right.hidden = !after?.source;
    player.take([before, after].flatMap((each, side) => (each?.source && each.film ? [[left, right][side]] : [])));
    for (const part of [divider, range, ...tags]) part.hidden = same || there.length < 2;
    tags.forEach((tag, side) => { tag.textContent = [before, after][side]?.name ?? ""; });
    hint.hidden = there.length > 0;
    hint.textContent = there.length ? "" : "This kind of file is shown once it has been through a network.";
    const grown = largest && (largest.width !== width || largest.height !== height);
    if (grown) {
      const centre = { x: (size().width / 2 - x) / (zoom * width), y: (size().height / 2 - y) / (zoom * height) };
      const seen = zoom * width;
      [width, height] = [largest.width, largest.height];
      zoom = Math.min(MOST, Math.max(least(), seen / width));
      x = size().width / 2 - centre.x * zoom * width;
      y = size().height / 2 - centre.y * zoom * height;
    }
    fitted ? fit() : draw();
  }

  return { box, range, zoomBar, player: player.bar, silent, pause: player.pause, show, fit: () => { fitted = true; } };
}
