// Checks what is typed without leaving the page: each step is shown as it begins and ends. It asks the
// API with the session's cookie; closing the connection ends the check.

const form = document.getElementById("settings");
const section = document.getElementById("check");
const said = section.querySelector("[data-said]");
const cancelling = section.querySelector("[data-cancelling]");
const list = section.querySelector(".steps");
const pattern = document.getElementById("check-steps").content;
const parts = import(section.dataset.parts);

const TEXTS = ["host", "port", "senderAddress", "senderDisplayName", "credentialsUserName"];
const BOXES = ["enableSSL", "enableAuth", "useNtlm"];
const PASSWORD = "credentialsUserPassword";
const CONFLICT = 412;

let running = null;
let drawnByServer = false;

function body() {
  const typed = new FormData(form);
  const texts = TEXTS.map((name) => [name, (typed.get(name) ?? "").trim()]);
  const boxes = BOXES.map((name) => [name, typed.get(name) === "true"]);
  return { ...Object.fromEntries([...texts, ...boxes]), [PASSWORD]: typed.get(PASSWORD) ?? "" };
}

function part(row, name) {
  return row.querySelector(`[data-part=${name}]`);
}

function setState({ word }, row, state) {
  row.dataset.state = state;
  part(row, "state").textContent = word(`states.${state}`);
}

function quoted(text) {
  const quote = document.createElement("q");
  quote.textContent = text;
  return quote;
}

function days({ word }, left) {
  const group = left < 0 ? "days_over" : "days_left";
  const count = Math.abs(left);
  return word(`${group}.${count === 1 ? "one" : "other"}`, { count: count.toLocaleString("en") });
}

function validity(tools, { notAfter, daysLeft }) {
  const time = document.createElement("time");
  time.dateTime = time.textContent = notAfter;
  return [time, ` (${days(tools, daysLeft)})`];
}

function listed(values) {
  return values?.filter(Boolean).join(", ");
}

// What a step saw, by the names of the words; `check_shown.py` makes the same of it.
function facts(tools, seen) {
  const { word } = tools;
  const { certificate = {} } = seen;
  const size = seen.sizeLimit / 1e6;
  const short = { minimumFractionDigits: 1, maximumFractionDigits: 1 };
  const replies = [...(seen.reply ? [seen.reply] : []), ...(seen.replies ?? [])];
  return {
    addresses: listed(seen.addresses),
    connected: seen.address,
    banner: seen.banner && [quoted(seen.banner)],
    extensions: listed(seen.extensions),
    largest: seen.sizeLimit && word("megabytes", { count: size.toLocaleString("en", short) }),
    tls: listed([seen.version, seen.cipher]),
    verified: seen.verified === undefined ? "" : word(`truths.${seen.verified}`),
    subject: certificate.subject,
    names: listed(certificate.names),
    issuer: certificate.issuer,
    valid_until: certificate.notAfter && validity(tools, certificate),
    mechanisms: listed(seen.mechanisms),
    mechanism: seen.mechanism,
    sender: seen.sender,
    reason: seen.reason && [quoted(seen.reason)],
    replies: replies.flatMap((reply, at) => [...(at ? [document.createElement("br")] : []), quoted(reply)]),
  };
}

function showFacts(tools, row, seen) {
  const box = part(row, "facts");
  const shown = Object.entries(facts(tools, seen)).filter(([, value]) => value && value.length > 0);
  box.replaceChildren(
    ...shown.map(([name, value]) => {
      const line = document.createElement("div");
      line.appendChild(document.createElement("dt")).textContent = tools.word(`seen.${name}`);
      line.appendChild(document.createElement("dd")).append(...(Array.isArray(value) ? value : [value]));
      return line;
    }),
  );
  box.hidden = shown.length === 0;
  box.dispatchEvent(new CustomEvent("smarthost:changed", { bubbles: true }));
}

function showTime({ word }, row, taken) {
  const count = taken < 9.95 ? taken.toFixed(1) : Math.round(taken).toLocaleString("en");
  part(row, "time").textContent = word("milliseconds", { count });
}

// Rows stand in the order in which their steps begin, and before those that wait.
function showStep(tools, { step, state, milliseconds, seen }) {
  const row = list.querySelector(`[data-step="${CSS.escape(step)}"]`);
  if (!row) return;
  if (row.dataset.state === "waiting") list.querySelector("[data-state=waiting]").before(row);
  setState(tools, row, state);
  if (state === "begin") return;
  if (state !== "skipped") showTime(tools, row, milliseconds);
  showFacts(tools, row, seen);
}

function showProblem(tools, told, kind) {
  const row = list.querySelector(`[data-step="${CSS.escape(told.step)}"]`);
  if (row?.dataset.state === "ok") setState(tools, row, "warning");
  (row ? part(row, "problems") : section).append(tools.explained(told, kind));
}

function leaveRest(tools) {
  for (const row of list.querySelectorAll("[data-state=waiting], [data-state=begin]")) {
    setState(tools, row, "missed");
  }
}

function showResult(tools, { ok, saved, failure, warnings, revision, notice }) {
  leaveRest(tools);
  if (failure) showProblem(tools, failure, "failed");
  for (const warning of warnings) showProblem(tools, warning, "warning");
  if (saved) form.dispatchEvent(new CustomEvent("smarthost:saved", { bubbles: true, detail: { revision } }));
  if (failure) tools.mark(form, Object.fromEntries(failure.fields.map((name) => [name, [failure.title]])));
  const result = ok ? (saved ? "saved" : "works") + (warnings.length > 0 ? "_warned" : "") : "failed";
  const kind = ok ? (warnings.length > 0 ? "warning" : "ok") : "failed";
  const ended = notice ? [" ", tools.word("oauth2_ended")] : [];
  tools.say(said, kind, tools.word(`results.${result}`, { title: failure?.title }), ...ended);
}

function submit(button) {
  drawnByServer = true;
  form.requestSubmit(button);
}

function showRefusal(tools, refusal, button) {
  leaveRest(tools);
  if (refusal.status === CONFLICT) submit(button); // who saved what since, the server draws
  else if (refusal.fields) {
    list.hidden = true;
    const names = Object.keys(refusal.fields);
    tools.mark(form, refusal.fields);
    tools.say(said, "failed", tools.word("results.invalid"), " ", ...tools.linksTo(names));
    document.getElementById(names[0])?.focus();
  } else {
    if (list.querySelectorAll("[data-state=missed]").length === list.children.length) list.hidden = true;
    tools.sayRefused(said, "results", refusal);
  }
}

function begin(tools) {
  tools.unmark(form);
  document.getElementById("done")?.remove();
  document.getElementById("check-title").hidden = false;
  list.replaceChildren(pattern.cloneNode(true));
  list.hidden = cancelling.hidden = false;
  tools.say(said, "info", tools.word("results.running"));
  section.scrollIntoView({ block: "nearest" });
}

// While a check runs nothing can be typed: what it saves is what is shown.
function hold(held) {
  for (const fields of form.querySelectorAll(":scope > fieldset")) fields.inert = held;
  for (const button of form.querySelectorAll("button[formaction='/settings/check']")) {
    button.toggleAttribute("aria-disabled", held);
    if (held) button.setAttribute("aria-disabled", "true");
  }
}

async function follow(tools, answer, button) {
  for await (const { name, data } of tools.readEvents(answer.body)) {
    const value = JSON.parse(data);
    if (name === "step") showStep(tools, value);
    else if (name === "error") return showRefusal(tools, tools.refusalIn(value), button);
    else if (name === "result") return showResult(tools, value);
  }
  throw new TypeError("The stream broke off.");
}

async function check(button) {
  const own = (running = new AbortController());
  const focused = document.activeElement;
  const tools = await parts.catch(() => null);
  if (!tools) return submit(button);
  const request = {
    method: "POST",
    headers: { "Content-Type": "application/json", "If-Match": `"${new FormData(form).get("revision")}"` },
    body: JSON.stringify(body()),
    signal: own.signal,
  };
  begin(tools);
  hold(true);
  if (focused.closest("[inert]")) cancelling.firstElementChild.focus();
  let after = () => {};
  try {
    const query = button.name ? `?${new URLSearchParams({ [button.name]: button.value })}` : "";
    const answer = await fetch(`${tools.API}/check/events${query}`, request);
    if (answer.ok) await follow(tools, answer, button);
    else {
      const refusal = await tools.refusalOf(answer);
      after = () => showRefusal(tools, refusal, button);
    }
  } catch {
    leaveRest(tools);
    tools.say(said, own.signal.aborted ? "info" : "failed", tools.word(`results.${own.signal.aborted ? "cancelled" : "broken"}`));
  } finally {
    const back = cancelling.contains(document.activeElement);
    cancelling.hidden = true;
    hold(false);
    running = null;
    if (back) focused.focus();
  }
  after();
}

form.addEventListener("submit", (event) => {
  const button = event.submitter;
  if (drawnByServer || button?.getAttribute("formaction") !== "/settings/check") return;
  event.preventDefault();
  if (!running) check(button);
});
cancelling.firstElementChild.addEventListener("click", () => running?.abort());
