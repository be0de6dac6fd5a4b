// What is asked of the server. Every tab has a name of its own, and sees its own pictures.

const fresh = () => [...crypto.getRandomValues(new Uint8Array(12))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
export const tab = sessionStorage.getItem("studio-tab") ?? fresh();
sessionStorage.setItem("studio-tab", tab);

export async function ask(path, { method = "GET", body, headers = {}, json } = {}) {
  let answer;
  try {
    answer = await fetch(path, { method, body: json === undefined ? body : JSON.stringify(json), headers: { "x-tab": tab, ...headers } });
  } catch {
    throw new Error("the studio does not answer; was it ended?");
  }
  const isJson = (answer.headers.get("content-type") ?? "").startsWith("application/json");
  const content = isJson ? await answer.json() : { problem: (await answer.text()).trim() };
  if (!answer.ok) throw new Error(content.problem || `the studio answered ${answer.status}`);
  return content;
}

export const post = (path, json) => ask(path, { method: "POST", json });
export const upload = (file) =>
  ask("/api/pictures", { method: "POST", body: file, headers: { "x-name": encodeURIComponent(file.name.slice(0, 300)) } });
export const address = (path, query = {}) => `${path}?${new URLSearchParams({ tab, ...query })}`;

// A tab listens while something is computed for it: the server stops the work of a tab that listens no more.
let source = null;
export function listen(heard) {
  if (source) return Promise.resolve();
  source = new EventSource(address("/api/events"));
  source.onmessage = (event) => heard(JSON.parse(event.data));
  return new Promise((done) => {
    source.onopen = () => done();
    source.onerror = () => done();
  });
}

export function deafen() {
  source?.close();
  source = null;
}
