// Texts and colours of a page with too little contrast, by WCAG 2.2: 4.5 for text, 3 for graphics.
() => {
  const parse = (colour) => {
    const parts = colour.match(/[\d.]+/g).map(Number);
    return parts.length < 4 ? [...parts, 1] : parts;
  };
  const over = (a, b) => [0, 1, 2].map((i) => a[i] * a[3] + b[i] * (1 - a[3])).concat(1);
  const luminance = (colour) => {
    const [r, g, b] = colour
      .map((v) => v / 255)
      .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (one, other) => {
    const [a, b] = [luminance(one), luminance(other)].sort((x, y) => y - x);
    return (a + 0.05) / (b + 0.05);
  };
  const ground = (element) => {
    const stack = [];
    for (let e = element; e; e = e.parentElement) {
      stack.push(parse(getComputedStyle(e).backgroundColor));
    }
    return stack.reverse().reduce((below, colour) => over(colour, below), [255, 255, 255, 1]);
  };
  const bad = [];
  for (const e of document.querySelectorAll("body *")) {
    const own = [...e.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    const unseen = e.closest(".hidden, .skip, title, desc, script, style, option");
    if (!own || unseen || !e.getClientRects().length) continue;
    const svg = e.ownerSVGElement;
    let below = ground(svg || e);
    // In pictures of boxes the text stands on a box.
    const box = svg && svg.querySelector(".table, .node");
    const head = svg && e.matches(".erd .name") && svg.querySelector(".head");
    if (head || box) below = parse(getComputedStyle(head || box).fill);
    const ink = over(parse(getComputedStyle(e)[svg ? "fill" : "color"]), below);
    const ratio = contrast(ink, below);
    if (ratio < 4.5) bad.push([e.tagName, e.textContent.slice(0, 30), ratio.toFixed(2)]);
  }
  const card = parse(getComputedStyle(document.querySelector(".card")).backgroundColor);
  for (const name of ["s0", "s1", "s2", "s3", "s4", "s5"]) {
    const probe = document.querySelector("." + name);
    if (!probe) bad.push([name, "is nowhere on the page"]);
    else if (contrast(parse(getComputedStyle(probe).fill), card) < 3) bad.push([name]);
  }
  return bad;
}
