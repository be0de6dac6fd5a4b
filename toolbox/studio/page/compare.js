// Compare: which of two networks is better on one's own pictures and films, told blindly; and benchmarks' reports.

import { address, ask, post } from "./api.js";
import { layerOf, makePlayer, shownBy } from "./films.js";
import { conditionControls } from "./settings.js";
import { during, store, watchStore } from "./store.js";

const EVERY = 400; // milliseconds
const LETTERS = { left: "A", right: "B" }; // a narrow screen shows one above the other
const percent = (share) => `${Math.round(share * 100)} %`;

// What votes say, in one sentence: the interval decides whether it is more than chance.
export function verdict({ first, second, wins, losses, neither, low, high }) {
  const told = wins + losses, undecided = neither ? `; ${neither} could not be told apart` : "";
  if (!told) return `${first} and ${second} were not told apart in any of ${neither}.`;
  const line = `${first} was preferred to ${second} in ${wins} of ${told}, ${percent(wins / told)} [${percent(low)}, ${percent(high)}]${undecided}`;
  return low > 0.5 ? `${line}: it is preferred.` : high < 0.5 ? `${line}: ${second} is preferred.` : `${line}: too few votes, or no difference.`;
}

const counted = (count, what) => (count ? `${count} ${what}${count === 1 ? "" : "s"}` : "");
const listed = () => [counted(store.pictures.filter((each) => !each.film).length, "picture"), counted(store.pictures.filter((each) => each.film).length, "film")].filter(Boolean).join(" and ");

export function makeCompare() {
  let duel = null, at = 0, here = false;
  const player = makePlayer();
  const setup = el("div", {}), stage = el("div", { class: "stage", hidden: true }), kept = el("div", { class: "block" }), grids = el("div", { class: "block" });
  const problem = el("p", { class: "problem", role: "alert" });
  const node = el("section", { "aria-label": "Compare", hidden: true }, el("h2", {}, "Which is better on your pictures and films?"),
    el("p", { class: "note" }, "Two networks, side by side, without their names. Vote, and see at the end whose results you preferred, and whether that is more than chance."),
    problem, setup, stage, kept, grids);

  // ---------------------------------------------------------------- two models

  function side(name, start) {
    let controls = null, model = null;
    const host = el("div", { class: "chosen" });
    const options = store.models.map((each) => [each.id, `${each.name}${each.scale ? ` ×${each.scale}` : ""}`]);
    const select = choice(name, options, store.models[start]?.id, () => show());
    const draw = () => {
      controls = conditionControls(model, () => {});
      host.replaceChildren(controls.node);
    };
    async function show() {
      model = store.models.find((each) => each.id === select.input.value);
      const mine = model;
      draw();
      if (model.conditions) return;
      host.replaceChildren(el("p", { class: "note" }, "Looking what can be chosen of it…"));
      try {
        Object.assign(mine, await ask(`/api/models/${mine.id}`));
        if (model === mine) draw();
      } catch (error) {
        host.replaceChildren(el("p", { class: "problem" }, error.message));
      }
    }
    if (store.models.length) show();
    return { node: el("div", { class: "panel" }, select.node, host), asked: () => ({ model: model.id, settings: { chosen: controls.chosen() } }) };
  }

  let drawn = "";
  function draw() {
    const key = JSON.stringify([store.models.length, store.pictures.map((each) => each.id)]);
    if (!here || key === drawn) return;
    drawn = key;
    if (!store.pictures.length) {
      setup.replaceChildren(el("p", {}, "Add pictures or films under ", el("a", { href: "#use" }, "Use"), " first; ten or more, or the votes say little."));
      return;
    }
    const sides = [side("One", 0), side("The other", Math.max(0, store.models.findIndex((each) => each.name.startsWith("restore"))))];
    setup.replaceChildren(el("div", { class: "sides" }, sides.map((each) => each.node)),
      
      part.node,
      el("div", { class: "row controls" }, el("button", { type: "button", class: "button first", click: () => begin(sides) },
        `Compare on ${listed()}`)));
  }

  // Of films a short part is compared: both networks have it soon, and a person looks at it to its end.
  const part = filmPart();

  async function begin(sides) {
    problem.textContent = "";
    try {
      await during(async () => {
        const [first, second] = sides.map((each) => each.asked());
        duel = await post("/api/duels", { pictures: store.pictures.map((each) => each.id), first, second, ...part.values() });
        at = 0;
        setup.hidden = kept.hidden = grids.hidden = true; // what was voted before is no help
        stage.hidden = false;
        show();
        const mine = duel.id; // an answer that comes when another is shown, or none, is not for the page
        while (duel?.id === mine && duel.rounds.some((round) => round.state === "waiting")) {
          await new Promise((done) => setTimeout(done, EVERY));
          const next = duel?.id === mine ? await ask(`/api/duels/${mine}`) : null;
          if (next && duel?.id === mine) update(next);
        }
      });
    } catch (error) {
      problem.textContent = error.message;
      over();
    }
  }

  // ---------------------------------------------------------------- voting

  function update(next) {
    const before = duel?.rounds[at]?.state;
    duel = next;
    if (duel.result || duel.rounds[at]?.state !== before) show();
    const bar = stage.querySelector("progress");
    if (bar) bar.value = duel.rounds[at]?.part ?? 0;
  }

  function show() {
    player.take([]);
    while (at < duel.rounds.length && ["voted", "failed"].includes(duel.rounds[at].state)) at += 1;
    const again = el("button", { type: "button", class: "button", click: over }, duel.result ? "Compare others" : "End this comparison");
    if (duel.result) {
      const failed = duel.rounds.filter((round) => round.state === "failed");
      stage.replaceChildren(el("p", { class: "result", role: "status" }, verdict(duel.result)),
        failed.length ? el("p", { class: "problem" }, `${failed.length} failed: ${failed[0].problem || "stopped"}`) : "", again);
      again.focus();
      kept.hidden = grids.hidden = false;
      tables();
      return;
    }
    const round = duel.rounds[at], head = el("p", { class: "note", role: "status" }, `${at + 1} of ${duel.rounds.length}: ${round.name}`);
    if (round.state === "waiting") {
      stage.replaceChildren(head, el("p", {}, "Both networks are at work…"),
        el("progress", { max: 1, value: round.part, "aria-label": "how much of both is made" }), again);
      return;
    }
    const layers = ["left", "right"].map((name) => {
      const layer = layerOf(round);
      layer.src = address(`/api/duels/${duel.id}/${at}/${name}`);
      layer.setAttribute(round.film ? "aria-label" : "alt", `${round.film ? "film" : "picture"} ${LETTERS[name]}`);
      return layer;
    });
    const pair = el("div", { class: "pair" }, layers.map((layer, k) => el("figure", {}, layer, el("span", { class: "letter", "aria-hidden": "true" }, "AB"[k]))));
    const closer = magnifier(pair, layers);
    const choose = (choice, text) => el("button", { type: "button", class: "button", click: () => vote(choice) }, text);
    stage.replaceChildren(head, pair, player.bar,
      el("div", { class: "row votes" }, choose("left", "← A is better"), choose("neither", "Cannot tell"), choose("right", "B is better →")),
      el("div", { class: "row" }, closer,
        el("span", { class: "note" }, `Arrow keys vote too: left for A, right for B, down for neither${round.film ? "; the space bar plays" : ""}.`), again));
    if (round.film) play(layers, round);
  }

  async function play(layers, round) {
    const played = await Promise.all(layers.map((layer) => shownBy(layer, round)));
    if (!layers[0].isConnected) return;
    if (played.includes(false)) {
      problem.textContent = "This browser does not play the film.";
      return;
    }
    player.take(layers);
    player.toggle();
  }

  let voting = false;
  async function vote(choice) {
    if (voting || !duel || duel.rounds[at]?.state !== "ready") return;
    voting = true;
    try {
      const next = await post(`/api/duels/${duel.id}/${at}`, { choice });
      if (duel?.id !== next.id) return;
      at += 1;
      duel = next;
      show();
    } catch (error) {
      problem.textContent = error.message;
    } finally {
      voting = false;
    }
  }
  addEventListener("keydown", (event) => {
    const choice = { ArrowLeft: "left", ArrowRight: "right", ArrowDown: "neither" }[event.key];
    if (!here || stage.hidden || !(choice || event.key === " ") || event.target.matches("input, select, textarea")) return;
    if (!choice && event.target.matches("button, a, summary")) return;
    event.preventDefault();
    choice ? vote(choice) : player.toggle();
  });

  function over() {
    duel = null;
    drawn = "";
    player.take([]);
    stage.hidden = true;
    setup.hidden = kept.hidden = grids.hidden = false;
    draw();
  }

  // ---------------------------------------------------------------- what is kept, and reports

  async function tables() {
    const [{ pairs, file }, found] = await Promise.all([ask("/api/votes"), ask("/api/grids")]);
    kept.replaceChildren(...(pairs.length ? [el("h2", {}, "All votes so far"), el("ul", {}, pairs.map((pair) => el("li", {}, verdict(pair)))),
      el("p", { class: "note" }, "Kept in ", el("code", {}, file), ".")] : []));
    grids.replaceChildren(el("h2", {}, "Benchmarks"), found.grids.length
      ? el("ul", {}, found.grids.map((grid) => el("li", {}, el("a", { href: `/api/grids/${grid.id}`, target: "_blank", rel: "noopener" }, grid.name))))
      : el("p", { class: "note" }, "No report below this folder yet. ", el("code", {}, "gan-toolbox benchmark benchmark/sr_variants_small.yaml"), " makes one."));
  }

  watchStore(draw);
  return { node, enter: () => {
    here = true;
    draw();
    tables().catch((error) => { problem.textContent = error.message; });
  }, leave: () => { here = false; player.pause(); } };
}

// {node, values()}: which part of films is compared.
function filmPart() {
  const field = (id, label, attributes) => {
    const input = el("input", { id, type: "number", min: 0, step: "any", ...attributes });
    return { input, node: el("div", { class: "choice" }, el("label", { for: id }, label), input) };
  };
  const seconds = field("duel-seconds", "seconds of each film", { max: 60, value: 4 });
  const from = field("duel-from", "from second", { placeholder: "around its middle" });
  const number = ({ input }) => (input.value === "" ? null : Number(input.value));
  const node = el("div", { class: "row controls" }, seconds.node, from.node);
  watchStore(() => { node.hidden = !store.pictures.some((each) => each.film); });
  return { node, values: () => ({ seconds: number(seconds), from: number(from) }) };
}

// A button, or a click, shows both at the pixels of the larger one; the pointer moves both.
function magnifier(pair, layers) {
  const button = el("button", { type: "button", class: "button", "aria-pressed": false, click: () => turn(!on) }, "Closer");
  let on = false, at = [50, 50];
  const wide = (layer) => layer.naturalWidth || layer.videoWidth || 1;
  function draw() {
    const times = Math.max(2, ...layers.map((layer) => wide(layer) / layer.clientWidth));
    layers.forEach((layer) => {
      layer.style.transformOrigin = `${at[0]}% ${at[1]}%`;
      layer.style.transform = on ? `scale(${times})` : "";
    });
  }
  function turn(next) {
    on = next;
    pair.classList.toggle("closer", on);
    button.setAttribute("aria-pressed", on);
    draw();
  }
  function follow(event) {
    const figure = event.target.closest("figure")?.getBoundingClientRect();
    if (!figure) return false;
    at = [((event.clientX - figure.left) / figure.width) * 100, ((event.clientY - figure.top) / figure.height) * 100];
    return true;
  }
  pair.addEventListener("click", (event) => { if (follow(event)) turn(!on); });
  pair.addEventListener("pointermove", (event) => { if (on && follow(event)) draw(); });
  return button;
}
