// The page: three things to do, one at a time.

import { makeCompare } from "./compare.js";
import { changed, load } from "./store.js";
import { makeUse } from "./use.js";
import { makeWatch } from "./watch.js";

const page = document.getElementById("page");
const views = { use: makeUse(), watch: makeWatch(), compare: makeCompare() };
const names = Object.keys(views);
page.replaceChildren(...names.map((name) => views[name].node));

function turn() {
  const name = names.includes(location.hash.slice(1)) ? location.hash.slice(1) : "use";
  for (const each of names) {
    views[each].node.hidden = each !== name;
    if (each !== name) views[each].leave?.();
  }
  document.querySelectorAll("nav a").forEach((link) => {
    if (link.hash === `#${name}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  });
  views[name].enter?.();
}

addEventListener("hashchange", turn);
turn();
changed();
load().catch((error) => {
  page.prepend(el("p", { class: "problem", role: "alert" }, error.message));
});
