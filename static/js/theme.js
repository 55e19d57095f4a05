/* Loaded in the head and run before the first paint, so that a dark page never flashes white.
   The choice (light, dark or auto) is this browser's alone and is kept in its local storage. */
"use strict";

(() => {
  const KEY = "keepwell-theme";
  const system = matchMedia("(prefers-color-scheme: dark)");

  function chosen() {
    try {
      const value = localStorage.getItem(KEY);
      return value === "light" || value === "dark" ? value : "auto";
    } catch {
      return "auto"; // storage is switched off
    }
  }

  function apply() {
    const choice = chosen();
    const theme = choice === "auto" ? (system.matches ? "dark" : "light") : choice;
    document.documentElement.dataset.bsTheme = theme;
    document.querySelectorAll("[data-theme-choice]").forEach((button) => {
      button.setAttribute("aria-pressed", String(button.dataset.themeChoice === choice));
    });
    document.dispatchEvent(new CustomEvent("keepwell:theme", { detail: theme }));
  }

  apply();
  system.addEventListener("change", apply);
  addEventListener("storage", apply);
  document.addEventListener("DOMContentLoaded", () => {
    apply();
    document.addEventListener("click", (event) => {
      const button = event.target.closest("[data-theme-choice]");
      if (!button) return;
      try {
        localStorage.setItem(KEY, button.dataset.themeChoice);
      } catch {
        document.documentElement.dataset.bsTheme = button.dataset.themeChoice;
      }
      apply();
    });
  });
})();
