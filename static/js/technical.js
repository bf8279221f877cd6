// The technical dashboard: which chart belongs to which figure.

const shared = document.querySelector("[data-figures]").dataset.figures;
const { start, shareOverDays } = await import(shared);

start({ "accuracy-by-day": shareOverDays });
