// Sends one image to the server that this page came from, and shows what it answers.
"use strict";

const SHOWN = 10;  // classes
const element = (id) => document.getElementById(id);
let maxUpload = Infinity;  // bytes
let newest = 0;  // an answer that comes late must not replace that of a newer image

function say(text, wrong = false) {
  element("status").textContent = text;
  element("status").classList.toggle("wrong", wrong);
}

async function answerOf(response) {
  try {
    return await response.json();
  } catch {
    return {error: `The server answered ${response.status}; try again.`};
  }
}

async function ask(file) {
  const number = ++newest;
  element("result").hidden = true;
  if (file.size > maxUpload) return say(`The file is larger than ${maxUpload / 1e6} MB; scale the image down.`, true);
  say("Looking …");
  let answer;
  try {
    answer = await answerOf(await fetch("predict", {method: "POST", body: file}));
  } catch {
    answer = {error: "The server cannot be reached. Is it still running?"};
  }
  if (number !== newest) return;
  if (answer.error) return say(answer.error, true);
  show(answer);
}

function show(answer) {
  const [name, probability] = answer.probabilities[0];
  const percent = (value) => `${(100 * value).toFixed(1)} %`;
  element("answer").textContent = answer.sure ? name : "Not sure";
  element("picture").src = answer.picture;
  element("picture").alt = answer.mapped
    ? `The part of the image that the model saw; bright where it speaks for ${name}`
    : "The image; the model saw a square in its middle";
  element("caption").textContent = element("picture").alt + ".";
  element("probabilities").replaceChildren(...answer.probabilities.slice(0, SHOWN).map(([label, value]) => {
    const row = document.createElement("tr");
    const head = row.appendChild(document.createElement("th"));
    head.scope = "row";
    head.textContent = label;
    const track = row.appendChild(document.createElement("td")).appendChild(document.createElement("div"));
    track.className = "track";
    track.appendChild(document.createElement("div")).style.width = percent(value).replace(" ", "");
    row.appendChild(document.createElement("td")).textContent = percent(value);
    return row;
  }));
  element("result").hidden = false;
  say(answer.sure ? `${name}, ${percent(probability)}` : `Not sure: the best guess, ${name}, has only ${percent(probability)}.`);
}

const drop = element("drop");
element("file").addEventListener("change", (event) => event.target.files[0] && ask(event.target.files[0]));
for (const kind of ["dragover", "dragleave", "drop"]) {
  document.addEventListener(kind, (event) => {
    event.preventDefault();  // a browser would leave the page to show the file
    drop.classList.toggle("over", kind === "dragover");
    if (kind === "drop" && event.dataTransfer.files[0]) ask(event.dataTransfer.files[0]);
  });
}
document.addEventListener("paste", (event) => event.clipboardData.files[0] && ask(event.clipboardData.files[0]));

fetch("model").then(answerOf).then((model) => {
  if (model.error) return say(model.error, true);
  maxUpload = model.max_upload;
  const names = model.class_names.slice(0, SHOWN);
  if (model.class_names.length > SHOWN) {
    names.push(`${model.class_names.length - SHOWN} others`);
    document.querySelector("table caption").textContent = "The most probable classes";
  }
  document.title = names.join(", ");
  element("classes").textContent = names.join(" · ");
});
