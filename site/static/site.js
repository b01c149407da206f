// What every page does once it is there. Without JavaScript, all text and pictures are there as well.
"use strict";

// Whatever scrolls sideways can be reached, and scrolled, with the keyboard.
function letScrollersTakeFocus() {
  for (const element of document.querySelectorAll("article pre, article .table-wrapper")) {
    const scrolls = element.scrollWidth > element.clientWidth;
    if (scrolls) element.tabIndex = 0;
    else element.removeAttribute("tabindex");
  }
}

// An explorer: a picture and a sentence that follow some controls. Each state was rendered when the site was built.
function wakeExplorer(figure) {
  const data = figure.querySelector("script");
  if (!data) return;
  const { controls, states } = JSON.parse(data.textContent);
  const picture = figure.querySelector("img");
  const caption = figure.querySelector("figcaption");
  const inputs = controls.map(({ kind, values, start }) => {
    const input = document.createElement(kind === "choice" ? "select" : "input");
    if (kind === "choice") {
      input.append(...values.map((value) => new Option(value)));
      input.selectedIndex = start;
    } else if (kind === "tick") {
      input.type = "checkbox";
      input.checked = start === 1;
    } else {
      input.type = "range";
      [input.min, input.max, input.value] = [0, values.length - 1, start];
    }
    return input;
  });
  const position = (input) =>
    input.type === "checkbox" ? Number(input.checked) : input.type === "range" ? Number(input.value) : input.selectedIndex;
  const place = (input, index) => {
    if (input.type === "checkbox") input.checked = index === 1;
    else if (input.type === "range") input.value = index;
    else input.selectedIndex = index;
  };

  const panel = document.createElement("div");
  panel.className = "controls";
  const readings = inputs.map((input, i) => {
    const label = document.createElement("label");
    const reading = document.createElement("output");
    label.textContent = controls[i].name;
    input.id = `${figure.dataset.folder.split("/").at(-2)}-${i}`;
    label.htmlFor = input.id;
    panel.append(label, input);
    if (input.type === "range") panel.append(reading);
    return reading;
  });

  function show(moved) {
    let state = states[inputs.map(position).join()];
    if (!state) {
      // Not every combination was rendered: the other controls go back to their start.
      inputs.forEach((input, i) => input !== moved && place(input, controls[i].start));
      state = states[inputs.map(position).join()];
    }
    const [file, sentence, width, height] = state;
    Object.assign(picture, { src: figure.dataset.folder + file, width, height });
    picture.alt = sentence;
    caption.textContent = sentence;
    inputs.forEach((input, i) => {
      const value = controls[i].values[position(input)];
      readings[i].textContent = value;
      if (input.type === "range") input.setAttribute("aria-valuetext", value);
    });
  }

  for (const input of inputs) input.addEventListener("input", () => show(input));
  figure.prepend(panel);
  show();
  caption.setAttribute("aria-live", "polite"); // only now: the first state need not be announced
}

// The service worker keeps what was read, for days without a network. What this page had fetched before the worker was
// there, it fetches once more: from the browser's own cache, as a rule. The promise is kept once that has begun, or after
// two seconds: a page that was reloaded with force stays without the worker.
async function keepWhatWasRead() {
  const { serviceWorker } = navigator;
  if (!serviceWorker || location.protocol === "file:") return;
  const late = new Promise((done) => setTimeout(done, 2000));
  const controlled = new Promise((done) => serviceWorker.addEventListener("controllerchange", done, { once: true }));
  const fetched = () => [location.href, ...performance.getEntriesByType("resource").map(({ name }) => name)];
  const again = () => fetched().forEach((url) => url.startsWith(location.origin) && fetch(url).then((its) => its.blob()));
  if (!serviceWorker.controller) controlled.then(again);
  serviceWorker.register(new URL(`${document.documentElement.dataset.content_root}sw.js`, location));
  if (!serviceWorker.controller) await Promise.race([controlled, late]);
}

window.keeping = keepWhatWasRead();
if (location.protocol === "file:") document.querySelectorAll(".only-as-file").forEach((note) => (note.hidden = false));
letScrollersTakeFocus();
addEventListener("resize", letScrollersTakeFocus);
document.querySelectorAll("figure.explorer").forEach(wakeExplorer);
