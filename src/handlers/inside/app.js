// Draws what the loop says four times a second. Counters come as sums: what is shown
// per second is the difference to the event a second before.
'use strict';

const WINDOW = 40; // events in the 10 s that histograms show as recent
const MINUTE = 240; // events of the helpers' history
const by = id => document.getElementById(id);
const make = (name, text) => {
  const element = document.createElement(name);
  if (text !== undefined) element.textContent = text;
  return element;
};

// --- numbers for people

function count(n) {
  if (n < 10000) return Math.round(n).toLocaleString('en');
  for (const [size, unit] of [[1e9, 'G'], [1e6, 'M'], [1e3, 'k']]) {
    if (n >= size) return (n / size).toPrecision(3) + ' ' + unit;
  }
}

function bytes(n) {
  for (const [size, unit] of [[2 ** 30, 'GiB'], [2 ** 20, 'MiB'], [2 ** 10, 'KiB']]) {
    if (n >= size) return (n / size).toFixed(n >= 100 * size ? 0 : 1) + ' ' + unit;
  }
  return Math.round(n) + ' B';
}

function time(us) {
  if (us >= 1e6) return (us / 1e6).toPrecision(3) + ' s';
  if (us >= 1000) return (us / 1000).toPrecision(us >= 1e5 ? 4 : 3).replace(/\.0+$/, '') + ' ms';
  return (us >= 10 || us === 0 ? Math.round(us) : us.toFixed(1)) + ' µs';
}

// --- colours, as the style has them

let colours = {};
function readColours() {
  const style = getComputedStyle(document.documentElement);
  for (const name of ['ink', 'soft', 'line', 'accent', 'past', 'free', 'bad', 'card']) {
    colours[name] = style.getPropertyValue('--' + name).trim();
  }
  colours.kinds = Array.from({ length: 11 }, (_, i) => style.getPropertyValue('--c' + i).trim());
}

// A canvas in the screen's own pixels, emptied.
function canvas(id, height) {
  const element = by(id), scale = window.devicePixelRatio || 1;
  if (height) element.style.height = height + 'px';
  const width = element.clientWidth, high = height || element.clientHeight;
  if (element.width !== Math.round(width * scale) || element.height !== Math.round(high * scale)) {
    element.width = Math.round(width * scale);
    element.height = Math.round(high * scale);
  }
  const pen = element.getContext('2d');
  pen.setTransform(scale, 0, 0, scale, 0, 0);
  pen.clearRect(0, 0, width, high);
  pen.font = '11px system-ui, sans-serif';
  return [pen, width, high];
}

// --- the parts of the page

function slots(event) {
  const cells = [];
  for (const [, letter, times] of event.map.matchAll(/([a-z.])(\d*)/g)) {
    const kind = letter === '.' ? -1 : letter.charCodeAt(0) - 97;
    for (let n = Number(times || 1); n > 0; n--) cells.push(kind);
  }
  const shown = cells.length;
  while (cells.length < 64) cells.push(-1);
  const width = by('map').clientWidth;
  const pitch = Math.max(6, Math.min(18, Math.floor(Math.sqrt(width * 220 / cells.length))));
  const across = Math.max(1, Math.floor(width / pitch));
  while (cells.length % across) cells.push(-1); // there is always room for more
  const [pen] = canvas('map', Math.ceil(cells.length / across) * pitch);
  const side = pitch - (pitch > 7 ? 2 : 1);
  cells.forEach((kind, at) => {
    pen.fillStyle = kind < 0 ? colours.free : colours.kinds[kind];
    pen.fillRect((at % across) * pitch, Math.floor(at / across) * pitch, side, side);
  });
  by('slots_note').textContent = event.slots > shown
    ? `the first ${count(shown)} of ${count(event.slots)}`
    : `${count(event.open)} taken`;
  legend('states', Object.entries(event.states).map(([name, n]) => [name, count(n), n === 0]));
}

// A list of colours; its items stay and change.
function legend(id, items) {
  const list = by(id);
  items.forEach(([name, value, none], kind) => {
    let item = list.children[kind];
    if (!item) {
      item = list.appendChild(make('li'));
      item.append(make('i'), make('span'), ' ', make('b'));
      item.children[0].className = 'k' + kind;
    }
    item.children[1].textContent = name;
    item.children[2].textContent = value;
    item.className = none ? 'none' : '';
  });
}

// Parts' colours: the work of a turn apart from its wait.
const PARTS = [0, 2, 4, 6, 5, 3];
const parts = {};
function turn(event, before) {
  const bar = by('parts'), names = Object.keys(event.parts);
  let sum = 0;
  names.forEach(name => {
    const fresh = before ? event.parts[name] - before.parts[name] : 0;
    // What is long ago counts less and less, so that the bar is calm.
    parts[name] = (parts[name] || 0) * 0.9 + fresh;
    sum += parts[name];
  });
  const share = name => sum > 0 ? parts[name] / sum : 0;
  names.forEach((name, at) => {
    let piece = bar.children[at];
    if (!piece) {
      piece = bar.appendChild(make('div'));
      piece.className = 'k' + PARTS[at];
    }
    piece.style.flexGrow = share(name);
    piece.title = name;
  });
  legend('parts_legend', names.map(name =>
    [name, (100 * share(name)).toFixed(1) + ' %', share(name) < 0.0005]));
  [...by('parts_legend').children].forEach((item, at) => {
    item.children[0].className = 'k' + PARTS[at];
  });
}

function histogram(id, times, old, bounds) {
  const [pen, width, height] = canvas(id);
  const fresh = times.counts.map((n, at) => n - (old ? old.counts[at] : 0));
  // By the logarithm: one turn of a second among a million short ones is the news.
  const high = n => n > 0 ? Math.log10(n) + 0.5 : 0;
  const most = Math.max(2.5, ...times.counts.map(high));
  const foot = height - 32, step = width / times.counts.length;
  times.counts.forEach((n, at) => {
    for (const [value, colour] of [[n, colours.past], [fresh[at], colours.accent]]) {
      const tall = (foot - 16) * high(value) / most;
      pen.fillStyle = at === times.counts.length - 1 && value > 0 ? colours.bad : colour;
      pen.fillRect(at * step + 1, foot - tall, Math.max(1, step - 2), tall);
    }
    pen.textAlign = 'center';
    if (n > 0) {
      pen.fillStyle = colours.soft;
      pen.fillText(n < 1e4 ? n : count(n).replace(' ', ''),
        (at + .5) * step, foot - 4 - (foot - 16) * high(n) / most);
    }
  });
  pen.fillStyle = colours.line;
  pen.fillRect(0, foot, width, 1);
  pen.fillStyle = colours.soft;
  const label = us => us >= 1e6 ? us / 1e6 + 's' : us >= 1000 ? us / 1000 + 'm' : us + 'µ';
  // As many as there is room for.
  const every = Math.ceil(30 / step);
  bounds.forEach((us, at) => {
    if (at % every === 0) pen.fillText(label(us), (at + 1) * step, foot + 14);
  });
  const all = times.counts.reduce((a, b) => a + b, 0);
  pen.textAlign = 'left';
  pen.fillText(all ? `${count(all)} timed, mean ${time(times.total_us / all)}` : 'none yet',
    0, height - 3);
}

function wheel(event) {
  const [pen, width, height] = canvas('wheel');
  const { fine, coarse, hands } = event.wheel;
  const x = width / 2, y = height / 2, outer = Math.min(x, y) - 16;
  const rings = [
    [coarse, outer * .62, outer, hands[1], colours.accent],
    [fine, outer * .26, outer * .54, hands[0], colours.kinds[2]],
  ];
  for (const [sectors, from, to, hand, colour] of rings) {
    const most = Math.max(1, ...sectors);
    const angle = 2 * Math.PI / sectors.length;
    const start = at => at * angle - Math.PI / 2;
    sectors.forEach((n, at) => {
      const arc = (low, high, fill) => {
        pen.beginPath();
        pen.arc(x, y, high, start(at) + .01, start(at + 1) - .01);
        pen.arc(x, y, low, start(at + 1) - .01, start(at) + .01, true);
        pen.fillStyle = fill;
        pen.fill();
      };
      arc(from, to, colours.free);
      if (n > 0) {
        const share = Math.log(n + 1) / Math.log(most + 1);
        arc(from, from + (to - from) * Math.max(.18, share), colour);
      }
    });
    const at = start(hand);
    pen.strokeStyle = colours.bad;
    pen.lineWidth = 2;
    pen.beginPath();
    pen.moveTo(x + Math.cos(at) * (from - 3), y + Math.sin(at) * (from - 3));
    pen.lineTo(x + Math.cos(at) * (to + 6), y + Math.sin(at) * (to + 6));
    pen.stroke();
  }
  const sum = list => list.reduce((a, b) => a + b, 0);
  pen.fillStyle = colours.soft;
  pen.textAlign = 'left';
  pen.fillText(`outer ring: 51 s, ${count(sum(coarse))}`, 0, height - 18);
  pen.fillText(`inner: 0.5 s, ${count(sum(fine))}`, 0, height - 3);
  by('wheel_note').textContent = 'by when they are asked about';
}

const jobs = [];
function helpers(event, before) {
  const { queued, running, threads, queue_max } = event.helpers;
  jobs.push([queued, running]);
  if (jobs.length > MINUTE) jobs.shift();
  const [pen, width, height] = canvas('helpers');
  const most = Math.max(4, ...jobs.map(([wait, run]) => wait + run));
  const step = width / MINUTE;
  pen.fillStyle = colours.line;
  pen.fillRect(0, height - 1, width, 1);
  jobs.forEach(([wait, run], at) => {
    const left = width - (jobs.length - at) * step;
    const low = (height - 14) * run / most, high = (height - 14) * wait / most;
    pen.fillStyle = colours.kinds[4];
    pen.fillRect(left, height - 1 - low, step, low);
    pen.fillStyle = colours.kinds[2];
    pen.fillRect(left, height - 1 - low - high, step, high);
  });
  pen.fillStyle = colours.soft;
  pen.textAlign = 'left';
  pen.fillText(`${most} jobs`, 0, 10);
  by('helpers_note').textContent = `${running} of ${threads} threads at work, ${count(queued)} wait`;
  const begun = before ? event.helpers.started - before.helpers.started : 0;
  const waited = before ? event.helpers.wait_total_us - before.helpers.wait_total_us : 0;
  rows('helpers_rows', {
    'jobs': event.helpers.started,
    'refused': event.helpers.refused,
    'panicked': event.helpers.panicked,
    'may wait': queue_max,
    'mean wait': begun ? time(waited / begun) : '–',
    'longest wait': time(event.helpers.wait_max_us),
  });
}

function rows(id, values) {
  const list = by(id);
  Object.entries(values).forEach(([name, value], at) => {
    let row = list.children[at];
    if (!row) {
      row = list.appendChild(make('div'));
      row.append(make('dt', name.replaceAll('_', ' ')), make('dd'));
    }
    row.children[1].textContent = typeof value === 'number' ? value.toLocaleString('en') : value;
    row.children[1].dataset.value = value;
    row.className = value === 0 || value === '–' ? 'none' : '';
  });
}

function table(id, lines, nothing) {
  const body = by(id).tBodies[0];
  body.replaceChildren(...lines.map(line => {
    const row = make('tr');
    row.append(...line.map(text => {
      const cell = make('td', text);
      if (text === 'now') cell.className = 'holds';
      return cell;
    }));
    row.firstChild.title = line[0];
    return row;
  }));
  if (lines.length === 0) {
    const cell = body.appendChild(make('tr')).appendChild(make('td', nothing));
    cell.className = 'none';
    cell.colSpan = 4;
  }
}

function figures(event, second) {
  const rate = name => {
    const time = second ? (event.at_us - second.at_us) / 1e6 : 0;
    return time > 0 ? (event[name] - second[name]) / time : 0;
  };
  const set = (id, text) => { by(id).textContent = text; };
  set('requests_rate', count(rate('requests')));
  set('requests', `${event.requests.toLocaleString('en')} in all`);
  set('turns_rate', count(rate('turns')));
  set('turns', `${(rate('turns') > 0 ? rate('requests') / rate('turns') : 0).toFixed(1)} requests each`);
  set('open', count(event.open));
  set('busy', `${count(event.busy)} busy, ${count(event.accepted)} came`);
  set('lag', time(event.lag_us));
  set('in_rate', bytes(rate('bytes_in')) + '/s');
  set('bytes_in', `${bytes(event.bytes_in)} in all`);
  set('out_rate', bytes(rate('bytes_out')) + '/s');
  set('bytes_out', `${bytes(event.bytes_out)} in all`);
  set('buffers', bytes(event.buffers));
  set('timers', count(event.timers));
  set('timeouts', `${count(event.timeouts)} ended something`);
}

// --- the stream

const past = []; // of the last 10 s
let blamed = [];
function draw() {
  const event = past.at(-1);
  if (!event) return;
  const before = past.at(-2), first = past[0];
  figures(event, past.at(-5) || first);
  slots(event);
  histogram('turn_times', event.turn_times, first.turn_times, event.bounds);
  histogram('handler_times', event.handler_times, first.handler_times, event.bounds);
  wheel(event);
  turn(event, before);
  helpers(event, before);
  rows('closes', event.closes);
  const { faults, refused, cuts, shed, jobs_refused, accept_errors, strays } = event;
  rows('trouble', { faults, refused, cuts, shed, jobs_refused, accept_errors, strays });
  blamed = event.blamed || blamed;
  table('routes', slowest(event).map(it =>
    [it.route, it.count ? count(it.count) : '–', it.count ? time(it.mean_us) : '–',
      time(it.max_us)]), 'nothing was timed yet');
  by('blame_note').textContent = `${count(event.blames)} times the loop was held for too long`;
  table('blamed', blamed.map(it =>
    [it.route, count(it.count), time(it.longest_ms * 1000), it.holds ? 'now' : '']), 'nobody');
}

// Few calls are timed, so that a rare slow one may have been missed: the watchdog has
// seen those, too.
function slowest(event) {
  const routes = new Map(event.routes.map(it => [it.route, it]));
  for (const { route, longest_ms } of blamed) {
    const known = routes.get(route) || { route, count: 0, max_us: 0 };
    routes.set(route, { ...known, max_us: Math.max(known.max_us, longest_ms * 1000) });
  }
  return [...routes.values()].sort((a, b) => b.max_us - a.max_us).slice(0, 10);
}

function link(is, text) {
  by('link').dataset.is = is;
  by('link').textContent = text;
}

readColours();
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', readColours);
const source = new EventSource(document.body.dataset.events);
source.onmessage = message => {
  const event = JSON.parse(message.data);
  // Another loop, since the server began anew.
  if (past.length && event.at_us < past.at(-1).at_us) past.length = 0;
  past.push(event);
  if (past.length > WINDOW) past.shift();
  link('live', event.draining ? 'the server is leaving' : 'live');
  if (!document.hidden) draw();
};
source.onerror = () => {
  if (source.readyState === EventSource.CLOSED) link('lost', 'refused; load the page again');
  else link('lost', 'lost; trying again');
};
