// Use: pictures and films come in, go through a network, and are looked at beside what they were.

import { address } from "./api.js";
import { makePanel } from "./panel.js";
import { active, addFiles, apply, changed, goOn, isActive, posterOf, removePicture, resultOf, resultPosterOf, sourceOf, stopAll, store, tasksOf, titleOf, watchStore } from "./store.js";
import { makeViewer } from "./viewer.js";

const several = (count) => (count === 1 ? "1 file" : `${count} files`);
const time = (seconds) => (seconds < 90 ? `${seconds.toFixed(1)} s` : `${(seconds / 60).toFixed(1)} min`);

export function makeUse() {
  const panel = makePanel(), viewer = makeViewer("The picture before and after");
  const files = el("input", { type: "file", multiple: true, accept: "image/*,video/*,.mkv,.avi,.ts,.y4m,.tif,.tiff,.heic,.psd,.dds,.tga", class: "visually-hidden",
    "aria-label": "choose pictures and films", tabindex: -1, change: () => taken(files) });
  const folder = el("input", { type: "file", webkitdirectory: true, class: "visually-hidden", "aria-label": "choose a folder", tabindex: -1,
    change: () => taken(folder, true) });
  const taken = (input, filtered) => {
    const list = [...input.files];
    addFiles(filtered ? list.filter(isPicture) : list);
    input.value = "";
  };
  const chooseFiles = () => el("button", { type: "button", class: "button", click: () => files.click() }, "Choose files");
  const chooseFolder = () => el("button", { type: "button", class: "button", click: () => folder.click() }, "A folder");
  const drop = el("div", { class: "drop" }, el("strong", {}, "Drop pictures or films here"),
    el("div", { class: "row" }, chooseFiles(), chooseFolder()),
    el("span", { class: "note" }, "Then choose a network, and apply it. They stay with this server, and go when it ends."));
  const strip = el("ul", { class: "strip-list", "aria-label": "Pictures and films" });
  const problems = el("p", { class: "problem", role: "alert" });
  const notes = el("span", { class: "note" });
  const status = el("p", { class: "note", role: "status" });
  const tools = el("div", { class: "tools" }), downloads = el("div", { class: "row" });
  const looking = el("div", { hidden: true }, viewer.box, viewer.player, viewer.silent, tools, el("div", { class: "under" }, viewer.zoomBar, notes, downloads));
  const one = el("button", { type: "button", class: "button first", click: () => begin([chosen()]) }, "Apply");
  const all = el("button", { type: "button", class: "button", click: () => begin(store.pictures) });
  const stop = el("button", { type: "button", class: "button", click: () => stopAll().catch((error) => panel.fail(error.message)) }, "Stop");

  const more = el("button", { type: "button", class: "button", click: () => goOn(unfinished()).catch((error) => panel.fail(error.message)) });

  const unfinished = () => tasksOf(chosen() ?? {}).findLast((task) => task.kept);
  const chosen = () => store.pictures.find((picture) => picture.id === store.chosen);
  const begin = (pictures) => apply(pictures, panel.model(), panel.settings()).catch((error) => panel.fail(error.message));
  const isPicture = (file) => store.suffixes.some((suffix) => file.name.toLowerCase().endsWith(suffix));

  const node = el("div", { class: "use" },
    el("section", { "aria-label": "Pictures" }, drop, looking, strip, problems, files, folder),
    el("section", { class: "panel", "aria-label": "Network" }, el("h2", {}, "Network"), panel.nodes,
      el("div", { class: "row" }, one, all, more, stop), status, panel.problem, panel.command));

  // ---------------------------------------------------------------- dropping

  const over = (event, on) => {
    event.preventDefault();
    node.classList.toggle("over", on);
  };
  addEventListener("dragover", (event) => over(event, true));
  addEventListener("dragleave", (event) => { if (!event.relatedTarget) over(event, false); });
  addEventListener("drop", async (event) => {
    over(event, false);
    const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
    addFiles(entries.length ? (await Promise.all(entries.map((entry) => filesIn(entry, true)))).flat() : event.dataTransfer.files);
  });
  async function filesIn(entry, top) {
    if (entry.isFile) {
      const file = await new Promise((done, failed) => entry.file(done, failed));
      return top || isPicture(file) ? [file] : [];
    }
    const reader = entry.createReader(), found = [];
    for (let some = [null]; some.length;) {
      some = await new Promise((done, failed) => reader.readEntries(done, failed));
      found.push(...some);
    }
    return (await Promise.all(found.map((each) => filesIn(each, false)))).flat();
  }

  // ---------------------------------------------------------------- what is looked at

  const sides = { left: "source", right: null }; // ids of what is on a side; null is the newest result
  const given = (picture) => ({ id: "source", name: "as it is", width: picture.width, height: picture.height,
    ...film(sourceOf(picture), picture.film, picture.film && posterOf(picture)) });
  const film = (source, is, poster) => (is ? { source: source ?? poster, film: source ? is : null, poster } : { source });
  const results = (picture) => tasksOf(picture).filter((task) => task.state === "done").map((task) =>
    ({ id: task.id, name: titleOf(task), width: task.width, height: task.height, task,
      ...film(task.film && !task.film.plays ? null : resultOf(task), task.film, task.film && resultPosterOf(task)) }));
  const long = (is) => (is ? [is.frames && `, ${is.frames.toLocaleString("en")} frames`, is.rate && `, ${Number(is.rate.toFixed(2))} a second`].filter(Boolean).join("") : "");
  let shownState = "";

  function look() {
    const picture = chosen();
    looking.hidden = !picture;
    drop.hidden = Boolean(picture);
    if (!picture) viewer.pause();
    if (!picture) return;
    const options = [given(picture), ...results(picture)];
    const pick = (id, otherwise) => options.find((each) => each.id === id) ?? otherwise;
    const left = pick(sides.left, options[0]), right = pick(sides.right, options.at(-1));
    const done = [...store.tasks.values()].filter((task) => task.state === "done").length;
    const state = JSON.stringify([done, picture.id, options.map((each) => each.id + each.source), left.id, right.id]);
    if (state !== shownState) {
      shownState = state;
      viewer.show(left, right);
      const select = (label, side, now) => choice(label, options.map((each) => [each.id, each.name]), now.id, (event) => {
        sides[side] = event.target.value;
        look();
      }).node;
      tools.hidden = options.length < 2;
      tools.replaceChildren(select("Left", "left", left), viewer.range, select("Right", "right", right));
      downloads.replaceChildren(
        right.task ? el("a", { class: "button", href: address(`/api/tasks/${right.id}/file`), download: right.task.name }, "Download") : "",
        done > 1 ? el("a", { class: "button", href: address("/api/zip"), download: "pictures.zip" }, `All ${done} as a zip`) : "");
    }
    const facts = right.task ? `${right.width} × ${right.height} pixels${long(right.task.film)}, ${right.task.film ? "made in " : ""}${time(right.task.seconds)}`
      : `${picture.width} × ${picture.height} pixels${long(picture.film)}`;
    notes.textContent = [facts, ...(right.task?.notes ?? [])].join("; ");
  }

  // ---------------------------------------------------------------- the strip, and the state of all

  const words = (task) => ({ waiting: "waits", running: task.part ? `${Math.round(task.part * 100)} %` : "loading", done: "done", failed: "failed", stopped: "stopped" })[task.state];
  const items = new Map();

  function item(picture) {
    const image = el("img", { class: "thumb", alt: "", draggable: "false" }), state = el("span", { class: "state" });
    const bar = el("progress", { max: 1, value: 0, "aria-label": `progress of ${picture.name}` });
    const pick = el("button", { type: "button", class: "pick", title: picture.name, click: () => {
      store.chosen = picture.id;
      sides.left = "source";
      sides.right = null;
      viewer.fit();
      changed();
    } }, image, el("span", { class: "name" }, picture.name), state);
    const away = el("button", { type: "button", class: "away", "aria-label": `remove ${picture.name}`, click: () =>
      removePicture(picture).catch((error) => panel.fail(error.message)) }, "×");
    const made = el("li", {}, pick, away, bar);
    return { made, draw() {
      const last = tasksOf(picture).at(-1), source = picture.film ? posterOf(picture) : sourceOf(picture);
      if (source && image.getAttribute("src") !== source) image.src = source;
      pick.setAttribute("aria-pressed", picture.id === store.chosen);
      state.textContent = last ? words(last) : "";
      state.classList.toggle("failed", last?.state === "failed");
      bar.hidden = last?.state !== "running";
      bar.value = last?.part ?? 0;
    } };
  }

  watchStore(() => {
    for (const picture of [...items.keys()]) if (!store.pictures.includes(picture)) items.delete(picture);
    for (const picture of store.pictures) if (!items.has(picture)) items.set(picture, item(picture));
    const wanted = [...items.values()].map((each) => each.made);
    const add = strip.querySelector(".adding") ?? el("li", { class: "adding row" }, el("button", { type: "button", class: "button", click: () => files.click() }, "+ Files"),
      el("button", { type: "button", class: "button", click: () => folder.click() }, "+ A folder"));
    if (strip.children.length - 1 !== wanted.length) strip.replaceChildren(...wanted, add);
    strip.hidden = !wanted.length;
    items.forEach((each) => each.draw());
    look();
    const going = active(), some = store.pictures.length, failed = chosen() ? tasksOf(chosen()).findLast((task) => !isActive(task)) : null;
    one.disabled = !some || !panel.model();
    all.hidden = some < 2;
    all.textContent = `to all ${some}`;
    stop.hidden = !going.length;
    more.hidden = !unfinished();
    more.textContent = more.hidden ? "" : `Continue from frame ${unfinished().kept.toLocaleString("en")}`;
    more.title = more.hidden ? "" : `${titleOf(unfinished())}: what is done of it is kept`;
    const now = going.find((task) => task.state === "running");
    status.textContent = going.length ? `${several(going.length)} to go${now ? `; ${store.pictures.find((each) => each.id === now.picture)?.name ?? ""}: ${now.said || words(now)}` : ""}` : "";
    problems.textContent = [failed?.state === "failed" ? failed.problem : "", ...store.problems.slice(0, 3),
      store.problems.length > 3 ? `and ${store.problems.length - 3} more were passed over` : ""].filter(Boolean).join("\n");
  });

  return { node, leave: viewer.pause };
}
