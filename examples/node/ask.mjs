// Asks a running service (`lrc serve BUNDLE`), with nothing but what Node.js brings along.
//
//   node ask.mjs QUESTION FILE
//
// LRC_URL is its address, LRC_SERVE_TOKEN its token where it asks for one.

import { readFile } from "node:fs/promises";

const ADDRESS = process.env.LRC_URL ?? "http://127.0.0.1:8000";
const TRIES = 5;

// Answers a question; a service that has too much to do is asked again when it says.
export async function answer(question, context, options = {}) {
  const headers = { "content-type": "application/json" };
  if (process.env.LRC_SERVE_TOKEN) headers.authorization = `Bearer ${process.env.LRC_SERVE_TOKEN}`;
  const body = JSON.stringify({ question, context, ...options });
  for (let tried = 1; ; tried++) {
    const response = await fetch(`${ADDRESS}/v1/answer`, { method: "POST", headers, body });
    const said = await response.json();
    if (response.ok) return said;
    if (![429, 503].includes(response.status) || tried === TRIES) throw new Error(said.error.message);
    const seconds = Number(response.headers.get("retry-after") ?? 1);
    await new Promise((resolve) => setTimeout(resolve, 1000 * seconds));
  }
}

const [question, file] = process.argv.slice(2);
if (!file) {
  console.error("usage: node ask.mjs QUESTION FILE");
  process.exit(2);
}
const context = await readFile(file, "utf8");
const { answers, answered, no_answer } = await answer(question, context, { top_k: 3 });
for (const { score, utf16_start, utf16_end } of answers) {
  // Strings of JavaScript count in UTF-16 units.
  console.log(`${score.toFixed(3)}  ${context.slice(utf16_start, utf16_end)}`);
}
if (!answered) console.log(`the text may well not answer this (probability ${no_answer.toFixed(3)})`);
