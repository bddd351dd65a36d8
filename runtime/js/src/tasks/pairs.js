/** Paraphrase detection: do two sentences mean the same? As `lrc_runtime/tasks/pairs.py`. */

import { Labeller } from "../labelling.js";
import { Text } from "../text.js";

/**
 * The verdict on two sentences.
 * @typedef {object} Comparison
 * @property {string} label Name of the class.
 * @property {number} score Probability that this label is right.
 */

/**
 * @typedef {object} Methods
 * @property {(first: string, second: string, options?: {lang?: string, task?: string}) => Promise<Comparison>} compare
 *   Compares two sentences; options and errors as for `answer`.
 */

export class ParaphraseDetector {
  /**
   * @param {import("../windows.js").Encoder} encoder Turns text into model input.
   * @param {import("../batching.js").Run} run The model.
   * @param {any} task What the manifest says of the task.
   */
  constructor(encoder, run, task) {
    this._encoder = encoder;
    this._labeller = new Labeller(encoder, run, task);
  }

  /** @type {Methods["compare"]} */
  async compare(first, second, { lang } = {}) {
    const [a, b] = [first, second].map((text) => this._encoder.tokenize(new Text(text)));
    const { label, score } = await this._labeller.label(this._encoder.pair(a, b), lang);
    return { label, score };
  }
}

/** @type {import("./kinds.js").Kind<ParaphraseDetector>} */
export const pairs = {
  task: "paraphrase",
  verb: "compare",
  does: "compares sentences",
  open: (encoder, run, task) => new ParaphraseDetector(encoder, run, task),
  serve: (opened, { first, second, lang }) => opened.compare(first, second, { lang }),
};
