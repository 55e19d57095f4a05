/* Choosing rows of a list: the bar with what can be done shows once somebody is chosen. */
"use strict";

(() => {
  const bar = document.querySelector("[data-bulk]");
  if (!bar) return;
  const page = document.querySelector("[data-choose-page]");
  const all = bar.querySelector("[data-bulk-all]");
  const some = bar.querySelector("[data-bulk-some]");
  const everybody = bar.querySelector("[data-bulk-everybody]");
  const boxes = () => [...document.querySelectorAll('input[name="customers"][form="bulk"]')];
  let last = null;

  function show() {
    const rows = boxes();
    const chosen = rows.filter((box) => box.checked).length;
    bar.hidden = !chosen && !all?.checked;
    bar.querySelector("[data-bulk-number]").textContent = chosen;
    some.hidden = Boolean(all?.checked);
    everybody.hidden = !all?.checked;
    if (!all?.checked) everybody.replaceChildren();
    page.checked = chosen > 0 && chosen === rows.length;
    page.indeterminate = chosen > 0 && chosen < rows.length;
  }

  page.addEventListener("change", () => {
    boxes().forEach((box) => {
      box.checked = page.checked;
    });
    if (!page.checked && all) all.checked = false;
    show();
  });
  document.addEventListener("click", (event) => {
    const box = event.target;
    if (!(box instanceof HTMLInputElement) || box.name !== "customers") return;
    const rows = boxes();
    if (event.shiftKey && last) { // everybody from the last one to this one
      const [from, to] = [rows.indexOf(last), rows.indexOf(box)].sort((a, b) => a - b);
      rows.slice(from, to + 1).forEach((one) => {
        one.checked = box.checked;
      });
    }
    last = box;
    show();
  });
  all?.addEventListener("change", () => {
    if (all.checked) window.htmx.trigger(all, "count"); // how many that are
    show();
  });
  // Enter means the button of one's own menu, not the first one of the bar.
  bar.addEventListener("keydown", (event) => {
    const menu = event.target.closest(".dropdown-menu");
    if (event.key !== "Enter" || !menu || !event.target.matches("input, select")) return;
    event.preventDefault();
    menu.querySelector("[type=submit]")?.click();
  });
  addEventListener("pageshow", show); // the browser may have kept the ticks
})();
