// Shows where a field was read: pointing at a field lights its place in the document.
function light(event) {
  const row = event.target.closest("tr[data-mark]");
  for (const lit of document.querySelectorAll(".lit")) lit.classList.remove("lit");
  if (row) document.getElementById(row.dataset.mark)?.classList.add("lit");
}

document.addEventListener("pointerover", light);
document.addEventListener("focusin", light);
