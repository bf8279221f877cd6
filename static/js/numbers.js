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

/** A run's accuracy or progress, always with one decimal. */
export function inPercent(share) {
  if (share === null) return "–";
  return share >= ALMOST_CERTAIN && share < 1 ? ">99.9%" : `${(share * 100).toFixed(1)}%`;
}

/** A confidence. It is below 1: only a 32-bit float cannot always tell by how much. */
export const asConfidence = (confidence) => inPercent(Math.min(confidence, 1 - Number.EPSILON));

const MOST_NINES = 7; // confidences are 32-bit floats, which cannot be nearer to 1

/** The score of a drawing: the nines of its confidence, so 0.999 is 3.00 nines. */
export function nines(confidence) {
  if (1 - confidence < 10 ** -MOST_NINES) return `over ${MOST_NINES} nines`;
  return `${Math.log10(1 / (1 - confidence)).toFixed(2)} nines`;
}

/** A confidence with as many decimals as it has nines, to stand beside the score. */
export function closePercent(confidence) {
  if (1 - confidence < 10 ** -MOST_NINES) return `>99.${"9".repeat(MOST_NINES - 2)}%`;
  const decimals = Math.max(1, Math.floor(Math.log10(1 / (1 - confidence))));
  return `${(confidence * 100).toFixed(decimals)}%`;
}
