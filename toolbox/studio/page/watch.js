// Watch: how trainings do, read from the files that they write; two may be laid over each other.

import { ask, post } from "./api.js";

const EVERY = 2000; // milliseconds
const time = (seconds) => (seconds < 90 ? `${Math.round(seconds)} s` : seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`);
const speed = (run) => (run.seconds ? [`${fixed(1 / run.seconds, run.seconds < 0.1 ? 0 : 2)} iterations/s`, run.batch ? `${fixed(run.batch / run.seconds, 1)} images/s` : ""].filter(Boolean).join(", ") : "–");
const breakable = (name) => name.split(/(?<=[a-z])(?=[A-Z])/).flatMap((part) => [el("wbr"), part]);
const curveOf = async (id, name) => (await ask(`/api/runs/${id}/curve?${new URLSearchParams({ name })}`)).points;

export function makeWatch() {
  let runs = [], chosen = null, beside = "", run = null, other = null, curve = null, lines = [], timer = 0, here = false, turn = 0;
  let iteration = null, message = "", asking = false;
  const head = el("div", {}), lasting = el("div", {}), controls = el("div", { class: "controls" }), sheets = el("div", { class: "block", hidden: true });
  const problem = el("p", { class: "problem", role: "alert" });
  const log = el("input", { type: "checkbox", change: () => chart.again() });
  const chart = hosted((width) => (lines.length ? drawCurves(lines, curve, log.checked, width) : nothing("No curve yet.")));
  const legend = el("p", { class: "note" }), curves = el("div", { class: "block", hidden: true });
  const node = el("section", { "aria-label": "Watch", hidden: true }, el("h2", {}, "Trainings"), controls, problem, head, lasting, curves, sheets);

  async function list() {
    ({ runs } = await ask("/api/runs"));
    chosen = runs.some((each) => each.id === chosen) ? chosen : runs.find((each) => each.running)?.id ?? runs[0]?.id ?? null;
    if (!runs.length) {
      head.replaceChildren(el("p", {}, "No training below this folder yet. ", el("code", {}, "gan-toolbox train demo/joint.yaml"), " begins one."));
      return;
    }
    const named = runs.map((each) => [each.id, each.running ? `${each.name} (running)` : each.name]);
    const key = JSON.stringify([named, chosen, beside]);
    if (controls.dataset.key === key || controls.contains(document.activeElement)) return;
    controls.dataset.key = key;
    controls.replaceChildren(
      choice("Run", named, chosen, (event) => { chosen = event.target.value; iteration = null; message = ""; fresh(); }).node,
      choice("Laid over it", [["", "none"], ...named.filter(([id]) => id !== chosen)], beside, (event) => { beside = event.target.value; fresh(); }).node);
  }

  async function refresh() {
    const mine = ++turn;
    await list();
    if (!chosen) return;
    const [now, second] = await Promise.all([ask(`/api/runs/${chosen}`), beside && beside !== chosen ? ask(`/api/runs/${beside}`) : null]);
    if (mine !== turn) return;
    [run, other] = [now, second];
    if (!run.curves.includes(curve)) {
      curve = run.curves.find((name) => name.startsWith("val/") && !name.includes("/do_nothing")) ?? run.curves[0] ?? null;
      curves.dataset.key = "";
    }
    const found = curve ? await Promise.all([run, other].filter(Boolean).map(async (each, k) =>
      ({ id: each.name, seed: each.seed, line: `c${k}`, points: await curveOf(each.id, curve) }))) : [];
    if (mine !== turn) return;
    lines = found;
    drawHead();
    drawControls();
    chart.again();
    drawSheets();
  }

  function drawHead() {
    const done = run.planned ? `${run.iteration.toLocaleString("en")} of ${run.planned.toLocaleString("en")}` : run.iteration.toLocaleString("en");
    const facts = [["state", { running: "running", done: "done", stopped: "stopped" }[run.state]], ["iteration", done],
      ["time left", run.left === null ? "–" : time(run.left)], ["speed", speed(run)], ["algorithm", breakable(run.algorithm || "–")]];
    const health = run.health === null ? [el("p", { class: "note" }, "No health monitor watches it; ", el("code", {}, "custom_hooks: [{type: HealthMonitor}]"), " would say in words what goes wrong.")]
      : run.health.now.length ? run.health.now.map((text) => el("p", { class: "remark" }, text))
        : [el("p", { class: "well" }, `Well, at the look of iteration ${run.health.iteration}.`)];
    head.replaceChildren(...[
      run.planned ? el("progress", { max: run.planned, value: run.iteration, "aria-label": "iterations done" }) : null,
      el("dl", { class: "facts" }, facts.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value)))),
      ...health,
    ].filter(Boolean));
    drawLasting();
  }

  // What a person may have the focus in, or have opened, is drawn anew only when it says something else.
  function drawLasting() {
    const rows = Object.entries(run.rows), columns = [...new Set(rows.flatMap(([, values]) => Object.keys(values)))];
    const key = JSON.stringify([run.id, run.state, run.can_stop, run.can_resume, run.cannot, run.said, run.report, message, asking, run.rows, run.health?.remarks]);
    if (lasting.dataset.key === key) return;
    lasting.dataset.key = key;
    lasting.replaceChildren(...[
      run.health?.remarks.length ? el("details", {}, el("summary", {}, "Earlier remarks"), el("ul", {}, run.health.remarks.map(([at, text]) => el("li", {}, `iteration ${at}: ${text}`)))) : null,
      el("div", { class: "row" },
        run.can_stop ? act("Save and stop after this iteration", "stop") : null,
        run.can_resume ? act("Resume", "resume") : null,
        run.report ? el("a", { class: "button", href: `/api/runs/${run.id}/report`, target: "_blank", rel: "noopener" }, "Its report") : null,
        el("span", { class: "note", role: "status" }, message || run.said || (run.cannot ? `It cannot be ${run.state === "running" ? "stopped" : "resumed"} from here: ${run.cannot}.` : ""))),
      run.state === "stopped" ? el("div", { class: "command" }, el("span", { class: "note" }, "Go on with it on a terminal"), el("pre", { tabindex: 0 }, run.resume)) : null,
      rows.length ? el("div", { class: "scroll tabled", tabindex: 0, role: "region", "aria-label": "Its report" }, el("table", {},
        el("thead", {}, el("tr", {}, el("th", { scope: "col" }, el("span", { class: "cell" }, "report")), columns.map((name) => el("th", { scope: "col" }, el("span", { class: "cell" }, name))))),
        el("tbody", {}, rows.map(([name, values]) => el("tr", {}, el("th", { scope: "row" }, name), columns.map((column) => el("td", {}, fixed(values[column], 3)))))))) : null,
    ].filter(Boolean));
  }

  function drawControls() {
    curves.hidden = !run.curves.length;
    const names = [...new Set([...run.curves, ...(other?.curves ?? [])])];
    const key = JSON.stringify([names, run.id, other?.id]);
    legend.replaceChildren(...lines.map((line) => el("span", { class: `chip ${line.line}` }, el("i", {}), line.id)));
    if (curves.dataset.key === key) return;
    curves.dataset.key = key;
    curves.replaceChildren(el("div", { class: "controls" },
      choice("Curve", names.map((name) => [name, name]), curve, (event) => { curve = event.target.value; fresh(); }).node,
      el("label", { class: "check" }, log, "log scale")), chart.host, legend);
  }

  function drawSheets() {
    sheets.hidden = !run.samples.length;
    if (sheets.hidden) return;
    const key = JSON.stringify([run.id, run.samples]);
    if (sheets.dataset.key === key) return;
    sheets.dataset.key = key;
    const at = iteration === null ? run.samples.length - 1 : Math.max(0, run.samples.indexOf(iteration));
    const image = el("img", { class: "sheet", alt: "" }), caption = el("output", { class: "note" });
    const input = el("input", { class: "scrub", type: "range", min: 0, max: run.samples.length - 1, step: 1, value: at,
      "aria-label": "which sheet of samples", input: () => show(Number(input.value), true) });
    const id = run.id, samples = run.samples;
    const show = (k, kept) => {
      iteration = kept && k < samples.length - 1 ? samples[k] : kept ? null : iteration; // the last stays the last
      image.src = `/api/runs/${id}/samples/${samples[k]}`;
      image.alt = `samples at iteration ${samples[k]}`;
      caption.textContent = `iteration ${samples[k].toLocaleString("en")}`;
    };
    show(at, false);
    sheets.replaceChildren(el("h2", {}, "Samples over time"), el("div", { class: "row" }, samples.length > 1 ? input : null, caption), image);
  }

  const act = (text, what) => el("button", { type: "button", class: "button", disabled: asking, click: () => askFor(what) }, text);

  // Ask for a training to stop, or to go on; how it stands with it the server tells, to every page.
  async function askFor(what) {
    asking = true;
    message = "";
    drawLasting();
    try {
      await post(`/api/runs/${run.id}/${what}`, {});
    } catch (error) {
      message = error.message;
    }
    asking = false;
    fresh();
  }

  // Again and again while this is looked at; what fails is said, and tried again.
  async function fresh() {
    clearTimeout(timer);
    try {
      await refresh();
      problem.textContent = "";
    } catch (error) {
      problem.textContent = error.message;
    }
    clearTimeout(timer);
    if (here) timer = setTimeout(() => (document.hidden ? wait() : fresh()), EVERY);
  }
  const wait = () => { timer = setTimeout(() => (document.hidden ? wait() : fresh()), EVERY); };

  return { node, enter: () => { here = true; fresh(); }, leave: () => { here = false; clearTimeout(timer); } };
}
