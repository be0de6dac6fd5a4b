"use strict";
// The page: what was compared, what the numbers say, tables, traces of runs, and what failed; samples.js has the pictures.

const report = JSON.parse(document.getElementById("report").textContent);
const NAMED = 6; // names that a sentence lists before it counts the rest
const rankBy = report.rank_by, rising = report.metrics[rankBy]?.higher_is_better ?? true;
const rows = []; // {table, cell, main, detail} of every table, for the filter and the plots
const quiet = (...parts) => el("p", { class: "quiet" }, parts);
const code = (text) => el("code", {}, text);
const fold = (title, ...content) => el("details", {}, el("summary", {}, title), content);
const list = (pairs) => el("dl", {}, pairs.map(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));
const several = (count, noun) => `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
const say = (value) => value === null || value === undefined ? "–" : typeof value === "object" && !Array.isArray(value)
  ? Object.entries(value).map(([name, each]) => `${name} ${say(each)}`).join(", ") || "–"
  : String(value);

// ---------------------------------------------------------------- head

function head() {
  const axes = Object.entries(report.axes).map(([axis, names]) => [axis, names.join(", ")]);
  const versions = Object.entries(report.versions ?? {}).map(([name, version]) => [name, say(version)]);
  return el("div", { class: "head" },
    report.description ? el("p", { class: "lead" }, report.description.trim()) : null,
    list([...axes, ["seeds", report.seeds.join(", ") || "–"], ["made", say(report.made)], ["grid", code(say(report.grid))]]),
    versions.length ? fold("Versions", list(versions)) : null);
}

// ---------------------------------------------------------------- what a table's numbers say

const mean = (cell, metric) => (known(cell.metrics[metric]?.mean) ? cell.metrics[metric].mean : null);
const ranked = (table) => inOrder(table.cells, (cell) => mean(cell, rankBy), rising ? -1 : 1);
const names = (cells) => cells.slice(0, NAMED).map((c) => c.id).join("; ")
  + (cells.length > NAMED ? `; and ${cells.length - NAMED} more` : "");

function verdict(table) {
  const cells = ranked(table).filter((cell) => mean(cell, rankBy) !== null);
  if (!cells.length) return el("p", { class: "verdict" }, "No run of this table has a value to rank by.");
  const [best, ...others] = cells, of = best.metrics[rankBy], bounded = (m) => known(m.low) && known(m.high);
  const digits = decimals(cells.map((cell) => mean(cell, rankBy)), 4);
  const parts = [el("strong", {}, best.id), ` has the best mean ${rankBy} (${rising ? "higher" : "lower"} is better): `,
    spread(of, digits), best.failed ? `, though ${best.failed} of its runs failed` : ""];
  const compared = others.filter((cell) => bounded(cell.metrics[rankBy]));
  const near = compared.filter(({ metrics: { [rankBy]: m } }) => m.low <= of.high && of.low <= m.high);
  if (!others.length) parts.push("; it is the only cell.");
  else if (!bounded(of)) {
    parts.push(`; one value has no interval, so whether it differs from the other ${several(others.length, "cell")} is not known.`);
  } else {
    if (near.length) parts.push(`; not told apart from it, their intervals overlap: ${names(near)}`);
    else if (compared.length) parts.push(`; the interval of ${compared.length === 1 ? "the other lies" : "all others lie"} apart`);
    if (compared.length < others.length) parts.push(`; ${several(others.length - compared.length, "cell")} without an interval`);
    parts.push(".");
  }
  const against = of.difference;
  if (against && known(against.mean)) {
    const least = Math.max(digits, decimals([against.mean], 2));
    parts.push(` Its difference from the baseline, ${signed(against, least)}, ${
      known(against.low) ? `is ${against.noise ? "within" : "outside"} the noise` : "has no interval"}.`);
  }
  const idle = table.do_nothing?.[rankBy];
  if (known(idle)) {
    const worse = cells.filter((cell) => (rising ? mean(cell, rankBy) <= idle : mean(cell, rankBy) >= idle));
    parts.push(` Doing nothing gives ${fixed(idle, digits)}`,
      worse.length ? `: ${worse.length} of ${several(cells.length, "cell")} ${worse.length === 1 ? "is" : "are"} no better.` : ".");
  }
  return el("p", { class: "verdict" }, parts);
}

// ---------------------------------------------------------------- tables

// Sorted by a key: numbers as numbers, text as people sort it, what is missing last both ways.
function inOrder(items, key, direction) {
  const compare = (x, y) => (typeof x === "number" ? x - y : x.localeCompare(y, "en", { numeric: true }));
  return items.map((item) => [key(item), item]).sort(([x], [y]) =>
    x === null || y === null ? (x === null) - (y === null) : direction * compare(x, y)).map(([, item]) => item);
}

function metricColumn(table, name) {
  const found = table.cells.map((cell) => cell.metrics[name]).filter(Boolean);
  const digits = decimals(found.map((m) => m.mean), 4);
  const small = Math.max(digits, decimals(found.map((m) => m.difference?.mean), 2));
  const up = report.metrics[name]?.higher_is_better;
  const means = found.map((m) => m.mean).filter(known), top = (up ? Math.max : Math.min)(...means);
  return { name: `${name} ${up ? "↑" : "↓"}`, title: table.protocols?.[name], key: (cell) => mean(cell, name),
    idle: fixed(table.do_nothing?.[name], digits),
    show: (cell) => {
      const m = cell.metrics[name];
      if (!m || !known(m.mean)) return "–";
      const against = m.difference && known(m.difference.mean)
        ? el("span", { class: m.difference.noise ? "difference noise" : "difference" }, signed(m.difference, small),
          m.difference.noise ? ` ${doubt(m.difference)}` : "")
        : null;
      return [el(m.mean === top && means.length > 1 ? "b" : "span", {}, fixed(m.mean, digits)),
        known(m.low) ? el("span", { class: "interval" }, ` [${fixed(m.low, digits)}, ${fixed(m.high, digits)}]`) : null, against];
    } };
}

function columns(table) {
  const metrics = Object.keys(report.metrics).filter((name) => table.cells.some((cell) => cell.metrics[name]));
  const costs = Object.keys(report.costs).filter((name) => table.cells.some((cell) => known(cell.costs[name])));
  const ill = (cell) => (cell.health?.verdicts?.length ?? 0) + (cell.health?.skipped ?? 0);
  return [
    ...metrics.map((name) => metricColumn(table, name)),
    ...costs.map((name) => ({ name: costName(report.costs[name]), key: (c) => (known(c.costs[name]) ? c.costs[name] : null),
      show: (c) => !known(c.costs[name]) ? "–" : Number.isInteger(c.costs[name])
        ? c.costs[name].toLocaleString("en") : fixed(c.costs[name], decimals([c.costs[name]], 3)) })),
    { name: "health", title: "remarks of the health monitor and skipped steps", key: ill,
      show: (c) => [c.health?.verdicts?.length ? several(c.health.verdicts.length, "remark") : null,
        c.health?.skipped ? `${c.health.skipped} skipped` : null].filter(Boolean).join(", ") || "fine" },
    { name: "runs", key: (c) => c.runs.length,
      show: (c) => [String(c.runs.length), c.failed ? el("span", { class: "failed" }, ` ${c.failed} failed`) : null] },
  ];
}

function resultTable(table, index) {
  const all = [{ name: "cell", key: (c) => c.id }, ...columns(table)];
  const own = table.cells.map((cell) => rowOf(table, index, cell, all));
  rows.push(...own);
  const body = el("tbody", {}), heads = all.map((column, k) => el("th", { scope: "col", title: column.title },
    el("button", { type: "button", click: () => sort(k, heads[k].getAttribute("aria-sort") === "ascending" ? -1 : 1) }, column.name)));
  function sort(k, direction) {
    heads.forEach((th, each) => th.setAttribute("aria-sort", each !== k ? "none" : direction > 0 ? "ascending" : "descending"));
    const sorted = inOrder(own, (row) => all[k].key(row.cell), direction);
    body.replaceChildren(...sorted.flatMap((row) => (row.detail ? [row.main, row.detail] : [row.main])));
  }
  const start = all.findIndex((column) => column.name === `${rankBy} ${rising ? "↑" : "↓"}`);
  sort(Math.max(0, start), start > 0 && rising ? -1 : 1);
  const idle = Object.values(table.do_nothing ?? {}).some(known)
    ? el("tbody", { class: "idle" }, el("tr", {}, el("th", { scope: "row" }, "do nothing"),
      all.slice(1).map((column) => el("td", {}, column.idle ?? ""))))
    : null;
  return el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": table.title || "Results" },
    el("table", {}, el("thead", {}, el("tr", {}, heads)), idle, body));
}

function rowOf(table, index, cell, all) {
  const open = el("button", { type: "button", class: "open", "aria-expanded": "false",
    click: () => { row.detail ? close() : expand(); } }, cell.id);
  const isBase = report.baseline
    && Object.entries(report.baseline).every(([axis, name]) => cell.alternatives[axis] === name);
  const main = el("tr", {}, el("th", { scope: "row" }, open,
    cell.pareto ? el("span", { class: "star", title: "on the Pareto front" }, "\u00a0★") : null,
    isBase ? el("small", { class: "base" }, " baseline") : null),
  all.slice(1).map((column) => el("td", {}, column.show(cell))));
  const row = { index, cell, main, detail: null,
    text: [cell.id, ...Object.entries(cell.alternatives).flat()].join(" ").toLowerCase() };
  const expand = () => {
    row.detail = el("tr", { class: "detail" }, el("td", { colspan: all.length }, el("div", {}, traces(table, cell))));
    main.after(row.detail);
    open.setAttribute("aria-expanded", "true");
  };
  const close = () => {
    row.detail.remove();
    row.detail = null;
    open.setAttribute("aria-expanded", "false");
  };
  return row;
}

function highlight(index, id) {
  const row = rows.find((each) => each.index === index && each.cell.id === id);
  rows.forEach((each) => each.main.classList.toggle("lit", each === row));
  row.main.hidden = false;
  row.main.scrollIntoView({ block: "center" });
  row.main.querySelector("button").focus({ preventScroll: true });
}

// ---------------------------------------------------------------- where a row's numbers are from

function traces(table, cell) {
  const data = report.runs[cell.runs[0]]?.data;
  const failed = Object.keys(report.runs).filter((key) => {
    const run = report.runs[key];
    return run.state === "failed" && run.cell === cell.id && (!cell.runs.length || run.data === data);
  });
  const verdicts = cell.health?.verdicts ?? [];
  return [verdicts.length ? el("ul", { class: "remarks" }, verdicts.map((text) => el("li", {}, text))) : null,
    [...new Set([...cell.runs, ...failed])].map((key) => trace(key, table))];
}

function trace(key, table) {
  const run = report.runs[key];
  if (!run) return quiet(`${key}: nothing more is known of this run.`);
  const { config, log, curves, metrics = {}, costs = {}, cell, table: number, ...facts } = run;
  const about = Object.entries(facts).filter(([, value]) => !["", "–"].includes(say(value)));
  const numbers = [
    ...Object.entries(metrics).map(([name, value]) => [name, `${say(value)} ${table?.protocols?.[name] ?? ""}`]),
    ...Object.entries(costs).filter(([, value]) => known(value)).map(([name, value]) =>
      [report.costs[name]?.label ?? name, `${value} ${report.costs[name]?.unit ?? ""}`])];
  return el("article", { class: "trace" }, el("h4", {}, `seed ${say(run.seed)}, run `, code(key)),
    list(about.map(([name, value]) => [name.replaceAll("_", " "), say(value)])),
    numbers.length ? fold("Numbers", list(numbers)) : null,
    config ? fold("Config", el("pre", { tabindex: 0 }, config)) : null,
    log ? fold("Last lines of the log", el("pre", { tabindex: 0 }, log)) : null);
}

// ---------------------------------------------------------------- filter

function filterBar() {
  const words = el("input", { id: "words", type: "search", placeholder: "words, all must occur", input: () => apply() });
  const axes = Object.entries(report.axes).filter(([, names]) => names.length > 1).map(([axis, names]) =>
    [axis, choice(axis, [["", "all"], ...names.map((name, k) => [k, name])], "", () => apply())]);
  const count = el("output", { class: "count", "aria-live": "polite" });
  function apply() {
    const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const row of rows) {
      const shown = wanted.every((word) => row.text.includes(word)) && axes.every(([axis, { input }]) =>
        input.value === "" || row.cell.alternatives[axis] === report.axes[axis][Number(input.value)]);
      row.main.hidden = !shown;
      if (row.detail) row.detail.hidden = !shown;
    }
    const shown = rows.filter((row) => !row.main.hidden).length;
    count.textContent = shown === rows.length ? several(rows.length, "cell") : `${shown} of ${several(rows.length, "cell")}`;
  }
  apply();
  return el("form", { class: "controls filter", role: "search", submit: (event) => event.preventDefault() },
    el("div", { class: "choice" }, el("label", { for: "words" }, "Filter"), words), axes.map(([, { node }]) => node), count);
}

// ---------------------------------------------------------------- one table with its plots

function section(table, index) {
  const facts = [table.budget, table.data ? `${table.data} data` : "", table.weights ? `${table.weights} weights` : ""].filter(Boolean);
  const base = report.baseline ? Object.values(report.baseline).join(" / ") : null;
  const bounded = table.cells.some((cell) => Object.values(cell.metrics).some((m) => known(m.low)));
  const protocols = Object.values(table.protocols ?? {});
  return el("section", { id: `table-${index}` }, el("h2", {}, table.title || "Results"), verdict(table),
    resultTable(table, index),
    el("p", { class: "legend" },
      bounded ? "Mean over seeds, in brackets its 95 % interval. "
        : "One value for each cell: there are no intervals, so no difference is shown to be more than noise. ",
      base ? `Below it the difference from ${base}, paired by seed; “within noise” when its interval holds zero. ` : "",
      `Bold: the best mean of its column. ★: no cell here is both better in ${report.rank_by} and cheaper in ${
        costName(report.costs[table.pareto_cost] ?? { label: "cost" })}. `,
      "A cell's name opens its runs."),
    quiet(facts.join(", "), protocols.length ? ["; protocols: ", protocols.map((each, k) => [k ? ", " : "", code(each)])] : ""),
    tradeOff(table, report, (id) => highlight(index, id)), effectPlots(table, report),
    trainingCurves(table, report, ranked(table)));
}

// ---------------------------------------------------------------- what is not in the tables

function endings() {
  const entry = (each, reason) => el("li", {}, el("strong", {}, each.id), known(each.seed) ? `, seed ${each.seed}` : "",
    each.stage ? ` (${each.stage})` : "", `: ${say(reason)}`,
    each.run && report.runs[each.run] ? fold("Its run", trace(each.run, null)) : null);
  const kinds = [
    ["Failed", report.failures, (each) => each.reason],
    ["Refused by the rules of the plugins", report.refused, (each) => each.reason],
    ["Left behind by halving", report.cut, (each) => each.reason ?? `at iteration ${each.iteration}`],
    ["Unwise, by the rules of the plugins", report.notes, (each) => each.note]];
  return kinds.filter(([, entries]) => entries?.length).map(([title, entries, reason]) =>
    el("section", { class: "endings" }, el("h2", {}, title), el("ul", {}, entries.map((each) => entry(each, reason(each))))));
}

// ---------------------------------------------------------------- all of it

const sections = report.tables.map(section);
document.getElementById("page").append(head(),
  sections.length ? filterBar() : quiet("No run is done; what came of the others stands below."),
  sections.length > 1 ? quiet("Each table has a protocol, data or budget of its own: compare rows within a table only.") : "",
  ...sections, ...[samples()].filter(Boolean), ...endings());
