// Films on both sides of the divider, played in step; where the browser does not play one, its first frame stands for it.

const clock = (seconds) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;
const NEAR = 0.01, FAR = 0.3; // seconds of drift that are left alone, and that are jumped over

// What shows {source, name, film, poster}: a picture, or a film whose `why` says, once it is known, why it does not play.
export function layerOf(each) {
  if (!each?.film) return el("img", { alt: "", draggable: "false" });
  const video = el("video", { preload: "auto", tabindex: -1 });
  video.muted = video.playsInline = true;
  return video;
}

// Resolves once the layer shows something; `false` where a film does not play, so that its first frame must do.
export function shownBy(layer, each) {
  if (layer.tagName === "IMG") return layer.decode().then(() => true, () => true);
  if (layer.readyState >= 2) return Promise.resolve(true);
  return new Promise((done) => {
    layer.addEventListener("loadeddata", () => done(true), { once: true });
    layer.addEventListener("error", () => done(false), { once: true });
    if (layer.error) done(false);
  });
}

export function makePlayer() {
  let films = [], turning = 0;
  const button = el("button", { type: "button", class: "button", click: () => toggle() });
  const range = el("input", { type: "range", min: 0, max: 1, step: "any", value: 0, "aria-label": "time in the film",
    input: () => seek(Number(range.value)) });
  const shown = el("output", { "aria-live": "off" });
  const bar = el("div", { class: "player", role: "group", "aria-label": "Film", hidden: true }, button, range, shown);

  const leader = () => films.at(-1);
  const length = () => Math.max(...films.map((film) => film.duration || 0), 0.001);

  function draw() {
    const playing = films.length && !leader().paused;
    button.textContent = playing ? "❚❚" : "▶";
    button.setAttribute("aria-label", playing ? "pause" : "play");
    if (!films.length) return;
    range.max = length();
    range.value = leader().currentTime;
    shown.textContent = `${clock(leader().currentTime)} / ${clock(length())}`;
    range.setAttribute("aria-valuetext", shown.textContent);
  }

  function seek(time) {
    films.forEach((film) => { film.currentTime = time; });
    draw();
  }

  // The others keep to the last one: a little faster or slower, or by a jump.
  function keep() {
    if (!films.length) return;
    const ahead = leader();
    for (const film of films.slice(0, -1)) {
      const drift = ahead.currentTime - film.currentTime;
      if (Math.abs(drift) > FAR) film.currentTime = ahead.currentTime;
      film.playbackRate = Math.abs(drift) < NEAR ? 1 : 1 + Math.max(-0.5, Math.min(0.5, 4 * drift));
    }
    draw();
    turning = ahead.paused ? 0 : requestAnimationFrame(keep);
  }

  async function play() {
    const mine = films, time = leader().ended ? 0 : leader().currentTime;
    mine.forEach((film) => { film.currentTime = time; });
    await Promise.allSettled(mine.map((film) => film.play()));
    if (mine === films && !turning) keep();
  }

  function pause() {
    cancelAnimationFrame(turning);
    turning = 0;
    films.forEach((film) => { film.pause(); film.playbackRate = 1; });
    if (films.length) seek(leader().currentTime);
  }

  const toggle = () => { if (films.length) (leader().paused ? play() : pause()); };

  // Take over the films that are shown from here on; a time that was looked at is kept.
  function take(found) {
    const next = [...new Set(found)];
    if (next.length === films.length && next.every((film, k) => film === films[k])) return;
    const time = films.length ? leader().currentTime : 0;
    pause();
    films.forEach((film) => { film.onended = film.onseeked = null; }); // what has gone from the page may still end
    films = next;
    bar.hidden = !films.length;
    if (!films.length) return;
    leader().onended = () => play();
    films.forEach((film) => { film.onseeked = draw; });
    seek(Math.min(time, length()));
  }

  return { bar, take, toggle, pause };
}
