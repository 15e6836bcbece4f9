'use strict';
// Whatever comes from the cluster becomes text, never markup.

const picture = JSON.parse(document.getElementById('picture').textContent);
const KEPT = 180, LEAST = 30; // looks that charts show, and have room for from the beginning
const looks = [];
let system = picture.length ? picture[0].system : '';
let newest = null;

const by = id => document.getElementById(id);

function element(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (key === 'onclick') made.addEventListener('click', value);
    else if (value !== null && value !== false) made.setAttribute(key, value === true ? '' : value);
  }
  made.append(...children.filter(child => child !== null && child !== undefined).map(child => child instanceof Node ? child : String(child)));
  return made;
}

function drawn(name, attributes, text) {
  const made = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

const UNKNOWN = '-';
const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const number = value => value === null || value === undefined ? UNKNOWN : whole.format(value);
const rate = value => value === null || value === undefined ? UNKNOWN : value > 0 && value < 10 ? value.toFixed(1) : whole.format(value);
const sum = values => values.some(value => value !== null && value !== undefined) ? values.reduce((all, value) => all + (value || 0), 0) : null;
const plural = (count, word) => `${number(count)} ${word}${count === 1 ? '' : 's'}`;

function span(seconds) {
  if (seconds === null || seconds === undefined) return '';
  if (seconds < 90) return `${Math.ceil(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return seconds < 172800 ? `${Math.round(seconds / 3600)} h` : 'days';
}

// --- what is looked at ---

const ofSystem = () => picture.find(one => one.system === system) || { services: [] };
const groupsOf = look => {
  const names = new Set(ofSystem().services.flatMap(service => service.reads.map(read => read.group)));
  return look.groups.filter(group => names.has(group.group));
};
const topicNames = () => {
  const names = new Set();
  for (const service of ofSystem().services) {
    service.writes.forEach(topic => names.add(topic));
    service.reads.forEach(read => { names.add(read.topic); if (read.dead_letter) names.add(read.dead_letter); });
  }
  return names;
};
const isDeadLetters = topic => picture.some(one => one.services.some(service => service.reads.some(read => read.dead_letter === topic)));
const topicsOf = look => { const names = topicNames(); return look.topics.filter(topic => names.has(topic.topic)); };
const eventsOf = look => topicsOf(look).filter(topic => !isDeadLetters(topic.topic));

/// Records a second that a group got done between the last two looks.
function handled(group, look, before) {
  const of = at => at && at.groups.find(one => one.group === group);
  const [now, then] = [of(look), of(before)];
  if (!now || !then) return null;
  const done = one => sum(one.partitions.map(part => part.committed));
  const seconds = (Date.parse(look.at) - Date.parse(before.at)) / 1000;
  return done(now) === null || seconds <= 0 ? null : Math.max(0, (done(now) - (done(then) || 0)) / seconds);
}

// --- the picture ---

/// Who follows whom, without the edges that lead back, and how far each is from where records enter.
function layers(services) {
  const next = new Map();
  const edge = (from, to, kind) => { (next.get(from) || next.set(from, []).get(from)).push({ from, to, kind }); if (!next.has(to)) next.set(to, []); };
  for (const service of services) {
    service.reads.forEach(read => edge(`t ${read.topic}`, `s ${service.name}`, { reads: read.group }));
    service.writes.forEach(topic => edge(`s ${service.name}`, `t ${topic}`, { writes: topic }));
  }
  // Who writes to what it reads has taken nothing further.
  const reads = new Set([...next.values()].flat().filter(one => one.kind.reads).map(one => `${one.to} ${one.from}`));
  const back = new Set([...next.values()].flat().filter(one => one.kind.writes && reads.has(`${one.from} ${one.to}`)));
  const entered = new Set([...next.values()].flat().filter(one => !back.has(one)).map(one => one.to));
  const entries = [...next.keys()].filter(node => !entered.has(node));
  const state = new Map(), order = [];
  const visit = node => {
    state.set(node, 1);
    for (const one of next.get(node)) {
      if (back.has(one)) continue;
      if (state.get(one.to) === 1) back.add(one);
      else if (!state.has(one.to)) visit(one.to);
    }
    state.set(node, 2);
    order.unshift(node);
  };
  [...entries, ...next.keys()].forEach(node => { if (!state.has(node)) visit(node); });
  const depth = new Map(order.map(node => [node, 0]));
  for (const node of order) for (const one of next.get(node)) {
    if (!back.has(one)) depth.set(one.to, Math.max(depth.get(one.to), depth.get(node) + 1));
  }
  // Who brings records in stands next to them.
  for (const node of entries) depth.set(node, Math.max(0, Math.min(...next.get(node).map(one => depth.get(one.to))) - 1));
  return { edges: [...next.values()].flat(), back, depth };
}

const WIDTH = 160, HEIGHT = 52, GAP = 18, STEP = 206;
let parts = null;

function drawPicture() {
  const { edges, back, depth } = layers(ofSystem().services);
  const columns = [];
  for (const [node, at] of depth) (columns[at] = columns[at] || []).push(node);
  // Who passes columns by has a place in each of them, so as to run between their boxes instead of behind them.
  const before = new Map([...depth.keys()].map(node => [node, []]));
  const ways = edges.map(one => {
    const way = [one.from];
    for (let at = depth.get(one.from) + 1; !back.has(one) && at < depth.get(one.to); at++) {
      const passed = `w ${one.from} ${one.to} ${at}`;
      columns[at].push(passed);
      before.set(passed, [way.at(-1)]);
      way.push(passed);
    }
    before.get(one.to).push(way.at(-1));
    return [...way, one.to];
  });
  const place = new Map();
  const centre = node => {
    const placed = before.get(node).filter(one => place.has(one)).map(one => place.get(one).y);
    return placed.length ? placed.reduce((all, y) => all + y, 0) / placed.length : 0;
  };
  const tallest = Math.max(1, ...columns.map(column => column.length));
  columns.forEach((column, at) => {
    const sorted = column.map(node => [centre(node), node]).sort((one, other) => one[0] - other[0] || one[1].localeCompare(other[1]));
    const top = (tallest - column.length) * (HEIGHT + GAP) / 2;
    sorted.forEach(([, node], index) => place.set(node, { x: at * STEP + 4, y: top + index * (HEIGHT + GAP) + 8 }));
  });
  // Who leads back by more than one column goes around everything, each in a lane of its own.
  const around = edges.filter(one => back.has(one) && depth.get(one.from) > depth.get(one.to) + 1);
  around.sort((one, other) => place.get(other.from).y - place.get(one.from).y);
  const lanes = new Map(around.map((one, index) => [one, 10 + 6 * index]));
  const below = tallest * (HEIGHT + GAP);
  const width = columns.length * STEP - (STEP - WIDTH) + 8 + (around.length ? 10 + 6 * around.length : 0);
  const height = below + Math.max(back.size > around.length ? 60 : 0, 10 + 6 * around.length);
  const svg = drawn('svg', { viewBox: `0 0 ${width} ${height}`, width, role: 'img', 'aria-label': `Services and topics of ${system}` });
  parts = { edges: [], nodes: new Map() };
  const still = matchMedia('(prefers-reduced-motion: reduce)').matches;
  edges.forEach((one, index) => {
    const [from, to] = [place.get(one.from), place.get(one.to)];
    let path;
    if (lanes.has(one)) {
      const lane = lanes.get(one);
      path = `M${from.x + WIDTH} ${from.y + HEIGHT / 2} h${lane} V${below + lane} H${to.x + WIDTH - lane} V${to.y + HEIGHT}`;
    } else if (back.has(one)) {
      const [x1, x2, y1, y2] = [from.x + WIDTH / 2, to.x + WIDTH / 2, from.y + HEIGHT, to.y + HEIGHT];
      const low = Math.max(y1, y2) + 60;
      path = `M${x1} ${y1} C${x1} ${low} ${x2} ${low} ${x2} ${y2}`;
    } else {
      const bend = (STEP - WIDTH) / 2;
      const [first, ...rest] = ways[index].map(node => ({ x: place.get(node).x, y: place.get(node).y + HEIGHT / 2 }));
      path = `M${first.x + WIDTH} ${first.y}`;
      let y = first.y;
      rest.forEach((at, step) => {
        path += ` C${at.x - bend} ${y} ${at.x - bend} ${at.y} ${at.x} ${at.y}${step < rest.length - 1 ? ` H${at.x + WIDTH}` : ''}`;
        y = at.y;
      });
    }
    const moves = drawn('path', { d: path, class: 'moves' });
    svg.append(drawn('path', { d: path, class: 'way' }), moves);
    const run = still ? null : moves.animate([{ strokeDashoffset: 14 }, { strokeDashoffset: 0 }], { duration: 1000, iterations: Infinity });
    if (run) run.pause();
    parts.edges.push({ kind: one.kind, moves, run });
  });
  for (const node of depth.keys()) {
    const at = place.get(node);
    const name = node.slice(2), isTopic = node[0] === 't';
    svg.append(drawn('rect', { x: at.x, y: at.y, width: WIDTH, height: HEIGHT, rx: isTopic ? HEIGHT / 2 : 4, class: isTopic ? 'topic' : 'service' }));
    svg.append(drawn('text', { x: at.x + WIDTH / 2, y: at.y + 21, 'text-anchor': 'middle' }, name.length > 22 ? `${name.slice(0, 21)}…` : name));
    const said = drawn('text', { x: at.x + WIDTH / 2, y: at.y + 39, 'text-anchor': 'middle', class: 'small' }, '');
    svg.append(said);
    parts.nodes.set(node, said);
  }
  by('picture-of-flow').replaceChildren(svg);
}

function movePicture(look, before) {
  if (!parts) drawPicture();
  const topics = new Map(look.topics.map(topic => [topic.topic, topic]));
  for (const { kind, moves, run } of parts.edges) {
    const speed = kind.writes ? (topics.get(kind.writes) || {}).per_s : handled(kind.reads, look, before);
    const flows = (speed || 0) > 0.05;
    moves.style.visibility = flows ? 'visible' : 'hidden';
    if (run && flows) { run.updatePlaybackRate(Math.min(8, 0.5 + Math.log10(1 + speed) * 1.5)); run.play(); }
    else if (run) run.pause();
  }
  for (const service of ofSystem().services) {
    const groups = look.groups.filter(group => group.service === service.name);
    const said = parts.nodes.get(`s ${service.name}`);
    const lag = sum(groups.map(group => group.lag)), grows = groups.some(group => group.trend === 'growing');
    said.textContent = groups.length ? `lag ${number(lag)}${grows ? ', growing' : ''}` : 'places orders';
    said.setAttribute('class', grows ? 'small warn' : 'small');
  }
  for (const [name, topic] of topics) {
    const said = parts.nodes.get(`t ${name}`);
    if (said) said.textContent = topic.per_s === null ? UNKNOWN : `${rate(topic.per_s)}/s`;
  }
}

// --- charts ---

function line(values, width, height) {
  const known = values.filter(value => value !== null && value !== undefined);
  const top = Math.max(1, ...known);
  const step = width / (Math.max(LEAST, values.length) - 1), from = width - (values.length - 1) * step;
  const points = values.map((value, index) => value === null || value === undefined ? null : `${(from + index * step).toFixed(1)},${(height - 2 - (height - 4) * value / top).toFixed(1)}`);
  return drawn('polyline', { points: points.filter(Boolean).join(' ') });
}

function chart(title, values, words) {
  const svg = drawn('svg', { viewBox: '0 0 300 80', preserveAspectRatio: 'none', role: 'img', 'aria-label': `${title}, of late` });
  svg.append(line(values, 300, 80));
  const top = Math.max(0, ...values.filter(value => value !== null && value !== undefined));
  return element('figure', {}, element('figcaption', {}, element('span', {}, `${title} `, element('b', {}, words(values.at(-1)))), `most ${words(top)}`), svg);
}

function spark(values) {
  const svg = drawn('svg', { viewBox: '0 0 96 20', preserveAspectRatio: 'none', class: 'spark', 'aria-hidden': 'true' });
  svg.append(line(values, 96, 20));
  return svg;
}

const totals = {
  'Records a second': look => sum(eventsOf(look).map(topic => topic.per_s)),
  'Lag': look => sum(groupsOf(look).map(group => group.lag)),
  'Dead letters a second': look => sum(groupsOf(look).map(group => group.dead_letters_per_s)),
};

// --- tables ---

function table(id, head, rows) {
  const heads = head.map(([name, isNumber]) => element('th', { scope: 'col', class: isNumber ? 'n' : null }, name));
  const cells = row => row.map((cell, index) => {
    const at = head[index], content = cell instanceof Node || typeof cell !== 'object' || cell === null ? { said: cell } : cell;
    return element('td', { class: [at && at[1] ? 'n' : '', content.class || ''].join(' ').trim() || null }, content.said);
  });
  by(id).replaceChildren(element('thead', {}, element('tr', {}, ...heads)), element('tbody', {}, ...rows.map(row => element('tr', {}, ...cells(row)))));
}

const trend = group => group.trend === null ? UNKNOWN : group.trend === 'draining' ? `draining, ${span(group.zero_in_s)}` : group.trend;

const views = {
  flow(look, before) {
    const figures = [
      ['records a second', rate(totals['Records a second'](look))],
      ['lag, records', number(totals.Lag(look))],
      ['in dead letter topics', number(sum(groupsOf(look).map(group => group.dead_letters)))],
      ['members of groups', number(sum(groupsOf(look).map(group => group.members)))],
    ];
    by('figures').replaceChildren(...figures.map(([name, value]) => element('li', {}, element('b', { 'data-figure': name }, value), element('span', {}, name))));
    movePicture(look, before);
    by('charts').replaceChildren(...Object.entries(totals).map(([title, of]) => chart(title, looks.map(of), title === 'Lag' ? number : rate)));
  },
  groups(look, before) {
    const head = [['service'], ['topic'], ['in/s', 1], ['done/s', 1], ['lag', 1], ['trend'], ['of late'], ['dead letters', 1], ['members', 1]];
    table('groups-table', head, groupsOf(look).map(group => {
      const course = looks.map(one => (one.groups.find(other => other.group === group.group) || {}).lag);
      return [group.service, group.topic, rate(group.in_per_s), rate(handled(group.group, look, before)), number(group.lag),
        { said: trend(group), class: group.trend === 'growing' ? 'warn' : '' }, spark(course),
        { said: number(group.dead_letters), class: group.dead_letters ? 'bad' : '' }, number(group.members)];
    }));
  },
  topics(look) {
    table('topics-table', [['topic'], ['partitions', 1], ['records', 1], ['in/s', 1], ['of late']], topicsOf(look).map(topic => [
      topic.topic, number(topic.partitions), number(topic.records), rate(topic.per_s),
      spark(looks.map(one => (one.topics.find(other => other.topic === topic.topic) || {}).per_s))]));
  },
  workers(look) {
    const names = new Set(ofSystem().services.map(service => service.name));
    const groups = one => one.workers.flatMap(worker => worker.groups.filter(group => names.has(group.service)).map(group => ({ at: worker.address, ...group })));
    const breaker = state => ({ said: (state || UNKNOWN).replace('_', ' '), class: state === 'closed' ? 'good' : state ? 'warn' : '' });
    const fault = (value, shade) => ({ said: rate(value), class: value ? shade : '' });
    const head = [['worker'], ['service'], ['topic'], ['handled/s', 1], ['retried/s', 1], ['failed/s', 1], ['given up/s', 1], ['p50, ms', 1], ['p99, ms', 1], ['p99 of late'], ['breaker']];
    table('workers-table', head, groups(look).map(group => {
      const course = looks.map(one => (groups(one).find(other => other.at === group.at && other.service === group.service && other.topic === group.topic) || {}).p99_ms);
      return [group.at, group.service, group.topic, rate(group.handled_per_s), fault(group.retried_per_s, 'warn'), fault(group.failed_per_s, 'warn'), fault(group.given_up_per_s, 'bad'),
        rate(group.p50_ms), rate(group.p99_ms), spark(course), breaker(group.breaker)];
    }));
    const functions = look.workers.flatMap(worker => worker.functions);
    table('functions-table', functions.length ? [['function'], ['invocations/s', 1], ['errors/s', 1], ['retries/s', 1], ['p50, ms', 1], ['p99, ms', 1], ['lag', 1]] : [], functions.map(one => [
      one.function, rate(one.invocations_per_s), fault(one.errors_per_s, 'bad'), fault(one.retries_per_s, 'warn'), rate(one.p50_ms), rate(one.p99_ms), number(one.lag)]));
    const silent = look.workers.filter(worker => worker.error).map(worker => `${worker.address} does not answer: ${worker.error}`);
    const outside = look.workers.flatMap(worker => worker.outside).map(one => `${one.name}: its circuit breaker is ${(one.breaker || UNKNOWN).replace('_', ' ')}`);
    const known = look.workers.filter(worker => worker.unfinished !== null);
    // Each of them tells of the whole store.
    const sagas = known.length ? [`${plural(Math.max(...known.map(worker => worker.unfinished)), 'saga')} not ended, ${number(Math.max(...known.map(worker => worker.stuck)))} of them stuck`] : [];
    by('workers-said').textContent = [...silent, ...sagas, ...outside].join('. ');
    by('workers-said').className = silent.length || known.some(worker => worker.stuck) ? 'bad' : '';
  },
  orders() {},
  'dead-letters'() {},
};

// --- what is read inside, where somebody asks ---

async function ask(path, body) {
  const how = body ? { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) } : {};
  const answer = await fetch(path, how).catch(() => { throw new Error('orderflow does not answer: it may have ended'); });
  const text = await answer.text();
  let found;
  try { found = JSON.parse(text); } catch { found = { error: answer.status === 401 ? 'the token is not known any more: load the page again' : text.trim() }; }
  if (!answer.ok) throw new Error(found.error || `${answer.status}`);
  return found;
}

async function busy(said, button, words, work) {
  if (button) button.disabled = true;
  by(said).className = '';
  by(said).textContent = words;
  try { by(said).textContent = await work(); }
  catch (error) { by(said).className = 'bad'; by(said).textContent = error.message; }
  finally { if (button) button.disabled = false; }
}

const orderButton = id => id ? element('button', { type: 'button', class: 'plain', onclick: () => showOrder(id) }, id) : UNKNOWN;
const clock = at => /^\d{4}-/.test(at) ? at.slice(0, 23).replace('T', ' ') : at;

function readOrders() {
  return busy('orders-said', by('read-orders'), 'Reading the last records of each topic…', async () => {
    const { orders } = await ask('/api/orders');
    const ours = orders.filter(order => order.system === system);
    table('orders-table', [['order'], ['last'], ['at'], ['records seen', 1], ['']], ours.map(order => [
      orderButton(order.order_id), { said: order.last, class: order.last === 'given up' ? 'bad' : '' }, clock(order.last_at), number(order.records),
      order.has_dead_letter ? { said: 'dead letter', class: 'bad' } : '']));
    return ours.length ? `${plural(ours.length, 'order')}, the last that moved first` : 'No order stands in the topics of this system.';
  });
}

const ENDS = { ended: ['ended', 'good'], given_up: ['given up: nothing more is expected', 'bad'], contradictory: ['contradictory: its ends exclude each other', 'bad'], open: ['not ended yet', 'warn'] };

function showOrder(id) {
  location.hash = '#orders';
  show('orders', false);
  by('order-id').value = id;
  return busy('orders-said', null, `Reading the way of ${id}…`, async () => {
    by('journey').replaceChildren();
    const found = await ask(`/api/orders/${encodeURIComponent(id)}`);
    const place = at => at && `${at.topic}-${at.partition}@${at.offset}`;
    const depths = new Map();
    for (const record of found.records) {
      const after = place(record.follows_from);
      depths.set(place(record), after === null ? 0 : (depths.get(after) || 0) + 1);
    }
    const rows = found.records.map(record => {
      const letter = record.dead_letter;
      const what = letter ? 'dead letter' : record.fate || record.event_type || record.topic;
      const notes = [
        letter && letter.reason ? `${letter.service}: ${letter.reason}` : '',
        record.redelivered ? (record.redrives > 0 ? 'redriven' : 'stands again') : '',
        record.awaited.length ? `awaits ${record.awaited.join(', ')}` : ''].filter(Boolean);
      return [clock(record.at), record.after_ms === null ? '' : `+${number(record.after_ms)} ms`,
        { said: `${'  '.repeat(depths.get(place(record)) || 0)}${what}`, class: letter ? 'bad' : '' }, place(record), { said: notes.join('; '), class: 'wrap' }];
    });
    const [end, shade] = ENDS[found.end] || [found.end, ''];
    const whole = element('table', { id: 'journey-table' });
    by('journey').replaceChildren(element('h3', {}, `Order ${found.order_id}: `, element('span', { class: shade, id: 'journey-end' }, end)), element('div', { class: 'scrolls', tabindex: 0, role: 'region', 'aria-label': 'Its way' }, whole));
    table('journey-table', [['written'], ['after', 1], ['what'], ['where'], ['']], rows);
    by('journey').focus();
    return plural(found.records.length, 'record');
  });
}

function readLetters() {
  return busy('letters-said', by('read-letters'), 'Reading the dead letters…', async () => {
    const found = await ask('/api/dead-letters');
    const services = new Set(ofSystem().services.map(service => service.name));
    const isOurs = name => services.has(name) || !picture.some(one => one.services.some(service => service.name === name));
    const reasons = found.by_reason.filter(reason => isOurs(reason.service));
    const letters = found.dead_letters.filter(letter => isOurs(letter.service)).reverse();
    table('reasons-table', reasons.length ? [['service'], ['about'], ['dead letters', 1], ['']] : [], reasons.map(reason => [
      reason.service || '(does not say)', reason.about || '(does not say)', number(reason.dead_letters),
      element('button', { type: 'button', onclick: event => redriveAll(event.target, reason) }, 'Redrive all of these')]));
    table('letters-table', letters.length ? [[''], ['order'], ['service'], ['reason'], ['given up'], ['record'], ['redriven before', 1]] : [], letters.map(letter => {
      const place = `${letter.topic}-${letter.partition}@${letter.offset}`;
      return [element('button', { type: 'button', 'aria-label': `Redrive ${place}`, onclick: event => redrive(event.target, { place }) }, 'Redrive'),
        orderButton(letter.order_id), letter.service || UNKNOWN, { said: letter.reason, class: 'wrap' }, clock(letter.at), letter.origin || UNKNOWN, number(letter.redrives)];
    }));
    const all = reasons.reduce((count, reason) => count + reason.dead_letters, 0);
    return all ? `${plural(all, 'dead letter')} open${all > letters.length ? `, the last ${letters.length} are shown` : ''}` : 'No dead letter is open.';
  });
}

function redriveAll(button, reason) {
  by('sure-of').textContent = `${plural(reason.dead_letters, 'record')} that ${reason.service || 'somebody'} gave up because of ${reason.about || 'something that it does not say'} would stand in their topics once more.`;
  const sure = by('sure');
  sure.returnValue = '';
  sure.onclose = () => { if (sure.returnValue === 'yes') redrive(button, { service: reason.service, about: reason.about }); };
  sure.showModal();
}

async function redrive(button, what) {
  let told = '';
  await busy('letters-said', button, 'Redriving…', async () => {
    const done = await ask('/api/dead-letters/redrive', what);
    const held = done.held.came_back + done.held.says_nothing;
    told = `${plural(done.count, 'dead letter')} redriven`;
    if (held) told += `; ${number(held)} held back: redriven twice before, or without a word of which record it is`;
    if (!done.count && !held) told = 'It was redriven or discarded before.';
    return told;
  });
  if (!told) return;
  await readLetters();
  by('letters-said').textContent = `${told}. ${by('letters-said').textContent}`;
}

// --- which view ---

let shown = '';
const wanted = () => { const name = location.hash.slice(1); return name in views ? name : 'flow'; };

function show(name, read = true) {
  const isNew = name !== shown;
  shown = name;
  for (const view of Object.keys(views)) by(`view-${view}`).hidden = view !== name;
  for (const link of document.querySelectorAll('nav a')) {
    if (link.hash === `#${name}`) link.setAttribute('aria-current', 'page'); else link.removeAttribute('aria-current');
  }
  render();
  if (isNew && read && name === 'orders') readOrders();
  if (isNew && read && name === 'dead-letters') readLetters();
}

function render() {
  if (newest) views[shown](newest, looks.length > 1 ? looks.at(-2) : null);
}

addEventListener('hashchange', () => show(wanted()));
by('system').append(...picture.map(one => element('option', {}, one.system)));
by('system').addEventListener('change', () => {
  system = by('system').value;
  parts = null;
  const name = shown;
  shown = '';
  by('journey').replaceChildren();
  show(name);
});
by('find').addEventListener('submit', event => { event.preventDefault(); showOrder(by('order-id').value.trim()); });
by('read-orders').addEventListener('click', readOrders);
by('read-letters').addEventListener('click', readLetters);

// --- the cluster, as it goes on ---

function standing(words, isAway) {
  if (by('standing').textContent !== words) by('standing').textContent = words;
  by('standing').className = isAway ? 'away' : '';
}

const source = new EventSource('/api/live');
source.onmessage = event => {
  const look = JSON.parse(event.data);
  if (look.away) {
    standing(`AWAY: ${look.away}${newest ? `; below: what it said last, ${clock(newest.at)}` : ''}`, true);
    return;
  }
  newest = look;
  by('to-workers').hidden = !look.workers.length;
  looks.push(look);
  if (looks.length > KEPT) looks.shift();
  const answers = `${plural(look.brokers, 'broker')} at ${look.address} answer${look.brokers === 1 ? 's' : ''}`;
  standing(look.refusal ? `${answers}, but not all is shown: ${look.refusal}` : answers, Boolean(look.refusal));
  render();
};
source.onerror = () => standing('orderflow does not answer: it may have ended; asked again and again', true);
show(wanted());
