"use strict";
// Charts, drawn as SVG by the words of elements.js.

// ---------------------------------------------------------------- scales and axes

// Value to pixel, with ticks; a range of nothing is widened, so that one value stands in the middle.
function scale(values, from, to, { log = false, room = 0.06, ticks = 6 } = {}) {
  const turn = log ? Math.log10 : (value) => value;
  let low = turn(Math.min(...values)), high = turn(Math.max(...values));
  const widened = high > low ? (high - low) * room : log ? 0.3 : Math.abs(high) * 0.05 || 1;
  [low, high] = [low - widened, high + widened];
  const at = (value) => from + ((turn(value) - low) / (high - low)) * (to - from);
  return Object.assign(at, { ticks: log ? logTicks(low, high) : evenTicks(low, high, ticks) });
}

function evenTicks(low, high, count) {
  const raw = (high - low) / count, power = 10 ** Math.floor(Math.log10(raw));
  const step = power * [1, 2, 5, 10].find((factor) => factor * power >= raw);
  const found = [];
  for (let k = Math.ceil(low / step); k * step <= high; k++) found.push(Number((k * step).toPrecision(12)));
  return found;
}

function logTicks(low, high) {
  const factors = high - low > 3 ? [1] : high - low > 1.2 ? [1, 3] : [1, 2, 5];
  const found = [];
  for (let power = Math.floor(low); power <= high; power++) {
    for (const factor of factors) {
      const exponent = power + Math.log10(factor);
      if (exponent >= low && exponent <= high) found.push(factor * 10 ** power);
    }
  }
  return found;
}

const EDGE = { left: 58, right: 16, top: 26, bottom: 40 };

// The frame of a chart: grid, ticks, the vertical axis's label above it, the horizontal one's below.
function frame(width, height, x, y, labels) {
  const bottom = height - EDGE.bottom, right = width - EDGE.right;
  return [
    y.ticks.map((value) => [
      svg("line", { class: "grid", x1: EDGE.left, x2: right, y1: y(value), y2: y(value) }),
      svg("text", { class: "tick", x: EDGE.left - 8, y: y(value) + 4, "text-anchor": "end" }, short(value))]),
    x.ticks.map((value) => [
      svg("line", { class: "grid", x1: x(value), x2: x(value), y1: EDGE.top, y2: bottom }),
      svg("text", { class: "tick", x: x(value), y: bottom + 16, "text-anchor": "middle" }, short(value))]),
    svg("text", { class: "label", x: 4, y: 12 }, labels.y),
    svg("text", { class: "label", x: right, y: height - 6, "text-anchor": "end" }, labels.x),
  ];
}

// A chart is drawn in its host's own pixels, so that its text keeps its size, and again when the width changes.
function hosted(draw) {
  const host = el("div", { class: "chart" });
  let width = 0;
  const again = () => host.replaceChildren(draw(width));
  new ResizeObserver(() => {
    const now = Math.floor(host.clientWidth);
    if (now > 0 && now !== width) {
      width = now;
      again();
    }
  }).observe(host);
  return { host, again: () => width && again() };
}

const canvas = (width, height, label, ...children) =>
  svg("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": label }, ...children);
const nothing = (text) => el("p", { class: "quiet" }, text);

// ---------------------------------------------------------------- quality against cost

// Points {id, x, y, low, high} that no other equals in both and beats in one, from the cheapest on.
function frontOf(points, xSign, ySign) {
  const beats = (a, b) => a.x * xSign <= b.x * xSign && a.y * ySign <= b.y * ySign && (a.x !== b.x || a.y !== b.y);
  return points.filter((point) => !points.some((other) => beats(other, point))).sort((a, b) => a.x - b.x);
}

function tradeOff(table, report, pick) {
  const metrics = Object.keys(report.metrics).filter((name) => table.cells.some((c) => known(c.metrics[name]?.mean)));
  const costs = Object.keys(report.costs).filter((name) => table.cells.some((c) => known(c.costs[name])));
  if (!metrics.length || !costs.length) return null;
  const redraw = () => chart.again();
  const quality = choice("Quality", metrics.map((name) => [name, name]), report.rank_by, redraw);
  const price = choice("Cost", costs.map((name) => [name, costName(report.costs[name])]),
    costs.find((name) => name === table.pareto_cost) ?? costs[0], redraw);
  const chart = hosted((width) => drawTradeOff(table, report, quality.input.value, price.input.value, width, pick));
  return el("div", { class: "block tradeoff" }, el("h3", {}, "Quality against cost"),
    el("div", { class: "controls" }, quality.node, price.node), chart.host,
    el("p", { class: "quiet" }, "The line joins the cells that no other beats in both. A point leads to its row."));
}

function drawTradeOff(table, report, metric, cost, width, pick) {
  const points = table.cells.filter((c) => known(c.metrics[metric]?.mean) && known(c.costs[cost]))
    .map((c) => ({ id: c.id, x: c.costs[cost], y: c.metrics[metric].mean, ...bounds(c.metrics[metric]) }));
  if (!points.length) return nothing("No cell has both.");
  const height = Math.min(440, Math.max(280, width * 0.55));
  const xs = points.map((p) => p.x), log = Math.min(...xs) > 0 && Math.max(...xs) > 10 * Math.min(...xs);
  const x = scale(xs, EDGE.left, width - EDGE.right, { log, ticks: width < 500 ? 4 : 7 });
  const y = scale(points.flatMap((p) => [p.y, p.low, p.high]), height - EDGE.bottom, EDGE.top);
  const better = (rising) => (rising ? "higher is better" : "lower is better");
  const rising = report.metrics[metric].higher_is_better, bought = report.costs[cost].higher_is_better;
  const front = frontOf(points, bought ? -1 : 1, rising ? -1 : 1);
  const near = places(front.concat(points.filter((p) => !front.includes(p))), x, y, width);
  const dots = points.map((p) => {
    const name = `${p.id}: ${metric} ${spread(table.cells.find((c) => c.id === p.id).metrics[metric],
      decimals([p.y], 4))}, ${costName(report.costs[cost])} ${short(p.x)}`;
    const go = (event) => {
      if (event.type === "keydown" && event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      pick(p.id);
    };
    return svg("g", { class: front.includes(p) ? "point front" : "point", tabindex: 0, role: "button", "aria-label": name,
      click: go, keydown: go },
    svg("title", {}, name),
    svg("line", { x1: x(p.x), x2: x(p.x), y1: y(p.low), y2: y(p.high) }),
    svg("circle", { cx: x(p.x), cy: y(p.y), r: front.includes(p) ? 6 : 4.5 }), near.get(p) ?? null);
  });
  return canvas(width, height, `${metric} against ${costName(report.costs[cost])}`,
    frame(width, height, x, y, { x: `${costName(report.costs[cost])}${log ? ", log scale" : ""}, ${better(bought)}`,
      y: `${metric}, ${better(rising)}` }),
    svg("polyline", { class: "frontline", points: front.map((p) => `${x(p.x)},${y(p.y)}`).join(" ") }), dots);
}

const bounds = (found) => ({ low: known(found.low) ? found.low : found.mean, high: known(found.high) ? found.high : found.mean });
const costName = (cost) => (cost.unit ? `${cost.label}, ${cost.unit}` : cost.label);

// Names beside points, where there is room: first come, first placed.
function places(points, x, y, width) {
  const taken = points.map((p) => [x(p.x) - 6, y(p.y) - 6, x(p.x) + 6, y(p.y) + 6]);
  const found = new Map();
  for (const p of points) {
    const text = clipped(p.id, width < 500 ? 18 : 30), length = text.length * 6.6;
    for (const [dx, dy, anchor] of [[10, -6, 0], [10, 16, 0], [-10, -6, 1], [-10, 16, 1]]) {
      const left = x(p.x) + dx - anchor * length, top = y(p.y) + dy - 11;
      const box = [left, top, left + length, top + 14];
      const free = left > EDGE.left && box[2] < width && top > EDGE.top - 8
        && !taken.some((other) => box[0] < other[2] && other[0] < box[2] && box[1] < other[3] && other[1] < box[3]);
      if (free) {
        taken.push(box);
        found.set(p, svg("text", { class: "name", x: left, y: top + 11 }, text));
        break;
      }
    }
  }
  return found;
}

// ---------------------------------------------------------------- effects of the axes

function effectPlots(table, report) {
  const metrics = Object.keys(table.effects ?? {}).filter((name) => Object.keys(table.effects[name]).length);
  if (!metrics.length) return null;
  const host = el("div", { class: "effects" });
  const draw = () => host.replaceChildren(...Object.entries(table.effects[metric.input.value])
    .map(([axis, found]) => effectPlot(axis, found, report.metrics[metric.input.value]?.higher_is_better)));
  const metric = choice("Metric", metrics.map((name) => [name, name]), report.rank_by, draw);
  draw();
  return el("div", { class: "block" }, el("h3", {}, "Effect of each alternative"),
    el("p", { class: "quiet" }, "Difference from the mean of its axis, all else equal, with its 95 % interval; ",
      "grey where the interval holds zero or is not known."),
    el("div", { class: "controls" }, metric.node), host);
}

function effectPlot(axis, found, rising) {
  const all = Object.values(found).filter((each) => known(each.mean));
  const reach = Math.max(...all.flatMap((each) => [each.mean, bounds(each).low, bounds(each).high].map(Math.abs)), 0) || 1;
  const at = (value) => `${50 + (value / reach) * 47}%`;
  const digits = decimals(all.map((each) => each.mean), 2);
  const rows = Object.entries(found).map(([name, each]) => {
    if (!known(each.mean)) return el("li", {}, el("span", { class: "name" }, name), nothing("not known"));
    const good = rising === undefined || each.mean > 0 === rising;
    const state = each.noise ? "noise" : good ? "good" : "bad";
    const { low, high } = bounds(each);
    const bar = el("i", { class: "bar" }), dot = el("i", { class: "dot" });
    bar.style.left = at(low);
    bar.style.width = `${((high - low) / reach) * 47}%`;
    dot.style.left = at(each.mean);
    return el("li", { class: state }, el("span", { class: "name" }, name),
      el("span", { class: "track", "aria-hidden": "true" }, el("i", { class: "zero" }), bar, dot),
      el("span", { class: "value" }, signed(each, digits), " ",
        el("small", {}, each.noise ? doubt(each) : good ? "better" : "worse")));
  });
  const ends = rising ? ["← worse", "better →"] : ["← better", "worse →"];
  return el("div", { class: "effect" }, el("h4", {}, axis), el("ul", {}, rows,
    el("li", { class: "direction", "aria-hidden": "true" }, el("span", { class: "ends" }, ends.map((end) => el("span", {}, end))))));
}

// ---------------------------------------------------------------- training curves

const COLOURS = 8, SHOWN = 6;

function trainingCurves(table, report, ranked) {
  const runs = new Map(table.cells.map((c) => [c.id, c.runs.map((key) => report.runs[key]).filter((run) => run?.curves)]));
  const names = [...new Set([...runs.values()].flat().flatMap((run) => Object.keys(run.curves)))].sort();
  if (!names.length) return null;
  const first = names.find((name) => name === `val/${report.rank_by}`) ?? names.find((name) => name.startsWith("val/"));
  const redraw = () => chart.again();
  const curve = choice("Curve", names.map((name) => [name, name]), first ?? names[0], redraw);
  const log = el("input", { type: "checkbox", change: redraw });
  const boxes = ranked.map((cell, k) => {
    const input = el("input", { type: "checkbox", checked: k < SHOWN, change: redraw });
    const line = `c${k % COLOURS}${k % (2 * COLOURS) >= COLOURS ? " dashed" : ""}`;
    return { id: cell.id, input, line, node: el("label", { class: `chip ${line}` }, input, el("i", {}), cell.id) };
  });
  const set = (wanted) => () => {
    boxes.forEach((box, k) => { box.input.checked = k < wanted; });
    redraw();
  };
  const chart = hosted((width) => {
    const lines = boxes.filter((box) => box.input.checked).flatMap((box) => runs.get(box.id)
      .filter((run) => run.curves[curve.input.value])
      .map((run) => ({ ...box, seed: run.seed, points: run.curves[curve.input.value] })));
    return drawCurves(lines, curve.input.value, log.checked, width);
  });
  return el("div", { class: "block curves" }, el("h3", {}, "Training curves"),
    el("div", { class: "controls" }, curve.node, el("label", { class: "check" }, log, "log scale"),
      el("button", { type: "button", click: set(SHOWN) }, `best ${Math.min(SHOWN, boxes.length)}`),
      el("button", { type: "button", click: set(Infinity) }, "all"),
      el("button", { type: "button", click: set(0) }, "none")),
    el("div", { class: "chips" }, boxes.map((box) => box.node)), chart.host,
    el("p", { class: "quiet" }, "One thin line for each seed; point at a line for its name."));
}

function drawCurves(lines, name, log, width) {
  const usable = (point) => known(point[0]) && known(point[1]) && (!log || point[1] > 0);
  const all = lines.flatMap((line) => line.points.filter(usable));
  if (!all.length) return nothing(lines.length ? "No value to draw." : "No cell chosen has this curve.");
  const height = Math.min(400, Math.max(260, width * 0.45));
  const range = (k) => [Math.min, Math.max].map((pick) => all.reduce((kept, p) => pick(kept, p[k]), all[0][k]));
  const x = scale(range(0), EDGE.left, width - EDGE.right, { room: 0, ticks: width < 500 ? 4 : 7 });
  const y = scale(range(1), height - EDGE.bottom, EDGE.top, { log });
  return canvas(width, height, `${name} over the iterations`, frame(width, height, x, y, { x: "iteration", y: name }),
    lines.map((line) => {
      let pen = "M";
      const d = line.points.map((point) => {
        if (!usable(point)) { pen = "M"; return ""; }
        const step = `${pen}${x(point[0]).toFixed(1)} ${y(point[1]).toFixed(1)}`;
        pen = "L";
        return step;
      }).join("");
      const last = line.points.filter(usable).at(-1);
      if (!last) return null;
      return svg("g", { class: `line ${line.line}` },
        svg("title", {}, `${line.id}, seed ${line.seed}: ${name} ends at ${short(last[1])}`),
        svg("path", { d }), svg("path", { class: "wide", d }),
        svg("circle", { cx: x(last[0]), cy: y(last[1]), r: 2 }));
    }));
}
