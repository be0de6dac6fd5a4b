"use strict";
// A run's page: what was trained, how it went, what was measured, what it stands on, and how to use it.

const report = JSON.parse(document.getElementById("report").textContent);
const fold = (title, ...content) => el("details", {}, el("summary", {}, title), content);
const list = (pairs) => el("dl", {}, pairs.map(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));
const section = (title, ...content) => el("section", { class: "block" }, el("h2", {}, title), content);
const block = (text) => el("pre", { tabindex: 0 }, text);
const table = (names, rows) => el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": names[0] },
  el("table", {}, el("thead", {}, el("tr", {}, names.map((name) => el("th", { scope: "col" }, el("span", { class: "cell" }, name))))),
    el("tbody", {}, rows.map(([first, ...cells]) => el("tr", {}, el("th", { scope: "row" }, first), cells.map((cell) => el("td", {}, cell)))))));

function measured() {
  const rows = Object.entries(report.rows), names = [...new Set(rows.flatMap(([, values]) => Object.keys(values ?? {})))];
  if (!rows.length) return section("Measured", nothing("Nothing was measured: the config has no validation."));
  const better = (name) => (name in report.rising ? (report.rising[name] ? " ↑" : " ↓") : "");
  const cell = (value) => (known(value) ? fixed(value, Math.abs(value) < 0.1 ? 5 : 3) : "");
  return section("Measured", table(["", ...names.map((name) => name + better(name))],
    rows.map(([row, values]) => [row, ...names.map((name) => cell(values?.[name]))])),
    el("p", { class: "quiet" }, "Protocols: ", Object.values(report.protocols).map((each, k) => [k ? ", " : "", el("code", {}, String(each))])),
    report.notes.map((note) => el("p", {}, el("strong", {}, note))));
}

function curves() {
  const names = Object.keys(report.curves);
  if (!names.length) return null;
  const first = names.find((name) => name.startsWith("val/") && !name.includes("/do_nothing")) ?? names[0];
  const log = el("input", { type: "checkbox", change: () => chart.again() });
  const curve = choice("Curve", names.map((name) => [name, name]), first, () => chart.again());
  const chart = hosted((width) => drawCurves([{ id: report.name, seed: "–", line: "c0", points: report.curves[curve.input.value] }],
    curve.input.value, log.checked, width));
  return section("Curves", el("div", { class: "controls" }, curve.node, el("label", { class: "check" }, log, "log scale")), chart.host);
}

function sheets() {
  const found = report.samples;
  if (!found.length) return null;
  const image = el("img", { class: "sheet" }), shown = el("output", { class: "quiet" });
  const range = el("input", { class: "scrub", type: "range", min: 0, max: found.length - 1, step: 1, value: found.length - 1,
    "aria-label": "which sheet of samples", input: () => show() });
  const show = () => {
    const [iteration, source] = found[Number(range.value)];
    image.src = source;
    image.alt = `samples at iteration ${iteration}`;
    shown.textContent = `iteration ${iteration.toLocaleString("en")}`;
  };
  show();
  return section("Samples over time", el("div", { class: "controls" }, found.length > 1 ? range : null, shown), image);
}

function health() {
  if (!report.health) return section("Health", nothing("No health monitor watched it."));
  const { iteration, now, remarks } = report.health;
  return section("Health", now.length ? now.map((text) => el("p", {}, el("strong", {}, text)))
    : el("p", {}, `Well at the last look, at iteration ${iteration}.`),
    remarks.length ? fold("Earlier remarks", el("ul", {}, remarks.map(([at, text]) => el("li", {}, `iteration ${at}: ${text}`)))) : null);
}

function config() {
  const { base, rows } = report.changes;
  const beside = base.length ? `Over ${base.join(", ")}:` : rows.length ? "Changed when it was started:" : "";
  return section("Config", beside ? el("p", { class: "quiet" }, beside) : null,
    rows.length ? table(["key", "before", "here", "written in"], rows) : nothing(base.length ? "Nothing differs from the base." : "It stands alone, without a base."),
    fold("The whole config", block(report.config)));
}

const papers = () => report.papers.length ? section("Citation",
  el("p", { class: "quiet" }, "What the parts of this run are from, as their documentation says."),
  block(report.papers.map((each) => `% ${each.used_by.join(", ")}\n${each.bibtex}`).join("\n"))) : null;
const licences = () => report.licences.length ? section("Weights that it began with",
  table(["weights", "licence", "as said by"], report.licences)) : null;
const commands = () => section("Use it", report.commands.map(([what, line]) => [el("p", { class: "quiet" }, what), block(line)]));

document.getElementById("page").append(...[el("div", { class: "head" }, list(report.facts)), measured(), curves(), sheets(), health(), commands(),
  config(), papers(), licences(), section("Environment", list(report.environment))].filter(Boolean));
