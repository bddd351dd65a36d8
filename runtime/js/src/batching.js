/** Runs model inputs in few padded batches. As `lrc_runtime/batching.py`. */

// Padded tokens in one batch. As in Python: int8 activations are scaled over a whole batch, so that the same batches
// give the same answers.
const TOKEN_BUDGET = 512;

/**
 * @typedef {{shape: [number, number], feeds: Record<string, BigInt64Array>}} Batch
 * @typedef {import("./windows.js").ModelInput} ModelInput
 * @typedef {Record<string, {data: Float32Array, dims: readonly number[]}>} Outputs
 * @typedef {(batch: Batch) => Promise<Outputs>} Run
 */

/**
 * Runs inputs sorted by length, so that little of a batch is padding.
 * @param {Run} run The model.
 * @param {import("./windows.js").Encoder} encoder Pads the batches.
 * @param {ModelInput[]} inputs In any order.
 * @yields {[number, Record<string, Float32Array>]} The index of an input and its row of every output.
 */
export async function* runSorted(run, encoder, inputs) {
  const order = inputs.map((_, index) => index).sort((a, b) => inputs[b].ids.length - inputs[a].ids.length);
  for (let position = 0; position < order.length; ) {
    const size = Math.max(1, Math.floor(TOKEN_BUDGET / inputs[order[position]].ids.length));
    const chunk = order.slice(position, position + size);
    position += size;
    const outputs = await run(encoder.collate(chunk.map((index) => inputs[index])));
    for (const [place, index] of chunk.entries()) {
      /** @type {Record<string, Float32Array>} */
      const row = {};
      for (const [name, { data, dims }] of Object.entries(outputs)) {
        row[name] = data.subarray(place * dims[1], (place + 1) * dims[1]);
      }
      yield /** @type {[number, Record<string, Float32Array>]} */ ([index, row]);
    }
  }
}
