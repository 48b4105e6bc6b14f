// SPDX-License-Identifier: Apache-2.0
// The tree, the details, the search, and what keys and mouse do. Text from processes is only ever set as text.

const ROW = 22;
const open = new Uint8Array(COUNT);
const unfolded = new Uint8Array(COUNT); // of a row that stands for others: they are shown
let visible = [], place = new Int32Array(COUNT).fill(-1);
let selected = -1, terms = [], matches = null, flags = new Set(), treeWidth = 0;
const element = (tag, name, text) => {
  const e = document.createElement(tag);

  if (name) e.className = name;
  if (text !== undefined) e.textContent = text;
  return e;
};

// Which rows there are: all that are open; in a search, the matches and what leads to them.
function layout() {
  visible = [];
  place.fill(-1);
  const wanted = matches && new Uint8Array(COUNT);

  if (wanted)
    for (const i of matches)
      for (let up = i; up >= 0 && !wanted[up]; up = rows[up][PARENT]) wanted[up] = 1;
  for (let i = 0; i < COUNT;) {
    if (wanted && !wanted[i]) {
      i += 1;
      continue;
    }
    if (!wanted && leader[i] !== i && !unfolded[leader[i]]) {
      i += below[i] + 1;
      continue;
    }
    place[i] = visible.push(i) - 1;
    i += wanted || open[i] ? 1 : below[i] + 1;
  }
  $('spacer').style.height = visible.length * ROW + 'px';
  $('empty').hidden = visible.length > 0;
}
const isClosed = i => childCount[i] > 0 && !open[i] && !matches;
const isFolded = i => alike[i] > 1 && !unfolded[i] && !matches;

function highlight(parent, text, tag) {
  const words = terms.filter(t => t.word).map(t => t.word), lower = text.toLowerCase();
  const holder = parent.appendChild(element(tag));
  let at = 0;

  while (words.length && at < text.length) {
    let next = -1, length = 0;

    for (const w of words) {
      const found = lower.indexOf(w, at);
      if (found >= 0 && (next < 0 || found < next)) [next, length] = [found, w.length];
    }
    if (next < 0) break;
    holder.append(text.slice(at, next));
    holder.append(element('mark', '', text.slice(next, next + length)));
    at = next + length;
  }
  holder.append(text.slice(at));
}

const EXIT_CLASS = ['', 'fail', 'kill', 'live', ''];

function tagsOf(i) {
  const x = contextOf(i), up = rows[i][PARENT], parent = up >= 0 ? contextOf(up) : null, tags = [];

  if (x.uid !== undefined && (!parent || parent.uid !== x.uid || parent.euid !== x.euid))
    tags.push(['user', 'uid ' + x.uid + (x.euid !== x.uid ? '/' + x.euid : '')]);
  const where = x.pod_name || x.container_name || (x.container_id || '').slice(0, 12);
  if (where && (!parent || parent.container_id !== x.container_id)) tags.push(['', where]);
  return tags;
}

function foldButton(i) {
  const button = element('button', 'fold', alike[i].toLocaleString('en') + '×' + (unfolded[i] ? ' fold' : ''));

  button.tabIndex = -1;
  button.title = unfolded[i] ? 'One row for all that are alike (f)' : 'Each in a row of its own (f)';
  return button;
}

function makeRow(i, y) {
  const p = rows[i], row = element('div', 'row' + (i === selected ? ' selected' : '') + (p[SHOWN] ? '' : ' context'));
  const line = element('span', 'c-command'), text = command(i);

  row.style.top = y + 'px';
  row.dataset.row = i;
  row.id = 'r' + i;
  row.setAttribute('role', 'treeitem');
  row.setAttribute('aria-level', depth[i] + 1);
  row.setAttribute('aria-selected', i === selected);
  if (childCount[i]) row.setAttribute('aria-expanded', !isClosed(i));
  row.append(element('span', 'c-time', timeText(p[START])), element('span', 'c-pid', p[PID]),
    element('span', 'c-life' + (p[END] === null ? ' live' : ''), lifeText(i)),
    element('span', 'c-exit ' + EXIT_CLASS[kind[i]], p[EXIT] === '0' || kind[i] === ALIVE ? '' : p[EXIT]), line);
  // Deep trees: the guides give way, or nothing would be left for the words.
  const guides = Math.min(depth[i], 14);
  if (depth[i] > guides) line.append(element('span', 'below', '…' + depth[i]));
  for (let k = 0; k < guides; k++) line.append(element('span', 'guide'));
  const twist = element('button', 'twist', childCount[i] ? isClosed(i) ? '▶' : '▼' : '');
  twist.tabIndex = -1;
  twist.setAttribute('aria-hidden', 'true');
  line.append(twist);
  if (alike[i] > 1 && !matches) line.append(foldButton(i));
  for (const [name, what] of tagsOf(i)) line.append(element('span', 'tag ' + name, what));
  if ((p[HOW] >> 3 & 7) === 7) line.append(element('span', 'tag', 'fork'));
  const words = element('span', 'text'), space = text.indexOf(' ');
  highlight(words, space < 0 ? text : text.slice(0, space), 'b');
  if (space >= 0) highlight(words, text.slice(space), 'i');
  line.append(words);
  if (isClosed(i)) line.append(element('span', 'below', '+' + below[i].toLocaleString('en')));
  return row;
}

let drawn = false;
function draw() {
  if (drawn) return;
  drawn = true;
  requestAnimationFrame(() => {
    drawn = false;
    drawNow();
  });
}

function drawNow() {
  const scroller = $('scroller'), height = scroller.clientHeight, width = scroller.clientWidth;
  const first = Math.floor(scroller.scrollTop / ROW), offset = scroller.scrollTop % ROW;
  const fragment = document.createDocumentFragment();

  treeWidth = Math.min(Math.max(treeWidth || Math.round(width * .6), 320), width - 120);
  $('stage').style.height = height + 'px';
  $('tree').style.width = treeWidth + 'px';
  $('lanes').style.left = $('axis').style.left = $('divider').style.left = treeWidth + 'px';
  for (let k = 0; k * ROW - offset < height && first + k < visible.length; k++)
    fragment.append(makeRow(visible[first + k], k * ROW - offset));
  $('tree').replaceChildren(fragment);
  if (selected >= 0 && place[selected] >= first) $('tree').setAttribute('aria-activedescendant', 'r' + selected);
  else $('tree').removeAttribute('aria-activedescendant');
  drawLanes(width - treeWidth, height, visible, first, offset, isClosed, isFolded, selected);
  drawOverview();
}

function reveal(i) {
  unfolded[leader[i]] |= leader[i] !== i;
  for (let up = rows[i][PARENT]; up >= 0; up = rows[up][PARENT]) {
    open[up] = 1;
    unfolded[leader[up]] |= leader[up] !== up;
  }
  if (place[i] < 0 && matches) endSearch();
  layout();
  const y = place[i] * ROW, scroller = $('scroller');

  if (y < scroller.scrollTop || y > scroller.scrollTop + scroller.clientHeight - ROW)
    scroller.scrollTop = y - scroller.clientHeight / 2;
}

function select(i, show = true) {
  selected = i;
  if (i >= 0 && show) {
    if (place[i] < 0) reveal(i);
    const y = place[i] * ROW, scroller = $('scroller');
    if (y < scroller.scrollTop) scroller.scrollTop = y;
    else if (y > scroller.scrollTop + scroller.clientHeight - ROW) scroller.scrollTop = y - scroller.clientHeight + ROW;
  }
  showDetails();
  draw();
}

function toggle(i, to = !open[i]) {
  if (!childCount[i] || matches) return;
  open[i] = to ? 1 : 0;
  // What was chosen below a closed row is the row itself.
  if (!to && selected > i && selected <= i + below[i]) selected = i;
  layout();
  select(selected, false);
}

function fold(i) {
  if (alike[leader[i]] < 2 || matches) return;
  i = leader[i];
  unfolded[i] ^= 1;
  // What was chosen among those that it stands for is the row itself.
  for (let up = selected; !unfolded[i] && up >= 0; up = rows[up][PARENT])
    if (leader[up] === i && up !== i) selected = i;
  layout();
  select(selected, false);
}

// Search.
const CHIPS = ['failed', 'killed', 'alive', 'within'];
const inView = i => (rows[i][START] >= view.from && rows[i][START] <= view.to) ||
  (rows[i][END] !== null && rows[i][END] >= view.from && rows[i][END] <= view.to);

function search(stay) {
  terms = parseSearch($('search').value);
  if (!terms.length && !flags.size) {
    matches = null;
    $('found').textContent = '';
  } else {
    const kinds = new Set([...flags].filter(f => f !== 'within').map(f => ({failed: FAILED, killed: KILLED, alive: ALIVE}[f])));
    const within = flags.has('within');
    matches = [];
    for (let i = 0; i < COUNT; i++)
      if ((!kinds.size || kinds.has(kind[i])) && (!within || inView(i)) && matchesSearch(i, terms)) matches.push(i);
    $('found').textContent = matches.length.toLocaleString('en') + (matches.length === 1 ? ' match' : ' matches');
  }
  layout();
  if (stay === true) return draw();
  const next = matches ? matches[0] : selected;
  $('scroller').scrollTop = 0;
  if (next !== undefined && next >= 0) {
    if (!matches) reveal(next);
    select(next);
  } else draw();
}

function endSearch() {
  $('search').value = '';
  flags.clear();
  for (const f of CHIPS) $(f).setAttribute('aria-pressed', 'false');
  search();
}

function nextMatch(step) {
  if (!matches || !matches.length) return;
  let at = matches.findIndex(i => i >= selected);

  if (at < 0) at = 0;
  else if (matches[at] === selected || step < 0) at += step;
  at = (at + matches.length) % matches.length;
  select(matches[at]);
  $('found').textContent = (at + 1).toLocaleString('en') + ' of ' + matches.length.toLocaleString('en');
}

// Keys.
function moveTo(k) {
  if (visible.length) select(visible[Math.min(Math.max(k, 0), visible.length - 1)]);
}

function openAll(i) {
  for (let j = i; j <= i + below[i]; j++) open[j] = unfolded[j] = 1;
  layout();
  draw();
}

const page = () => Math.max(1, Math.floor($('scroller').clientHeight / ROW) - 1);
const treeKeys = {
  ArrowDown: at => moveTo(at + 1),
  ArrowUp: at => moveTo(at - 1),
  PageDown: at => moveTo(at + page()),
  PageUp: at => moveTo(at - page()),
  Home: () => moveTo(0),
  End: () => moveTo(visible.length - 1),
  ArrowRight: (at, i) => isClosed(i) ? toggle(i, true) : childCount[i] && moveTo(at + 1),
  ArrowLeft: (at, i) => childCount[i] && !isClosed(i) && !matches ? toggle(i, false) : rows[i][PARENT] >= 0 && select(rows[i][PARENT]),
  Enter: (at, i) => showLife(i),
  p: (at, i) => rows[i][PARENT] >= 0 && select(rows[i][PARENT]),
  '*': (at, i) => openAll(i),
  f: (at, i) => fold(i),
};
const pageKeys = {
  '/': () => $('search').select(),
  '?': () => $('keys').showModal(),
  n: () => nextMatch(1),
  N: () => nextMatch(-1),
  '+': () => zoom(.5),
  '=': () => zoom(.5),
  '-': () => zoom(2),
  '0': () => setView(FIRST, LAST),
  '[': () => move(-.4),
  ']': () => move(.4),
  Escape: () => endSearch(),
};

function showLife(i) {
  const p = rows[i], end = p[END] === null ? LAST : p[END], margin = Math.max((end - p[START]) * .15, 1000);

  setView(Math.max(p[START] - margin, FIRST), Math.min(end + margin, LAST));
}

document.addEventListener('keydown', event => {
  if (event.ctrlKey || event.metaKey || event.altKey || $('keys').open) return;
  if (event.target === $('search')) {
    if (event.key === 'Escape') endSearch();
    if (event.key === 'Enter') nextMatch(event.shiftKey ? -1 : 1);
    if (event.key === 'ArrowDown') $('tree').focus();
    else if (event.key !== 'Escape') return;
    event.preventDefault();
    if (event.key === 'Escape') $('tree').focus();
    return;
  }
  // A button that has the focus takes Enter for itself, and the details scroll.
  const inTree = !$('details').contains(event.target) && (event.key !== 'Enter' || event.target.tagName !== 'BUTTON');
  if (inTree && treeKeys[event.key]) {
    if (selected < 0) moveTo(0);
    else treeKeys[event.key](place[selected], selected);
  } else if (pageKeys[event.key]) pageKeys[event.key]();
  else return;
  event.preventDefault();
});

// Mouse.
$('tree').addEventListener('click', event => {
  const row = event.target.closest('.row');

  if (!row) return;
  const i = Number(row.dataset.row);
  if (event.target.closest('.fold')) return fold(i);
  if (event.target.closest('.twist')) toggle(i);
  select(i, false);
  $('tree').focus({preventScroll: true});
});
$('tree').addEventListener('dblclick', event => {
  const row = event.target.closest('.row');

  if (row && !event.target.closest('button')) toggle(Number(row.dataset.row));
});
$('scroller').addEventListener('scroll', draw);
window.addEventListener('resize', draw);

function drag(target, begin) {
  target.addEventListener('pointerdown', event => {
    if (event.button !== 0) return;
    const [onMove, onEnd] = begin(event);
    const end = e => {
      target.removeEventListener('pointermove', onMove);
      target.removeEventListener('pointerup', end);
      target.removeEventListener('pointercancel', end);
      if (onEnd) onEnd(e);
    };
    target.setPointerCapture(event.pointerId);
    target.addEventListener('pointermove', onMove);
    target.addEventListener('pointerup', end);
    target.addEventListener('pointercancel', end);
  });
}

drag($('divider'), () => [e => {
  treeWidth = e.clientX - $('left').getBoundingClientRect().left;
  draw();
}]);
drag($('lanes'), down => {
  const {from, to} = view, width = $('lanes').clientWidth;
  let moved = false;

  $('lanes').classList.add('moving');
  return [e => {
    moved = moved || Math.abs(e.clientX - down.clientX) > 3;
    const shift = (down.clientX - e.clientX) / width * (to - from);
    if (moved) setView(from + shift, to + shift);
  }, e => {
    $('lanes').classList.remove('moving');
    if (!moved) select(rowAt(e), false);
  }];
});
drag($('density'), down => {
  const width = $('density').clientWidth, at = x => FIRST + Math.min(Math.max(x / width, 0), 1) * (LAST - FIRST);

  return [e => {
    brush = [at(Math.min(down.offsetX, e.offsetX)), at(Math.max(down.offsetX, e.offsetX))];
    draw();
  }, e => {
    const chosen = brush;
    brush = null;
    if (chosen && Math.abs(e.offsetX - down.offsetX) > 3) setView(...chosen);
    else if (view.to - view.from < LAST - FIRST) {
      const half = (view.to - view.from) / 2;
      setView(at(e.offsetX) - half, at(e.offsetX) + half);
    }
  }];
});
$('density').addEventListener('dblclick', () => setView(FIRST, LAST));

const rowAt = e => {
  const k = Math.floor((e.clientY - $('lanes').getBoundingClientRect().top + $('scroller').scrollTop) / ROW);

  return k >= 0 && k < visible.length ? visible[k] : -1;
};
$('lanes').addEventListener('wheel', event => {
  if (!event.ctrlKey && !event.shiftKey && Math.abs(event.deltaX) <= Math.abs(event.deltaY)) return;
  event.preventDefault();
  if (event.ctrlKey) zoom(Math.exp(event.deltaY * .004), event.offsetX / $('lanes').clientWidth);
  else move((event.deltaX || event.deltaY) / $('lanes').clientWidth);
}, {passive: false});
$('lanes').addEventListener('dblclick', event => rowAt(event) >= 0 && showLife(rowAt(event)));
$('lanes').addEventListener('pointermove', event => {
  const i = rowAt(event), tip = $('tip');
  const ns = view.from + event.offsetX / $('lanes').clientWidth * (view.to - view.from);
  const gap = timeGaps.find(m => ns >= m.from && ns <= m.to);

  laneHover = event.offsetX;
  draw();
  const words = [gap && missingText(gap) + ', may miss: ' + gap.touches, i >= 0 && comm(i) + ' (' + rows[i][PID] + ')  ' + lifeText(i) + '\n' + command(i).slice(0, 300)];
  tip.textContent = words.filter(Boolean).join('\n\n');
  tip.hidden = !tip.textContent;
  tip.style.left = Math.min(event.clientX + 14, window.innerWidth - 470) + 'px';
  tip.style.top = Math.min(event.clientY + 16, window.innerHeight - tip.offsetHeight - 8) + 'px';
});
$('lanes').addEventListener('pointerleave', () => {
  laneHover = null;
  $('tip').hidden = true;
  draw();
});

// Head.
function showHead() {
  const hosts = [...new Set(data.boots.map(b => b.host || 'unknown host'))];
  const shown = rows.reduce((n, p) => n + p[SHOWN], 0), facts = [[shown, 'processes'], [0, 'failed'], [0, 'killed'], [0, 'alive']];

  for (let i = 0; i < COUNT; i++) {
    if (!rows[i][SHOWN]) continue;
    if (kind[i] >= FAILED && kind[i] <= ALIVE) facts[kind[i]][0]++;
  }
  $('host').textContent = hosts.join(', ');
  document.title = hosts.join(', ') + ' · lineage report';
  const [from, to] = asked, [a, b] = [split(from), split(to)];
  $('window').textContent = dateTimeText(from, 0) + ' to ' + (a.day === b.day ? timeText(to, 0) : dateTimeText(to, 0)) +
    (utc ? ' UTC' : '') + (data.question ? ' · ' + data.question : '');
  $('facts').replaceChildren(...facts.map(([n, what]) => {
    const li = element('li');
    li.append(element('b', '', n.toLocaleString('en')), element('span', '', what));
    return li;
  }));
  const lost = data.missing.reduce((n, m) => n + (m.lost || 0), 0);
  $('complete').className = data.complete ? 'yes' : 'no';
  $('complete').textContent = data.complete ? '✓ complete' : '⚠ ' + data.missing.length + ' missing' + (lost ? ' · ' + lost.toLocaleString('en') + ' events' : '');
  $('zone').textContent = utc ? 'UTC' : 'local';
}

function showMissing() {
  const list = element('ul');

  for (const m of data.missing) {
    const li = element('li');
    if (m.from !== null && m.to !== null) {
      const b = element('button', '', dateTimeText(m.from, 0) + ' – ' + timeText(m.to, 0));
      b.addEventListener('click', () => setView(m.from - (m.to - m.from), m.to + (m.to - m.from)));
      li.append(b);
    }
    li.append(element('span', '', missingText(m)), element('span', '', 'may miss: ' + m.touches));
    list.append(li);
  }
  const words = data.complete ? 'Nothing that the record knows of is missing from this answer.' : null;
  $('missing').replaceChildren(words ? element('p', '', words) : list);
  if (data.filter) $('missing').append(element('p', '', 'Recorded was only: ' + data.filter));
}

$('complete').addEventListener('click', () => {
  $('missing').hidden = !$('missing').hidden;
  $('complete').setAttribute('aria-expanded', !$('missing').hidden);
  draw();
});
$('zone').addEventListener('click', () => {
  utc = !utc;
  showHead();
  showMissing();
  showDetails();
  draw();
});
$('help').addEventListener('click', () => $('keys').showModal());
$('search').addEventListener('input', () => search());
for (const f of CHIPS)
  $(f).addEventListener('click', () => {
    flags.has(f) ? flags.delete(f) : flags.add(f);
    $(f).setAttribute('aria-pressed', flags.has(f));
    search();
  });
$('expand').addEventListener('click', () => {
  open.fill(1);
  unfolded.fill(1);
  layout();
  draw();
});
$('collapse').addEventListener('click', () => {
  openFirst(200);
  select(visible.includes(selected) ? selected : visible[0] ?? -1);
});
$('fit').addEventListener('click', () => setView(FIRST, LAST));

const dark = window.matchMedia('(prefers-color-scheme: dark)');
let theme = 'auto';
function setTheme() {
  document.documentElement.classList.toggle('dark', theme === 'dark' || (theme === 'auto' && dark.matches));
  $('theme').textContent = {auto: '◐', light: '☀', dark: '☾'}[theme];
  $('theme').setAttribute('aria-label', 'Colours: ' + theme);
  readColors();
  draw();
}
$('theme').addEventListener('click', () => {
  theme = {auto: dark.matches ? 'light' : 'dark', light: dark.matches ? 'dark' : 'auto', dark: dark.matches ? 'auto' : 'light'}[theme];
  setTheme();
});
dark.addEventListener('change', setTheme);

// Level by level, as long as it stays readable.
function openFirst(limit) {
  let level = [], count = 0;

  open.fill(0);
  unfolded.fill(0);
  for (let i = 0; i < COUNT; i += below[i] + 1) if (leader[i] === i) level.push(i);
  for (count = level.length; level.length;) {
    const next = [];
    for (const i of level.sort((a, b) => childRows[a] - childRows[b])) {
      if (!childCount[i] || (count + childRows[i] > limit && count > 1)) continue;
      open[i] = 1;
      count += childRows[i];
      for (let j = i + 1; j <= i + below[i]; j += below[j] + 1) if (leader[j] === j) next.push(j);
    }
    level = next;
  }
  layout();
}

openFirst(60);
if (data.target !== null && data.target >= 0) reveal(data.target);
showHead();
showMissing();
setTheme();
select(data.target !== null && data.target >= 0 ? data.target : visible.length ? visible[0] : -1);
document.documentElement.dataset.ready = '1';
