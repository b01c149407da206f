// The page of the browser lab: what the reader gives, and what the worker answers.

import { safetensors } from "./files.js";
import { interval, predict } from "./probe.js";

const MOST_CLASSES = 10;
const SHOWN = 12; // pictures of a class
const find = (id) => document.getElementById(id);
const percent = (share) => `${Math.round(100 * share)} %`;
const counted = (number, word) => `${number} ${word}${number === 1 ? "" : word.endsWith("s") ? "es" : "s"}`;

function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

// Files may also be dropped on an element.
function takeDrops(target, use) {
  target.addEventListener("dragover", (event) => {
    event.preventDefault();
    target.classList.add("over");
  });
  target.addEventListener("dragleave", () => target.classList.remove("over"));
  target.addEventListener("drop", (event) => {
    event.preventDefault();
    target.classList.remove("over");
    use([...event.dataTransfer.files]);
  });
}

// --- The worker: each question gets its answer, or the words that say why not

const waiting = new Map();
const worker = startWorker();

async function startWorker() {
  await window.keeping; // of site.js: what the worker fetches is kept as well
  const started = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
  started.addEventListener("message", ({ data: { id, result, problem } }) => {
    const { resolve, reject } = waiting.get(id);
    waiting.delete(id);
    if (problem) reject(new Error(problem));
    else resolve(result);
  });
  return started;
}

let questions = 0;
function ask(task, details) {
  return new Promise((resolve, reject) => {
    const id = questions++;
    waiting.set(id, { resolve, reject });
    worker.then((its) => its.postMessage({ id, task, details }));
  });
}

// --- What the lab holds. An example is { file, begun, values, picture }; its values are the features. Its place in
// `examples` says that it is still wanted: whoever gives it up takes it out, and running work for it is void.

let classes = []; // { name, examples, box }
let networks = [];
let network; // of `networks`, chosen
let loaded; // the promise of the one that the worker holds
let trained; // { head, classes, network } of the last training
let training; // stands for the one that runs
let asked; // the images of the last question
let model; // the class names of a dropped model, while it is in use
let opening; // stands for the example that was asked for last

const lab = {
  get classes() { return classes; },
  get networks() { return networks; },
  get trained() { return trained; },
};
window.lab = lab; // to look at from the browser's console

function tell(problem) {
  find("problems").append(element("li", { textContent: problem }));
}

const computed = ({ examples }) => examples.filter(({ values }) => values);

function forget() {
  trained = training = asked = undefined;
  find("answers").replaceChildren();
  refresh();
}

function refresh() {
  const ready = classes.filter((its) => computed(its).length >= 2);
  const busy = !find("progress-row").hidden;
  find("train").disabled = busy || ready.length < 2;
  find("model").disabled = busy; // the worker holds one network
  find("download").disabled = !trained;
  find("ask").disabled = find("ask-camera").disabled = !trained && !model;
  find("add-class").disabled = classes.length >= MOST_CLASSES;
  if (!trained) {
    find("result").replaceChildren(
      element("p", { textContent: busy ? "Computing the features …" : ready.length < 2 ? "Training needs at least two classes with two images each." : "Ready to train." }),
    );
  }
}

// --- 1. The network

function load() {
  if (!loaded) {
    model = undefined;
    find("model-text").textContent = "";
    loaded = ask("load", { file: new URL(network.file, import.meta.url).href, preprocessing: network.preprocessing });
    loaded.catch(() => (loaded = undefined));
  }
  return loaded;
}

function choose(chosen) {
  network = chosen;
  loaded = undefined;
  for (const its of classes) its.examples = its.examples.map(({ file, picture }) => ({ file, picture }));
  compute();
}

function drawNetworks() {
  for (const its of networks) {
    const input = element("input", { type: "radio", name: "network", checked: its === network });
    input.addEventListener("change", () => choose(its));
    const words = ` ${its.label}: ${its.note} (${(its.bytes / 1e6).toFixed(0)} MB to fetch, once)`;
    find("networks").append(element("label", { className: "network" }, input, words));
  }
}

// --- 2. The classes

function addClass(name = `class ${classes.length + 1}`) {
  const its = { name, examples: [] };
  const label = element("input", { type: "text", value: name, ariaLabel: "Name of the class" });
  label.addEventListener("input", () => {
    its.name = label.value.trim() || name;
    its.box.ariaLabel = its.name;
    remove.ariaLabel = `Remove ${its.name}`;
    snap.ariaLabel = `Take a picture of ${its.name}`;
  });
  const input = element("input", { type: "file", accept: "image/*", multiple: true });
  input.addEventListener("change", () => {
    add([...input.files].map((file) => [its, file]));
    input.value = "";
  });
  const remove = element("button", { type: "button", textContent: "Remove", ariaLabel: `Remove ${name}` });
  remove.addEventListener("click", () => {
    const at = classes.indexOf(its);
    classes = classes.filter((other) => other !== its);
    discard(its);
    forget();
    (classes[Math.min(at, classes.length - 1)]?.box.querySelector("input") ?? find("add-class")).focus();
  });
  const snap = element("button", { type: "button", className: "snap", textContent: "Take a picture", ariaLabel: `Take a picture of ${name}`, hidden: find("camera").hidden });
  snap.addEventListener("click", async () => add([[its, await pictureFromCamera()]]));
  its.count = element("span", { className: "count" });
  its.pictures = element("div", { className: "pictures" });
  its.box = element(
    "section",
    { className: "class", ariaLabel: name },
    element("p", { className: "row" }, label, element("label", { className: "button quiet" }, "Add images", input), snap, its.count, remove),
    its.pictures,
  );
  takeDrops(its.box, (files) => add(files.map((file) => [its, file])));
  classes.push(its);
  find("classes").append(its.box);
  drawClass(its);
  refresh();
  return its;
}

function discard(its) {
  its.examples = [];
  its.box.remove();
}

function drawClass(its) {
  its.count.textContent = counted(its.examples.length, "image");
}

// The small picture of an image; beside it stands in words what there is to say.
function pictureOf(blob) {
  const url = URL.createObjectURL(blob);
  const image = element("img", { src: url, alt: "", width: 96, height: 96 });
  image.addEventListener("load", () => URL.revokeObjectURL(url), { once: true });
  return image;
}

// Take files, each of which belongs to a class.
function add(pairs) {
  for (const [its, file] of pairs) its.examples.push({ file });
  for (const its of classes) drawClass(its);
  compute();
}

// Compute the features of all images that have none: new ones, and those that an earlier network could not do.
async function compute() {
  const left = classes.flatMap((its) => its.examples.filter(({ begun }) => !begun).map((example) => [its, example]));
  if (!left.length) return;
  for (const [, example] of left) example.begun = true;
  const chosen = network;
  find("problems").replaceChildren();
  progress.more(left.length, `Fetching ${chosen.label}`);
  forget();
  try {
    await load();
  } catch (error) {
    for (const [, example] of left) example.begun = false;
    tell(`${chosen.label} cannot be loaded: ${error.message}`);
    progress.done(left.length);
    return;
  }
  for (const [its, example] of left) {
    const wanted = () => its.examples.includes(example);
    if (wanted()) {
      try {
        const { values, picture } = await ask("features", { file: example.file });
        if (wanted()) {
          example.values = values;
          if (!example.picture && its.pictures.childElementCount < SHOWN) its.pictures.append((example.picture = pictureOf(picture)));
        }
      } catch (error) {
        if (wanted()) {
          its.examples = its.examples.filter((other) => other !== example);
          example.picture?.remove();
          drawClass(its);
          tell(`${example.file.name}: ${error.message}.`);
        }
      }
    }
    progress.done(1);
  }
}

const progress = {
  all: 0,
  finished: 0,
  more(number, words) {
    this.all += number;
    this.show(words);
  },
  done(number) {
    this.finished += number;
    if (this.finished >= this.all) this.all = this.finished = 0;
    this.show();
  },
  show(words) {
    find("progress-row").hidden = this.all === 0;
    Object.assign(find("progress"), { max: this.all || 1, value: this.finished });
    find("progress-text").textContent = words && !this.finished ? `${words} …` : `${this.finished} of ${this.all} images`;
    if (this.all === 0) refresh();
  },
};

function clear() {
  classes.forEach(discard);
  classes = [];
  find("problems").replaceChildren();
  addClass();
  addClass();
  forget();
}

function addNamed(files) {
  const given = classes.some(({ examples }) => examples.length);
  if (given && !confirm("Replace the classes and images on this page?")) return;
  classes.forEach(discard);
  classes = [];
  const byName = Map.groupBy(files, ([name]) => name);
  const names = [...byName.keys()].sort();
  for (const name of names.slice(0, MOST_CLASSES)) addClass(name);
  add(classes.flatMap((its) => byName.get(its.name).map(([, file]) => [its, file])));
  if (names.length > MOST_CLASSES) tell(`Only the first ${MOST_CLASSES} of ${names.length} folders were taken.`);
}

function addFolder() {
  const files = [...find("folder").files].filter(({ name }) => !name.startsWith("."));
  const named = files.map((file) => [file.webkitRelativePath.split("/").at(-2), file]);
  find("folder").value = "";
  if (named.length) addNamed(named);
}

async function addExample(name, folders) {
  const mine = (opening = {});
  try {
    const files = await Promise.all(
      Object.entries(folders).flatMap(([label, paths]) =>
        paths.map(async (path) => {
          const answer = await fetch(new URL(path, import.meta.url));
          if (!answer.ok) throw new Error(`${path} is not there (${answer.status})`);
          return [label, new File([await answer.blob()], path.split("/").at(-1))];
        }),
      ),
    );
    if (mine === opening) addNamed(files);
  } catch (error) {
    tell(`The example ${name} cannot be loaded: ${error.message}`);
  }
}

// --- The camera: a picture that it takes is a file like any other

async function switchCamera() {
  const video = find("camera");
  if (video.srcObject) {
    for (const track of video.srcObject.getTracks()) track.stop();
    video.srcObject = null;
  } else {
    find("camera-switch").disabled = true; // while the browser asks: a second click would open a second stream
    try {
      if (!navigator.mediaDevices) throw new Error("browsers allow it only on pages served over https or from this computer");
      video.srcObject = await navigator.mediaDevices.getUserMedia({ video: true });
      await video.play();
    } catch (error) {
      tell(`The camera cannot be used: ${error.message}.`);
    }
    find("camera-switch").disabled = false;
  }
  const off = !video.srcObject;
  video.hidden = off;
  find("camera-switch").textContent = off ? "Use the camera" : "Turn the camera off";
  for (const button of document.querySelectorAll(".snap")) button.hidden = off;
}

let taken = 0;
async function pictureFromCamera() {
  const video = find("camera");
  const canvas = new OffscreenCanvas(video.videoWidth, video.videoHeight);
  canvas.getContext("2d").drawImage(video, 0, 0);
  return new File([await canvas.convertToBlob()], `picture ${++taken}.png`);
}

// --- 3. Training

// Whether each class has a name of its own; two alike would be one in Python.
function namedApart(used) {
  find("problems").replaceChildren();
  const apart = new Set(used.map(({ name }) => name)).size === used.length;
  if (!apart) tell("Two classes have the same name. Give each a name of its own.");
  return apart;
}

async function train() {
  const used = classes.filter((its) => computed(its).length >= 2);
  const left_out = classes.filter((its) => its.examples.length && !used.includes(its));
  if (!namedApart(used)) return;
  const state = { classes: used, network };
  const mine = (training = {});
  find("train").disabled = true;
  find("result").replaceChildren(element("p", { textContent: "Training …" }));
  const found = await ask("train", { examples: used.map((its) => computed(its).map(({ values }) => values)) });
  if (mine !== training) return; // the images have changed meanwhile
  trained = { head: found.head, ...state };
  model = undefined;
  find("model-text").textContent = "";
  find("answers").replaceChildren();
  const [low, high] = interval(found.right, found.total);
  find("result").replaceChildren(
    element(
      "p",
      { className: "figure" },
      element("strong", { textContent: `${percent(found.right / found.total)} right` }),
      ` on held-out images: ${found.right} of ${found.total}. The 95 % interval goes from ${percent(low)} to ${percent(high)}.`,
    ),
    element("p", { textContent: `Trained on ${counted(found.trained, "image")} of ${counted(used.length, "class")} in ${found.seconds.toFixed(1)} s.` }),
    ...(found.total < 30 ? [element("p", { textContent: "So few held-out images say little: the interval is wide. More images make it narrower." })] : []),
    ...left_out.map(({ name }) => element("p", { textContent: `${name} has only one image and was left out.` })),
    ...curve(found.curve, used.length),
  );
  refresh();
}

// How many images of each class would have done: a drawing, and the same as a table.
function curve(points, number) {
  const heading = element("h3", { textContent: "How many images does it need?" });
  const rows = points.map(({ count, low, mean, high, all }) =>
    element(
      "tr",
      {},
      element("td", { textContent: all ? `all (${count} or more)` : count }),
      element("td", { textContent: percent(mean) }),
      element("td", { textContent: all ? "" : `${percent(low)} to ${percent(high)}` }),
    ),
  );
  const head = ["images of each class", "right, on average", "lowest to highest of five draws"];
  const table = element(
    "table",
    { className: "docutils" },
    element("thead", {}, element("tr", {}, ...head.map((textContent) => element("th", { textContent, scope: "col" })))),
    element("tbody", {}, ...rows),
  );
  return [heading, drawing(points, number), table];
}

function drawing(points, number) {
  const [width, height, left, bottom] = [480, 200, 45, 35];
  const steps = Math.max(points.length - 1, 1);
  const x = (i) => left + 20 + (i * (width - left - 40)) / steps;
  const y = (share) => 10 + (1 - share) * (height - 10 - bottom);
  const chance = 1 / number;
  const lines = [0, 0.5, 1].map((share) => `<line x1="${left}" x2="${width}" y1="${y(share)}" y2="${y(share)}" class="grid"/><text x="${left - 6}" y="${y(share) + 4}" text-anchor="end">${percent(share)}</text>`);
  const marks = points.map(({ count, low, mean, high, all }, i) => `<line x1="${x(i)}" x2="${x(i)}" y1="${y(low)}" y2="${y(high)}" class="range"/><circle cx="${x(i)}" cy="${y(mean)}" r="5"/><text x="${x(i)}" y="${height - 16}" text-anchor="middle">${all ? "all" : count}</text>`);
  const way = points.map(({ mean }, i) => `${x(i)},${y(mean)}`).join(" ");
  const figure = element("figure", { className: "curve" });
  figure.innerHTML = `<svg viewBox="0 0 ${width} ${height}" aria-hidden="true">${lines.join("")}<line x1="${left}" x2="${width}" y1="${y(chance)}" y2="${y(chance)}" class="chance"/><text x="${width}" y="${y(chance) - 5}" text-anchor="end">guessing</text><polyline points="${way}"/>${marks.join("")}<text x="${(width + left) / 2}" y="${height - 1}" text-anchor="middle">images of each class</text></svg>`;
  return figure;
}

// --- 4. Answers

async function answer(files) {
  const list = find("answers");
  const mine = (asked = files);
  list.replaceChildren();
  for (const file of files) {
    try {
      const [said, picture] = model ? await modelSays(file) : await probeSays(file);
      if (mine !== asked) return; // other images have been asked about since
      const bars = said
        .sort((a, b) => b[1] - a[1])
        .slice(0, MOST_CLASSES)
        .map(([name, p]) => element("li", {}, element("span", { textContent: `${name} ${percent(p)}` }), element("meter", { value: p, ariaLabel: name })));
      list.append(element("li", {}, pictureOf(picture), element("div", {}, element("strong", { textContent: `${file.name}: ${said[0][0]}` }), element("ol", {}, ...bars))));
    } catch (error) {
      if (mine === asked) list.append(element("li", { textContent: `${file.name}: ${error.message}.` }));
    }
  }
}

async function probeSays(file) {
  const { head, classes: used } = trained;
  await load();
  const { values, picture } = await ask("features", { file });
  const p = predict(head, values);
  return [used.map(({ name }, k) => [name, p[k]]), picture];
}

async function modelSays(file) {
  const names = model;
  const { probabilities, picture } = await ask("answer", { file });
  return [names.map((name, k) => [name, probabilities[k]]), picture];
}

// --- 5. The file for Python, and a model from Python

function download() {
  const { head, classes: used, network: its } = trained;
  if (!namedApart(used)) return;
  const names = used.map(({ name }) => name);
  const { size, resize, mean, std, interpolation } = its.preprocessing;
  const weight = new Float32Array(names.length * its.channels);
  head.weight.forEach((row, k) => weight.set(row, k * its.channels));
  const tensors = {
    [`${its.head}.weight`]: { shape: [names.length, its.channels], values: weight },
    [`${its.head}.bias`]: { shape: [names.length], values: head.bias },
  };
  const file = safetensors(tensors, {
    backbone: its.weights,
    architecture: its.architecture,
    class_names: JSON.stringify(names),
    size: String(size),
    resize: String(resize),
    interpolation,
    normalisation: JSON.stringify({ mean, std }),
    transform_input: "false",
  });
  const link = element("a", { href: URL.createObjectURL(file), download: "head.safetensors" });
  link.click();
  URL.revokeObjectURL(link.href);
}

async function openModel(file) {
  if (!file || find("model").disabled) return;
  const text = find("model-text");
  text.textContent = `Opening ${file.name} …`;
  try {
    loaded = model = undefined; // the worker holds one network
    const names = await ask("model", { file });
    if (loaded) return; // images were given meanwhile, and another network with them
    model = names;
    text.textContent = `${file.name} tells ${counted(names.length, "class")} apart: ${names.slice(0, 10).join(", ")}${names.length > 10 ? " …" : ""}. Ask it in step 4.`;
    find("answers").replaceChildren();
  } catch (error) {
    text.textContent = `${file.name} cannot be used: ${error.message}.`;
  }
  find("model").value = "";
  refresh();
}

// --- The start

async function start() {
  const about = await (await fetch(new URL("./lab.json", import.meta.url))).json();
  networks = about.networks;
  network = networks[0];
  drawNetworks();
  for (const [name, folders] of Object.entries(about.examples)) {
    const button = element("button", { type: "button", textContent: name });
    button.addEventListener("click", () => addExample(name, folders));
    find("examples").append(button);
  }
  find("add-class").addEventListener("click", () => addClass().box.querySelector("input").focus());
  find("clear").addEventListener("click", clear);
  find("folder").addEventListener("change", addFolder);
  find("camera-switch").addEventListener("click", switchCamera);
  find("ask-camera").addEventListener("click", async () => answer([await pictureFromCamera()]));
  find("train").addEventListener("click", train);
  find("ask").addEventListener("change", async () => {
    const files = [...find("ask").files];
    find("ask").value = "";
    await answer(files);
  });
  find("download").addEventListener("click", download);
  find("model").addEventListener("change", () => openModel(find("model").files[0]));
  takeDrops(find("model").parentElement, ([file]) => openModel(file));
  clear();
}

start();
