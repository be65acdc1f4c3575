// The settings form while somebody types: what the port means, whether the stored password stays, and
// that nothing unsaved is lost. Other scripts are told by the form: `data-unsaved` is there while it
// differs from what is saved, and `smarthost:unsaved` says that this has changed. Whoever saves without
// leaving the page dispatches `smarthost:saved` on the form, with `detail: {revision}`.

const form = document.getElementById("settings");
const password = document.getElementById("password");
const TLS_FIRST = new Set(["465", "2465"]);
const DESTINATION = { host: "host", port: "port", tls: "enableSSL", userName: "credentialsUserName" };

let saved = "unsaved" in form.dataset ? null : typed();
let leaving = false;

function value(name) {
  return form.elements.namedItem(name).value.trim();
}

function ticked(name) {
  return document.getElementById(name).checked;
}

// All fields but the revision, as one text.
function typed() {
  const fields = new URLSearchParams(new FormData(form));
  fields.delete("revision");
  return String(fields);
}

function showOnly(name, shown) {
  for (const element of document.querySelectorAll(`[data-${name}]`)) {
    element.hidden = element.dataset[name] !== shown;
  }
}

function showWay() {
  const port = value("port");
  const tls = ticked("enableSSL");
  const way = TLS_FIRST.has(port) ? (tls ? "first" : "mismatch") : tls ? "starttls" : "offered";
  showOnly("way", /^\d+$/.test(port) ? way : "any");
}

// The rule is the server's (`smtp_settings/rules.py`); names of hosts are compared without case.
function isStoredDestination() {
  const stored = password.dataset;
  const same = (kept, name) => {
    const text = value(name);
    return kept === "host" ? text.toLowerCase() === stored.host : text === stored[kept];
  };
  return (
    Object.entries(DESTINATION).every(([kept, name]) => same(kept, name)) &&
    String(ticked("useNtlm")) === stored.ntlm
  );
}

function showPassword() {
  const login = password.dataset.login;
  if (!login) showOnly("password", "none");
  else if (login === "oauth2") showOnly("password", isStoredDestination() ? "oauth2" : "oauth2-ends");
  else showOnly("password", isStoredDestination() ? "kept" : "needed");
}

function look() {
  leaving = false;
  document.getElementById("login").hidden = !ticked("enableAuth");
  showWay();
  showPassword();
  const unsaved = typed() !== saved;
  if (unsaved === "unsaved" in form.dataset) return;
  form.toggleAttribute("data-unsaved", unsaved);
  form.dispatchEvent(new CustomEvent("smarthost:unsaved", { bubbles: true }));
}

function keepAsStored() {
  const stored = password.dataset;
  const secret = form.elements.namedItem("credentialsUserPassword");
  if (!ticked("enableAuth")) delete stored.login;
  else if (secret.value || !stored.login) stored.login = "password";
  for (const [kept, name] of Object.entries(DESTINATION)) stored[kept] = value(name);
  stored.host = stored.host.toLowerCase();
  stored.ntlm = String(ticked("useNtlm"));
  secret.value = "";
}

function forgetWhatWasWrong() {
  for (const id of ["faults", "conflict", "default-relay", "done", "password-gone"]) {
    document.getElementById(id)?.remove();
  }
  for (const list of form.querySelectorAll(".faults")) list.remove();
  for (const field of form.querySelectorAll("[aria-invalid]")) field.removeAttribute("aria-invalid");
}

form.addEventListener("smarthost:saved", (event) => {
  for (const field of document.querySelectorAll("input[name=revision]")) field.value = event.detail.revision;
  document.getElementById("reset").hidden = false;
  forgetWhatWasWrong();
  keepAsStored();
  saved = typed();
  look();
});

form.addEventListener("input", look);
window.addEventListener("pageshow", look);
// At the window, so that a script that sends the form itself has said so by then.
window.addEventListener("submit", (event) => {
  if (!event.defaultPrevented && event.target.closest("main")) leaving = true;
});
document.addEventListener("click", (event) => {
  if (event.target.closest("[data-leave]")) leaving = true;
});
window.addEventListener("beforeunload", (event) => {
  if ("unsaved" in form.dataset && !leaving) event.preventDefault();
});

look();
