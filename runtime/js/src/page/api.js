// What the page asks of the model on this device. The service has a file of the same name that asks it instead.

import { showLoading } from "./loading.js";

const worker = new Worker("worker.js", { type: "module" });
const waiting = new Map();
let last = 0;

worker.addEventListener("message", ({ data: { id, result, error } }) => {
  const { resolve, reject } = waiting.get(id) ?? {};
  waiting.delete(id);
  if (error) reject?.(new Error(error));
  else resolve?.(result);
});

showLoading(worker);

// Asks what the service answers at /v1/VERB.
export function ask(verb, request, signal) {
  const id = (last += 1);
  return new Promise((resolve, reject) => {
    waiting.set(id, { resolve, reject });
    worker.postMessage({ id, method: verb, request });
    signal?.addEventListener("abort", () => {
      waiting.delete(id);
      worker.postMessage({ id, method: "forget" });
      reject(signal.reason);
    });
  });
}

async function manifest() {
  return (await fetch("web.json", { cache: "no-cache" })).json();
}

// [{name, task, languages, ...}]
export async function bundles() {
  return (await manifest()).tasks;
}

// The model card in Markdown, which is one for all tasks.
export async function card() {
  return (await fetch((await manifest()).card)).text();
}
