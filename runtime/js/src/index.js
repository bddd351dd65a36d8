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

/** What `load` gives: the tasks of a bundle. */
class Answerer {
  /**
   * @param {any} manifest What `web.json` says.
   * @param {Map<string, QuestionAnswerer | ParaphraseDetector>} tasks By name, in the order of the bundle.
   */
  constructor(manifest, tasks) {
    this.manifest = manifest;
    this._tasks = tasks;
  }

  /**
   * Answers one question.
   * @param {string} question Tokens beyond the bundle's `max_question_length` are ignored.
   * @param {string} context The text to read, of any length.
   * @param {{topK?: number, lang?: string, task?: string}} [options] How many spans to give, which do not overlap; the
   *   language of the text as a tag of BCP 47, by which the score is calibrated where the bundle knows how; in a bundle
   *   of several tasks the name of the one to ask, the first that answers questions when left out.
   * @returns {Promise<import("./decoding.js").Answer | import("./decoding.js").Answer[]>} The best answer, or with `topK`
   *   a list of at most that many, best first. A context without any token gives the empty answer, or an empty list.
   * @throws {InputError} If a text is not a string or holds a lone surrogate, `topK` is below 1, `lang`
   *   is no language tag, or no task answers questions.
   */
  async answer(question, context, { task, ...options } = {}) {
    return this._find(QuestionAnswerer, "answers questions", task).answer(question, context, options);
  }

  /**
   * Compares two sentences.
   * @param {string} first
   * @param {string} second
   * @param {{lang?: string, task?: string}} [options] As for `answer`.
   * @returns {Promise<import("./pairs.js").Comparison>}
   * @throws {InputError} If a text is not a string or holds a lone surrogate, `lang` is no language tag, or no
   *   task compares sentences.
   */
  async compare(first, second, { task, ...options } = {}) {
    return this._find(ParaphraseDetector, "compares sentences", task).compare(first, second, options);
  }

  /**
   * @template {QuestionAnswerer | ParaphraseDetector} T
   * @param {new (...args: any[]) => T} kind
   * @param {string} does What a task of this kind does, for the message.
   * @param {string} [name]
   * @returns {T}
   */
  _find(kind, does, name) {
    for (const [known, task] of this._tasks) {
      if (task instanceof kind && (name === undefined || name === known)) return task;
    }
    const which = name === undefined ? "no task" : `no task ${name}`;
    throw new InputError(`the bundle has ${which} that ${does}; it has ${[...this._tasks.keys()].join(", ")}`);
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
  /** @type {Map<string, QuestionAnswerer | ParaphraseDetector>} */
  const opened = new Map();
  for (const task of tasks) {
    const run = await session(file(task.model), weights.split("/").at(-1), file(weights));
    const Kind = task.task === "question-answering" ? QuestionAnswerer : ParaphraseDetector;
    opened.set(task.name, new Kind(new Encoder(words, task.windowing), run, task));
  }
  return new Answerer(files.manifest, opened);
}
