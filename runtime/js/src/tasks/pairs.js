/** Paraphrase detection: do two sentences mean the same? As `lrc_runtime/pairs.py`. */

import { runSorted } from "../batching.js";
import { Calibration } from "../calibration.js";
import { logSoftmax } from "../decoding.js";
import { checkLang } from "../languages.js";
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
    this._run = run;
    this._labels = task.labels;
    this._calibration = new Calibration(task.calibration);
  }

  /** @type {Methods["compare"]} */
  async compare(first, second, { lang } = {}) {
    if (lang !== undefined) checkLang(lang);
    const [a, b] = [first, second].map((text) => this._encoder.tokenize(new Text(text)));
    for await (const [, { logits }] of runSorted(this._run, this._encoder, [this._encoder.pair(a, b)])) {
      // A model that gives no numbers says nothing for any label.
      const scores = logSoftmax(logits.every(Number.isFinite) ? logits : logits.map(() => 0));
      const best = scores.indexOf(Math.max(...scores));
      return { label: this._labels[best], score: this._calibration.confidence(scores[best], lang) };
    }
    throw new Error("the model gave nothing");
  }
}

/** @type {import("./kinds.js").Kind<ParaphraseDetector>} */
export const pairs = {
  task: "paraphrase",
  method: "compare",
  does: "compares sentences",
  open: (encoder, run, task) => new ParaphraseDetector(encoder, run, task),
  serve: (opened, { first, second, lang }) => opened.compare(first, second, { lang }),
};
