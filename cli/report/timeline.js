// SPDX-License-Identifier: Apache-2.0
// The strip above (how much happened when), the axis, and one lane for each row of the tree.

const $ = id => document.getElementById(id);
const view = {from: FIRST, to: LAST};
let colors = {};

function readColors() {
  const style = getComputedStyle(document.documentElement);

  for (const name of ['paper', 'panel', 'line', 'text', 'soft', 'faint', 'accent', 'accent-soft', 'ok', 'fail', 'kill',
    'live', 'gap', 'context'])
    colors[name] = style.getPropertyValue('--' + name).trim();
}
const kindColor = i => !rows[i][SHOWN] ? colors.context
  : [colors.ok, colors.fail, colors.kill, colors.live, colors.faint][kind[i]];

// A canvas as large as its place, in real pixels.
function prepare(canvas, width, height) {
  const scale = window.devicePixelRatio || 1, w = Math.round(width * scale), h = Math.round(height * scale);

  if (canvas.width !== w || canvas.height !== h) [canvas.width, canvas.height] = [w, h];
  canvas.style.width = width + 'px';
  canvas.style.height = height + 'px';
  const g = canvas.getContext('2d');
  g.setTransform(scale, 0, 0, scale, 0, 0);
  g.clearRect(0, 0, width, height);
  return g;
}

// Slanted lines, so that a gap is no life.
function hatch(g, x, width, height) {
  width = Math.max(width, 3);
  g.save();
  g.beginPath();
  g.rect(x, 0, width, height);
  g.clip();
  g.globalAlpha = .16;
  g.fillStyle = g.strokeStyle = colors.gap;
  g.fillRect(x, 0, width, height);
  g.globalAlpha = .55;
  g.lineWidth = 1;
  g.beginPath();
  const from = Math.max(x - height, -height - 8), to = Math.min(x + width, g.canvas.width);
  for (let at = Math.floor(from / 8) * 8; at < to; at += 8) {
    g.moveTo(at, height);
    g.lineTo(at + height, 0);
  }
  g.stroke();
  g.restore();
}

const timeGaps = data.missing.filter(m => m.from !== null || m.to !== null)
  .map(m => ({...m, from: m.from === null ? -Infinity : m.from, to: m.to === null ? Infinity : m.to}));

function drawGaps(g, from, to, width, height) {
  for (const m of timeGaps) {
    const a = (Math.max(m.from, from) - from) / (to - from) * width;
    const b = (Math.min(m.to, to) - from) / (to - from) * width;

    if (m.to >= from && m.from <= to) hatch(g, a, b - a, height);
  }
}

// Steps that a clock has.
const STEPS = [1, 2, 5, 10, 20, 50, 100, 200, 500].flatMap(n => [n, n * 1e3, n * 1e6])
  .concat([1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800]
    .map(s => s * 1e9)).sort((a, b) => a - b);

function ticks(from, to, width, apart) {
  const least = (to - from) / width * apart, step = STEPS.find(s => s >= least) || 30 * 86400e9;
  // Steps begin at midnight of the zone that is shown.
  const d = new Date(Number((BASE + BigInt(Math.round(from))) / 1000000n));
  const midnight = utc ? Date.UTC(d.getUTCFullYear(), d.getUTCMonth(), d.getUTCDate())
    : new Date(d.getFullYear(), d.getMonth(), d.getDate()).getTime();
  const origin = Number(BigInt(midnight) * 1000000n - BASE), at = [];

  for (let t = origin + Math.ceil((from - origin) / step) * step; t <= to && at.length < 100; t += step) at.push(t);
  return {at, step};
}

function tickText(ns, step) {
  if (step >= 86400e9) return split(ns).day.slice(5);
  if (step >= 60e9) return timeText(ns, 0).slice(0, 5);
  return timeText(ns, step >= 1e9 ? 0 : step >= 1e6 ? 3 : step >= 1e3 ? 6 : 9);
}

function drawAxis(g, from, to, width, height, baseline) {
  const {at, step} = ticks(from, to, width, step0(to - from, width));

  g.font = '11px system-ui, sans-serif';
  g.textBaseline = 'middle';
  g.strokeStyle = colors.line;
  g.fillStyle = colors.soft;
  g.beginPath();
  for (const t of at) {
    const x = Math.round((t - from) / (to - from) * width) + .5;

    g.moveTo(x, 0);
    g.lineTo(x, height);
    if (baseline !== null) g.fillText(tickText(t, step), x + 4, baseline);
  }
  g.stroke();
}
const step0 = (span, width) => span / width * 90 < 1e9 ? 118 : 74;

// Starts per column of the strip, in the colours of how they ended. Found once for a width.
let histogram = {width: 0};
function findHistogram(width) {
  if (histogram.width === width) return histogram;
  const counts = [0, 1, 2, 3, 4].map(() => new Float64Array(width));
  let top = 1;

  for (let i = 0; i < COUNT; i++) {
    const x = Math.floor((rows[i][START] - FIRST) / (LAST - FIRST) * width);

    if (rows[i][SHOWN] && x >= 0 && x < width) counts[kind[i]][x]++;
  }
  for (let x = 0; x < width; x++) top = Math.max(top, counts.reduce((sum, c) => sum + c[x], 0));
  return histogram = {width, counts, top};
}

const STRIP_BAR = 3;
function drawOverview() {
  const canvas = $('density'), width = $('overview').clientWidth, height = $('overview').clientHeight;
  const g = prepare(canvas, width, height), floor = height - 18;
  const {counts, top} = findHistogram(Math.floor(width / STRIP_BAR));

  drawGaps(g, FIRST, LAST, width, floor);
  const order = [[OK, 'ok'], [UNCLEAR, 'faint'], [ALIVE, 'live'], [FAILED, 'fail'], [KILLED, 'kill']];
  for (let x = 0; x < counts[0].length; x++) {
    const sum = counts.reduce((n, c) => n + c[x], 0);
    let y = floor;

    // By the square root: one start must be seen beside a thousand.
    const tall = sum ? Math.max(3, Math.sqrt(sum / top) * (floor - 8)) : 0;
    for (const [k, name] of order) {
      const part = sum ? counts[k][x] / sum * tall : 0;

      g.fillStyle = colors[name];
      g.fillRect(x * STRIP_BAR, y - part, STRIP_BAR - 1, part);
      y -= part;
    }
  }
  g.fillStyle = colors.line;
  g.fillRect(0, floor, width, 1);
  g.save();
  g.translate(0, floor + 1);
  drawAxis(g, FIRST, LAST, width, 4, 9);
  g.restore();
  drawBrush(g, width, floor);
}

let brush = null; // while one is dragged: [from, to]
function drawBrush(g, width, height) {
  const [from, to] = brush || [view.from, view.to];
  const a = (from - FIRST) / (LAST - FIRST) * width, b = (to - FIRST) / (LAST - FIRST) * width;

  if (!brush && from <= FIRST && to >= LAST) return;
  g.fillStyle = colors.paper;
  g.globalAlpha = .62;
  g.fillRect(0, 0, a, height);
  g.fillRect(b, 0, width - b, height);
  g.globalAlpha = 1;
  g.strokeStyle = colors.accent;
  g.lineWidth = 1.5;
  g.strokeRect(a + .75, .75, Math.max(2, b - a) - 1.5, height - 1.5);
  g.lineWidth = 1;
}

// One lane: the life, its images as notches; closed, what began below it.
function drawLane(g, i, y, width, closed, chosen) {
  const p = rows[i], scale = width / (view.to - view.from);
  const end = p[END] === null ? Math.max(view.to, p[START]) : p[END];
  const a = (p[START] - view.from) * scale, b = (end - view.from) * scale;

  if (chosen) {
    g.fillStyle = colors['accent-soft'];
    g.fillRect(0, y, width, ROW);
  }
  if (closed) drawBelow(g, i, y, width, scale);
  if (b < 0 || a > width) {
    if (!closed) drawPointer(g, b < 0, y, width);
    return;
  }
  const x = Math.max(a, -4), w = Math.max(2, Math.min(b, width + 4) - x);
  g.fillStyle = kindColor(i);
  g.globalAlpha = kind[i] === ALIVE ? .6 : 1;
  g.beginPath();
  if (closed) g.rect(x, y + ROW - 4, w, 2);
  else g.roundRect(x, y + 6, w, ROW - 12, Math.min(3, w / 2));
  g.fill();
  g.globalAlpha = 1;
  g.fillStyle = colors.paper;
  for (const e of closed ? [] : p[EXECS].slice(1)) {
    const at = (e[0] - view.from) * scale;

    if (e[0] !== null && at > x + 3 && at < x + w - 2) g.fillRect(Math.round(at), y + 6, 1, ROW - 12);
  }
}

// Where it is, when it is not in sight.
function drawPointer(g, before, y, width) {
  g.fillStyle = colors.context;
  g.beginPath();
  const x = before ? 3 : width - 3, d = before ? 5 : -5;
  g.moveTo(x, y + ROW / 2);
  g.lineTo(x + d, y + ROW / 2 - 4);
  g.lineTo(x + d, y + ROW / 2 + 4);
  g.fill();
}

// How many began when below a closed row: a small histogram, what went wrong on top.
const BIN = 3;
function drawBelow(g, i, y, width, scale) {
  const last = i + below[i], bins = Math.ceil(width / BIN), all = new Uint32Array(bins), bad = new Uint32Array(bins);
  const worst = new Uint8Array(bins);
  let top = 1;

  for (let j = i + 1; j <= last; j++) {
    const x = Math.floor((rows[j][START] - view.from) * scale / BIN);

    if (x < 0 || x >= bins) continue;
    top = Math.max(top, ++all[x]);
    if (kind[j] !== FAILED && kind[j] !== KILLED) continue;
    bad[x]++;
    worst[x] = Math.max(worst[x], kind[j]);
  }
  for (let x = 0; x < bins; x++) {
    if (!all[x]) continue;
    const tall = Math.max(3, Math.sqrt(all[x] / top) * (ROW - 9)), part = bad[x] ? Math.max(2, bad[x] / all[x] * tall) : 0;

    g.fillStyle = colors.ok;
    g.fillRect(x * BIN, y + ROW - 4 - tall, BIN - 1, tall - part);
    g.fillStyle = worst[x] === KILLED ? colors.kill : colors.fail;
    g.fillRect(x * BIN, y + ROW - 4 - part, BIN - 1, part);
  }
}

// The lives of the others that the row stands for: thin, over one another, where a pixel is not drawn already.
function drawAlike(g, i, y, width) {
  const scale = width / (view.to - view.from);
  let drawn = -1;

  g.fillStyle = kindColor(i);
  g.globalAlpha = .55;
  for (let j = nextAlike[i]; j >= 0; j = nextAlike[j]) {
    const end = rows[j][END] === null ? view.to : rows[j][END];
    const a = Math.max((rows[j][START] - view.from) * scale, 0, drawn), b = Math.min((end - view.from) * scale, width);

    if (a > width || b < 0 || Math.max(b, a + 1) <= drawn) continue;
    g.fillRect(a, y + 9, Math.max(2, b - a), ROW - 18);
    drawn = Math.max(b, a + 1);
  }
  g.globalAlpha = 1;
}

let laneHover = null; // x of the mouse
function drawLanes(width, height, visible, first, offset, isClosed, isFolded, chosen) {
  const g = prepare($('lanes'), width, height);

  drawAxis(g, view.from, view.to, width, height, null);
  for (let k = 0; k * ROW - offset < height && first + k < visible.length; k++) {
    const i = visible[first + k];

    drawLane(g, i, k * ROW - offset, width, isClosed(i), i === chosen);
    if (isFolded(i)) drawAlike(g, i, k * ROW - offset, width);
  }
  drawGaps(g, view.from, view.to, width, height);
  if (laneHover !== null) {
    g.fillStyle = colors.accent;
    g.fillRect(laneHover, 0, 1, height);
  }
  const a = prepare($('axis'), width, 24);
  drawAxis(a, view.from, view.to, width, 24, 12);
  if (laneHover !== null) {
    const text = timeText(view.from + laneHover / width * (view.to - view.from), view.to - view.from < 1e9 ? 6 : 3);
    const w = a.measureText(text).width + 12, x = Math.min(Math.max(0, laneHover - w / 2), width - w);

    a.fillStyle = colors.accent;
    a.fillRect(x, 3, w, 18);
    a.fillStyle = colors.paper;
    a.fillText(text, x + 6, 12);
  }
}

// Never beyond what there is, never closer than a microsecond.
function setView(from, to) {
  let span = Math.min(Math.max(to - from, 1000), LAST - FIRST);

  if (to - from !== span) {
    const middle = (from + to) / 2;
    [from, to] = [middle - span / 2, middle + span / 2];
  }
  if (from < FIRST) [from, to] = [FIRST, FIRST + span];
  if (to > LAST) [from, to] = [LAST - span, LAST];
  view.from = from;
  view.to = to;
  if (flags.has('within')) search(true);
  draw();
}

function zoom(factor, at = .5) {
  const middle = view.from + (view.to - view.from) * at;

  setView(middle - (middle - view.from) * factor, middle + (view.to - middle) * factor);
}
const move = part => setView(view.from + (view.to - view.from) * part, view.to + (view.to - view.from) * part);
