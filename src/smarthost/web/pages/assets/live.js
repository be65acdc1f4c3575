// Keeps a page of mail as it is now: asks for the same page again and takes over what has changed,
// in the parts marked `data-live`. What has not changed is left alone, and with it focus, selection
// and place; while somebody marks text there, it waits.

const EVERY = 3000; // milliseconds
const LONGEST = 60000;

const box = document.getElementById("live");
const button = box?.querySelector("input");
const said = box?.querySelector("[role=status]");
let timer = 0;
let wait = EVERY;
let asking = false;

function say(word) {
  if (said.textContent !== word) said.textContent = word;
}

// What scripts and readers have put in: it is not the server's.
const KEPT = { DETAILS: ["open"], TIME: ["title", "data-local"], text: ["data-local"] };

function takeAttributes(old, fresh) {
  const kept = KEPT[old.nodeName] ?? [];
  for (const { name, value } of fresh.attributes) {
    if (!kept.includes(name) && old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  for (const { name } of [...old.attributes]) {
    if (!kept.includes(name) && !fresh.hasAttribute(name)) old.removeAttribute(name);
  }
}

const momentOf = (node) => node.getAttribute?.("datetime") ?? node.getAttribute?.("data-time");
// An element is known by its id, a row by what it links to.
const keyOf = (node) => node.id || (node.nodeName === "TR" && node.querySelector("a")?.pathname) || "";
const alike = (old, fresh) => old?.nodeName === fresh.nodeName && keyOf(old) === keyOf(fresh);

// Makes `old` like `fresh`, element by element.
function become(old, fresh) {
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data;
    return;
  }
  const moment = momentOf(fresh);
  if (moment && moment === momentOf(old)) return takeAttributes(old, fresh);
  if (moment) {
    old.replaceWith(document.importNode(fresh, true));
    return;
  }
  takeAttributes(old, fresh);
  const keys = new Set([...fresh.children].map(keyOf));
  for (const child of [...old.children]) if (keyOf(child) && !keys.has(keyOf(child))) child.remove();
  let at = old.firstChild;
  for (const node of [...fresh.childNodes]) {
    if (alike(at, node)) {
      const next = at.nextSibling;
      become(at, node);
      at = next;
    } else {
      old.insertBefore(document.importNode(node, true), at);
    }
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}

function isMarked(part) {
  const selection = document.getSelection();
  return Boolean(selection && !selection.isCollapsed && selection.containsNode(part, true));
}

function take(fresh) {
  const focused = document.activeElement;
  for (const part of document.querySelectorAll("[data-live]")) {
    const other = fresh.getElementById(part.id);
    if (!other || isMarked(part)) continue;
    become(part, other);
    part.dispatchEvent(new Event("smarthost:changed", { bubbles: true }));
  }
  // What had the focus is gone: the reader goes on where the page begins.
  if (focused && !focused.isConnected) document.getElementById("main").focus({ preventScroll: true });
}

function stop(word) {
  clearTimeout(timer);
  timer = 0;
  say(word);
}

async function ask() {
  asking = true;
  try {
    const answer = await fetch(location.href, { redirect: "manual", headers: { Accept: "text/html" } });
    if (answer.type === "opaqueredirect" || answer.status === 401) {
      button.disabled = true;
      button.checked = false;
      return stop(box.dataset.ended);
    }
    if (!answer.ok) {
      wait = Math.min(Math.max(wait * 2, 1000 * (Number(answer.headers.get("Retry-After")) || 0)), LONGEST);
      say(box.dataset.away);
    } else {
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      if (!button.checked) return;
      take(fresh);
      wait = EVERY;
      say("");
      // What has ended does not change any more.
      if (!fresh.getElementById("live")) {
        box.hidden = true;
        return stop("");
      }
    }
  } catch {
    wait = Math.min(wait * 2, LONGEST);
    say(box.dataset.away);
  } finally {
    asking = false;
  }
  schedule();
}

function schedule() {
  clearTimeout(timer);
  if (button.checked && !document.hidden) timer = setTimeout(ask, wait);
}

if (box) {
  box.hidden = false;
  button.addEventListener("change", () => {
    wait = EVERY;
    if (!button.checked) stop(box.dataset.paused);
    else if (!asking) ask();
  });
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && button.checked && !asking && !box.hidden) ask();
    else schedule();
  });
  // A page that comes back out of the browser's memory is as old as it was left.
  addEventListener("pageshow", (event) => {
    if (event.persisted && button.checked && !asking && !box.hidden) ask();
  });
  schedule();
}
