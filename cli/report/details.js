// SPDX-License-Identifier: Apache-2.0
// All that is known of the selected process, and how it is known.

function how(code) {
  return code === 7 ? null : element('span', 'how ' + HOWS[code], HOWS[code]);
}

function linkTo(i, text) {
  const b = element('button', 'link', text || comm(i) + ' (' + rows[i][PID] + ')');

  b.addEventListener('click', () => {
    reveal(i);
    select(i);
    $('tree').focus();
  });
  return b;
}

function section(title, list) {
  const dl = element('dl');

  for (const [name, value, note] of list) {
    if (value === undefined || value === null || value === '') continue;
    const dd = element('dd');
    dd.append(value instanceof Node ? value : String(value));
    if (note) dd.append(note);
    dl.append(element('dt', '', name), dd);
  }
  if (dl.children.length) $('details').append(element('h3', '', title), dl);
}

const byId = (i, id) => id ? rowOfId.get(rows[i][BOOT] + ':' + id) : undefined;
const processLink = (i, id) => {
  const at = byId(i, id);

  return !id ? null : at === undefined ? 'process ' + id + ', not in this report' : linkTo(at);
};

function showImages(i) {
  const list = element('ol');

  for (const [at, provenance, image, , cwd, name, parent] of rows[i][EXECS]) {
    const li = element('li'), m = data.images[image], when = element('div', 'when', at === null ? 'before recording' : dateTimeText(at, 6));

    when.append(how(provenance) || '');
    li.append(when, element('div', 'command', m ? m.args || m.command : '?'));
    const facts = [m && m.exe && !m.command.startsWith(m.exe) ? m.exe : null, m && m.filename ? 'asked for ' + m.filename : null,
      m && m.interpreter ? 'interpreter ' + m.interpreter : null, cwd >= 0 ? 'in ' + data.paths[cwd] : null,
      m && m.flags ? m.flags.join(', ') : null, m && m.truncated ? 'arguments cut short, in all ' + m.bytes + ' bytes' : null,
      m && m.inode ? 'device ' + m.device + ', inode ' + m.inode : null].filter(Boolean);
    if (facts.length) li.append(element('div', 'when', facts.join(' · ')));
    list.append(li);
  }
  if (list.children.length)
    $('details').append(element('h3', '', list.children.length > 1 ? list.children.length + ' programs' : 'Program'), list);
}

function showFailures(i) {
  const list = element('ol');

  for (const [at, error, image] of rows[i][FAILURES]) {
    const li = element('li'), m = data.images[image], when = element('div', 'when', dateTimeText(at, 6) + ' ');

    when.append(element('span', 'kill', error));
    li.append(when, element('div', 'command', m ? (m.filename || m.exe || '') + '  ' + (m.args || '') : '?'));
    list.append(li);
  }
  if (list.children.length) $('details').append(element('h3', '', 'Failed execs'), list);
}

function showPath(i) {
  const path = element('div', 'path'), line = [];

  for (let up = rows[i][PARENT]; up >= 0; up = rows[up][PARENT]) line.unshift(up);
  line.forEach((up, k) => {
    if (line.length > 8 && k > 1 && k < line.length - 5) {
      if (k === 2) path.append('… ›');
      return;
    }
    path.append(linkTo(up, comm(up)), '›');
  });
  $('details').append(path);
}

function showWhoAndWhere(i) {
  const p = rows[i], x = contextOf(i);
  const id = (real, effective) => real === undefined ? null : real + (effective !== real ? ', effective ' + effective : '');

  section('Who', [['user', id(x.uid, x.euid)], ['group', id(x.gid, x.egid)],
    ['logged in as', x.loginuid === undefined ? null : x.loginuid === 4294967295 ? 'nobody' : x.loginuid],
    ['audit id', x.sessionid === 4294967295 ? null : x.sessionid], ['terminal', x.tty], ['session', x.sid],
    ['group leader', p[PGID]], ['capabilities', x.cap_effective ? '0x' + BigInt.asUintN(64, BigInt(x.cap_effective)).toString(16) : null]]);
  section('Where', [['container', x.container_name], ['container id', x.container_id], ['runtime', x.runtime],
    ['image', x.image_name], ['pod', x.pod_name && (x.pod_namespace ? x.pod_namespace + '/' : '') + x.pod_name],
    ['pod uid', x.pod_uid], ['cgroup', x.cgroup], ['pid inside', p[NS_PID] && p[NS_PID] !== p[PID] ? p[NS_PID] : null],
    ['namespaces', Object.entries(x).filter(([k]) => k.endsWith('_ns')).map(([k, v]) => k.slice(0, -3) + ' ' + v).join(', ')]]);
}

function showDetails() {
  const box = $('details');

  box.replaceChildren();
  box.scrollTop = 0;
  if (selected < 0) {
    box.append(element('p', 'lead', 'Choose a process.'));
    return;
  }
  const i = selected, p = rows[i], boot = data.boots[p[BOOT]];
  showPath(i);
  box.append(element('h2', '', comm(i) + ' (' + p[PID] + ')'));
  box.append(element('div', 'command', command(i)));
  const end = p[END] === null ? element('span', 'live', 'had not ended') : dateTimeText(p[END], 6);
  section('Life', [['start', dateTimeText(p[START], 6), how(p[HOW] & 7)], ['end', end, p[END] === null ? null : how(p[HOW] >> 6 & 7)],
    ['lasted', p[END] === null ? null : spanText(p[END] - p[START])],
    ['exit', p[END] === null ? null : element('span', EXIT_CLASS[kind[i]], p[EXIT] === '?' ? 'not known' : p[EXIT])],
    ['parent', processLink(i, p[PARENT_ID])], ['creator', processLink(i, p[CREATOR])],
    ['parent at end', p[REAPER] !== p[PARENT_ID] ? processLink(i, p[REAPER]) : null],
    ['children', childCount[i] ? childCount[i].toLocaleString('en') + (below[i] > childCount[i] ? ', ' + below[i].toLocaleString('en') + ' in all below' : '') : null],
    ['alike', alike[leader[i]] > 1 ? (alike[leader[i]] - 1).toLocaleString('en') + (alike[leader[i]] > 2 ? ' siblings' : ' sibling') +
      ', but for pids and times' : null],
    ['not kept', [[p[PRUNED], 'children'], [p[PRUNED_EXECS], 'earlier images'], [p[PRUNED_FAILURES], 'failed execs']]
      .filter(([n]) => n).map(([n, what]) => n + ' ' + what).join(', ') || null],
    ['cpu', p[USER] === null ? null : spanText(p[USER] * 1e3) + ' user, ' + spanText(p[SYSTEM] * 1e3) + ' system'],
    ['memory', p[RSS] ? 'at most ' + (p[RSS] / 1024).toFixed(1) + ' MiB' : null],
    ['program', (p[HOW] >> 3 & 7) === 7 ? 'as the parent had; it never called exec' : null]]);
  showImages(i);
  showFailures(i);
  showWhoAndWhere(i);
  section('Record', [['host', boot.host], ['boot', boot.id], ['kernel', boot.kernel], ['process id', p[ID]],
    ['ask again', element('code', '', 'lineage-query show ' + p[PID] + '@' + p[START_BOOT])]]);
}
