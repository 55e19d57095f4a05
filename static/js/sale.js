/* The quick sale: Ctrl + Enter takes the money. */
"use strict";

document.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
  const pay = document.getElementById("sale-pay");
  if (!pay) return;
  event.preventDefault();
  pay.click();
});
