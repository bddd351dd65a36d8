// Runs the model beside the page, so that the page does not block.

import { load } from "./lrc/index.js";

const loading = load(new URL("./", self.location.href), (loaded, total) => self.postMessage({ loaded, total }));
loading.then(
  () => self.postMessage({ ready: true }),
  (error) => self.postMessage({ failed: error.message }),
);

const methods = {
  async answer(answerer, { question, context, top_k: topK, lang, bundle: task }) {
    const found = await answerer.answer(question, context, { topK, lang, task });
    const noAnswer = found[0]?.noAnswer ?? 1;
    const answers = found.map(({ text, start, end, utf16Start, utf16End, score }) => ({
      ...{ text, start, end, score },
      utf16_start: utf16Start,
      utf16_end: utf16End,
    }));
    return { answers, no_answer: noAnswer, answered: noAnswer <= 0.5 };
  },
  compare(answerer, { first, second, lang, bundle: task }) {
    return answerer.compare(first, second, { lang, task });
  },
};

const forgotten = new Set();
// One call at a time.
let turn = Promise.resolve();

async function work(id, method, request) {
  const answerer = await loading;
  // A message that forgets this call may have come meanwhile.
  await new Promise((resolve) => setTimeout(resolve));
  if (forgotten.delete(id)) return;
  const began = performance.now();
  const result = await methods[method](answerer, request);
  self.postMessage({ id, result: { ...result, bundle: request.bundle, seconds: (performance.now() - began) / 1000 } });
}

self.addEventListener("message", ({ data: { id, method, request } }) => {
  if (method === "forget") {
    forgotten.add(id);
    return;
  }
  turn = turn.then(() => work(id, method, request)).catch((error) => self.postMessage({ id, error: error.message }));
});
