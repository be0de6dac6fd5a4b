// Controls for what can be chosen of a model, and for how it is applied.

import { store, watchStore } from "./store.js";

const CODECS = ["h264", "hevc", "av1", "ffv1", "prores"];
const FORMATS = ["auto", "png", "jpg", "webp", "avif", "tif"];
const STRENGTH = 1;
let groups = 0;

// {node, chosen()} for the conditions of a model.
export function conditionControls(model, changed) {
  const parts = (model.conditions ?? []).map((condition) => control(condition, changed)).filter(Boolean);
  return {
    node: el("div", { class: "conditions" }, parts.map((part) => part.node)),
    chosen: () => Object.fromEntries(parts.map((part) => [part.name, part.value()]).filter(([, value]) => value !== null && value !== "")),
  };
}

function control(condition, changed) {
  const { name, kind } = condition;
  if (kind === "mixture" || kind === "label") return chips(condition, changed);
  if (kind === "number") return slide(condition, changed);
  if (kind === "seed") {
    const input = el("input", { id: `seed-${groups++}`, type: "number", min: 0, step: 1, placeholder: "0", input: changed });
    return { name, value: () => (input.value === "" ? null : Number(input.value)),
      node: el("div", { class: "choice" }, el("label", { for: input.id }, name), input) };
  }
  if (kind === "picture") {
    const options = store.pictures.filter((picture) => !picture.film).map((picture) => [picture.id, picture.name]);
    const made = choice(`${name}: one of your pictures`, [["", options.length ? "none" : "add a picture first"], ...options], "", changed);
    return { name, node: made.node, value: () => made.input.value || null };
  }
  return null;
}

function chips({ name, labels }, changed) {
  const group = `group-${groups++}`;
  const inputs = labels.map((label, k) => el("input", { type: "radio", name: group, value: label, checked: k === 0, change: changed }));
  return { name, value: () => inputs.find((input) => input.checked)?.value ?? null,
    node: el("fieldset", {}, el("legend", {}, name), el("div", { class: "chips-row" },
      inputs.map((input) => el("label", {}, input, input.value)))) };
}

function slide({ name, low, high, default: usual }, changed) {
  const start = usual ?? (name === "strength" ? STRENGTH : low), id = `slide-${groups++}`;
  const shown = el("output", { for: id }, start);
  const input = el("input", { id, type: "range", min: low, max: high, step: (high - low) / 20 || 1, value: start,
    input: () => { shown.textContent = input.value; changed(); } });
  return { name, value: () => Number(input.value), node: el("div", { class: "slide" }, el("label", { for: id }, name), shown, input) };
}

// {node, values()} for scale, tile, precision, a picture's format, and a film's codec and steadiness.
export function moreControls(changed) {
  const field = (label, attributes) => {
    const input = el("input", { id: `field-${groups++}`, type: "number", input: changed, ...attributes });
    return { input, node: el("div", { class: "choice" }, el("label", { for: input.id }, label), input) };
  };
  const outscale = field("output scale", { min: 0.1, max: 64, step: "any", placeholder: "the network's" });
  const tile = field("tile, pixels", { min: 0, max: 8192, step: 1, placeholder: "auto" });
  const precision = choice("precision", [["fp32", "fp32"], ["bf16", "bf16"], ["fp16", "fp16 (GPU)"]], "fp32", changed);
  const format = choice("format", FORMATS.map((name) => [name, name === "auto" ? "as each picture" : name]), "auto", changed);
  const codec = choice("films' codec", [["", "as each film"], ...CODECS.map((name) => [name, name])], "", changed);
  const temporal = field("films' steadiness", { min: 0, max: 1, step: 0.05, placeholder: "0.85" });
  const from = field("films from, seconds", { min: 0, step: "any", placeholder: "their beginning" });
  const to = field("films to, seconds", { min: 0, step: "any", placeholder: "their end" });
  const ofFilms = [codec, temporal, from, to].map((each) => each.node);
  watchStore(() => ofFilms.forEach((node) => { node.hidden = !store.pictures.some((each) => each.film); }));
  const number = ({ input }) => (input.value === "" ? null : Number(input.value));
  return {
    node: el("details", {}, el("summary", {}, "More"), el("div", { class: "fields" },
      outscale.node, tile.node, precision.node, format.node, ofFilms)),
    values: () => ({ outscale: number(outscale), tile: number(tile), precision: precision.input.value, format: format.input.value,
      codec: codec.input.value, temporal: number(temporal), from: number(from), to: number(to) }),
  };
}
