// Runs the model beside the page, so that the page does not block.

import { load } from "./lrc/index.js";

const loading = load(new URL("./", self.location.href), (loaded, total) => self.postMessage({ loaded, total }));
loading.then(
  () => self.postMessage({ ready: true }),
  (error) => self.postMessage({ failed: error.message }),
);

const forgotten = new Set();
// One call at a time.
let turn = Promise.resolve();

async function work(id, method, request) {
  const answerer = await loading;
  // A message that forgets this call may have come meanwhile.
  await new Promise((resolve) => setTimeout(resolve));
  if (forgotten.delete(id)) return;
  self.postMessage({ id, result: await answerer.serve(method, request) });
}

self.addEventListener("message", ({ data: { id, method, request } }) => {
  if (method === "forget") {
    forgotten.add(id);
    return;
  }
  turn = turn.then(() => work(id, method, request)).catch((error) => self.postMessage({ id, error: error.message }));
});
