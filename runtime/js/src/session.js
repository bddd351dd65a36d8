/** ONNX Runtime in WebAssembly. As `lrc_runtime/session.py`. */

import * as ort from "../ort/ort.wasm.bundle.min.mjs";

/**
 * Starts the engine; it is one for the whole page.
 * @param {Uint8Array<ArrayBuffer>} compressed Its WebAssembly, compressed by gzip.
 */
export async function start(compressed) {
  const stream = new Blob([compressed]).stream().pipeThrough(new DecompressionStream("gzip"));
  ort.env.wasm.wasmBinary = await new Response(stream).arrayBuffer();
  // Threads share memory, which browsers allow to isolated pages alone.
  ort.env.wasm.numThreads = globalThis.crossOriginIsolated ? Math.min(4, navigator.hardwareConcurrency) : 1;
}

/**
 * @param {Uint8Array} graph A model file.
 * @param {string} path Name of its external data, as the graph says it.
 * @param {Uint8Array} weights Their content.
 * @returns {Promise<import("./batching.js").Run>} The model.
 */
export async function session(graph, path, weights) {
  const opened = await ort.InferenceSession.create(graph, {
    executionProviders: ["wasm"],
    logSeverityLevel: 3,
    externalData: [{ path, data: weights }],
    // As in Python: on a CPU the fused operator takes longer than addition and layer norm.
    extra: { optimization: { disable_specified_optimizers: "SkipLayerNormFusion" } },
  });
  return ({ shape, feeds }) => {
    const tensors = opened.inputNames.map((/** @type {string} */ name) => [name, new ort.Tensor("int64", feeds[name], shape)]);
    return opened.run(Object.fromEntries(tensors));
  };
}
