// The network: which one, what is chosen of it, and the command that does the same.

import { ask, post } from "./api.js";
import { conditionControls, moreControls } from "./settings.js";
import { changed, store, watchStore } from "./store.js";

const KINDS = [["shipped", "Shipped"], ["export", "Exported here"], ["run", "Trained here"], ["downloaded", "Downloaded"]];
const PAUSE = 150; // milliseconds after the last change until the command is asked for

export function makePanel() {
  let model = null, conditions = null, waiting = 0, turn = 0;
  const list = el("div", { class: "models" });
  const about = el("div", { class: "about" }), conditionHost = el("div", { class: "chosen" });
  const more = moreControls(() => tell());
  const line = el("pre", { tabindex: 0, "aria-label": "the equal command" });
  const problem = el("p", { class: "problem", role: "alert" });
  const copy = el("button", { type: "button", class: "link", click: () => {
    navigator.clipboard.writeText(line.textContent).then(() => { copy.textContent = "copied"; }, () => { copy.textContent = "select it"; });
    setTimeout(() => { copy.textContent = "copy"; }, 1500);
  } }, "copy");
  const command = el("div", { class: "command", hidden: true },
    el("div", { class: "row" }, el("span", { class: "note" }, "The same on a terminal"), copy), line);

  const settings = () => ({ chosen: conditions?.chosen() ?? {}, ...more.values() });

  function tell() {
    clearTimeout(waiting);
    waiting = setTimeout(async () => {
      const picture = store.pictures.find((each) => each.id === store.chosen), mine = ++turn;
      problem.textContent = "";
      command.hidden = !model || !picture;
      if (command.hidden) return;
      try {
        const found = await post("/api/command", { model: model.id, settings: settings(), picture: picture.id });
        if (mine !== turn) return;
        const words = found.command.split(" ").flatMap((word) => [" ", el("span", { class: "word" }, word)]);
        line.replaceChildren(...words.slice(1));
        problem.textContent = found.problem ?? "";
      } catch (error) {
        problem.textContent = error.message;
      }
    }, PAUSE);
  }

  async function choose(next) {
    model = next;
    changed();
    describe();
    if (model.conditions) return;
    conditionHost.replaceChildren(el("p", { class: "note" }, "Looking what can be chosen of it…"));
    try {
      Object.assign(next, await ask(`/api/models/${next.id}`));
      if (model === next) describe();
      drawScales();
    } catch (error) {
      if (model === next) conditionHost.replaceChildren(el("p", { class: "problem" }, error.message));
    }
  }

  function describe() {
    const facts = [model.licence && `licence ${model.licence}`, model.kind === "run" && "your own training"].filter(Boolean).join("; ");
    about.replaceChildren(el("span", { class: "note" }, facts),
      model.card ? el("details", {}, el("summary", {}, "Its card"), el("pre", { tabindex: 0 }, model.card)) : "");
    conditions = conditionControls(model, tell);
    conditionHost.replaceChildren(conditions.node);
    tell();
  }

  const scales = new Map();
  const drawScales = () => scales.forEach((node, each) => { node.textContent = each.scale ? `×${each.scale}` : ""; });

  function draw() {
    list.replaceChildren(...KINDS.flatMap(([kind, title]) => {
      const models = store.models.filter((each) => each.kind === kind);
      if (!models.length) return [];
      return [el("fieldset", {}, el("legend", {}, title), models.map((each) => {
        const scale = el("span", { class: "scale" });
        scales.set(each, scale);
        return el("label", {}, el("input", { type: "radio", name: "model", value: each.id, checked: each === model, change: () => choose(each) }),
          el("b", {}, each.name), scale, el("span", { class: "title" }, each.title));
      }))];
    }));
    drawScales();
  }

  let drawn = null, pictures = 0, chosen = null;
  watchStore(() => {
    if (drawn !== store.models && store.models.length) {
      drawn = store.models;
      choose(store.models[0]);
      draw();
    }
    const takesPicture = model?.conditions?.some((each) => each.kind === "picture");
    if (takesPicture && pictures !== store.pictures.length) describe();
    if (chosen !== store.chosen) tell();
    [pictures, chosen] = [store.pictures.length, store.chosen];
  });

  return { nodes: [list, about, conditionHost, more.node], command, problem, settings, model: () => model, fail: (text) => { problem.textContent = text; } };
}
