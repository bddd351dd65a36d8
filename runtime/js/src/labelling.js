/** Labels of texts: which is right, and how sure that is. As `lrc_runtime/labelling.py`. */

import { runSorted } from "./batching.js";
import { Calibration } from "./calibration.js";
import { logSoftmax } from "./decoding.js";
import { BundleError } from "./errors.js";
import { checkLang } from "./languages.js";

/** Scores the labels of model inputs. */
export class Labeller {
  /**
   * @param {import("./windows.js").Encoder} encoder Pads model input.
   * @param {import("./batching.js").Run} run The model.
   * @param {any} task What the manifest says of the task.
   */
  constructor(encoder, run, task) {
    this._encoder = encoder;
    this._run = run;
    /** @type {string[]} */
    this._labels = task.labels;
    this._calibration = new Calibration(task.calibration);
  }

  /**
   * @param {import("./windows.js").ModelInput} input What has a label.
   * @param {string} [lang] Language of the texts.
   * @returns {Promise<{label: string, score: number, scores: Float64Array}>} The best label, the calibrated probability
   *   that it is right, and the logarithm of the probability that the model gives to each label.
   */
  async label(input, lang) {
    if (lang !== undefined) checkLang(lang);
    for await (const [, { logits }] of runSorted(this._run, this._encoder, [input])) {
      if (logits.length !== this._labels.length) {
        throw new BundleError(`the model gives ${logits.length} logits for ${this._labels.length} labels; export the bundle again`);
      }
      // A model that gives no numbers says nothing for any label.
      const scores = logSoftmax(logits.every(Number.isFinite) ? logits : logits.map(() => 0));
      const best = scores.indexOf(Math.max(...scores));
      return { label: this._labels[best], score: this._calibration.confidence(scores[best], lang), scores };
    }
    throw new Error("the model gave nothing");
  }
}
