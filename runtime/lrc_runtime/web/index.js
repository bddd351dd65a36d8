/** Answers questions and compares sentences in the browser alone, from a folder that `lrc export --target web` wrote. */

import { InputError } from "./errors.js";
import { Files } from "./files.js";
import { ParaphraseDetector } from "./pairs.js";
import { QuestionAnswerer } from "./qa.js";
import { session, start } from "./session.js";
import { Tokenizer } from "./tokenizer.js";
import { Encoder } from "./windows.js";

export { BundleError, InputError } from "./errors.js";

const decoder = new TextDecoder();

/** What `load` gives. */
class Answerer {
  /**
   * @param {any} manifest What `web.json` says of the bundle.
   * @param {QuestionAnswerer | undefined} qa
   * @param {ParaphraseDetector | undefined} pairs
   */
  constructor(manifest, qa, pairs) {
    this.manifest = manifest;
    this._qa = qa;
    this._pairs = pairs;
  }

  /**
   * Answers one question.
   * @param {string} question Tokens beyond the bundle's `max_question_length` are ignored.
   * @param {string} context The text to read, of any length.
   * @param {{topK?: number, lang?: string}} [options] How many spans to give, which do not overlap, and the language of
   *   the text, by which the score is calibrated where the bundle knows how.
   * @returns {Promise<import("./decoding.js").Answer | import("./decoding.js").Answer[]>} The best answer, or with `topK`
   *   a list of at most that many, best first. A context without any token gives the empty answer, or an empty list.
   * @throws {InputError} If a text is not a string or holds a lone surrogate, `topK` is below 1, or the bundle only
   *   compares sentences.
   */
  async answer(question, context, options = {}) {
    if (!this._qa) throw new InputError("this bundle compares sentences and answers no questions; use compare");
    return this._qa.answer(question, context, options);
  }

  /**
   * Compares two sentences.
   * @param {string} first
   * @param {string} second
   * @param {{lang?: string}} [options]
   * @returns {Promise<import("./pairs.js").Comparison>}
   * @throws {InputError} If a text is not a string or holds a lone surrogate, or the bundle only answers questions.
   */
  async compare(first, second, options = {}) {
    if (!this._pairs) throw new InputError("this bundle answers questions and compares no sentences; use answer");
    return this._pairs.compare(first, second, options);
  }
}

/**
 * Opens a folder after verifying every file that it needs.
 * @param {string | URL} url Address of the folder.
 * @param {import("./files.js").Progress} [progress] Called while files come.
 * @returns {Promise<Answerer>}
 * @throws {import("./errors.js").BundleError} If a file is missing or changed, or this code does not know the format.
 */
export async function load(url, progress = () => {}) {
  const base = new URL(url, globalThis.location?.href);
  if (!base.pathname.endsWith("/")) base.pathname += "/";
  const files = await Files.open(base);
  const { engine, tokenizer, weights, tasks } = files.manifest;
  const names = [engine, tokenizer, weights, ...tasks.map((/** @type {any} */ task) => task.model)];
  const total = names.reduce((sum, name) => sum + files.manifest.files[name].bytes, 0);
  let loaded = 0;
  /** @type {Map<string, Uint8Array<ArrayBuffer>>} */
  const content = new Map();
  for (const name of names) {
    content.set(
      name,
      await files.read(name, (bytes) => {
        loaded += bytes;
        progress(loaded, total);
      }),
    );
  }
  const file = (/** @type {string} */ name) => /** @type {Uint8Array<ArrayBuffer>} */ (content.get(name));
  await start(file(engine));
  const words = new Tokenizer(JSON.parse(decoder.decode(file(tokenizer))));
  /** @type {Record<string, any>} */
  const found = {};
  for (const task of tasks) {
    const run = await session(file(task.model), weights.split("/").at(-1), file(weights));
    const kind = task.task === "question-answering" ? QuestionAnswerer : ParaphraseDetector;
    // As in Python, a command takes the first task that it is for.
    found[task.task] ??= new kind(new Encoder(words, task.windowing), run, task);
  }
  return new Answerer(files.manifest, found["question-answering"], found.paraphrase);
}
