/* The command palette (Ctrl-K) and keyboard shortcuts. What each key does stands in the help dialog
   (parts/shortcuts.html); shortcuts rest while somebody types and can be switched off there. */
"use strict";

(() => {
  const palette = document.getElementById("palette");
  const help = document.getElementById("shortcuts");
  if (!palette || !help) return;
  const input = document.getElementById("palette-input");
  const list = document.getElementById("palette-list");
  const OFF = "keepwell-shortcuts-off";

  // --- Dialogs --------------------------------------------------------------------------------
  function open(dialog) {
    if (document.querySelector("dialog[open]")) return;
    dialog.showModal();
  }
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-open-palette]")) openPalette();
    if (event.target.closest("[data-open-shortcuts]")) open(help);
    if (event.target.closest("[data-close-dialog]")) event.target.closest("dialog").close();
    if (event.target === palette || event.target === help) event.target.close(); // the backdrop
  });

  // --- Palette --------------------------------------------------------------------------------
  const options = () => [...list.querySelectorAll("[role=option]:not([hidden])")];
  const current = () => list.querySelector("[aria-selected=true]");

  function openPalette() {
    open(palette);
    input.value = "";
    document.getElementById("palette-people").replaceChildren();
    narrow();
    input.focus();
  }

  function choose(option) {
    current()?.setAttribute("aria-selected", "false");
    if (!option) {
      input.removeAttribute("aria-activedescendant");
      return;
    }
    option.setAttribute("aria-selected", "true");
    option.scrollIntoView({ block: "nearest" });
    input.setAttribute("aria-activedescendant", option.id);
  }

  function narrow() {
    const words = input.value.trim().toLocaleLowerCase();
    list.querySelectorAll("[data-palette-group]").forEach((group) => {
      let shown = 0;
      group.querySelectorAll("[role=option]").forEach((option) => {
        option.hidden = !option.textContent.toLocaleLowerCase().includes(words);
        if (!option.hidden) shown += 1;
      });
      group.hidden = !shown;
    });
    choose(options()[0]);
  }

  input.addEventListener("input", narrow);
  input.addEventListener("keydown", (event) => {
    const found = options();
    const place = found.indexOf(current());
    const goal = { ArrowDown: place + 1, ArrowUp: place - 1, Home: 0, End: found.length - 1 };
    if (event.key === "Escape") {
      event.preventDefault(); // a search box would only be emptied
      palette.close();
    } else if (event.key === "Enter") {
      event.preventDefault();
      current()?.click();
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      choose(found[(goal[event.key] + found.length) % found.length]);
    }
  });
  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.target.id === "palette-people") choose(options()[0]);
  });

  // --- Shortcuts ------------------------------------------------------------------------------
  const keys = new Map();
  help.querySelectorAll("[data-key]").forEach((line) => {
    keys.set(line.dataset.key, line.dataset.url);
  });
  const toggle = help.querySelector("[data-shortcuts-switch]");
  const areOff = () => {
    try {
      return localStorage.getItem(OFF) === "1";
    } catch {
      return false; // storage may be forbidden
    }
  };
  toggle.checked = !areOff();
  toggle.addEventListener("change", () => {
    try {
      if (toggle.checked) localStorage.removeItem(OFF);
      else localStorage.setItem(OFF, "1");
    } catch {
      toggle.checked = true;
    }
  });

  let before = ""; // the "g" of "g c", for a second
  let forget = 0;

  function rows() {
    return [...document.querySelectorAll("main table tbody tr")].filter((row) => row.querySelector("a"));
  }

  function walk(step) {
    const all = rows();
    if (!all.length) return;
    const place = all.indexOf(document.activeElement?.closest("main table tbody tr"));
    const row = all[Math.min(Math.max(place + step, 0), all.length - 1)];
    row.querySelector("a").focus();
    row.scrollIntoView({ block: "nearest" });
  }

  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && !event.altKey && event.key.toLowerCase() === "k") {
      event.preventDefault();
      if (palette.open) palette.close();
      else openPalette();
      return;
    }
    const isTyping = event.target.closest("input:not([type=checkbox]), textarea, select, [contenteditable]");
    if (isTyping || event.ctrlKey || event.metaKey || event.altKey || areOff()) return;
    if (document.querySelector("dialog[open], .modal.show, .dropdown-menu.show")) return;
    const typed = before ? `${before} ${event.key}` : event.key;
    before = "";
    clearTimeout(forget);
    if (event.key === "?") {
      event.preventDefault();
      open(help);
    } else if (event.key === "/") {
      event.preventDefault();
      document.getElementById("global-search")?.select();
    } else if (keys.has(typed)) {
      event.preventDefault();
      const own = document.querySelector(`[data-shortcut="${typed}"]`); // the page's own, if any
      if (own) own.click();
      else location.assign(keys.get(typed));
    } else if (typed === "g") {
      before = "g";
      forget = setTimeout(() => {
        before = "";
      }, 1000);
    } else if (typed === "j" || typed === "k") {
      walk(typed === "j" ? 1 : -1);
    } else if (typed === "x") {
      document.activeElement?.closest("tr")?.querySelector("input[type=checkbox]")?.click();
    }
  });
})();
