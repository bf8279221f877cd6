// What charts of several pages are made of: colors, words, axes, and what Chart.js does not draw by
// itself. A builder is a function from a figure to a configuration of Chart.js. Datasets may carry
// `told`, the texts of their tooltips, and `rows`, the rows of the figure that their points stand for.

import { count, percent } from "./numbers.js";

export const FONT = "Inter, system-ui, sans-serif";
const ROOM_FOR_A_VALUE = 46; // px; the least distance of two points for their values to be written
const ROOM_FOR_A_TIME = 62; // px between two ticks of an axis of time
const ROOM_FOR_A_COUNT = 76; // px between two months with their counts below them
const MANY = 40; // points of a line; with more they are drawn smaller

// -- words and colors ---------------------------------------------------------------------------

/** A color of the stylesheet in the current theme. */
export function color(name, share = 1) {
  const probe = document.createElement("span");
  probe.style.color = share < 1 ? `color-mix(in srgb, var(${name}) ${share * 100}%, transparent)` : `var(${name})`;
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

/** A mix of two colors of the stylesheet; 0 is the first. */
export function between(first, second, share) {
  const probe = document.createElement("span");
  probe.style.color = `color-mix(in oklab, var(${second}) ${share * 100}%, var(${first}))`;
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

/** A row as an object, by the columns' keys. */
export function records(figure) {
  const keys = figure.columns.map((column) => column.key);
  return figure.rows.map((row) => Object.fromEntries(keys.map((key, at) => [key, row[at]])));
}

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** 2026-09 as Sep 2026; 2026-09-04 as Sep 4, 2026. */
export function timeInWords(time) {
  const [year, month, day] = time.split("-").map(Number);
  return day ? `${MONTHS[month - 1]} ${day}, ${year}` : `${MONTHS[month - 1]} ${year}`;
}

/** The text of a tooltip: a share with its interval and n. */
export function told(each) {
  if (each.share === null) return "no labels";
  const few = each.enough ? "" : "; too few to say";
  return `${percent(each.share)} of ${count(each.n)} (95%: ${percent(each.low)} to ${percent(each.high)})${few}`;
}

/** 12,345 as 12k and 1,204 as 1.2k, for places where nothing longer fits. */
function short(number) {
  if (number < 1000) return String(number);
  return number < 10_000 ? `${Math.round(number / 100) / 10}k` : `${Math.round(number / 1000)}k`;
}

// -- what Chart.js does not draw by itself --------------------------------------------------------

/** Draws the 95% interval of each point or bar: `intervals` of a dataset, [low, high] or null. */
const whiskers = {
  id: "whiskers",
  afterDatasetsDraw(chart) {
    const pen = chart.ctx;
    chart.data.datasets.forEach((set, index) => {
      if (!set.intervals || !chart.isDatasetVisible(index)) return;
      const meta = chart.getDatasetMeta(index);
      const scale = chart.scales[meta.yAxisID];
      pen.save();
      pen.lineWidth = set.whiskerWidth ?? 1.75;
      meta.data.forEach((element, at) => {
        const ends = set.intervals[at];
        if (!ends || ends[0] === null) return;
        const [low, high] = ends.map((end) => scale.getPixelForValue(end));
        const cap = 4;
        pen.strokeStyle = Array.isArray(set.whiskerColor) ? set.whiskerColor[at] : set.whiskerColor;
        pen.beginPath();
        pen.moveTo(element.x, low);
        pen.lineTo(element.x, high);
        for (const end of [low, high]) {
          pen.moveTo(element.x - cap, end);
          pen.lineTo(element.x + cap, end);
        }
        pen.stroke();
      });
      pen.restore();
    });
  },
};

/** Writes the value of each point or bar if there is room: `values` of a dataset. */
const values = {
  id: "values",
  afterDatasetsDraw(chart) {
    const pen = chart.ctx;
    const ground = color("--sheet");
    chart.data.datasets.forEach((set, index) => {
      if (!set.values || !chart.isDatasetVisible(index)) return;
      const { data, yAxisID } = chart.getDatasetMeta(index);
      const scale = chart.scales[yAxisID];
      const room = data.length > 1 ? Math.abs(data[1].x - data[0].x) : Infinity;
      if (room < (set.valuesNeed ?? ROOM_FOR_A_VALUE)) return;
      const nth = (given, at) => (Array.isArray(given) ? given[at] : given);
      pen.save();
      pen.font = `500 12px ${FONT}`;
      pen.textAlign = "center";
      pen.textBaseline = "bottom";
      pen.lineWidth = 4;
      pen.lineJoin = "round";
      data.forEach((element, at) => {
        if (!set.values[at]) return;
        const top = scale.getPixelForValue(set.intervals?.[at]?.[1] ?? set.data[at]);
        const bottom = set.valuesAtBase ? scale.bottom - 7 : top - 5;
        if (set.valuesAtBase && element.y > bottom - 14) return; // the bar is too low to hold it
        pen.strokeStyle = set.valuesAtBase ? nth(set.backgroundColor, at) : ground; // no line crosses it
        pen.strokeText(set.values[at], element.x, bottom);
        pen.fillStyle = nth(set.valueColor, at);
        pen.fillText(set.values[at], element.x, bottom);
      });
      pen.restore();
    });
  },
};

/** Marks promotions: `marks` of the options, [{at, title}], where `at` is a place on the x axis. */
const marks = {
  id: "marks",
  beforeDatasetsDraw(chart, _, options) {
    const { ctx: pen, chartArea: area, scales } = chart;
    const rows = [-Infinity, -Infinity]; // the right end of the text in each row
    pen.save();
    pen.font = `500 11px ${FONT}`;
    pen.lineWidth = 1.5;
    for (const mark of options.list ?? []) {
      const x = scales.x.getPixelForValue(mark.at);
      if (x < area.left - 1 || x > area.right + 1) continue;
      pen.strokeStyle = options.line;
      pen.setLineDash([4, 3]);
      pen.beginPath();
      pen.moveTo(x, area.top - 18);
      pen.lineTo(x, area.bottom);
      pen.stroke();
      const width = pen.measureText(mark.title).width;
      const left = Math.max(area.left, Math.min(x - width / 2, area.right - width));
      const row = rows.findIndex((end) => left > end + 8);
      if (row === -1) continue; // no room: the list below the chart has it
      rows[row] = left + width;
      pen.setLineDash([]);
      pen.fillStyle = options.ink;
      pen.textBaseline = "bottom";
      pen.fillText(mark.title, left, area.top - 20 - 14 * row); // above the values of points at 100%
    }
    pen.restore();
  },
};

/** Writes the name of each point where there is room: `names` of a dataset. The newest come first. */
const names = {
  id: "names",
  afterDatasetsDraw(chart) {
    const pen = chart.ctx;
    chart.data.datasets.forEach((set, index) => {
      if (!set.names || !chart.isDatasetVisible(index)) return;
      const points = chart.getDatasetMeta(index).data;
      const taken = points.map(({ x, y }) => ({ left: x - 6, right: x + 6, top: y - 6, bottom: y + 6 }));
      pen.save();
      pen.font = `500 12px ${FONT}`;
      pen.fillStyle = set.nameColor;
      pen.textAlign = "left";
      pen.textBaseline = "top";
      for (let at = points.length - 1; at >= 0; at -= 1) {
        const place = placeOf(points[at], pen.measureText(set.names[at]).width, chart, taken);
        if (!place) continue;
        taken.push(place);
        pen.fillText(set.names[at], place.left, place.top);
      }
      pen.restore();
    });
  },
};

/** Where a name fits beside its point without covering another one, or undefined. */
function placeOf({ x, y }, wide, { width, chartArea: area }, taken) {
  const places = [[8, -22], [8, 9], [-wide - 8, -22], [-wide - 8, 9], [-wide / 2, -26], [-wide / 2, 12], [11, -7], [-wide - 11, -7]];
  return places
    .map(([right, down]) => ({ left: x + right, right: x + right + wide, top: y + down, bottom: y + down + 14 }))
    .find((box) => box.left > area.left && box.right < width && box.top > 0 && box.bottom < area.bottom
      && !taken.some((other) => box.left < other.right && other.left < box.right && box.top < other.bottom && other.top < box.bottom));
}

export const plugins = [marks, whiskers, values, names];

// -- axes and options -----------------------------------------------------------------------------

export function axis(more = {}) {
  const { ticks, title, ...rest } = more;
  return {
    border: { display: false },
    grid: { color: color("--rule"), drawTicks: false },
    ticks: { color: color("--ink-faint"), font: { family: FONT, size: 12 }, padding: 8, maxRotation: 0, ...ticks },
    title: { display: Boolean(title), text: title, color: color("--ink-faint"), font: { family: FONT, size: 12, weight: 500 } },
    ...rest,
  };
}

export function shareAxis(more = {}) {
  const { ticks, ...rest } = more;
  return axis({ max: 1, ticks: { maxTicksLimit: 6, includeBounds: false, callback: (share) => percent(share), ...ticks }, ...rest });
}

/** Which of these times are ticks, as places: each change of month, of every second, and so on. */
function ticksOf(times, most) {
  const all = times.map((_, at) => at);
  if (all.length <= most) return all;
  const number = (at) => { const [year, month] = times[at].split("-").map(Number); return 12 * year + month - 1; };
  const changes = all.filter((at) => at && number(at) !== number(at - 1));
  for (const step of [1, 2, 3, 6, 12, 24, 36, 60, 120]) {
    const found = changes.filter((at) => number(at) % step === 0);
    if (found.length >= Math.min(4, most) && found.length <= most) return found;
  }
  const step = Math.ceil(all.length / most);
  return all.filter((at) => at % step === 0);
}

/** The text of a tick: the year is below the first one, and where it changes. */
function tickInWords(times, places, index) {
  const [year, month, day] = times[places[index]].split("-").map(Number);
  const isNew = index === 0 || !times[places[index - 1]].startsWith(String(year));
  const isOfDay = day && times.length < 100 && !(places[1] - places[0] >= 28);
  return [isOfDay ? `${MONTHS[month - 1]} ${day}` : MONTHS[month - 1], isNew ? String(year) : ""];
}

/** An axis of months or days. `notes`, a text for each month, is written below where all fit. */
export function timeAxis(times, { notes, ...more } = {}) {
  let places = [];
  return axis({
    offset: true, grid: { display: false },
    afterBuildTicks(scale) {
      const room = scale.chart.width - 70;
      const hasNotes = notes && room / times.length > ROOM_FOR_A_COUNT;
      places = ticksOf(times, Math.max(2, Math.floor(room / ROOM_FOR_A_TIME)));
      scale.ticks = places.map((at) => ({ value: at }));
      scale.hasNotes = hasNotes;
    },
    ticks: {
      autoSkip: false,
      callback(_, index) {
        if (this.hasNotes) return [timeInWords(times[places[index]]), notes[places[index]]];
        return tickInWords(times, places, index);
      },
    },
    ...more,
  });
}

/** The options of every chart. `more` adds scales, marks and a legend, which `legend.js` puts below it. */
export function options({ scales, marks: list, legend = false, tooltip = {}, ...more } = {}) {
  return {
    hasLegend: legend,
    animation: false,
    maintainAspectRatio: false,
    layout: { padding: { top: list?.length ? 52 : 18, right: 6 } },
    interaction: { mode: "index", intersect: false },
    scales,
    plugins: {
      legend: { display: false },
      marks: { list, line: color("--ink-soft"), ink: color("--ink-soft") },
      tooltip: {
        backgroundColor: color("--ink"), titleColor: color("--sheet"), bodyColor: color("--sheet"),
        titleFont: { family: FONT, weight: 600 }, bodyFont: { family: FONT }, padding: 10, cornerRadius: 8,
        displayColors: false,
        filter: (item) => !item.dataset.isSilent,
        ...tooltip,
        callbacks: {
          label: (item) => item.dataset.told?.[item.dataIndex] ?? `${item.dataset.label}: ${item.formattedValue}`,
          ...tooltip.callbacks,
        },
      },
    },
    ...more,
  };
}

/** Places promotions on an axis of months or days; a whole number is the middle of a month or day. */
export function placed(list, times) {
  const found = [];
  const isDays = times[0]?.length > 7;
  for (const mark of list ?? []) {
    const [day, clock] = mark.at.split("T");
    // After two years of days there is one for each week, so a day may lie between two.
    const at = isDays ? times.findIndex((time) => time >= day) : times.indexOf(mark.month);
    if (at === -1 || (isDays && day < times[0])) continue;
    const [year, month, number] = day.split("-").map(Number);
    const hours = Number(clock?.slice(0, 2) ?? 12);
    const share = isDays ? hours / 24 : (number - 1) / new Date(year, month, 0).getDate();
    found.push({ at: at + share - 0.5, title: mark.title });
  }
  return found;
}

/** The highest start of an axis of shares that hides no interval. */
function floorOf(found, most = 0.95) {
  const lows = found.filter((each) => each.low !== null).map((each) => each.low);
  if (!lows.length) return 0;
  return Math.max(0, Math.min(most, Math.floor(Math.min(...lows) * 20 - 0.001) / 20));
}

/** Makes a line gray before and after a point with too few labels. */
function byEnough(found) {
  const few = (at) => !found[at].enough;
  return { borderColor: (part) => (few(part.p0DataIndex) || few(part.p1DataIndex) ? color("--few") : undefined) };
}

/** The names and counts below bars, the counts as long as all of them fit. */
function namesAndCounts(found, name) {
  const forms = [(n) => `n ${count(n)}`, count, short, () => ""];
  return axis({
    offset: true, grid: { display: false },
    ticks: {
      autoSkip: false,
      callback(at) {
        const { ctx: pen, width } = this.chart;
        const room = (width - 60) / found.length - 4;
        pen.font = `400 12px ${FONT}`;
        const form = forms.find((one) => found.every(({ n }) => pen.measureText(one(n)).width <= room)) ?? short;
        return [name(found[at]), found[at].n ? form(found[at].n) : "–"];
      },
    },
  });
}

/** The radius of a line's points: only one that stands alone, which no line would show, is drawn. */
export const aloneOr = (found, radius = 0) => (found.length === 1 ? 4 : radius);

/** The band of an interval: two datasets, the second of which is in the legend. */
function band(found, name = "--pen") {
  const look = { label: "95%", borderWidth: 0, pointRadius: 0, pointHitRadius: 0, isSilent: true, backgroundColor: color(name, 0.18), spanGaps: true };
  return [
    { ...look, data: found.map((each) => each.low), fill: "+1", isOutOfLegend: true },
    { ...look, data: found.map((each) => each.high), inLegend: color(name, 0.3) },
  ];
}

/** A share over months: a line, gray where labels are few, with the interval of each point; many have a band. */
export function shareOverMonths(figure) {
  const found = records(figure);
  const months = found.map((each) => each.month);
  const names = found.map(({ month, last }) => (last && last !== month ? `${timeInWords(month)} to ${timeInWords(last)}` : timeInWords(month)));
  const ink = found.map((each) => color(each.enough ? "--pen" : "--few"));
  const isLong = found.length > MANY;
  return {
    type: "line",
    data: {
      labels: names,
      datasets: [
        {
          label: figure.title, data: found.map((each) => each.share), told: found.map(told), rows: found,
          intervals: isLong ? null : found.map((each) => [each.low, each.high]), whiskerColor: ink,
          values: found.map((each) => (each.share === null ? "" : percent(each.share))), valueColor: color("--ink"),
          borderColor: color("--pen"), borderWidth: isLong ? 1.75 : 2.5, spanGaps: false, clip: false,
          segment: byEnough(found),
          pointRadius: isLong ? 2 : 5, pointHoverRadius: isLong ? 5 : 7, pointBorderWidth: isLong ? 1 : 2, pointBorderColor: ink,
          pointBackgroundColor: found.map((each) => color(each.enough ? "--pen" : "--sheet")),
        },
        ...(isLong ? band(found) : []),
      ],
    },
    options: options({
      legend: isLong, marks: placed(figure.marks, months),
      scales: {
        x: timeAxis(months, { notes: found.map((each) => (each.n ? `n = ${count(each.n)}` : "no labels")) }),
        y: shareAxis({ min: floorOf(found) }),
      },
    }),
  };
}

/** A share of 28 days at each day with the band of its interval, and each day's own as faint dots. */
export function shareOverDays(figure) {
  const found = records(figure);
  const days = found.map((each) => each.day);
  const enough = found.filter((each) => each.enough);
  const isUsual = enough.length * 2 > found.length; // else the first days, of few labels, would need all of it
  const least = floorOf(isUsual ? enough : found);
  const isBelow = found.map((each) => each.new_share !== null && each.new_share < least);
  return {
    type: "line",
    data: {
      labels: days.map(timeInWords),
      datasets: [
        {
          label: "28 days to that day", data: found.map((each) => each.share), told: found.map((each) => `28 days: ${told(each)}`),
          borderColor: color("--pen"), borderWidth: 2.5, segment: byEnough(found), pointRadius: aloneOr(found), pointHitRadius: 0, pointHoverRadius: 4,
          pointBackgroundColor: color(found.length === 1 && !found[0].enough ? "--few" : "--pen"), pointBorderWidth: 0, spanGaps: true,
          intervals: found.length === 1 ? [[found[0].low, found[0].high]] : null, whiskerColor: color("--few"),
        },
        ...band(found),
        {
          label: found.every((each) => each.since === each.day) ? "labels of single days" : "labels of single weeks", data: found.map((each) => (each.new_share === null ? null : Math.max(each.new_share, least))),
          told: found.map((each) => (each.new ? `new labels: ${percent(each.new_share)} of ${count(each.new)}` : "")),
          rows: found, showLine: false, borderWidth: 0, pointHoverRadius: 5, inLegend: color("--ink-soft", 0.5),
          pointRadius: found.map((each) => Math.min(5, 1.25 + Math.sqrt(each.new) / 3)),
          pointStyle: isBelow.map((below) => (below ? "triangle" : "circle")), pointRotation: 180,
          pointBackgroundColor: color("--ink-soft", 0.28), pointBorderWidth: 0, clip: false,
        },
      ],
    },
    options: options({
      legend: true, marks: placed(figure.marks, days),
      tooltip: { filter: (item) => !item.dataset.isSilent && Boolean(item.dataset.told?.[item.dataIndex]) },
      scales: { x: timeAxis(days), y: shareAxis({ min: least }) },
    }),
  };
}

/** A share for each digit (or another key): bars from zero, each with its interval. */
export function shareBars(figure, key = "label") {
  const found = records(figure);
  return {
    type: "bar",
    data: {
      labels: found.map((each) => String(each[key])),
      datasets: [{
        label: figure.title, data: found.map((each) => each.share), told: found.map(told), rows: found,
        intervals: found.map((each) => [each.low, each.high]), whiskerColor: color("--ink"),
        values: found.map((each) => (each.share === null ? "" : percent(each.share).replace("%", ""))),
        valueColor: found.map((each) => color(each.enough ? "--on-pen" : "--ink")), valuesAtBase: true, valuesNeed: 40,
        backgroundColor: found.map((each) => color(each.enough ? "--pen" : "--few")),
        borderRadius: 4, maxBarThickness: 56, categoryPercentage: 0.85, barPercentage: 0.9,
      }],
    },
    options: options({
      scales: { x: namesAndCounts(found, (each) => String(each[key])), y: shareAxis({ min: 0 }) },
    }),
  };
}

/** A distribution for each month or digit: the mean and the middle half (quartiles). */
export function spreads(figure, key) {
  const found = records(figure).map((each) => ({ ...each, n: each.drawings }));
  const isMonth = key === "month";
  const name = (each) => (isMonth ? timeInWords(each.month) : String(each[key]));
  const said = (each) => (each.mean === null
    ? "no drawings"
    : `mean ${percent(each.mean, 2)}, half between ${percent(each.low, 2)} and ${percent(each.high, 2)}, of ${count(each.n)}`);
  const months = isMonth ? found.map((each) => each.month) : [];
  const isLong = found.length > MANY;
  const radius = isLong ? 1.5 : 5;
  return {
    type: "bar",
    data: {
      labels: found.map(name),
      datasets: [
        {
          type: "line", label: "mean", data: found.map((each) => each.mean), told: found.map(said), rows: found,
          showLine: isMonth, clip: false, borderColor: color("--line-3"), backgroundColor: color("--line-3"), borderWidth: 2, spanGaps: false,
          pointRadius: radius, pointHoverRadius: radius + 2, pointBackgroundColor: color("--line-3"), pointBorderColor: color("--sheet"), pointBorderWidth: isLong ? 0 : 1.5,
        },
        {
          label: "middle half", data: found.map((each) => (each.mean === null ? null : [each.low, each.high])), isSilent: true,
          backgroundColor: color("--line-3", 0.3), borderRadius: 3, borderSkipped: false, maxBarThickness: 28, minBarLength: 3,
        },
      ],
    },
    options: options({
      legend: true, marks: isMonth ? placed(figure.marks, months) : [],
      scales: {
        x: isMonth ? timeAxis(months) : namesAndCounts(found, name),
        y: shareAxis({ min: floorOf(found.map((each) => ({ low: each.mean === null ? null : Math.min(each.mean, each.low) }))) }),
      },
    }),
  };
}
