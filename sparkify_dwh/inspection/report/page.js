"use strict";
// Filters: shows the items of a group whose data match every field that is set.
for (const box of document.querySelectorAll("[data-filters]")) {
  box.hidden = false;
  const group = box.dataset.filters;
  const items = [...document.querySelectorAll(`[data-item="${group}"]`)];
  const fields = [...box.querySelectorAll("[data-field]")];
  const count = box.querySelector("[data-count]");
  const apply = () => {
    let shown = 0;
    for (const item of items) {
      const fits = fields.every((field) => {
        const wanted = field.type === "checkbox" ? (field.checked ? field.value : "") : field.value;
        return wanted === "" || item.dataset[field.dataset.field] === wanted;
      });
      item.hidden = !fits;
      shown += fits ? 1 : 0;
    }
    if (count) count.textContent = `${shown} of ${items.length} shown`;
  };
  for (const field of fields) field.addEventListener("change", apply);
  if (fields.length) apply();
}
// Lineage: dims the lines that lead elsewhere.
const way = document.querySelector("[data-lineage]");
if (way) {
  way.addEventListener("change", () => {
    for (const line of document.querySelectorAll("[data-table]")) {
      line.classList.toggle("dim", way.value !== "" && line.dataset.table !== way.value);
    }
  });
}
