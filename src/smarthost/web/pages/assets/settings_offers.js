// Offers the settings that are known for what was typed, without leaving the page. It asks the API as
// the address or the server is typed, not more often than the API wants, and puts nothing into a field
// by itself.

const form = document.getElementById("settings");
const box = document.getElementById("offers");
const list = box.querySelector(".offers");
const pattern = document.getElementById("offer");
const words = document.getElementById("finding-words").content;
const told = box.querySelector("[data-finding]");
const API = "/api/2.0/smtpsettings/smtp/suggest";
const PAUSE = 700; // ms without a key, after which an address counts as typed
const PATIENCE = 15000; // ms; the API answers within 8 seconds
const MINUTE = 60;

let asked = "";
let asking = null;
let pause = 0;
let notBefore = 0;

function say(word) {
  told.textContent = word ? words.querySelector(`[data-word=${word}]`).textContent : "";
}

// A text of the service's own with its https URLs as links.
function linked(text) {
  return text.split(/(https:\/\/[^\s<>"']*[^\s<>"'.,;:!?)])/).map((part, at) => {
    if (at % 2 === 0) return part;
    const link = document.createElement("a");
    link.href = part;
    link.rel = "noreferrer noopener";
    link.target = "_blank";
    link.textContent = part;
    return link;
  });
}

function drawn(offer) {
  const item = pattern.content.cloneNode(true).querySelector("li");
  for (const part of item.querySelectorAll("[data-if]")) {
    const { if: name, is: wanted } = part.dataset;
    if (wanted === undefined ? !offer[name] : offer[name] !== wanted) part.remove();
  }
  for (const slot of item.querySelectorAll("[data-slot]")) {
    slot.replaceChildren(...linked(String(offer[slot.dataset.slot] ?? "")));
  }
  item.querySelector("[data-take]").addEventListener("click", () => take(offer));
  return item;
}

function show(offers, found) {
  const best = new Map();
  for (const offer of offers) if (!best.has(offer.host)) best.set(offer.host, offer);
  list.replaceChildren(...Array.from(best.values(), drawn));
  list.hidden = best.size === 0;
  say(best.size === 0 ? found : "found");
}

function set(name, value) {
  form.elements.namedItem(name).value = value;
}

function take(offer) {
  set("host", offer.host);
  set("port", String(offer.port));
  set("enableSSL", String(offer.enableSSL));
  for (const name of ["enableAuth", "useNtlm"]) form.elements.namedItem(name).checked = offer[name];
  if (offer.credentialsUserName) set("credentialsUserName", offer.credentialsUserName);
  form.dispatchEvent(new Event("input", { bubbles: true }));
  list.hidden = true;
  say("taken");
  const next = ["credentialsUserName", "credentialsUserPassword"].find((name) => !form.elements.namedItem(name).value);
  form.elements.namedItem(offer.enableAuth && next ? next : "host").focus();
}

// `wanted`: somebody has pressed the button, and hears also why there is nothing.
async function ask(address, wanted) {
  if (!wanted && (address === asked || !/^[^\s@]+@[^\s@]+\.[^\s@]{2,}$/.test(address))) return;
  if (Date.now() < notBefore) {
    if (wanted) say("later");
    return;
  }
  asking?.abort();
  const own = (asking = new AbortController());
  const patience = setTimeout(() => own.abort(), PATIENCE);
  asked = address;
  say("asking");
  try {
    const answer = await fetch(`${API}?${new URLSearchParams({ email: address })}`, { signal: own.signal });
    if (answer.status === 429) notBefore = Date.now() + 1000 * (Number(answer.headers.get("Retry-After")) || MINUTE);
    const said = await answer.json();
    if (own !== asking) return;
    if (answer.ok) show(said.response, wanted ? "none" : "");
    else if (answer.status === 429) say("later");
    else if (answer.status === 400 && wanted) told.textContent = said.error.message;
    else say(wanted ? "failed" : "");
  } catch {
    if (own === asking) say(wanted ? "failed" : "");
  } finally {
    clearTimeout(patience);
  }
}

const address = form.elements.namedItem("senderAddress");
asked = address.value.trim();
address.addEventListener("input", () => {
  clearTimeout(pause);
  pause = setTimeout(() => ask(address.value.trim(), false), PAUSE);
});
address.addEventListener("change", () => {
  clearTimeout(pause);
  ask(address.value.trim(), false);
});

const find = box.querySelector("[data-find]");
find.type = "button";
find.addEventListener("click", () => ask(address.value.trim(), true));
