// Sends the test message without leaving the page, and follows it as the contract tells it.

const settings = document.getElementById("settings");
const section = document.getElementById("test");
const button = section.querySelector("form button");
const said = section.querySelector("[data-said]");
const problem = section.querySelector("[data-problem]");
const progress = section.querySelector("[data-progress]");
const stages = document.getElementById("test-stages").content;
const parts = import(document.getElementById("check").dataset.parts);

const LONGEST = 60_000; // ms; a test that has not ended after 40 seconds reads as failed
const PAUSE = 1_000;

let running = false;

function lookAtForm() {
  const unsaved = "unsaved" in settings.dataset;
  button.disabled = unsaved;
  document.getElementById("test-unsaved").hidden = !unsaved;
}

function show({ word }, { status, percents }) {
  const stage = word(`stages.${status}`) || status;
  progress.hidden = false;
  progress.querySelector("progress").value = percents;
  progress.querySelector("[data-stage]").textContent = word("test_results.running", { stage, percents });
}

class Refused extends Error {
  constructor(refusal) {
    super(refusal.message);
    this.refusal = refusal;
  }
}

async function ask(tools, path, signal) {
  const answer = await fetch(tools.API + path, { cache: "no-store", signal });
  if (!answer.ok) throw new Refused(await tools.refusalOf(answer));
  return answer;
}

async function read(tools, path, signal) {
  return (await (await ask(tools, path, signal)).json()).response;
}

// Follows the steps; returns the result, undefined where the stream broke off.
async function streamed(tools, signal) {
  const answer = await ask(tools, "/test/events", signal);
  for await (const { name, data } of tools.readEvents(answer.body)) {
    const value = JSON.parse(data);
    if (name === "result") return value;
    if (name === "error") return undefined;
    const stage = stages.querySelector(`[data-step="${CSS.escape(value.step)}"]`);
    if (value.state === "begin" && stage) show(tools, stage.dataset);
  }
  return undefined;
}

async function followed(tools, signal) {
  let result = await streamed(tools, signal);
  while (result === undefined || (result && !result.completed)) {
    await new Promise((resolve) => setTimeout(resolve, PAUSE));
    result = await read(tools, "/test/status", signal);
    if (result) show(tools, result);
  }
  return result;
}

function showResult(tools, result, { id, joined }) {
  const { say, word } = tools;
  if (result?.id !== id) say(said, "info", word("test_results.none"));
  else if (!result.error) {
    say(said, "ok", word(`test_results.${joined ? "joined" : "sent"}`, { user: button.dataset.user }));
  } else if (!result.failure) say(said, "failed", result.error);
  else {
    say(said, "failed", word("test_results.failed", { title: result.failure.title }));
    problem.replaceChildren(tools.explained(result.failure, "failed"));
    tools.unmark(settings);
    tools.mark(settings, Object.fromEntries(result.failure.fields.map((name) => [name, [result.failure.title]])));
  }
}

async function begun(tools, signal) {
  const before = await read(tools, "/test/status", signal);
  const state = await read(tools, "/test", signal);
  show(tools, state);
  return { id: state.id, joined: before?.id === state.id };
}

// Runs one test, or follows the one that is under way: `known`.
async function run(known) {
  const tools = await parts.catch(() => null);
  if (!tools) return button.form.submit();
  const signal = AbortSignal.timeout(LONGEST);
  running = true;
  button.setAttribute("aria-disabled", "true");
  section.querySelector("[data-last]")?.remove();
  problem.replaceChildren();
  tools.say(said, "info", tools.word("test_results.asking"));
  try {
    const test = known ?? (await begun(tools, signal));
    said.replaceChildren();
    showResult(tools, await followed(tools, signal), test);
  } catch (error) {
    if (error instanceof Refused) tools.sayRefused(said, "test_results", error.refusal);
    else tools.say(said, "failed", tools.word(`test_results.${signal.aborted ? "late" : "broken"}`));
  } finally {
    progress.hidden = true;
    running = false;
    button.removeAttribute("aria-disabled");
  }
}

section.querySelector("form").addEventListener("submit", (event) => {
  event.preventDefault();
  if (!running && !button.disabled) run();
});
settings.addEventListener("smarthost:unsaved", lookAtForm);
lookAtForm();
if (section.dataset.running) run({ id: section.dataset.running, joined: "joined" in section.dataset });
