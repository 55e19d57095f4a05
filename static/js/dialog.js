/* One dialog for every page: what htmx puts into #dialog is shown, and emptying it closes it. */
"use strict";

(() => {
  const dialog = document.getElementById("dialog");
  if (!dialog) return;
  let opener = null;

  function close() {
    dialog.close();
  }

  document.addEventListener("htmx:beforeRequest", (event) => {
    if (event.detail.target === dialog && !dialog.open) opener = document.activeElement;
  });
  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target !== dialog) return;
    if (!dialog.firstElementChild) {
      close();
      return;
    }
    if (!dialog.open) dialog.showModal();
    const wrong = dialog.querySelector(".is-invalid");
    const first = dialog.querySelector("input[type=search], textarea");
    (wrong || first)?.focus();
  });
  dialog.addEventListener("click", (event) => {
    if (event.target.closest("[data-dialog-close]")) close();
  });
  dialog.addEventListener("close", () => {
    dialog.replaceChildren();
    opener?.focus();
  });
})();
