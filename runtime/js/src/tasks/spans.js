/** Extractive question answering over contexts of any length. As `lrc_runtime/qa.py`. */

import { runSorted } from "../batching.js";
import { Calibration } from "../calibration.js";
import { NO_ANSWER, SpanSearch } from "../decoding.js";
import { InputError } from "../errors.js";
import { checkLang } from "../languages.js";
import { Text } from "../text.js";

/** @typedef {import("../decoding.js").Answer} Answer */

/**
 * @typedef {object} Methods
 * @property {(question: string, context: string, options?: {topK?: number, lang?: string, task?: string}) =>
 *   Promise<Answer | Answer[]>} answer Answers one question. Of the question, tokens beyond the bundle's
 *   `max_question_length` are ignored; the context is the text to read, of any length. `topK` is how many spans to give,
 *   which do not overlap; `lang` the language of the text as a tag of BCP 47, by which the score is calibrated where the
 *   bundle knows how; `task`, in a bundle of several tasks, the name of the one to ask, the first that answers questions
 *   when left out. Gives the best answer, or with `topK` a list of at most that many, best first. A context without any
 *   token gives the empty answer, or an empty list. Throws an `InputError` if a text is not a string or holds a lone
 *   surrogate, `topK` is below 1, `lang` is no language tag, or no task answers questions.
 */

export class QuestionAnswerer {
  /**
   * @param {import("../windows.js").Encoder} encoder Turns text into windows.
   * @param {import("../batching.js").Run} run The model.
   * @param {any} task What the manifest says of the task.
   */
  constructor(encoder, run, task) {
    this._encoder = encoder;
    this._run = run;
    this._decoding = task.decoding;
    this._calibration = new Calibration(task.calibration);
  }

  /** @type {Methods["answer"]} */
  async answer(question, context, { topK, lang } = {}) {
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

/** @type {import("./kinds.js").Kind<QuestionAnswerer>} */
export const spans = {
  task: "question-answering",
  verb: "answer",
  does: "answers questions",
  open: (encoder, run, task) => new QuestionAnswerer(encoder, run, task),
  async serve(opened, { question, context, top_k: topK = 1, lang }) {
    const found = /** @type {Answer[]} */ (await opened.answer(question, context, { topK, lang }));
    const noAnswer = found[0]?.noAnswer ?? 1;
    const answers = found.map(({ text, start, end, utf16Start, utf16End, score }) => ({
      ...{ text, start, end, score },
      utf16_start: utf16Start,
      utf16_end: utf16End,
    }));
    return { answers, no_answer: noAnswer, answered: noAnswer <= 0.5 };
  },
};
