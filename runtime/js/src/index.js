/** Answers questions, compares sentences and classifies texts in the browser alone, from a folder that `lrc export --target web` wrote. */

import { BundleError, InputError } from "./errors.js";
import { Files } from "./files.js";
import { session, start } from "./session.js";
import { KINDS } from "./tasks/kinds.js";
import { Tokenizer } from "./tokenizer.js";
import { Encoder } from "./windows.js";

export { BundleError, InputError } from "./errors.js";

const decoder = new TextDecoder();

/** What `load` gives: a method for each kind of task. */
class Answerer {
  /**
   * @param {any} manifest What `web.json` says.
   * @param {Map<string, {kind: import("./tasks/kinds.js").Kind<any>, opened: any}>} tasks By name, in the order of the bundle.
   */
  constructor(manifest, tasks) {
    this.manifest = manifest;
    this._tasks = tasks;
    for (const kind of KINDS) {
      Object.assign(this, {
        [kind.verb]: async (/** @type {any[]} */ ...given) => {
          const hasOptions = typeof given.at(-1) === "object" && given.at(-1) !== null;
          const { task, ...options } = hasOptions ? given.pop() : {};
          return this._find(kind, task).opened[kind.verb](...given, options);
        },
      });
    }
  }

  /**
   * Answers what `POST /v1/VERB` of the service is asked, with the same JSON but for offsets in UTF-8.
   * @param {string} verb Of a kind of task, such as `answer`.
   * @param {any} request The body of the request; its `bundle` is the name of a task here.
   * @returns {Promise<any>} The body of the answer.
   * @throws {InputError} As the method of that name does.
   */
  async serve(verb, { bundle, ...request }) {
    const kind = KINDS.find((one) => one.verb === verb);
    if (!kind) throw new InputError(`there is no ${verb}; there is ${KINDS.map((one) => one.verb).join(", ")}`);
    const began = performance.now();
    const { name, opened } = this._find(kind, bundle);
    const found = await kind.serve(opened, request);
    return { ...found, bundle: name, seconds: (performance.now() - began) / 1000 };
  }

  /**
   * @param {import("./tasks/kinds.js").Kind<any>} kind
   * @param {string} [wanted] Name of the task.
   * @returns {{name: string, opened: any}} That task, or the first of the kind.
   */
  _find(kind, wanted) {
    for (const [name, task] of this._tasks) {
      if (task.kind === kind && (wanted === undefined || wanted === name)) return { name, opened: task.opened };
    }
    const which = wanted === undefined ? "no task" : `no task ${wanted}`;
    throw new InputError(`the bundle has ${which} that ${kind.does}; it has ${[...this._tasks.keys()].join(", ")}`);
  }
}

/**
 * Opens a folder after verifying every file that it needs.
 * @param {string | URL} url Address of the folder.
 * @param {import("./files.js").Progress} [progress] Called while files come.
 * @returns {Promise<Answerer & import("./tasks/kinds.js").Methods>}
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
  const opened = new Map();
  for (const task of tasks) {
    const kind = KINDS.find((one) => one.task === task.task);
    if (!kind) throw new BundleError(`${base}: has a task of the kind ${task.task}; load its own lrc/index.js`);
    const run = await session(file(task.model), weights.split("/").at(-1), file(weights));
    opened.set(task.name, { kind, opened: kind.open(new Encoder(words, task.windowing), run, task) });
  }
  return /** @type {any} */ (new Answerer(files.manifest, opened));
}
