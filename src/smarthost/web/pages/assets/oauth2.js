// The form of OAuth2 has the fields alone that the chosen grant has a use for: others are not sent.

const form = document.getElementById("oauth2");

function showGrant() {
  const grant = form.elements.namedItem("grant").value;
  for (const part of form.querySelectorAll("[data-grants]")) {
    part.hidden = !part.dataset.grants.split(" ").includes(grant);
    for (const field of part.querySelectorAll("input, textarea")) field.disabled = part.hidden;
  }
}

if (form) {
  form.addEventListener("change", showGrant);
  window.addEventListener("pageshow", showGrant);
  showGrant();
}
