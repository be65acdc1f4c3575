// Offers the settings that are known for an address or a server, while somebody types it. It asks the
// API, not more often than that wants, and fills nothing in that nobody has chosen.

const form = document.getElementById("settings");
const pattern = document.getElementById("offer").content;
const words = document.getElementById("finding").content;
const API = "/api/2.0/smtpsettings/smtp/suggest";
const PAUSE = 700; // ms without a key, after which something counts as typed
const PATIENCE = 15000; // ms; the API answers within 8 seconds
const MINUTE = 60; // s
const ADDRESS = /^[^\s@]+@[^\s@]+\.[^\s@]{2,}$/;
const HOST = /^[^\s.@]+(\.[^\s.@]+)+\.?$/;

let notBefore = 0;

function field(name) {
  return form.elements.namedItem(name);
}

function typed(name) {
  return field(name).value.trim();
}

// A text of the service's own with its https URLs as links, which open beside the page.
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

function isTyped(offer) {
  return (
    typed("host").toLowerCase() === offer.host &&
    typed("port") === String(offer.port) &&
    field("enableSSL").value === String(offer.enableSSL) &&
    (field("enableAuth").checked || !offer.enableAuth)
  );
}

// The best way to each host. Unless all are `wanted`, none to a host that the form has such a way to.
function worthShowing(offers, wanted) {
  const best = new Map();
  for (const offer of offers) if (!best.has(offer.host)) best.set(offer.host, offer);
  if (!wanted) for (const offer of offers) if (isTyped(offer)) best.delete(offer.host);
  return Array.from(best.values());
}

// One place on the page where offers for one field stand.
class Offers {
  constructor(box) {
    this.box = box;
    this.name = box.dataset.offers;
    this.list = box.querySelector(".offers");
    this.said = box.querySelector("[data-said]");
    this.asked = this.question();
    this.asking = null;
    this.pause = 0;
    const input = field(this.name);
    input.addEventListener("input", () => {
      clearTimeout(this.pause);
      this.pause = setTimeout(() => this.ask(false), PAUSE);
    });
    input.addEventListener("change", () => {
      clearTimeout(this.pause);
      this.ask(false);
    });
    const find = box.querySelector("[data-find]");
    if (!find) return;
    find.type = "button"; // without a script it sends the form
    find.addEventListener("click", () => this.ask(true));
  }

  get ofHost() {
    return this.name === "host";
  }

  question() {
    const query = new URLSearchParams({ email: typed("senderAddress") });
    if (this.ofHost) query.set("host", typed("host"));
    return String(query);
  }

  isWhole() {
    return ADDRESS.test(typed("senderAddress")) && (!this.ofHost || HOST.test(typed("host")));
  }

  say(word) {
    this.said.textContent = word ? words.querySelector(`[data-word=${word}]`).textContent : "";
    this.box.hidden = this.ofHost && !word;
  }

  // `wanted`: somebody has pressed the button, and hears also why there is nothing.
  async ask(wanted) {
    const question = this.question();
    if (!wanted && question === this.asked) return;
    this.asking?.abort();
    this.list.hidden = true;
    this.say("");
    if (!wanted && !this.isWhole()) return;
    if (Date.now() < notBefore) {
      if (wanted) this.say("later");
      return;
    }
    const own = (this.asking = new AbortController());
    const patience = setTimeout(() => own.abort(), PATIENCE);
    this.asked = question;
    if (!this.ofHost) this.say("asking");
    try {
      const answer = await fetch(`${API}?${question}`, { signal: own.signal });
      const told = await answer.json();
      if (own === this.asking) this.answered(answer, told, wanted);
    } catch {
      if (own === this.asking) this.say(wanted ? "failed" : "");
    } finally {
      clearTimeout(patience);
    }
  }

  answered(answer, told, wanted) {
    if (answer.status === 429) {
      notBefore = Date.now() + 1000 * (Number(answer.headers.get("Retry-After")) || MINUTE);
      this.say(wanted ? "later" : "");
    } else if (answer.ok) this.show(told.response, wanted);
    else if (answer.status === 400 && wanted) this.said.textContent = told.error.message;
    else this.say(wanted ? "failed" : "");
  }

  show(offers, wanted) {
    const shown = worthShowing(offers, wanted);
    this.list.replaceChildren(...shown.map((offer) => this.drawn(offer)));
    this.list.hidden = shown.length === 0;
    if (shown.length) this.say(this.ofHost ? "other" : "found");
    else this.say(wanted ? "none" : "");
  }

  drawn(offer) {
    const item = pattern.cloneNode(true).querySelector("li");
    for (const part of item.querySelectorAll("[data-if]")) {
      const { if: name, is: wanted } = part.dataset;
      if (wanted === undefined ? !offer[name] : offer[name] !== wanted) part.remove();
    }
    for (const slot of item.querySelectorAll("[data-slot]")) {
      slot.replaceChildren(...linked(String(offer[slot.dataset.slot] ?? "")));
    }
    item.querySelector("[data-take]").addEventListener("click", () => this.take(offer));
    return item;
  }

  take(offer) {
    field("host").value = offer.host;
    field("port").value = String(offer.port);
    field("enableSSL").value = String(offer.enableSSL);
    field("enableAuth").checked = offer.enableAuth;
    field("useNtlm").checked = offer.useNtlm;
    const user = field("credentialsUserName");
    if (offer.credentialsUserName && !(this.ofHost && user.value)) user.value = offer.credentialsUserName;
    form.dispatchEvent(new Event("input", { bubbles: true }));
    this.list.hidden = true;
    this.say(this.ofHost ? "set" : "taken");
    const next = [user, field("credentialsUserPassword")].find((one) => !one.value);
    (offer.enableAuth && next ? next : field("host")).focus();
  }
}

for (const box of document.querySelectorAll("[data-offers]")) new Offers(box);
