// What this tab has: pictures, tasks, models; whoever shows them is told when they change.

import { address, ask, deafen, listen, post, upload } from "./api.js";

export const store = { models: [], suffixes: [], cut: false, pictures: [], tasks: new Map(), chosen: null, problems: [] };
const local = new Map(); // blob: addresses of pictures that were dropped here
const shown = new Set();
let dropped = 0; // files, so far
let busy = 0; // comparisons that are computed, whose tasks are not told

export const watchStore = (change) => shown.add(change);
export const changed = () => shown.forEach((change) => change());
export const isActive = (task) => task.state === "waiting" || task.state === "running";
export const active = () => [...store.tasks.values()].filter(isActive);
export const tasksOf = (picture) => [...store.tasks.values()].filter((task) => task.picture === picture.id);
export const modelOf = (task) => store.models.find((model) => model.id === task.model);

export function titleOf(task) {
  const chosen = Object.entries(task.chosen).map(([name, value]) => (name === "strength" ? `${value}` : value)).join(", ");
  const name = modelOf(task)?.name ?? "a model";
  return chosen ? `${name}, ${chosen}` : name;
}

export async function load() {
  const [{ models, suffixes, cut }, state] = await Promise.all([ask("/api/models"), ask("/api/state")]);
  Object.assign(store, { models, suffixes, cut, pictures: state.pictures, chosen: state.pictures[0]?.id ?? null });
  state.tasks.forEach((task) => store.tasks.set(task.id, task));
  if (active().length) await hear();
  changed();
}

function take(task) {
  if ((store.tasks.get(task.id)?.told ?? -1) >= task.told) return; // older than what is known
  if (task.state === "waiting") store.tasks.delete(task.id); // gone on with: the newest of its film
  store.tasks.set(task.id, task);
  rest();
  changed();
}

const hear = () => listen(take);
const rest = () => { if (!busy && !active().length) deafen(); };

// While tasks are being made, or some are computed that are not told, this tab must be heard of all the same.
export async function during(work) {
  busy += 1;
  await hear();
  try {
    return await work();
  } finally {
    busy -= 1;
    rest();
  }
}

// Three files are sent at a time; pictures stand in the order of the files, whichever is there first.
export async function addFiles(files) {
  store.problems = [];
  const queue = [...files].map((file) => ({ file, place: dropped++ }));
  let first = null; // chosen as long as nobody chooses another
  const next = async () => {
    for (let each = queue.shift(); each; each = queue.shift()) {
      try {
        const picture = { ...await upload(each.file), place: each.place };
        if (picture.showable) local.set(picture.id, URL.createObjectURL(each.file));
        store.pictures.push(picture);
        store.pictures.sort((one, other) => (one.place ?? -1) - (other.place ?? -1));
        if (store.chosen === first) store.chosen = first = store.pictures[0].id;
      } catch (error) {
        store.problems.push(error.message);
      }
      changed();
    }
  };
  await Promise.all([next(), next(), next()]);
}

// Away from the page first, so that nothing of it is asked for once it is gone.
export async function removePicture(picture) {
  URL.revokeObjectURL(local.get(picture.id));
  tasksOf(picture).forEach((task) => store.tasks.delete(task.id));
  store.pictures = store.pictures.filter((each) => each !== picture);
  if (store.chosen === picture.id) store.chosen = store.pictures[0]?.id ?? null;
  changed();
  await ask(`/api/pictures/${picture.id}`, { method: "DELETE" });
  rest();
}

export async function apply(pictures, model, settings) {
  await during(async () => { // heard before the work begins, so that it ends with this tab
    const { tasks } = await post("/api/tasks", { pictures: pictures.map((each) => each.id), model: model.id, settings });
    tasks.forEach(take);
  });
  changed();
}

export const goOn = (task) => during(async () => take(await post(`/api/tasks/${task.id}/continue`, {})));
export const stopAll = () => post("/api/stop", {});
export const sourceOf = (picture) => {
  if (local.has(picture.id)) return local.get(picture.id);
  const made = picture.showable || tasksOf(picture).some((task) => task.state === "done");
  return made ? address(`/api/pictures/${picture.id}/shown`) : null;
};
export const posterOf = (picture) => address(`/api/pictures/${picture.id}/poster`);
export const resultPosterOf = (task) => address(`/api/tasks/${task.id}/poster`);
export const resultOf = (task) => address(`/api/tasks/${task.id}/shown`);
