"use strict";
// Copies the reply as its link is opened; the link works without it.
document.addEventListener("click", async (event) => {
  const asked = event.target.closest("[data-copy]");
  if (!asked) return;
  const field = document.getElementById(asked.dataset.copy);
  try {
    await navigator.clipboard.writeText(field.value);
  } catch {
    // Over plain HTTP browsers have no clipboard for scripts but this one.
    field.select();
    document.execCommand("copy");
  }
  if (!asked.querySelector(".copied")) {
    const said = document.createElement("span");
    said.className = "copied quiet small";
    said.textContent = ` (${asked.dataset.copied})`;
    asked.append(said);
  }
});
