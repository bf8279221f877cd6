// How numbers are written, on every page.

/** Never 100% for a share below 1. */
export function percent(share, decimals = 1) {
  if (share === null || share === undefined) return "–";
  const most = 1 - 0.1 ** (decimals + 2);
  const shown = share < 1 && share > most ? most : share;
  return `${+(shown * 100).toFixed(decimals)}%`;
}

export const count = (number) => number.toLocaleString("en-US");

const ALMOST_CERTAIN = 0.9995; // from here, one decimal would round to 100.0%

/** A confidence or a run's accuracy, always with one decimal. */
export function inPercent(share) {
  if (share === null) return "–";
  return share >= ALMOST_CERTAIN && share < 1 ? ">99.9%" : `${(share * 100).toFixed(1)}%`;
}
