// Shows where a field was read: pointing at a field lights its place in the document. Where document and
// fields stand beside each other, the place is brought into view.
const beside = matchMedia("(min-width: 860px)");

function light(event) {
  const row = event.target.closest("tr[data-mark]");
  for (const lit of document.querySelectorAll(".lit")) lit.classList.remove("lit");
  const place = row && document.getElementById(row.dataset.mark);
  if (!place) return;
  place.classList.add("lit");
  if (beside.matches) place.scrollIntoView({ block: "nearest" });
}

document.addEventListener("pointerover", light);
document.addEventListener("focusin", light);
