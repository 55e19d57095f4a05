/* The builder of standards: whoever leaves with words not saved is asked; a run's list is ticked
   all at once. The pages work without this. */
"use strict";

(() => {
  const builder = document.querySelector("form[data-builder]");
  if (builder) {
    let isTouched = false;
    builder.addEventListener("input", () => {
      isTouched = true;
    });
    builder.addEventListener("submit", () => {
      isTouched = false;
    });
    addEventListener("beforeunload", (event) => {
      if (isTouched) event.preventDefault();
    });
    document.getElementById("problems")?.focus();
    if (location.hash.startsWith("#step-")) {
      document.getElementById(location.hash.slice(1))?.focus({ preventScroll: true });
    }
  }

  const all = document.querySelector("input[data-tick-all]");
  all?.addEventListener("change", () => {
    document.querySelectorAll("input[name=run]").forEach((box) => {
      box.checked = all.checked;
    });
  });
})();
