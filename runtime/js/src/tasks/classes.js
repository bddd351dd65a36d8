/** Text classification: which of n labels one text has, or two texts have together. As `lrc_runtime/tasks/classes.py`. */

import { InputError } from "../errors.js";
import { Labeller } from "../labelling.js";
import { Text } from "../text.js";

/**
 * The label of one text, or of two.
 * @typedef {object} Classification
 * @property {string} label Name of the class.
 * @property {number} score Probability that this label is right.
 * @property {Record<string, number>} probabilities The probability that the model itself gives to each label. They are not
 *   calibrated. Best first, but that JavaScript puts names that are whole numbers before all others.
 */

/** @typedef {{lang?: string, task?: string}} Options */

/**
 * @typedef {object} Methods
 * @property {(text: string, textPair?: string | Options, options?: Options) => Promise<Classification>} classify
 *   Finds the label of one text, or of two where the bundle classifies two; options and errors as for `answer`, and an
 *   `InputError` if there is a text too many or too few. Of a text, tokens beyond the bundle's `max_length` are ignored;
 *   of two the longer is cut first.
 */

export class TextClassifier {
  /**
   * @param {import("../windows.js").Encoder} encoder Turns text into model input.
   * @param {import("../batching.js").Run} run The model.
   * @param {any} task What the manifest says of the task.
   */
  constructor(encoder, run, task) {
    this._encoder = encoder;
    this._labeller = new Labeller(encoder, run, task);
    /** @type {string[]} */
    this._labels = task.labels;
    this._texts = task.texts ?? 2;
  }

  /** @type {Methods["classify"]} */
  async classify(text, second, last) {
    const [textPair, { lang } = {}] = typeof second === "object" && second !== null ? [undefined, second] : [second, last];
    if (this._texts === 1 && textPair !== undefined) {
      throw new InputError("this bundle classifies one text and was given two; leave the second out");
    }
    if (this._texts === 2 && textPair === undefined) {
      throw new InputError("this bundle classifies two texts together and was given one; give the second as well");
    }
    const tokens = [text, ...(textPair === undefined ? [] : [textPair])].map((one) => this._encoder.tokenize(new Text(one)));
    const input = this._texts === 1 ? this._encoder.single(tokens[0]) : this._encoder.pair(tokens[0], tokens[1]);
    const { label, score, scores } = await this._labeller.label(input, lang);
    const order = this._labels.map((_, index) => index).sort((a, b) => scores[b] - scores[a]);
    return { label, score, probabilities: Object.fromEntries(order.map((at) => [this._labels[at], Math.exp(scores[at])])) };
  }
}

/** @type {import("./kinds.js").Kind<TextClassifier>} */
export const classes = {
  task: "text-classification",
  verb: "classify",
  does: "classifies texts",
  open: (encoder, run, task) => new TextClassifier(encoder, run, task),
  serve: (opened, { text, text_pair: textPair, lang }) => opened.classify(text, textPair ?? undefined, { lang }),
};
