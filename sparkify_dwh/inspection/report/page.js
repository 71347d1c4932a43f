"use strict";
// Filters: show the items of a group that match every field that is set.
for (const box of document.querySelectorAll("[data-filters]")) {
  box.hidden = false;
  const group = box.dataset.filters;
  const items = [...document.querySelectorAll(`[data-item="${group}"]`)];
  const fields = [...box.querySelectorAll("[data-field]")];
  const count = box.querySelector("[data-count]");
  const apply = () => {
    let shown = 0;
    for (const item of items) {
      const matches = fields.every((field) => {
        const value = field.type === "checkbox" ? (field.checked ? field.value : "") : field.value;
        return value === "" || item.dataset[field.dataset.field] === value;
      });
      item.hidden = !matches;
      shown += matches ? 1 : 0;
    }
    if (count) count.textContent = `${shown} of ${items.length} shown`;
  };
  for (const field of fields) field.addEventListener("change", apply);
  if (fields.length) apply();
}
// Lineage: dims the lines that lead to other tables.
const chosen = document.querySelector("[data-lineage]");
if (chosen) {
  chosen.addEventListener("change", () => {
    for (const line of document.querySelectorAll("[data-table]")) {
      line.classList.toggle("dim", chosen.value !== "" && line.dataset.table !== chosen.value);
    }
  });
}
