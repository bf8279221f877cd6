// The dashboard for everybody: which chart belongs to which figure.

const shared = document.querySelector("[data-figures]").dataset.figures;
const figures = await import(shared);
const { start, shareOverMonths, shareBars } = figures;

start({
  "accuracy-by-month": shareOverMonths,
  "accuracy-by-digit": shareBars,
});
