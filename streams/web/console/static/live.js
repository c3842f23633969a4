// Keeps a page's live region up to date; without this file the page is as it was when it was asked for.
const region = document.querySelector("[data-live]");
const toggle = document.querySelector("[data-live-toggle]");
const KEY = "precompute-paused";

let source = null;

function start() {
  source = new EventSource(region.dataset.live);
  source.onmessage = (event) => {
    // Whoever is in a table with the keyboard must not lose the place.
    if (!region.contains(document.activeElement)) {
      region.innerHTML = event.data;
    }
  };
}

function stop() {
  source?.close();
  source = null;
}

function show(paused) {
  toggle.textContent = paused ? "Go on live" : "Pause";
  toggle.setAttribute("aria-pressed", String(paused));
}

if (region && toggle) {
  let paused = sessionStorage.getItem(KEY) === "yes";
  toggle.hidden = false;
  show(paused);
  if (!paused) {
    start();
  }
  toggle.addEventListener("click", () => {
    paused = !paused;
    sessionStorage.setItem(KEY, paused ? "yes" : "no");
    show(paused);
    if (paused) {
      stop();
    } else {
      start();
    }
  });
  window.addEventListener("pagehide", stop);
}
