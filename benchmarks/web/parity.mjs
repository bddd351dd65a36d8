// Answers questions as the browser does, from the files of a folder that `lrc web` wrote. See web_parity.py.
//
// node benchmarks/web/parity.mjs FOLDER QUESTIONS.jsonl ANSWERS.jsonl [MODEL.onnx]
//
// Goes on where an ANSWERS.jsonl of before ends. MODEL.onnx takes the place of the folder's graph.

import fs from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";

const [folder, questions, answers, model] = process.argv.slice(2);
const part = (/** @type {string} */ name) => import(pathToFileURL(path.resolve(folder, "lrc", name)).href);
const { QuestionAnswerer } = await part("tasks/spans.js");
const { Tokenizer } = await part("tokenizer.js");
const { Encoder } = await part("windows.js");
const { session, start } = await part("session.js");

const read = (/** @type {string} */ name) => fs.readFileSync(path.join(folder, name));
const manifest = JSON.parse(read("web.json").toString());
const task = manifest.tasks.find((/** @type {any} */ one) => one.task === "question-answering");
await start(read(manifest.engine));
const run = await session(model ? fs.readFileSync(model) : read(task.model), path.basename(manifest.weights), read(manifest.weights));
/** @type {any[]} */
let batches = [];
const recorded = async (/** @type {any} */ batch) => {
  const outputs = await run(batch);
  batches.push([...outputs.start_logits.data, ...outputs.end_logits.data]);
  return outputs;
};
const encoder = new Encoder(new Tokenizer(JSON.parse(read(manifest.tokenizer).toString())), task.windowing);
const qa = new QuestionAnswerer(encoder, recorded, task);

const lines = (/** @type {string} */ file) => fs.readFileSync(file, "utf8").split("\n").filter(Boolean);
const done = fs.existsSync(answers) ? lines(answers).length : 0;
for (const line of lines(questions).slice(done)) {
  const { question, context, lang } = JSON.parse(line);
  batches = [];
  const began = performance.now();
  const found = await qa.answer(question, context, { lang });
  const milliseconds = performance.now() - began;
  fs.appendFileSync(answers, `${JSON.stringify({ ...found, milliseconds, logits: batches.flat() })}\n`);
}
