// What all pages do: moments in the reader's own zone, a question before what cannot be undone, and
// one request for a button that was pressed twice.
// Everything works without it.

const FORMAT = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

// Shows the moments below `root` in the reader's zone; what the server wrote stays as the title.
export function showLocalTimes(root) {
  for (const element of root.querySelectorAll("time[datetime]:not([data-local])")) {
    const at = new Date(element.dateTime);
    if (Number.isNaN(at.getTime())) continue;
    element.title = element.textContent;
    element.textContent = FORMAT.format(at);
    element.dataset.local = "";
  }
}

// A form with `data-confirm` is sent once the question was answered with yes.
document.addEventListener("submit", (event) => {
  const question = event.submitter?.dataset.confirm ?? event.target.dataset.confirm;
  if (question && !window.confirm(question)) event.preventDefault();
});

// A second press at once is a slip of the hand; the answer to the first is on its way.
const SLIP_MILLISECONDS = 1000;
let sent = -Infinity;
document.addEventListener("submit", (event) => {
  if (event.defaultPrevented) return;
  if (event.timeStamp - sent < SLIP_MILLISECONDS) event.preventDefault();
  else sent = event.timeStamp;
});

showLocalTimes(document);
document.addEventListener("smarthost:changed", (event) => showLocalTimes(event.target));
