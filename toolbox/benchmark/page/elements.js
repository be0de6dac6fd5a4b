"use strict";
// Elements and numbers. Data from the report becomes text nodes and attribute values, never HTML.

function make(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") node.addEventListener(name, value);
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat(9).filter((child) => child !== null && child !== undefined));
  return node;
}
const el = (tag, attributes = {}, ...children) => make(document.createElement(tag), attributes, children);
const svg = (tag, attributes = {}, ...children) =>
  make(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);

// A labelled <select> of [value, text] pairs; the caller reads `.input.value`.
let choices = 0;
function choice(label, options, chosen, changed) {
  const id = `choice-${choices++}`;
  const input = el("select", { id, change: changed }, options.map(([value, text]) =>
    el("option", { value, selected: String(value) === String(chosen) }, text)));
  return { input, node: el("div", { class: "choice" }, el("label", { for: id }, label), input) };
}

// ---------------------------------------------------------------- numbers

const known = (value) => typeof value === "number" && Number.isFinite(value);
const formats = new Map();

function fixed(value, places) {
  if (!known(value)) return "–";
  if (!formats.has(places)) {
    formats.set(places, new Intl.NumberFormat("en", { minimumFractionDigits: places, maximumFractionDigits: places }));
  }
  const text = formats.get(places).format(value).replace("-", "−");
  return /[1-9]/.test(text) ? text : text.replace("−", "");
}

// The decimals with which the largest of the values shows so many significant digits.
function decimals(values, significant) {
  const top = Math.max(0, ...values.filter(known).map(Math.abs));
  return top === 0 ? 2 : Math.min(8, Math.max(0, significant - 1 - Math.floor(Math.log10(top))));
}

const spread = (found, places) =>
  fixed(found.mean, places) + (known(found.low) ? ` [${fixed(found.low, places)}, ${fixed(found.high, places)}]` : "");
const signed = (found, places) => (found.mean >= 0 ? "+" : "") + spread(found, places);
const doubt = (found) => (known(found.low) ? "within noise" : "no interval");
const short = (value) =>
  (Math.abs(value) >= 10000
    ? new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 }).format(value)
    : String(Number(value.toPrecision(4)))).replace("-", "−");
const clipped = (text, length = 30) => (text.length > length ? `${text.slice(0, length - 1)}…` : text);
