// Compare: which of two networks is better on one's own pictures, told blindly; and the reports of benchmarks.

import { address, ask, post } from "./api.js";
import { conditionControls } from "./settings.js";
import { during, store, watchStore } from "./store.js";

const EVERY = 400; // milliseconds
const percent = (share) => `${Math.round(share * 100)} %`;

// What votes say, in one sentence: the interval decides whether it is more than chance.
export function verdict({ first, second, wins, losses, neither, low, high }) {
  const told = wins + losses, undecided = neither ? `; ${neither} could not be told apart` : "";
  if (!told) return `${first} and ${second} were not told apart in any of ${neither}.`;
  const line = `${first} was preferred to ${second} in ${wins} of ${told}, ${percent(wins / told)} [${percent(low)}, ${percent(high)}]${undecided}`;
  return low > 0.5 ? `${line}: it is preferred.` : high < 0.5 ? `${line}: ${second} is preferred.` : `${line}: too few votes, or no difference.`;
}

const pictures = () => store.pictures.filter((each) => !each.film);

export function makeCompare() {
  let duel = null, at = 0, here = false;
  const setup = el("div", {}), stage = el("div", { hidden: true }), kept = el("div", { class: "block" }), grids = el("div", { class: "block" });
  const problem = el("p", { class: "problem", role: "alert" });
  const node = el("section", { "aria-label": "Compare", hidden: true }, el("h2", {}, "Which is better on your pictures?"),
    el("p", { class: "note" }, "Two networks, side by side, without their names. Vote, and see at the end whose pictures you preferred, and whether that is more than chance."),
    problem, setup, stage, kept, grids);

  // ---------------------------------------------------------------- two models

  function side(name, start) {
    let controls = null, model = null;
    const host = el("div", {});
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
    const key = JSON.stringify([store.models.length, pictures().map((each) => each.id)]);
    if (!here || key === drawn) return;
    drawn = key;
    const count = pictures().length;
    if (!count) {
      setup.replaceChildren(el("p", {}, "Add pictures under ", el("a", { href: "#use" }, "Use"), " first; ten or more, or the votes say little."));
      return;
    }
    const sides = [side("One", 0), side("The other", Math.max(0, store.models.findIndex((each) => each.name.startsWith("restore"))))];
    setup.replaceChildren(el("div", { class: "sides" }, sides.map((each) => each.node)),
      el("div", { class: "row controls" }, el("button", { type: "button", class: "button first", click: () => begin(sides) },
        count === 1 ? "Compare on 1 picture" : `Compare on ${count} pictures`)));
  }

  async function begin(sides) {
    problem.textContent = "";
    try {
      await during(async () => {
        const [first, second] = sides.map((each) => each.asked());
        duel = await post("/api/duels", { pictures: pictures().map((each) => each.id), first, second });
        at = 0;
        setup.hidden = true;
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
  }

  function show() {
    while (at < duel.rounds.length && ["voted", "failed"].includes(duel.rounds[at].state)) at += 1;
    const again = el("button", { type: "button", class: "button", click: over }, duel.result ? "Compare others" : "End this comparison");
    if (duel.result) {
      const failed = duel.rounds.filter((round) => round.state === "failed");
      stage.replaceChildren(el("p", { class: "result", role: "status" }, verdict(duel.result)),
        failed.length ? el("p", { class: "problem" }, `${failed.length} failed: ${failed[0].problem || "stopped"}`) : "", again);
      again.focus();
      tables();
      return;
    }
    const round = duel.rounds[at], head = el("p", { class: "note", role: "status" }, `Picture ${at + 1} of ${duel.rounds.length}: ${round.name}`);
    if (round.state === "waiting") {
      stage.replaceChildren(head, el("p", {}, "Both networks are at work…"), again);
      return;
    }
    const figure = (name) => el("figure", {}, el("img", { src: address(`/api/duels/${duel.id}/${at}/${name}`), alt: `the ${name} one` }));
    const choose = (choice, text) => el("button", { type: "button", class: "button", click: () => vote(choice) }, text);
    stage.replaceChildren(head, el("div", { class: "pair" }, figure("left"), figure("right")),
      el("div", { class: "row votes" }, choose("left", "← The left is better"), choose("neither", "Cannot tell"), choose("right", "The right is better →")),
      el("div", { class: "row" }, el("span", { class: "note" }, "Arrow keys vote too: left, right, down for neither."), again));
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
    if (!here || stage.hidden || !choice || event.target.matches("input, select, textarea")) return;
    event.preventDefault();
    vote(choice);
  });

  function over() {
    duel = null;
    drawn = "";
    stage.hidden = true;
    setup.hidden = false;
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
  }, leave: () => { here = false; } };
}
