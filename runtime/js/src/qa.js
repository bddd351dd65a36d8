/** Extractive question answering over contexts of any length. As `lrc_runtime/qa.py`. */

import { runSorted } from "./batching.js";
import { Calibration } from "./calibration.js";
import { NO_ANSWER, SpanSearch } from "./decoding.js";
import { checkLang } from "./languages.js";
import { InputError } from "./errors.js";
import { Text } from "./text.js";

/** @typedef {import("./decoding.js").Answer} Answer */

export class QuestionAnswerer {
  /**
   * @param {import("./windows.js").Encoder} encoder Turns text into windows.
   * @param {import("./batching.js").Run} run The model.
   * @param {any} task What the manifest says of the task.
   */
  constructor(encoder, run, task) {
    this._encoder = encoder;
    this._run = run;
    this._decoding = task.decoding;
    this._calibration = new Calibration(task.calibration);
  }

  /**
   * @param {string} question
   * @param {string} context
   * @param {{topK?: number, lang?: string}} options
   * @returns {Promise<Answer | Answer[]>}
   */
  async answer(question, context, { topK, lang }) {
    if (topK !== undefined && !(Number.isInteger(topK) && topK >= 1)) {
      throw new InputError(`topK must be a whole number of at least 1, found ${topK}`);
    }
    if (lang !== undefined) checkLang(lang);
    const asked = this._encoder.tokenize(new Text(question));
    const text = new Text(context);
    const windows = this._encoder.windows(asked, this._encoder.tokenize(text));
    const search = new SpanSearch(text, this._decoding, topK ?? 1);
    for await (const [at, outputs] of runSorted(this._run, this._encoder, windows)) {
      search.add(windows[at], outputs.start_logits, outputs.end_logits);
    }
    const answers = search.answers(this._calibration, lang);
    return topK === undefined ? (answers[0] ?? NO_ANSWER) : answers;
  }
}
