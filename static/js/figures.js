/* Pages of figures: their address is copied, they are printed. */
"use strict";

(() => {
  const copy = document.querySelector("[data-copy-address]");
  if (copy && navigator.clipboard) {
    copy.hidden = false;
    const [label, copied] = ["[data-copy-label]", "[data-copied-label]"].map((one) => copy.querySelector(one));
    copy.addEventListener("click", async () => {
      await navigator.clipboard.writeText(location.href);
      label.hidden = true;
      copied.hidden = false;
      setTimeout(() => {
        label.hidden = false;
        copied.hidden = true;
      }, 2000);
    });
  }
  const print = document.querySelector("[data-print]");
  if (print) {
    print.hidden = false;
    print.addEventListener("click", () => window.print());
  }
})();
