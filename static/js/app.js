/* What every page does: toasts leave, the row of pages shows the open one, wide tables show that
   they are, htmx shows progress and failures, charts are fetched after the first paint where there
   are any. */
"use strict";

(() => {
  const body = document.body;

  // --- Toasts ---------------------------------------------------------------------------------
  function leave(toast) {
    toast.classList.add("toast-leaving");
    setTimeout(() => toast.remove(), 200);
  }

  function watch(toast) {
    if (toast.dataset.watched) return;
    toast.dataset.watched = "1";
    toast.querySelector("[data-dismiss]")?.addEventListener("click", () => leave(toast));
    const seconds = Number(toast.dataset.seconds);
    if (!seconds) return; // failures stay until they are read
    let timer = setTimeout(() => leave(toast), seconds * 1000);
    const stay = () => clearTimeout(timer);
    const go = () => {
      clearTimeout(timer);
      if (toast.matches(":hover, :focus-within")) return;
      timer = setTimeout(() => leave(toast), 2000);
    };
    toast.addEventListener("mouseenter", stay);
    toast.addEventListener("focusin", stay);
    toast.addEventListener("mouseleave", go);
    toast.addEventListener("focusout", go);
  }

  const watchAll = () => document.querySelectorAll("#toasts .toast").forEach(watch);
  watchAll();
  document.addEventListener("htmx:oobAfterSwap", watchAll);

  function showTemplate(id, reference) {
    const template = document.getElementById(id);
    const stack = document.getElementById("toasts");
    if (!template || !stack) return;
    const toast = template.content.firstElementChild.cloneNode(true);
    const place = toast.querySelector("[data-reference]");
    if (place && reference) {
      place.textContent = reference;
      place.parentElement.hidden = false;
    }
    stack.append(toast);
    watch(toast);
  }

  // --- htmx -----------------------------------------------------------------------------------
  let running = 0;
  const progress = document.getElementById("progress");
  document.addEventListener("htmx:beforeRequest", () => {
    running += 1;
    progress?.classList.add("is-running");
  });
  document.addEventListener("htmx:afterRequest", () => {
    running = Math.max(0, running - 1);
    if (!running) progress?.classList.remove("is-running");
  });
  document.addEventListener("htmx:responseError", (event) => {
    const reference = event.detail.xhr.getResponseHeader("X-Request-ID");
    showTemplate(event.detail.xhr.status === 403 ? "toast-not-allowed" : "toast-failed", reference);
  });
  document.addEventListener("htmx:sendError", () => showTemplate("toast-offline"));
  document.addEventListener("htmx:timeout", () => showTemplate("toast-offline"));

  // --- Forms: a second click must not send twice ------------------------------------------------
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method !== "post" || event.defaultPrevented || form.hasAttribute("hx-post")) return;
    if (form.dataset.sent) {
      event.preventDefault();
      return;
    }
    form.dataset.sent = "1";
    form.querySelector("[type=submit]:not([name])")?.classList.add("is-sending");
    setTimeout(() => release(form), 8000); // a download leaves the page standing
  });
  function release(form) {
    delete form.dataset.sent;
    form.querySelector(".is-sending")?.classList.remove("is-sending");
  }
  addEventListener("pageshow", () => {
    document.querySelectorAll("form[data-sent]").forEach(release);
  });

  // --- Pages side by side: on a phone the row of their names scrolls to the open one ------------
  document.querySelectorAll(".page-sections").forEach((row) => {
    const open = row.querySelector("[aria-current]");
    if (open) row.scrollLeft = open.offsetLeft + open.offsetWidth / 2 - row.clientWidth / 2;
  });

  // --- What is wider than its place: moved by keys too, and its edge shows that there is more -------
  let wide = 0;
  const resized = new ResizeObserver((seen) => seen.forEach((one) => fit(one.target)));
  function fit(box) {
    const more = box.scrollWidth - box.clientWidth;
    box.classList.toggle("more-after", more > 1 && box.scrollLeft < more - 1);
    if (more <= 1 || box.hasAttribute("tabindex")) return;
    const title = box.closest(".card")?.querySelector(".card-title") || document.querySelector("h1");
    title.id ||= `wide-${(wide += 1)}`;
    box.tabIndex = 0;
    box.setAttribute("role", "group");
    box.setAttribute("aria-labelledby", title.id);
  }
  function watchWide() {
    document.querySelectorAll(":is(.table-responsive, .heat-scroll):not([data-fitted])").forEach((box) => {
      box.dataset.fitted = "";
      box.addEventListener("scroll", () => fit(box), { passive: true });
      resized.observe(box);
    });
  }
  watchWide();
  document.addEventListener("htmx:afterSettle", watchWide);

  // --- Charts ---------------------------------------------------------------------------------
  let chartsAsked = false;
  function fetchCharts() {
    if (chartsAsked || !document.querySelector("figure.chart[data-chart]")) return;
    chartsAsked = true;
    const script = document.createElement("script");
    script.src = body.dataset.charts;
    document.head.append(script);
  }
  const whenIdle = window.requestIdleCallback || ((run) => setTimeout(run, 50));
  addEventListener("load", () => whenIdle(fetchCharts));
  document.addEventListener("htmx:afterSettle", fetchCharts);
})();
