"use strict";
// The samples of a benchmark: pictures side by side, and two on one another.

function picture({ path, name }) {
  const source = Object.hasOwn(report.pictures, path) ? report.pictures[path] : null;
  return source ? el("img", { src: source, alt: name, draggable: "false" })
    : el("span", { class: "missing" }, `${name}: the picture is missing`);
}

// All at one size; those with fewer pixels than the largest show their pixels.
function roughened(host) {
  const images = [...host.querySelectorAll("img")];
  Promise.allSettled(images.map((image) => image.decode())).then(() => {
    const widest = Math.max(...images.map((image) => image.naturalWidth));
    images.forEach((image) => image.classList.toggle("rough", image.naturalWidth < widest));
  });
  return host;
}

function samples() {
  if (!report.samples?.length) return null;
  const many = report.tables.length > 1;
  const sources = (sample) => [...Object.entries(sample.versions).map(([name, path]) => ({ name, path, cell: null })),
    ...sample.cells.map(([table, id, path]) => ({ name: many ? `${id} (${report.tables[table]?.title})` : id, path, cell: [table, id] }))];
  const host = el("div", {});
  let kept = null; // the chosen names, which stay when the picture changes
  const show = () => {
    const all = sources(report.samples[which.input.value]), find = (name) => all.findIndex((each) => each.name === name);
    const top = report.tables[0] ? ranked(report.tables[0])[0]?.id : null;
    const best = all.findIndex((each) => each.cell && each.cell[0] === 0 && each.cell[1] === top);
    const start = kept ? kept.map(find) : [0, best < 0 ? all.length - 1 : best];
    const options = all.map((each, k) => [k, each.name]);
    const left = choice("Left", options, Math.max(0, start[0]), () => stack());
    const right = choice("Right", options, Math.max(0, start[1]), () => stack());
    const stage = el("div", {});
    const stack = () => {
      const pair = [left, right].map(({ input }) => all[Number(input.value)]);
      kept = pair.map((each) => each.name);
      stage.replaceChildren(slider(...pair));
    };
    stack();
    const strip = el("div", { class: "strip" }, all.map((each, k) => el("button", {
      type: "button", title: "show at the right", click: () => {
        right.input.value = String(k);
        stack();
        stage.scrollIntoView({ block: "nearest" });
      } }, picture(each), el("span", {}, each.name))));
    host.replaceChildren(el("div", { class: "controls" }, left.node, right.node), stage, roughened(strip));
  };
  const which = choice("Picture", report.samples.map((sample, k) => [k, sample.name]), 0, show);
  show();
  return el("section", { id: "samples" }, el("h2", {}, "Samples"),
    quiet("What each cell's first seed makes of the same picture. Smaller pictures are enlarged without smoothing."),
    el("div", { class: "controls" }, which.node), host);
}

// Two pictures on one another; the range uncovers the left one from the left.
function slider(before, after) {
  const images = [picture(after), picture(before)];
  const range = el("input", { type: "range", min: 0, max: 100, value: 50, step: 0.5,
    "aria-label": `how much of ${before.name} is shown over ${after.name}`, input: () => move() });
  const edge = el("i", { class: "edge" });
  const drag = (event) => {
    if (event.type === "pointermove" && !event.buttons) return;
    const { left, width } = box.getBoundingClientRect();
    range.value = ((event.clientX - left) / width) * 100;
    move();
  };
  const box = roughened(el("div", { class: "compare", pointerdown: drag, pointermove: drag }, images, edge));
  const move = () => {
    images[1].style.clipPath = `inset(0 ${100 - range.value}% 0 0)`;
    edge.style.left = `${range.value}%`;
  };
  images[1].classList.add("before");
  move();
  return el("div", { class: "slider" }, box, range,
    el("p", { class: "captions" }, el("span", {}, before.name), el("span", {}, after.name)));
}
