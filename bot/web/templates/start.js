"use strict";
// The secret stands behind the # of the link, which browsers send nowhere; the form takes it from there.
const field = document.querySelector("#code input");
const secret = location.hash.slice(1) || field.value;
if (secret) {
  field.value = secret;
  document.getElementById("code").hidden = true;
  // The same page in the other language still needs it; the history does not.
  document.querySelector("a.language").hash = secret;
  history.replaceState(null, "", location.pathname + location.search);
}
