// What the check and the test message have in common: server-sent events, refusals, what is wrong and
// at which field. Words and patterns come with the page; texts of servers are put in as text alone.

const words = document.getElementById("check-words").content;
const problem = document.getElementById("check-problem").content;
const MINUTE = 60;

export const API = "/api/2.0/smtpsettings/smtp";

// A text of the catalogue with its `{names}` filled in.
export function word(name, values = {}) {
  const text = words.querySelector(`[data-word="${CSS.escape(name)}"]`)?.textContent ?? "";
  return text.replace(/\{(\w+)\}/g, (whole, key) => values[key] ?? whole);
}

// The events of a stream of octets, as `{name, data}` (WHATWG HTML, "Server-sent events"). What the
// stream breaks off in the middle of is dropped.
export async function* readEvents(stream) {
  const decoder = new TextDecoder();
  const reader = stream.getReader();
  let rest = "";
  let name = "";
  let data = [];
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      // A CR at the very end may be half of a CR LF.
      const lines = (rest + decoder.decode(value, { stream: true })).split(/\r\n|\n|\r(?=[^])/);
      rest = lines.pop();
      for (const line of lines) {
        if (line === "") {
          if (data.length > 0) yield { name: name || "message", data: data.join("\n") };
          name = "";
          data = [];
          continue;
        }
        const colon = line.indexOf(":");
        const field = colon < 0 ? line : line.slice(0, colon);
        const text = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
        if (field === "event") name = text;
        else if (field === "data") data.push(text);
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

// A refusal, of an answer that is none: `{status, message, fields, wait}`, `wait` in seconds.
export async function refusalOf(answer) {
  const envelope = await answer.json().catch(() => ({}));
  return { ...refusalIn(envelope), status: answer.status, wait: Number(answer.headers.get("Retry-After")) };
}

// The same of an envelope, which the last event of a stream can be.
export function refusalIn(envelope) {
  return {
    status: envelope.statusCode,
    message: envelope.error?.message,
    fields: envelope.response?.errors,
    wait: 0,
  };
}

// Shows one line in a live region; `kind` is that of a notice.
export function say(box, kind, text, ...more) {
  const line = document.createElement("p");
  line.className = `notice ${kind}`;
  line.append(text, ...more);
  box.replaceChildren(line);
}

// Says why something was refused, in the words of a group: `results` or `test_results`.
export function sayRefused(box, group, refusal) {
  if (refusal.status === 401) {
    const link = document.createElement("a");
    link.href = "/sign-in?next=/settings";
    link.target = "_blank";
    link.textContent = word("sign_in");
    say(box, "failed", word(`${group}.signed_out`), " ", link);
  } else if (refusal.message && refusal.wait > 0) {
    const minutes = refusal.wait >= 2 * MINUTE;
    const count = minutes ? Math.ceil(refusal.wait / MINUTE) : refusal.wait;
    const wait = word(minutes ? "waits.minutes" : "waits.seconds", { count });
    say(box, "warning", word(`${group}.wait`, { message: refusal.message, wait }));
  } else if (refusal.message) {
    say(box, "failed", word(`${group}.refused`, { message: refusal.message }));
  } else {
    say(box, "failed", word(`${group}.broken`));
  }
}

function linkTo(name) {
  const link = document.createElement("a");
  link.href = name === "oauth2" ? "/settings/oauth2" : `#${name}`;
  link.textContent = word(`fields.${name}`) || name;
  return link;
}

// Links to fields of the form, with commas between them.
export function linksTo(names) {
  return names.flatMap((name, at) => (at > 0 ? [", ", linkTo(name)] : [linkTo(name)]));
}

// A failure or a warning in the API's shape, explained; `kind` is that of a notice.
export function explained(told, kind) {
  const box = problem.cloneNode(true).querySelector(".problem");
  box.classList.add(kind);
  for (const part of box.querySelectorAll("[data-if]")) {
    const value = told[part.dataset.if];
    if (!value || value.length === 0) part.remove();
  }
  for (const slot of box.querySelectorAll("[data-slot]")) {
    const value = told[slot.dataset.slot];
    slot.replaceChildren(...(slot.dataset.slot === "fields" ? linksTo(value) : [value]));
  }
  const more = box.querySelector("[data-if=link] a");
  if (more) more.href = told.link;
  return box;
}

// Puts `faults`, texts by the names of fields, beside the fields as the server does.
export function mark(form, faults) {
  for (const [name, texts] of Object.entries(faults)) {
    const field = form.querySelector(`[aria-describedby~="${CSS.escape(name)}-hint"]`);
    if (!field) continue;
    const list = document.createElement("ul");
    list.className = "faults";
    list.id = `${name}-faults`;
    for (const text of texts) list.appendChild(document.createElement("li")).textContent = text;
    document.getElementById(`${name}-hint`).after(list);
    field.setAttribute("aria-describedby", `${name}-hint ${list.id}`);
    field.setAttribute("aria-invalid", "true");
    const folded = field.closest("details");
    if (folded) folded.open = true;
  }
}

// Takes away what was marked, by whomever.
export function unmark(form) {
  document.getElementById("faults")?.remove();
  for (const list of form.querySelectorAll(".faults")) list.remove();
  for (const field of form.querySelectorAll("[aria-invalid]")) {
    field.removeAttribute("aria-invalid");
    field.setAttribute("aria-describedby", field.getAttribute("aria-describedby").split(" ")[0]);
  }
}
