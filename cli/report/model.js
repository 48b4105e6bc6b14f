// SPDX-License-Identifier: Apache-2.0
// The data as a forest, times as text, and what is searched. No document, no drawing.
'use strict';

const data = JSON.parse(document.getElementById('data').textContent);
const BASE = BigInt(data.base);
// Columns of a row of data.processes; report_data.c writes them in this order.
const [ID, PARENT, BOOT, PID, START, END, HOW, EXIT, COMM, IMAGE, CONTEXT, BIRTH, CWD, NS_PID, PGID, SHOWN, USER, SYSTEM,
  RSS, CREATOR, REAPER, START_BOOT, EXECS, PRUNED, FAILURES, PARENT_ID, PRUNED_EXECS, PRUNED_FAILURES] = Array(28).keys();
const HOWS = ['observed', 'snapshot', 'recovered', 'inferred'];
const rows = data.processes;
const COUNT = rows.length;

const depth = new Uint16Array(COUNT), below = new Uint32Array(COUNT), childCount = new Uint32Array(COUNT);
const kind = new Uint8Array(COUNT); // 0: well, 1: failed, 2: killed, 3: not ended, 4: ended, how is not known
const OK = 0, FAILED = 1, KILLED = 2, ALIVE = 3, UNCLEAR = 4;
const rowOfId = new Map();

for (let i = 0; i < COUNT; i++) {
  const p = rows[i], up = p[PARENT];

  depth[i] = up < 0 ? 0 : depth[up] + 1;
  if (up >= 0) childCount[up]++;
  kind[i] = p[END] === null ? ALIVE : p[EXIT] === '0' ? OK : p[EXIT] === '?' ? UNCLEAR : /^\d/.test(p[EXIT]) ? FAILED : KILLED;
  rowOfId.set(p[BOOT] + ':' + p[ID], i);
}
// Rows are in pre-order: children come behind their parent, so sums go up from the end.
for (let i = COUNT - 1; i >= 0; i--)
  if (rows[i][PARENT] >= 0) below[rows[i][PARENT]] += below[i] + 1;

// Siblings that look alike, with all below them, but for pids and times: the first of them stands for the others.
const leader = new Int32Array(COUNT), alike = new Uint32Array(COUNT), nextAlike = new Int32Array(COUNT).fill(-1);
const childRows = new Uint32Array(COUNT); // children without those that another stands for

function findAlike() {
  const shape = new Uint32Array(COUNT), shapes = new Map(), inside = [];

  // From the end: the shapes of the children are known before that of the parent.
  for (let i = COUNT - 1; i >= 0; i--) {
    const p = rows[i], up = p[PARENT];
    const key = [p[SHOWN], p[BOOT], p[IMAGE], p[COMM], p[CONTEXT], p[EXIT], p[HOW], p[PRUNED], p[PRUNED_EXECS],
      p[PRUNED_FAILURES], p[EXECS].map(e => e[2]).join(), p[FAILURES].map(f => f[1] + f[2]).join(), inside[i] ? inside[i].join() : ''].join(';');

    inside[i] = undefined;
    if (!shapes.has(key)) shapes.set(key, shapes.size + 1);
    shape[i] = shapes.get(key);
    if (up >= 0) (inside[up] = inside[up] || []).push(shape[i]);
  }
  const first = new Map(), last = new Int32Array(COUNT);
  for (let i = 0; i < COUNT; i++) {
    const up = rows[i][PARENT], key = up * 4294967296 + shape[i], found = first.get(key);

    leader[i] = found === undefined ? i : found;
    alike[leader[i]]++;
    if (found === undefined) {
      first.set(key, i);
      if (up >= 0) childRows[up]++;
    } else nextAlike[last[found]] = i;
    last[leader[i]] = i;
  }
}
findAlike();

const command = i => rows[i][IMAGE] >= 0 ? data.images[rows[i][IMAGE]].command : data.strings[rows[i][COMM]];
const comm = i => data.strings[rows[i][COMM]];
const contextOf = i => data.contexts[rows[i][CONTEXT]];

let asked; // without a margin
// The time that is asked about: as given, else where the processes are that were asked for.
function wholeTime() {
  let from = Infinity, to = -Infinity;

  for (let i = 0; i < COUNT; i++) {
    const p = rows[i];

    if (!p[SHOWN]) continue;
    from = Math.min(from, p[START]);
    to = Math.max(to, p[END] === null ? p[START] : p[END]);
  }
  if (data.since !== null) from = data.since;
  if (data.until !== null) to = data.until;
  if (!(from < to)) [from, to] = from === Infinity ? [0, 1e9] : [from - 5e8, from + 5e8];
  asked = [from, to];
  const margin = data.since === null && data.until === null ? (to - from) * .01 : 0;
  return [from - margin, to + margin];
}
const [FIRST, LAST] = wholeTime();

let utc = data.utc;
const two = n => String(n).padStart(2, '0');

// ns after BASE -> {day, clock, fraction of 9 digits}
function split(ns) {
  const unix = BASE + BigInt(Math.round(ns)), second = unix / 1000000000n, rest = unix % 1000000000n;
  const d = new Date(Number(second) * 1000);
  const [y, mo, da, h, mi, s] = utc
    ? [d.getUTCFullYear(), d.getUTCMonth(), d.getUTCDate(), d.getUTCHours(), d.getUTCMinutes(), d.getUTCSeconds()]
    : [d.getFullYear(), d.getMonth(), d.getDate(), d.getHours(), d.getMinutes(), d.getSeconds()];

  return {day: y + '-' + two(mo + 1) + '-' + two(da), clock: two(h) + ':' + two(mi) + ':' + two(s),
    fraction: String(rest).padStart(9, '0')};
}
const timeText = (ns, digits = 3) => {
  const t = split(ns);
  return t.clock + (digits ? '.' + t.fraction.slice(0, digits) : '');
};
const dateTimeText = (ns, digits = 3) => split(ns).day + ' ' + timeText(ns, digits);

function spanText(ns) {
  if (ns < 1e3) return Math.round(ns) + ' ns';
  if (ns < 1e6) return (ns / 1e3).toFixed(0) + ' µs';
  if (ns < 1e9) return (ns / 1e6).toFixed(ns < 1e7 ? 1 : 0) + ' ms';
  if (ns < 6e10) return (ns / 1e9).toFixed(2) + ' s';
  const s = Math.round(ns / 1e9), m = Math.floor(s / 60), h = Math.floor(m / 60), d = Math.floor(h / 24);
  if (d) return d + 'd ' + two(h % 24) + 'h';
  if (h) return h + 'h ' + two(m % 60) + 'm';
  return m + 'm ' + two(s % 60) + 's';
}
const lifeText = i => rows[i][END] === null ? 'alive' : spanText(rows[i][END] - rows[i][START]);

// What is missing, without its time.
function missingText(m) {
  if (m.kind !== 'gap') return m.text;
  return (m.lost === null ? 'Events lost, how many is not known' : m.lost.toLocaleString('en') + ' events lost') +
    (m.recovered ? ', ' + m.recovered.toLocaleString('en') + ' more rebuilt' : '') + ' (' + m.cause + ')';
}

// A search: words that must all be there; some name where to look.
const FIELDS = {
  pid: (i, v) => String(rows[i][PID]) === v,
  ppid: (i, v) => rows[i][PARENT] >= 0 && String(rows[rows[i][PARENT]][PID]) === v,
  uid: (i, v) => String(contextOf(i).uid) === v || String(contextOf(i).euid) === v,
  comm: (i, v) => comm(i).toLowerCase() === v,
  exit: (i, v) => v[0] === '!' ? rows[i][END] !== null && rows[i][EXIT].toLowerCase() !== v.slice(1)
    : rows[i][EXIT].toLowerCase() === v,
  container: (i, v) => contextText(i).includes(v),
  is: (i, v) => kind[i] === {failed: FAILED, killed: KILLED, alive: ALIVE}[v],
};
const contextTexts = data.contexts.map(x => [x.container_name, x.container_id, x.pod_name, x.pod_namespace, x.image_name,
  x.cgroup].filter(Boolean).join(' ').toLowerCase());
const contextText = i => contextTexts[rows[i][CONTEXT]];
const imageTexts = data.images.map(m => (m.command + ' ' + (m.args || '')).toLowerCase());

function parseSearch(text) {
  return text.toLowerCase().split(/\s+/).filter(Boolean).map(word => {
    const at = word.indexOf(':'), field = at > 0 && FIELDS[word.slice(0, at)];
    return field ? {field, value: word.slice(at + 1)} : {word};
  });
}

function hasWord(i, word) {
  const p = rows[i];

  return (p[IMAGE] >= 0 && imageTexts[p[IMAGE]].includes(word)) || comm(i).toLowerCase().includes(word) ||
    String(p[PID]) === word || contextText(i).includes(word) ||
    p[EXECS].some(e => e[2] >= 0 && imageTexts[e[2]].includes(word));
}
const matchesSearch = (i, terms) => terms.every(t => t.field ? t.value === '' || t.field(i, t.value) : hasWord(i, t.word));
