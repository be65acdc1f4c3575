// Copies the new key and the snippets, and sees to it that reloading the answer makes no other key.
// Without it a browser asks before it sends the form again, and the service knows the form.

if (document.querySelector("[data-made]")) history.replaceState(null, "", location.pathname);

// Takes the focus with all of its text selected, for whoever copies by hand.
function select(source) {
  if (source.select) source.select();
  else getSelection().selectAllChildren(source);
}

async function copy(button) {
  const source = document.getElementById(button.dataset.copy);
  const said = button.parentElement.querySelector("[role=status]");
  try {
    await navigator.clipboard.writeText(source.value ?? source.textContent);
    said.textContent = said.dataset.copied;
  } catch {
    select(source);
    said.textContent = said.dataset.notCopied;
  }
}

// There is none where the page came without TLS from another machine.
if (navigator.clipboard) {
  for (const button of document.querySelectorAll("button[data-copy]")) {
    button.addEventListener("click", () => copy(button));
    button.parentElement.hidden = false;
  }
}
