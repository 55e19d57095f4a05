/* Pages of figures: their address is copied, they are printed, their tables and drawings saved as pictures. */
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

/* A heat map is a table and the plane of shops an SVG: both are drawn again, box by box and word by
   word where they stand on the page, so that the picture has their fonts and the theme's colours. */
(() => {
  const MARGIN = 16;
  const LINE = 20;
  const LONGEST = 12000; // pixels that a canvas surely has
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  // The lines of a text that fit a width, in the font that is set.
  function broken(ink, text, width) {
    const lines = [];
    for (const word of text.trim().split(/\s+/)) {
      const longer = lines.length ? `${lines[lines.length - 1]} ${word}` : word;
      if (lines.length && ink.measureText(longer).width <= width) lines[lines.length - 1] = longer;
      else lines.push(word);
    }
    return lines;
  }

  // caption: what is seen, below the page's title.
  function paint(drawing, caption) {
    drawing.parentElement.scrollLeft = 0; // else the column that stays in view would cover another
    const frame = drawing.getBoundingClientRect();
    const width = Math.max(frame.width, 320) + 2 * MARGIN;
    const canvas = document.createElement("canvas");
    const ink = canvas.getContext("2d");
    const { fontFamily, color } = getComputedStyle(document.body);
    const font = `13px ${fontFamily}`;
    ink.font = font;
    const lines = caption.trim() ? broken(ink, caption, width - 2 * MARGIN) : [];
    const head = MARGIN + LINE * (lines.length + 1.5);
    const height = head + frame.height + MARGIN;
    const scale = Math.min(2, LONGEST / Math.max(width, height));
    canvas.width = Math.ceil(width * scale);
    canvas.height = Math.ceil(height * scale); // this forgets the font
    ink.scale(scale, scale);
    ink.fillStyle = css("--surface");
    ink.fillRect(0, 0, width, height);
    ink.fillStyle = color;
    ink.font = `600 14px ${fontFamily}`;
    ink.fillText(document.title, MARGIN, MARGIN + 14, width - 2 * MARGIN);
    ink.font = font;
    lines.forEach((line, at) => ink.fillText(line, MARGIN, MARGIN + 14 + LINE * (at + 1)));
    ink.translate(MARGIN - frame.left, head - frame.top);
    ink.textAlign = "center"; // of where it stands on the page: a canvas knows no tabular figures
    drawing.querySelectorAll("th, td").forEach((cell) => box(ink, cell));
    drawing.querySelectorAll("line, circle, text").forEach((shape) => {
      // One after the other: what lies on top hides the number below.
      if (shape.matches("text")) words(ink, shape);
      else outline(ink, shape);
    });
    if (drawing.matches("table")) words(ink, drawing);
    return canvas;
  }

  function box(ink, cell) {
    const { left, top, width, height, bottom } = cell.getBoundingClientRect();
    const style = getComputedStyle(cell);
    const [edge] = style.boxShadow.match(/^[a-z]+\([^)]*\)/) || ["transparent"];
    const shape = new Path2D();
    shape.roundRect(left, top, width, height, parseFloat(style.borderRadius) || 0);
    ink.fillStyle = style.backgroundColor;
    ink.fill(shape);
    ink.save();
    ink.clip(shape);
    if (cell.matches(".heat-open")) {
      ink.strokeStyle = css("--hatch");
      ink.beginPath();
      for (let at = left - height; at < left + width; at += 7) {
        ink.moveTo(at, bottom);
        ink.lineTo(at + height, top);
      }
      ink.stroke();
    } else if (cell.matches(".heat-loss")) {
      ink.fillStyle = edge;
      ink.fillRect(left, bottom - 2, width, 2);
    } else if (cell.matches(".heat-none")) {
      ink.strokeStyle = edge;
      ink.lineWidth = 2; // the outer half is clipped
      ink.stroke(shape);
      ink.lineWidth = 1;
    }
    ink.restore();
    const line = parseFloat(style.borderBottomWidth);
    if (line) {
      ink.fillStyle = style.borderBottomColor;
      ink.fillRect(left, bottom - line, width, line);
    }
  }

  function outline(ink, shape) {
    const matrix = shape.getScreenCTM();
    const style = getComputedStyle(shape);
    const number = (name) => Number(shape.getAttribute(name));
    const at = (x, y) => new DOMPoint(number(x), number(y)).matrixTransform(matrix);
    ink.beginPath();
    if (shape.matches("circle")) {
      const { x, y } = at("cx", "cy");
      ink.arc(x, y, number("r") * matrix.a, 0, 2 * Math.PI);
      ink.fillStyle = style.fill;
      ink.fill();
    } else {
      const [from, to] = [at("x1", "y1"), at("x2", "y2")];
      ink.moveTo(from.x, from.y);
      ink.lineTo(to.x, to.y);
    }
    ink.strokeStyle = style.stroke;
    ink.lineWidth = parseFloat(style.strokeWidth) || 1;
    ink.setLineDash((style.strokeDasharray.match(/[\d.]+/g) || []).map(Number));
    ink.stroke();
    ink.setLineDash([]);
  }

  function words(ink, drawing) {
    const walker = document.createTreeWalker(drawing, NodeFilter.SHOW_TEXT);
    const range = document.createRange();
    const put = (node, from, to) => {
      range.setStart(node, from);
      range.setEnd(node, to);
      const place = range.getBoundingClientRect();
      const text = node.data.slice(from, to);
      const size = ink.measureText(text);
      const middle = (size.fontBoundingBoxAscent - size.fontBoundingBoxDescent) / 2;
      ink.fillText(text, place.left + place.width / 2, place.top + place.height / 2 + middle);
    };
    while (walker.nextNode()) {
      const node = walker.currentNode;
      const holder = node.parentElement;
      if (holder.closest(".visually-hidden, title")) continue;
      const style = getComputedStyle(holder);
      const zoom = holder.ownerSVGElement ? holder.getScreenCTM().a : 1;
      ink.font = `${style.fontWeight} ${parseFloat(style.fontSize) * zoom}px ${style.fontFamily}`;
      ink.fillStyle = holder.ownerSVGElement ? style.fill : style.color;
      for (const word of node.data.matchAll(/\S+/g)) {
        const [from, to] = [word.index, word.index + word[0].length];
        range.setStart(node, from);
        range.setEnd(node, to);
        // Figures stand below each other, each as wide as the next; Chinese breaks its lines anywhere.
        const isApart = /\d/.test(word[0]) || range.getClientRects().length > 1;
        if (!isApart) put(node, from, to);
        else for (let at = from; at < to; at += 1) put(node, at, at + 1);
      }
    }
  }

  document.querySelectorAll("[data-picture]").forEach((button) => {
    const whole = button.closest(".picture");
    const drawing = whole.querySelector("table.heat, svg.scatter");
    if (!drawing) return;
    const caption = button.dataset.caption || whole.querySelector("figcaption")?.textContent || "";
    button.hidden = false;
    button.addEventListener("click", () => {
      paint(drawing, caption).toBlob((content) => {
        const link = document.createElement("a");
        link.download = `${button.dataset.picture}.png`;
        link.href = URL.createObjectURL(content);
        link.click();
        setTimeout(() => URL.revokeObjectURL(link.href), 10000);
      });
    });
  });
})();
