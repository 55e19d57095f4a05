/* Uploading: the name of the chosen file is shown, and one that is too large is not sent at all.
   The page works without this. */
"use strict";

(() => {
  const place = document.querySelector("[data-drop]");
  if (!place) return;
  const input = place.querySelector("input[type=file]");
  const name = place.querySelector("[data-drop-name]");
  const wrong = document.querySelector("[data-drop-wrong]");

  function show() {
    const file = input.files[0];
    name.textContent = file ? file.name : "";
    const isTooLarge = Boolean(file) && file.size > Number(input.dataset.most);
    wrong.textContent = isTooLarge ? input.dataset.tooLarge : "";
    place.classList.toggle("is-wrong", isTooLarge);
    input.setCustomValidity(isTooLarge ? input.dataset.tooLarge : "");
    return !isTooLarge;
  }

  input.addEventListener("change", show);
  for (const kind of ["dragenter", "dragover"]) {
    place.addEventListener(kind, () => place.classList.add("is-over"));
  }
  for (const kind of ["dragleave", "drop"]) {
    place.addEventListener(kind, () => place.classList.remove("is-over"));
  }
  input.form.addEventListener(
    "submit",
    (event) => {
      if (show()) return;
      event.preventDefault();
      event.stopImmediatePropagation();
    },
    true,
  );
  addEventListener("pageshow", show); // the browser may have kept the choice
})();
