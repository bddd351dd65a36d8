/** Errors that a caller can mend: each message says what, where, and how. As `lrc_runtime/errors.py`. */

/** A folder is missing, damaged, or of a newer format than this code reads. */
export class BundleError extends Error {
  name = "BundleError";
}

/** A text or an argument given to a bundle cannot be used. */
export class InputError extends Error {
  name = "InputError";
}
