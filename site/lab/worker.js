// Computes beside the page, which stays free: features of images, the probe, the answers of a dropped model.

import { decode, prepare, thumbnail } from "./images.js";
import { experiment, softmax } from "./probe.js";
import { onnxMetadata } from "./files.js";

let ort; // onnxruntime-web, fetched when it is first needed
let session; // of the network in use
let preprocessing; // how images are prepared for it
let takesImages = false; // whether it does that itself, and answers with probabilities

async function open(network) {
  if (!ort) {
    ort = await import("./ort/ort.wasm.min.mjs");
    ort.env.wasm.numThreads = 1; // more need headers that a plain web server does not send
    ort.env.wasm.wasmPaths = new URL("./ort/", import.meta.url).href;
  }
  await session?.release();
  session = undefined; // should the next one be none
  session = await ort.InferenceSession.create(network);
}

async function run(image) {
  const input = takesImages ? wholeImage(image) : preparedImage(image);
  const outputs = await session.run({ [session.inputNames[0]]: input });
  const output = outputs[session.outputNames[0]];
  const values = Float32Array.from(output.data);
  input.dispose();
  output.dispose();
  return values;
}

function preparedImage(image) {
  const { size } = preprocessing;
  return new ort.Tensor("float32", prepare(image, preprocessing), [1, 3, size, size]);
}

function wholeImage({ width, height, rgba }) {
  const rgb = rgba.filter((_, i) => i % 4 < 3);
  return new ort.Tensor("uint8", Uint8Array.from(rgb), [height, width, 3]);
}

// What the page may ask for.
const tasks = {
  async load({ file, preprocessing: its }) {
    const answer = await fetch(file);
    if (!answer.ok) throw new Error(`${file} is not there (${answer.status})`);
    await open(new Uint8Array(await answer.arrayBuffer()));
    preprocessing = its;
    takesImages = false;
  },

  // A model that Python has exported: with its classes and its preprocessing in its metadata.
  async model({ file }) {
    const bytes = new Uint8Array(await file.arrayBuffer());
    const its = onnxMetadata(bytes);
    if (!its.class_names || !its.preprocessing) {
      throw new Error("its metadata lacks the classes or the preprocessing; helpers.export writes files that have both");
    }
    await open(bytes);
    preprocessing = JSON.parse(its.preprocessing);
    takesImages = its.input === "image";
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
    return { probabilities: takesImages ? [...values] : softmax(values), picture };
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
