// Computes beside the page, which stays free: features of images, the probe, the answers of a dropped model.

import { decode, prepare, thumbnail } from "./images.js";
import { experiment, softmax } from "./probe.js";
import { onnxMetadata } from "./files.js";

let ort; // onnxruntime-web, fetched when it is first needed
let session, preprocessing; // the network in use, and how images are prepared for it

async function open(network) {
  if (!ort) {
    ort = await import("./ort/ort.wasm.min.mjs");
    ort.env.wasm.numThreads = 1; // more need headers that a plain web server does not send
    ort.env.wasm.wasmPaths = new URL("./ort/", import.meta.url).href;
  }
  await session?.release();
  session = await ort.InferenceSession.create(network);
}

async function run(image) {
  const { size } = preprocessing;
  const input = new ort.Tensor("float32", prepare(image, preprocessing), [1, 3, size, size]);
  const outputs = await session.run({ [session.inputNames[0]]: input });
  const output = outputs[session.outputNames[0]];
  const values = Float32Array.from(output.data);
  input.dispose();
  output.dispose();
  return values;
}

// What the page may ask for.
const tasks = {
  async load({ file, preprocessing: its }) {
    const answer = await fetch(file);
    if (!answer.ok) throw new Error(`${file} is not there (${answer.status})`);
    await open(new Uint8Array(await answer.arrayBuffer()));
    preprocessing = its;
  },

  // A model that Python has exported: with its classes and its preprocessing in its metadata.
  async model({ file }) {
    const bytes = new Uint8Array(await file.arrayBuffer());
    const its = onnxMetadata(bytes);
    if (!its.class_names || !its.normalisation) {
      throw new Error("it does not say its classes and its preprocessing; helpers.export writes such files");
    }
    await open(bytes);
    const { mean, std } = JSON.parse(its.normalisation);
    preprocessing = { size: Number(its.size), resize: Number(its.resize), mean, std, interpolation: its.interpolation };
    return JSON.parse(its.class_names);
  },

  async features({ file }) {
    let image;
    try {
      image = await decode(file);
    } catch {
      throw new Error("this browser cannot read it as an image");
    }
    const values = await run(image);
    return { values, picture: await thumbnail(image) };
  },

  async answer({ file }) {
    const { values, picture } = await tasks.features({ file });
    return { probabilities: softmax(values), picture };
  },

  train: ({ examples }) => experiment(examples),
};

// One thing at a time, in the order in which the page asks.
let queue = Promise.resolve();
addEventListener("message", ({ data: { id, task, details } }) => {
  queue = queue.then(async () => {
    try {
      postMessage({ id, result: await tasks[task](details) });
    } catch (error) {
      postMessage({ id, problem: String(error.message ?? error) });
    }
  });
});
