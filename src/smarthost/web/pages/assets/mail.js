// Times of the filter and of the charts in the reader's zone; addresses of the page stay in UTC.

const form = document.getElementById("filter");
const times = [...form.querySelectorAll("input[type=datetime-local]")];
const two = (number) => String(number).padStart(2, "0");

function local(at) {
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  return `${day}T${two(at.getHours())}:${two(at.getMinutes())}`;
}

const zone = new Intl.DateTimeFormat(undefined, { timeZoneName: "short" })
  .formatToParts(new Date()).find((part) => part.type === "timeZoneName").value;
for (const label of form.querySelectorAll(".zone")) label.textContent = `(${zone})`;
for (const input of times) {
  const at = new Date(`${input.defaultValue}Z`);
  if (!Number.isNaN(at.getTime())) input.value = local(at);
}

// Fields that ask for nothing stay out of the address.
form.addEventListener("formdata", ({ formData }) => {
  for (const input of times) {
    const at = new Date(input.value);
    if (!Number.isNaN(at.getTime())) formData.set(input.name, at.toISOString().slice(0, 16));
  }
  for (const [name, value] of [...formData]) if (!value) formData.delete(name);
});

const TIME = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const DAY = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });

function showChartTimes(root) {
  for (const text of root.querySelectorAll("text[data-time]:not([data-local])")) {
    const shows = text.parentNode.dataset.shows === "time" ? TIME : DAY;
    text.textContent = shows.format(new Date(text.dataset.time));
    text.dataset.local = "";
  }
}

// On a phone the charts would stand before the mail.
const charts = document.getElementById("charts");
if (charts && matchMedia("(max-width: 40rem)").matches) charts.open = false;

showChartTimes(document);
document.addEventListener("smarthost:changed", (event) => showChartTimes(event.target));
