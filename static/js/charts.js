/* Charts: turns each <figure class="chart"> of a page into a line, a bar chart or a heat map.
 *
 * The easy way, in a template (draws the figure, the data and the table for people who can't see it):
 *
 *   {% load keepwell %}
 *   {% chart retention "retention-chart" caption=_("Retention by quarter") %}
 *
 * The same by hand:
 *
 *   <figure class="chart" data-chart="retention-chart">
 *     <figcaption>…</figcaption>
 *     <details class="chart-table"><summary>…</summary><table>…</table></details>
 *   </figure>
 *   {{ retention|json_script:"retention-chart" }}
 *
 * No page loads a script for this: app.js loads this file, and the drawing engine, after the first
 * paint and only where a figure stands; fragments that htmx brings in are drawn too.
 *
 * The data (`retention` above) is a plain dict:
 *
 *   type      "line" | "bar" | "bridge" | "heat"
 *   labels    ["Jan 2026", …]  one per point; for "heat" one per column ("0", "1", … months since)
 *   series    [{name, values, low?, high?, links?, size?}]
 *             values: numbers or decimal strings; null = no data (line: gap, heat: hatched cell)
 *             low, high: the interval of each value, drawn as a band around a line
 *             links: an address or null per value; a click opens it (the people behind the figure)
 *             size: "heat" only, the cohort's size, shown in a column of its own
 *             "heat": one series per row
 *   unit      "percent" (values are ratios: 0.071 is shown as 7.1 %) | "money" | "count" | "score"
 *   currency  "USD" …, with unit "money"
 *   places    decimals in the table of a "score"; as many as a value has, when left out
 *   end       where the scale ends; of shares it is 100 %
 *   complete  [true, …, false]  optional, per label: false = not fully observed, drawn hollow
 *   limit     {value, label}    optional: a threshold line;  target: the same, what is to be reached
 *   totals    "bridge": [true, false, …, true]  per label: a sum, or a step (its value signed) to the next one
 *   corner    "heat": heading of the first column;  size_label: heading of the size column
 */
"use strict";

(() => {
  const root = document.documentElement;
  const language = root.lang || "en";
  const drawn = new Map(); // figure → chart
  // The first and the last period of a line are named, within the drawing's edges.
  const ENDS_INSIDE = { showMinLabel: true, showMaxLabel: true, alignMinLabel: "left", alignMaxLabel: "right" };
  const AXIS_ROOM = 64; // px, what the numbers of the other axis take about

  const css = (name) => getComputedStyle(root).getPropertyValue(name).trim();
  const number = (value) =>
    value === null || value === undefined || value === "" ? null : Number(value);

  function formatter(data, digits) {
    const places = { maximumFractionDigits: digits ?? (data.unit === "count" ? 0 : 1) };
    if (data.unit === "money") {
      const money = new Intl.NumberFormat(language, {
        style: "currency",
        currency: data.currency || "USD",
        currencyDisplay: "narrowSymbol",
        maximumFractionDigits: digits ?? 2,
        minimumFractionDigits: digits === 0 ? 0 : undefined,
      });
      return (value) => (value === null ? "–" : money.format(value));
    }
    const plain = new Intl.NumberFormat(language, places);
    if (data.unit === "percent") {
      const sign = language.startsWith("zh") ? "%" : "\u00a0%";
      return (value) => (value === null ? "–" : plain.format(value * 100) + sign);
    }
    return (value) => (value === null ? "–" : plain.format(value));
  }

  function element(name, className, text) {
    const node = document.createElement(name);
    if (className) node.className = className;
    if (text !== undefined) node.textContent = text;
    return node;
  }

  // --- Lines and bars -------------------------------------------------------------------------

  function tooltip(data, points) {
    const show = formatter(data);
    const box = element("div", "chart-tip");
    const index = points[0].dataIndex;
    box.append(element("div", "chart-tip-title", data.labels[index]));
    data.series.forEach((series, at) => {
      const value = number(series.values[index]);
      const row = element("div", "chart-tip-row");
      row.append(element("span", `chart-key chart-key-${(at % 4) + 1}`));
      row.append(element("span", "chart-tip-name", series.name));
      row.append(element("strong", "tabular", show(value)));
      box.append(row);
      if (value !== null && series.low && number(series.low[index]) !== null) {
        const range = `${show(number(series.low[index]))} – ${show(number(series.high[index]))}`;
        box.append(element("div", "chart-tip-range tabular", range));
      }
    });
    return box;
  }

  function band(series, color, at) {
    const low = series.low.map(number);
    const height = series.high.map((value, i) =>
      number(value) === null || low[i] === null ? null : number(value) - low[i],
    );
    const hidden = {
      type: "line",
      stack: `band-${at}`,
      stackStrategy: "all",
      symbol: "none",
      silent: true,
      lineStyle: { opacity: 0 },
      tooltip: { show: false },
      animation: false,
    };
    return [
      { ...hidden, data: low },
      { ...hidden, data: height, areaStyle: { color, opacity: 0.16 } },
    ];
  }

  function lines(data) {
    const show = formatter(data);
    const line = (mark, color) => ({
      yAxis: number(mark.value),
      lineStyle: { color, type: "dashed", width: 1.5 },
      label: {
        position: "insideEndTop",
        color,
        formatter: `${mark.label || ""} ${show(number(mark.value))}`.trim(),
      },
    });
    const marks = [];
    if (data.limit) marks.push(line(data.limit, css("--chart-limit")));
    if (data.target) marks.push(line(data.target, css("--chart-ink")));
    return marks.length ? { silent: true, symbol: "none", data: marks } : undefined;
  }

  // A bridge is two bars on each other: one that isn't seen up to where the step begins, and the step.
  function bridge(data, width) {
    const [series] = data.series;
    // Small amounts with their cents: rounded, the steps would not add up.
    const isWhole = data.unit === "money" && series.values.some((value) => Math.abs(value) >= 1000);
    const show = formatter(data, isWhole ? 0 : undefined);
    const [totals, up, down] = ["--chart-1", "--chart-3", "--chart-2"].map(css);
    let sum = 0;
    const starts = [];
    const steps = series.values.map(number).map((value, i) => {
      const start = data.totals[i] ? 0 : sum;
      sum = start + value;
      starts.push(Math.min(start, sum));
      const sign = value < 0 ? "−" : value ? "+" : "";
      return {
        value: Math.abs(value),
        itemStyle: { color: data.totals[i] ? totals : value < 0 ? down : up },
        label: { formatter: (data.totals[i] ? "" : sign) + show(Math.abs(value)) },
      };
    });
    const common = { type: "bar", stack: "bridge", barMaxWidth: 64 };
    return [
      { ...common, data: starts, silent: true, itemStyle: { opacity: 0 }, tooltip: { show: false } },
      {
        ...common,
        name: series.name,
        data: steps,
        cursor: series.links ? "pointer" : "default",
        itemStyle: { borderRadius: [3, 3, 0, 0] },
        // Amounts side by side need room; the table below the picture has them too.
        label: {
          show: data.unit !== "money" || width / data.labels.length > 72,
          position: "top",
          color: css("--chart-ink"),
        },
      },
    ];
  }

  // Shares end at 100 % and net scores at 100; room above that would promise what can't be.
  function scale(data) {
    const end = data.end || (data.unit === "percent" && 1);
    const shown = data.series
      .flatMap((series) => [...series.values, ...(series.low || []), ...(series.high || [])])
      .concat(data.limit ? data.limit.value : null, data.target ? data.target.value : null)
      .map(number)
      .filter((value) => value !== null);
    const [least, most] = [Math.min(...shown), Math.max(...shown)];
    if (data.type === "bridge" || !end || most > end || most < 0.75 * end) return {};
    const room = end - (data.type === "line" ? least : Math.min(0, least));
    const interval = [0.01, 0.02, 0.05, 0.1, 0.2, 0.25, 0.5].map((part) => part * end).find((one) => room <= 5 * one);
    if (!interval) return {};
    const steps = Math.max(1, Math.ceil((room - 1e-9) / interval));
    return { max: end, min: end - steps * interval, interval };
  }

  // Breaks a label between words, in Chinese between any two characters, or gives null where a word is
  // wider than that. Not the engine's: it takes every letter beyond ASCII for as wide as a Chinese one.
  function broken(label, most, measure) {
    const lines = [""];
    for (const word of label.match(/\s*(?:[\u2e80-\u9fff]|[^\s\u2e80-\u9fff]+)/g) || []) {
      const longer = lines.at(-1) + word;
      if (measure(word.trim()) > most) return null;
      if (measure(longer.trim()) > most) lines.push(word.trim());
      else lines[lines.length - 1] = longer.trim();
    }
    return lines.join("\n");
  }

  // Names under few bars stand whole: in several lines where their words fit side by side, else slanted.
  function barLabels(data, width) {
    if (data.type === "line") return { hideOverlap: true, ...ENDS_INSIDE };
    if (data.labels.length > 12) return { hideOverlap: true };
    const each = Math.min(84, Math.floor((width - AXIS_ROOM) / data.labels.length) - 6);
    const pen = document.createElement("canvas").getContext("2d");
    pen.font = `12px ${css("--tblr-font-sans-serif") || "sans-serif"}`;
    const labels = data.labels.map((label) => broken(label, each, (text) => pen.measureText(text).width));
    return labels.includes(null)
      ? { interval: 0, rotate: 40 }
      : { interval: 0, formatter: (_, at) => labels[at] };
  }

  function options(data, width) {
    const ink = css("--chart-ink");
    const grid = css("--chart-grid");
    const surface = css("--chart-surface");
    const show = formatter(data, data.unit === "money" ? 0 : undefined);
    const list = data.type === "bridge" ? bridge(data, width) : [];
    (data.type === "bridge" ? [] : data.series).forEach((series, at) => {
      const color = css(`--chart-${(at % 4) + 1}`);
      if (data.type === "line" && series.low && series.high) list.push(...band(series, color, at));
      const unfinished =
        data.type === "bar"
          ? { opacity: 0.45 }
          : { color: css("--surface"), borderColor: color, borderWidth: 2 };
      list.push({
        name: series.name,
        type: data.type,
        symbol: "circle",
        data: series.values.map((value, i) => ({
          value: number(value),
          itemStyle: data.complete && data.complete[i] === false ? unfinished : undefined,
        })),
        color,
        lineStyle: { width: 2.25 },
        itemStyle: data.type === "bar" ? { borderRadius: [3, 3, 0, 0] } : undefined,
        symbolSize: series.values.length > 36 ? 0 : 7,
        barMaxWidth: 36,
        cursor: series.links ? "pointer" : "default",
        markLine: at === 0 ? lines(data) : undefined,
      });
    });
    return {
      animationDuration: matchMedia("(prefers-reduced-motion: reduce)").matches ? 0 : 350,
      textStyle: { fontFamily: css("--tblr-font-sans-serif") || "sans-serif", color: ink },
      grid: { left: 4, right: 12, top: data.series.length > 1 ? 36 : 16, bottom: 4, outerBoundsMode: "same" },
      legend: {
        show: data.series.length > 1,
        data: data.series.map((series) => series.name),
        left: 0,
        top: 0,
        icon: "roundRect",
        itemWidth: 12,
        itemHeight: 8,
        textStyle: { color: ink },
      },
      tooltip: {
        trigger: "axis",
        confine: true,
        className: "chart-tooltip",
        backgroundColor: surface,
        borderColor: grid,
        borderWidth: 1,
        padding: 0,
        axisPointer: { lineStyle: { color: grid }, shadowStyle: { color: grid, opacity: 0.25 } },
        formatter: (points) => tooltip(data, points),
      },
      xAxis: {
        type: "category",
        data: data.labels,
        boundaryGap: data.type !== "line",
        axisLine: { lineStyle: { color: grid } },
        axisTick: { show: false },
        axisLabel: { color: ink, margin: 10, ...barLabels(data, width) },
      },
      yAxis: {
        type: "value",
        scale: data.type === "line",
        splitNumber: 4,
        minInterval: data.unit === "count" ? 1 : undefined,
        ...scale(data),
        axisLabel: { color: ink, formatter: (value) => show(value) },
        splitLine: { lineStyle: { color: grid } },
      },
      series: list,
    };
  }

  function drawWithEngine(figure, data) {
    const canvas = place(figure, "chart-canvas");
    const caption = figure.querySelector("figcaption");
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", caption ? caption.textContent.trim() : "");
    const chart = window.echarts.init(canvas, null, { renderer: "canvas" });
    chart.setOption(options(data, canvas.clientWidth));
    const links = data.series.map((series) => series.links);
    if (links.some(Boolean)) {
      chart.on("click", (event) => {
        const at = data.series.findIndex((series) => series.name === event.seriesName);
        const address = at >= 0 && links[at] && links[at][event.dataIndex];
        if (address) location.assign(address);
      });
    }
    const save = figure.querySelector("[data-chart-image]");
    if (save) {
      save.hidden = false;
      save.addEventListener("click", () => {
        const link = element("a");
        link.download = `${figure.dataset.chart}.png`;
        link.href = chart.getDataURL({ type: "png", pixelRatio: 2, backgroundColor: css("--surface") });
        link.click();
      });
    }
    new ResizeObserver(() => chart.resize()).observe(canvas);
    drawn.set(figure, { chart, data });
  }

  // --- Heat map: a real table, so that it is read, tapped and printed like one -----------------

  function shade(value, smallest, largest) {
    if (largest <= smallest) return 5;
    const place = (Math.min(value, largest) - smallest) / (largest - smallest);
    return Math.min(9, Math.floor(Math.max(0, place) * 9.999));
  }

  function drawHeat(figure, data) {
    const show = formatter(data, 0);
    const rows = data.series.map((series) => series.values.map(number));
    // Column 0 of a cohort matrix is always 100 %: it would wash out all others.
    const first = data.unit === "percent" && rows.every((row) => row[0] === null || row[0] === 1) ? 1 : 0;
    const seen = rows.flatMap((row) => row.slice(first)).filter((value) => value !== null);
    const [smallest, largest] = [Math.min(...seen), Math.max(...seen)];
    const hasSize = data.series.some((series) => series.size !== undefined);
    const table = element("table", "heat tabular");
    const head = table.createTHead().insertRow();
    const heading = (text, scope) => {
      const cell = element("th", "", text);
      cell.scope = scope;
      return cell;
    };
    head.append(heading(data.corner || "", "col"));
    if (hasSize) head.append(heading(data.size_label || "", "col"));
    data.labels.forEach((label) => head.append(heading(label, "col")));
    const body = table.createTBody();
    data.series.forEach((series, at) => {
      const row = body.insertRow();
      row.append(heading(series.name, "row"));
      if (hasSize) row.append(element("td", "heat-size", formatter({ unit: "count" })(number(series.size))));
      data.labels.forEach((label, i) => {
        const value = rows[at][i];
        const cell = row.insertCell();
        if (value === undefined) return;
        if (value === null) {
          cell.className = "heat-open";
          return;
        }
        cell.className = i < first ? "heat-whole" : `heat-${shade(value, smallest, largest)}`;
        const address = series.links && series.links[i];
        if (address) {
          const link = element("a", "", show(value));
          link.href = address;
          link.title = `${series.name}, ${label}: ${show(value)}`;
          cell.append(link);
        } else {
          cell.textContent = show(value);
        }
      });
    });
    const box = place(figure, "heat-scroll");
    box.tabIndex = 0; // wider than the screen it must scroll by keyboard too
    box.setAttribute("role", "group");
    const caption = figure.querySelector("figcaption");
    if (caption) box.setAttribute("aria-label", caption.textContent.trim());
    box.replaceChildren(table);
  }

  // --- When and where -------------------------------------------------------------------------

  function place(figure, className) {
    let box = figure.querySelector(`.${className}`);
    if (!box) {
      box = element("div", className);
      const caption = figure.querySelector("figcaption");
      if (caption) caption.after(box);
      else figure.prepend(box);
    }
    figure.querySelector(".chart-waiting")?.remove();
    return box;
  }

  let engine; // one promise: the engine is loaded once, and only when a figure needs it
  function loadEngine() {
    engine ??= new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = document.body.dataset.chartsEngine;
      script.onload = resolve;
      script.onerror = reject;
      document.head.append(script);
    });
    return engine;
  }

  async function draw(figure) {
    const source = document.getElementById(figure.dataset.chart);
    if (!source) return;
    const data = JSON.parse(source.textContent);
    if (data.type === "heat") {
      drawHeat(figure, data);
      return;
    }
    try {
      await loadEngine();
      drawWithEngine(figure, data);
    } catch (error) {
      // The table says the same: open it instead of leaving a hole.
      figure.querySelector("details")?.setAttribute("open", "");
      figure.querySelector(".chart-waiting")?.remove();
      console.error(error);
    }
  }

  const watcher = new IntersectionObserver(
    (entries) => {
      for (const entry of entries.filter((one) => one.isIntersecting)) {
        watcher.unobserve(entry.target);
        draw(entry.target);
      }
    },
    { rootMargin: "200px" },
  );

  function scan(within) {
    within.querySelectorAll("figure.chart[data-chart]:not([data-seen])").forEach((figure) => {
      figure.dataset.seen = "";
      watcher.observe(figure);
    });
  }

  scan(document);
  document.addEventListener("htmx:afterSettle", (event) => scan(event.target));
  document.addEventListener("keepwell:theme", () => {
    for (const [figure, { chart, data }] of drawn) {
      if (figure.isConnected) {
        chart.setOption(options(data, chart.getWidth()), true);
      } else {
        chart.dispose();
        drawn.delete(figure);
      }
    }
  });
})();
