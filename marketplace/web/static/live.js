// Keeps the page up to date. The server says by one word whether anything changed; only then is
// the page fetched again and its content swapped. Two seconds: a round takes seconds at least, and
// an answer to the question costs a few milliseconds.
"use strict";

const POLL_MS = 2000;
const LOST_AFTER = 3;
let version = null;
let failures = 0;

function ages() {
  const now = Date.now() / 1000;
  for (const time of document.querySelectorAll("time[data-unix]")) {
    const seconds = Math.max(0, Math.round(now - Number(time.dataset.unix)));
    const [size, unit] =
      seconds < 60 ? [1, "s"] : seconds < 3600 ? [60, "min"] : seconds < 172800 ? [3600, "h"] : [86400, "d"];
    time.textContent = `${Math.floor(seconds / size)} ${unit} ago`;
  }
}

function busy() {
  const focus = document.activeElement;
  const writing = focus && ["INPUT", "TEXTAREA", "SELECT"].includes(focus.tagName);
  // What was filled in, or is shown only once, must not be swapped away.
  const kept = document.querySelector("form[data-touched], [data-keep]");
  return writing || kept || document.querySelector("button[aria-busy=true]") || String(getSelection()) !== "";
}

async function refresh() {
  const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
  if (!answer.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const scrolled = [...document.querySelectorAll(".scroll")].map((each) => each.scrollLeft);
  document.querySelector("main").replaceChildren(...page.querySelector("main").childNodes);
  document.querySelectorAll(".scroll").forEach((each, n) => (each.scrollLeft = scrolled[n] ?? 0));
  ages();
  document.dispatchEvent(new Event("swapped"));
}

async function poll() {
  if (document.hidden || busy()) return;
  try {
    const answer = await fetch("/api/pulse");
    if (!answer.ok) throw new Error(answer.status);
    const next = (await answer.json()).version;
    if (version !== null && next !== version) await refresh();
    version = next;
    failures = 0;
  } catch {
    failures += 1;
  }
  document.getElementById("stale").hidden = failures < LOST_AFTER;
}

ages();
setInterval(ages, 1000);
// Visitors may see these two, and nothing that changes.
if (!/^\/(sign-in$|join\/)/.test(location.pathname)) {
  poll();
  setInterval(poll, POLL_MS);
}

document.addEventListener("input", (event) => {
  const form = event.target.closest("form");
  if (form) form.dataset.touched = "";
});

document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-copy]");
  if (!button) return;
  await navigator.clipboard.writeText(button.dataset.copy);
  const label = button.textContent;
  button.textContent = "Copied";
  setTimeout(() => (button.textContent = label), 1500);
});

document.addEventListener("click", async (event) => {
  if (!event.target.closest("[data-do=sign-out]")) return;
  await fetch("/api/session", { method: "DELETE" });
  location.assign("/sign-in");
});
