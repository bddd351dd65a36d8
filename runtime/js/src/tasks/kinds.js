/** The kinds of task. A new one is a module beside this, and a line in each of the two lists. */

import { classes } from "./classes.js";
import { pairs } from "./pairs.js";
import { spans } from "./spans.js";

/**
 * A kind of task.
 * @template T
 * @typedef {object} Kind
 * @property {string} task What a manifest calls it.
 * @property {string} verb What a bundle's method is called that asks it; `open` gives an object with a method of that
 *   name, whose last argument holds the options. Also the end of the service's address, `/v1/VERB`.
 * @property {string} does What a task of this kind does, for messages.
 * @property {(encoder: import("../windows.js").Encoder, run: import("../batching.js").Run, task: any) => T} open Opens one
 *   of what `web.json` says of it.
 * @property {(opened: T, request: any) => Promise<object>} serve Answers what the service is asked, as the service does.
 */

/**
 * What a bundle can be asked, whatever its tasks.
 * @typedef {import("./spans.js").Methods & import("./pairs.js").Methods & import("./classes.js").Methods} Methods
 */

/** @type {Kind<any>[]} */
export const KINDS = [spans, pairs, classes];
