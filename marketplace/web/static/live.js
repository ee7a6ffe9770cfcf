// Keeps the page up to date. The server sends a word whenever anything changed (server-sent
// events); then the page is fetched again and its content swapped, at most twice a second.
"use strict";

const SETTLE_MS = 500;
const LOST_AFTER_MS = 6000;
const DAY = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });
const MOMENT = new Intl.DateTimeFormat(undefined, {
  year: "numeric", month: "short", day: "numeric", hour: "numeric", minute: "2-digit", timeZoneName: "short",
});
let due = false;

function ages() {
  const now = Date.now() / 1000;
  for (const time of document.querySelectorAll("time[data-unix]")) {
    const seconds = Math.max(0, Math.round(now - Number(time.dataset.unix)));
    const [size, unit] =
      seconds < 60 ? [1, "s"] : seconds < 3600 ? [60, "min"] : seconds < 172800 ? [3600, "h"] : [86400, "d"];
    time.textContent = `${Math.floor(seconds / size)} ${unit} ago`;
    time.title = MOMENT.format(new Date(Number(time.dataset.unix) * 1000));
  }
  // The server writes days in UTC; the reader's own zone is known here only.
  for (const time of document.querySelectorAll("time[data-day]")) {
    time.textContent = DAY.format(new Date(Number(time.dataset.day) * 1000));
  }
  for (const time of document.querySelectorAll("time[data-moment]")) {
    time.textContent = MOMENT.format(new Date(time.dateTime));
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
  const scrolled = [...document.querySelectorAll(".scroll")].map((each) => [each.scrollLeft, each.scrollTop]);
  document.querySelector("main").replaceChildren(...page.querySelector("main").childNodes);
  document.querySelectorAll(".scroll").forEach((each, n) => each.scrollTo(...(scrolled[n] ?? [0, 0])));
  ages();
  document.dispatchEvent(new Event("swapped"));
}

// Not while somebody writes, marks text, signs, or looks elsewhere: then as soon as he is done.
async function catchUp() {
  if (!due || document.hidden || busy()) return;
  due = false;
  try {
    await refresh();
  } catch {
    due = true;
  }
}

let source = null;
let lost = null;
let known = null; // the last word of the server

function listen() {
  if (source || document.hidden) return;
  const stale = document.getElementById("stale");
  source = new EventSource("/api/live");
  source.addEventListener("changed", (event) => {
    due ||= known !== null && known !== event.data;
    known = event.data;
    document.dispatchEvent(new Event("changed"));
  });
  source.addEventListener("open", () => {
    clearTimeout(lost);
    lost = null;
    stale.hidden = true;
  });
  // The browser tries again by itself; a restart of the marketplace is no news.
  source.addEventListener("error", () => {
    lost ??= setTimeout(() => (stale.hidden = false), LOST_AFTER_MS);
    known ??= "";
    if (source.readyState !== EventSource.CLOSED) return;
    source = null;
    setTimeout(listen, LOST_AFTER_MS);
  });
}

// Browsers have six connections to a place, for all tabs together: who is not looked at needs none.
function leave() {
  source?.close();
  source = null;
  clearTimeout(lost);
  lost = null;
}

ages();
setInterval(ages, 1000);
// Visitors may see these two, and nothing that changes.
if (!/^\/(sign-in$|join\/)/.test(location.pathname)) {
  listen();
  setInterval(catchUp, SETTLE_MS);
  document.addEventListener("visibilitychange", () => (document.hidden ? leave() : listen()));
}

document.addEventListener("outdated", () => (due = true));
document.addEventListener("input", (event) => {
  const form = event.target.closest("form");
  if (form) form.dataset.touched = "";
});

// Browsers lend their clipboard to pages that came by HTTPS only, or from this machine.
async function copy(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const area = document.createElement("textarea");
  area.value = text;
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-copy]");
  if (!button) return;
  await copy(button.dataset.copy);
  const label = button.textContent;
  button.textContent = "Copied";
  setTimeout(() => (button.textContent = label), 1500);
});

document.addEventListener("click", async (event) => {
  if (!event.target.closest("[data-do=sign-out]")) return;
  await fetch("/api/session", { method: "DELETE" });
  location.assign("/sign-in");
});
