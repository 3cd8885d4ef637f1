// Follows a page whose content still changes, by asking for it again. Leaves it alone while somebody
// works on it or looks elsewhere, and stops when the page says that it is finished.
const PAUSED = "details[open], :focus";

async function follow(main) {
  if (document.hidden || main.querySelector(PAUSED)) return true;
  let answer;
  try {
    answer = await fetch(location.href, { headers: { Accept: "text/html" } });
  } catch {
    return true;
  }
  if (!answer.ok || answer.redirected) return answer.status >= 500 || answer.status === 429;
  const next = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("main");
  if (!next) return false;
  main.replaceChildren(...next.childNodes);
  return "refresh" in next.dataset;
}

const main = document.querySelector("main[data-refresh]");
if (main) {
  const wait = Number(main.dataset.refresh) * 1000;
  const again = async () => {
    if (await follow(main)) setTimeout(again, wait);
  };
  setTimeout(again, wait);
}
