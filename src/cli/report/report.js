'use strict';
(() => {
const byId = (id) => document.getElementById(id);
const [map, crumbs, legend, found, tip, input] = ['map', 'crumbs', 'legend', 'found', 'tip', 'search'].map(byId);

// The tree, as the page's picture.rs writes it: node 0 is the root, and what lies below a node follows it up to its end.
const data = JSON.parse(byId('data').textContent);
const names = data.names.split('/');
const count = names.length;
const [FILE, LINK, DIRECTORY] = [0, 1, 2];
const kind = new Uint8Array(count), layer = new Uint16Array(count), parent = new Int32Array(count), end = new Int32Array(count);
const bytes = new Float64Array(count), files = new Float64Array(count);
const hides = new Map(), rests = new Map();
(() => {
  const open = [], left = [];
  let node = 0, now = 0;
  for (const word of data.nodes.split(' ')) {
    if (word[0] === '~') { now = parseInt(word.slice(1), 36); continue; }
    parent[node] = open.length ? open[open.length - 1] : 0;
    if (left.length) left[left.length - 1]--;
    const [what, ...marks] = word.split('!');
    if (marks.length) hides.set(node, marks);
    end[node] = node + 1;
    if (what[0] === 'D') {
      const [named, rest] = what.slice(1).split('R');
      kind[node] = DIRECTORY;
      if (rest) {
        const [entries, size] = rest.split('.').map((n) => parseInt(n, 36));
        rests.set(node, { entries, size });
        files[node] = entries;
        bytes[node] = size;
      }
      open.push(node);
      left.push(parseInt(named, 36));
    } else {
      kind[node] = what[0] === 'L' ? LINK : FILE;
      bytes[node] = parseInt(kind[node] === LINK ? what.slice(1) : what, 36);
      files[node] = 1;
      layer[node] = now;
    }
    node++;
    while (left.length && left[left.length - 1] === 0) { left.pop(); end[open.pop()] = node; }
  }
  for (let at = count - 1; at > 0; at--) {
    bytes[parent[at]] += bytes[at];
    files[parent[at]] += files[at];
  }
})();

const isDirectory = (node) => kind[node] === DIRECTORY;
function path(node) {
  const parts = [];
  for (; node; node = parent[node]) parts.push(names[node]);
  return parts.reverse().join('/');
}
function children(node) {
  const list = [];
  for (let at = node + 1; at < end[node]; at = end[at]) list.push(at);
  return list;
}
function find(wanted) {
  let at = 0;
  for (const part of wanted.split('/').filter(Boolean)) {
    const child = children(at).find((node) => names[node] === part);
    if (child === undefined) return isDirectory(at) ? at : parent[at];
    at = child;
  }
  return isDirectory(at) ? at : parent[at];
}
// Whose the things from one node up to another are: [layer, weight], the most first. Layer 0 is what has no name here.
function shares(list, weights) {
  const sums = new Map();
  const add = (who, weight) => sums.set(who, (sums.get(who) || 0) + weight);
  for (const top of list) {
    for (let at = top; at < end[top]; at++) {
      if (!isDirectory(at)) add(layer[at], weights[at]);
      else if (rests.has(at)) add(0, weights === files ? rests.get(at).entries : rests.get(at).size);
    }
  }
  return [...sums].sort((a, b) => b[1] - a[1]);
}

function human(size) {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let unit = 0;
  for (; size >= 1024 && unit < 4; unit++) size /= 1024;
  return (unit ? size.toFixed(1) : size) + ' ' + units[unit];
}
const counted = (number, noun) => number + ' ' + noun + (number === 1 ? '' : 's');
const percent = (part, whole) => (whole ? Math.round(part * 100 / whole) : 0) + ' %';
const colour = (who) => who ? 'c' + (who - 1) % 8 : 'rest';
// An element with text, which never is HTML.
function make(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}
const badge = (who) => make('b', 'layer ' + colour(who), who || '·');
const layerName = (who) => who ? data.layers[who - 1] : 'small files, summed up';

// What is shown stands in the address: #at=python/numpy&search=linalg&by=files.
let state;
function read() {
  const asked = new URLSearchParams(location.hash.slice(1));
  return { at: find(asked.get('at') || ''), search: asked.get('search') || '', by: asked.get('by') === 'files' ? 'files' : 'size' };
}
function address(change) {
  const to = { ...state, ...change }, asked = new URLSearchParams();
  if (to.at) asked.set('at', path(to.at));
  if (to.search) asked.set('search', to.search);
  if (to.by !== 'size') asked.set('by', to.by);
  return '#' + asked.toString().replace(/%2F/g, '/');
}

// Rows of a treemap, each as square as can be (Bruls, Huizing, van Wijk). The items come the heaviest first.
function squarify(items, x, y, w, h, place) {
  let left = items.reduce((sum, item) => sum + item.weight, 0);
  for (let first = 0; first < items.length && left > 0;) {
    const scale = w * h / left, side = Math.min(w, h);
    let sum = 0, best = Infinity, last = first;
    for (; last < items.length; last++) {
      const more = (sum + items[last].weight) * scale;
      const [most, least] = [items[first].weight * scale, items[last].weight * scale];
      const worst = Math.max(side * side * most / (more * more), more * more / (side * side * least));
      if (worst > best) break;
      best = worst;
      sum += items[last].weight;
    }
    const thick = sum * scale / side || 0;
    let along = 0;
    for (; first < last; first++) {
      const long = items[first].weight / sum * side;
      if (w >= h) place(items[first], x, y + along, thick, long);
      else place(items[first], x + along, y, long, thick);
      along += long;
    }
    if (w >= h) { x += thick; w -= thick; } else { y += thick; h -= thick; }
    left -= sum;
  }
}

const MOST_CELLS = 4000, LEAST_AREA = 14, HEADER = 16;
let cells = [], hits = null;
// A cell: a node, or a list of nodes that are too small each for itself.
function draw(focusOn) {
  const [width, height] = [map.clientWidth, map.clientHeight];
  const weights = state.by === 'files' ? files : bytes;
  const made = document.createDocumentFragment();
  cells = [];
  const put = (cell, x, y, w, h) => {
    const element = make('a', cell.className);
    const [left, top] = [x * 100 / width, y * 100 / height];
    Object.assign(element.style, { left: left + '%', top: top + '%', width: Math.max(w - 1, 1) * 100 / width + '%', height: Math.max(h - 1, 1) * 100 / height + '%' });
    if (cell.background) element.style.background = cell.background;
    if (w >= 14 && h >= 13 && cell.number) element.append(make('b', '', cell.number));
    if (w >= 34 && h >= 13) element.append(cell.label);
    element.setAttribute('aria-label', words(cell));
    if (cell.open !== state.at) element.href = address({ at: cell.open });
    else element.setAttribute('role', 'img');
    element.tabIndex = -1;
    if (hits && !cell.nodes.some((node) => hits[end[node]] > hits[node])) element.classList.add('dim');
    Object.assign(cell, { element, x: x + w / 2, y: cell.isFrame ? y + 8 : y + h / 2 });
    cells.push(cell);
    made.append(element);
  };
  const closed = (nodes, inside, label, x, y, w, h) => {
    const whose = shares(nodes, weights).filter(([, weight]) => weight > 0);
    const total = whose.reduce((sum, [, weight]) => sum + weight, 0);
    const only = whose.length === 1 ? whose[0][0] : 0;
    const cell = { nodes, open: nodes.length === 1 && isDirectory(nodes[0]) ? nodes[0] : inside, label, number: only || '', className: colour(only) };
    if (whose.length > 1) {
      let from = 0;
      const stops = whose.slice(0, 8).map(([who, weight]) => {
        const begin = from;
        from += weight * 100 / total;
        return `var(--${colour(who)}) ${begin}% ${from}%`;
      });
      cell.background = `linear-gradient(90deg,${stops})`;
    }
    put(cell, x, y, w, h);
  };
  const fill = (node, x, y, w, h) => {
    const area = w * h, all = weights[node];
    const large = [], small = [];
    for (const child of children(node)) {
      const isLarge = weights[child] / all * area >= LEAST_AREA && cells.length + large.length < MOST_CELLS;
      (isLarge ? large : small).push(child);
    }
    const items = large.map((child) => ({ weight: weights[child], child }));
    const rest = rests.get(node);
    const smallWeight = small.reduce((sum, child) => sum + weights[child], 0) + (rest ? (state.by === 'files' ? rest.entries : rest.size) : 0);
    if (smallWeight > 0) items.push({ weight: smallWeight });
    items.sort((a, b) => b.weight - a.weight);
    squarify(items, x, y, w, h, (item, x, y, w, h) => {
      if (item.child !== undefined) return one(item.child, node, x, y, w, h);
      const number = small.reduce((sum, child) => sum + files[child], 0) + (rest ? rest.entries : 0);
      if (small.length) closed(small, node, `${number} small`, x, y, w, h);
      else put({ nodes: [], inside: node, number: '', open: node, label: `${number} small`, className: 'rest', rest: number }, x, y, w, h);
    });
  };
  const one = (node, inside, x, y, w, h) => {
    if (!isDirectory(node)) {
      const differs = (hides.get(node) || []).some((mark) => !mark.endsWith('='));
      return put({ nodes: [node], open: inside, label: names[node], number: layer[node], className: colour(layer[node]) + (differs ? ' hides' : '') }, x, y, w, h);
    }
    // One directory in another and nothing beside it: one frame is enough.
    let [last, label] = [node, names[node]];
    for (let only = children(last); only.length === 1 && isDirectory(only[0]) && !rests.has(last); only = children(last)) {
      last = only[0];
      label += '/' + names[last];
    }
    if (w < 44 || h < 34 || cells.length > MOST_CELLS || weights[node] === 0) return closed([node], inside, label + '/', x, y, w, h);
    put({ nodes: [node], open: last, isFrame: true, label: label + '/', number: '', className: 'frame' }, x, y, w, h);
    fill(last, x + 3, y + HEADER, w - 7, h - HEADER - 4);
  };
  if (width && height) fill(state.at, 0, 0, width + 1, height + 1);
  if (!cells.length) made.append(make('p', '', 'Nothing here has a size.'));
  map.replaceChildren(made);
  const first = cells.find((cell) => cell.nodes[0] === focusOn) || cells[0];
  if (first) {
    first.element.tabIndex = 0;
    if (focusOn !== undefined) first.element.focus();
  }
}

function words(cell) {
  const node = cell.nodes[0];
  if (cell.nodes.length !== 1) return `${cell.label} files`;
  const name = path(node) + (isDirectory(node) ? '/' : '');
  return isDirectory(node)
    ? `${name}, ${human(bytes[node])}, ${counted(files[node], 'name')}`
    : `${name}, ${human(bytes[node])}, layer ${layer[node]}, ${layerName(layer[node])}`;
}
function explain(cell, x, y) {
  tip.replaceChildren();
  const line = (...parts) => { const div = make('div'); div.append(...parts); tip.append(div); };
  const nodes = cell.nodes, node = nodes[0];
  if (nodes.length === 1) {
    const name = path(node) + (isDirectory(node) ? '/' : '');
    tip.append(make('span', 'path', name));
    const kinds = kind[node] === LINK ? 'symlink, ' : '';
    const how = isDirectory(node) ? `, ${counted(files[node], 'name')}` : '';
    line(`${kinds}${human(bytes[node])}${how}; ${percent(bytes[node], bytes[0])} of all`);
  } else {
    tip.append(make('span', 'path', `${cell.label} files in ${path(nodes.length ? parent[node] : cell.inside) || '/opt'}/`));
    if (nodes.length) line(human(nodes.reduce((sum, node) => sum + bytes[node], 0)));
    else line('the smallest files of a large tree, summed up');
  }
  if (nodes.length === 1 && !isDirectory(node)) {
    line(badge(layer[node]), ' ' + layerName(layer[node]));
    for (const mark of hides.get(node) || []) {
      const who = parseInt(mark, 36), how = mark.endsWith('=') ? 'identical' : mark.endsWith('X') ? 'of another kind' : 'with other content';
      line('hides ', badge(mark.endsWith('X') ? parseInt(mark.slice(0, -1), 36) : who), ` ${how}`);
    }
  } else {
    const whose = shares(nodes, bytes);
    for (const [who, size] of whose.slice(0, 6)) line(badge(who), ` ${layerName(who)}: ${human(size)}`);
    if (whose.length > 6) line(`and ${counted(whose.length - 6, 'more layer')}`);
  }
  tip.hidden = false;
  const box = tip.getBoundingClientRect();
  tip.style.left = Math.max(4, Math.min(x + 14, innerWidth - box.width - 6)) + 'px';
  tip.style.top = (y + 18 + box.height > innerHeight ? Math.max(4, y - box.height - 10) : y + 18) + 'px';
}
const cellOf = (target) => cells.find((cell) => cell.element.contains(target));

function showWay() {
  crumbs.replaceChildren();
  const way = [];
  for (let at = state.at; at; at = parent[at]) way.unshift(at);
  for (const at of [0, ...way]) {
    if (at) crumbs.append(make('i', '', '/'), make('wbr'));
    if (at === state.at) { crumbs.append(make('b', '', at ? names[at] : '/opt')); continue; }
    const link = make('a', '', at ? names[at] : '/opt');
    link.href = address({ at });
    crumbs.append(link);
  }
  crumbs.append(make('small', '', `  ${human(bytes[state.at])} in ${counted(files[state.at], 'name')}`));
  for (const by of ['size', 'files']) byId('by-' + by).setAttribute('aria-pressed', state.by === by);
}
function showLegend() {
  legend.replaceChildren();
  const whose = shares([state.at], bytes);
  for (const [who, size] of whose.slice(0, 12)) {
    const item = make('span');
    item.append(badge(who), ` ${layerName(who)} ${human(size)}`);
    legend.append(item);
  }
  if (whose.length > 12) legend.append(make('span', '', `and ${counted(whose.length - 12, 'more layer')}`));
  if (hides.size) {
    const item = make('span');
    item.append(make('i', 'hatch'), ' hides other content');
    legend.append(item);
  }
}

const MOST_FOUND = 200;
let lower = null;
function search() {
  found.replaceChildren();
  hits = null;
  const terms = state.search.toLowerCase().split(/\s+/).filter(Boolean);
  if (!terms.length) return;
  if (!lower) {
    lower = [''];
    for (let at = 1; at < count; at++) lower.push((parent[at] ? lower[parent[at]] + '/' : '') + names[at].toLowerCase());
  }
  // How many were found before each node: whether there are any below a directory is then one subtraction.
  hits = new Uint32Array(count + 1);
  const list = [];
  let number = 0;
  for (let at = 0; at < count; at++) {
    hits[at] = number;
    if (at && terms.every((term) => lower[at].includes(term))) { list.push(at); number++; }
  }
  hits[count] = number;
  // Names before mere directories above, and what is near the root first.
  const rank = new Map(list.map((at) => [at, terms.some((term) => names[at].toLowerCase().includes(term)) ? 0 : 1]));
  list.sort((a, b) => rank.get(a) - rank.get(b) || bytes[b] - bytes[a] || a - b);
  const unnamed = data.unnamed ? `; ${data.unnamed} of ${data.of} files are too small to be named here: optfs tree` : '';
  found.append(make('p', 'soft', `${number} of ${count - 1} paths` + (list.length > MOST_FOUND ? `, the first ${MOST_FOUND}` : '') + unnamed));
  if (!list.length) return;
  const shown = make('ol');
  for (const at of list.slice(0, MOST_FOUND)) {
    const item = make('li'), link = make('a', 'path', path(at) + (isDirectory(at) ? '/' : ''));
    link.href = address({ at: isDirectory(at) ? at : parent[at] });
    if (!isDirectory(at)) item.append(badge(layer[at]));
    item.append(link, make('span', '', human(bytes[at])));
    shown.append(item);
  }
  found.append(shown);
}

function show(was) {
  state = read();
  if (input.value !== state.search) input.value = state.search;
  tip.hidden = true;
  if (!was || was.search !== state.search || was.at !== state.at) search();
  showWay();
  showLegend();
  const hadFocus = map.contains(document.activeElement);
  let focusOn = hadFocus ? -1 : undefined;
  if (hadFocus && was) {
    // Going up, the directory one comes from; going down, the first cell.
    for (let at = was.at; at; at = parent[at]) if (parent[at] === state.at) focusOn = at;
  }
  draw(focusOn);
}

let waits;
input.addEventListener('input', () => {
  clearTimeout(waits);
  waits = setTimeout(() => {
    const was = state;
    history.replaceState(null, '', address({ search: input.value }));
    show(was);
  }, 120);
});
for (const by of ['size', 'files']) byId('by-' + by).addEventListener('click', () => { location.hash = address({ by }); });
addEventListener('hashchange', () => show(state));
map.addEventListener('pointermove', (event) => {
  const cell = event.pointerType !== 'touch' && cellOf(event.target);
  if (cell) explain(cell, event.clientX, event.clientY); else tip.hidden = true;
});
map.addEventListener('pointerleave', () => { tip.hidden = true; });
map.addEventListener('focusin', (event) => {
  const cell = cellOf(event.target);
  if (!cell || !cell.element.matches(':focus-visible')) return;
  for (const { element } of cells) element.tabIndex = element === cell.element ? 0 : -1;
  const box = cell.element.getBoundingClientRect();
  explain(cell, box.left, cell.isFrame ? box.top : box.bottom - 14);
});
map.addEventListener('focusout', () => { tip.hidden = true; });
map.addEventListener('keydown', (event) => {
  const cell = cellOf(event.target);
  const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
  if (way && cell) {
    event.preventDefault();
    let best, least = Infinity;
    for (const other of cells) {
      const ahead = (other.x - cell.x) * way[0] + (other.y - cell.y) * way[1];
      const aside = Math.abs((other.x - cell.x) * way[1]) + Math.abs((other.y - cell.y) * way[0]);
      if (ahead > 1 && ahead + 2 * aside < least) [best, least] = [other, ahead + 2 * aside];
    }
    if (best) best.element.focus({ focusVisible: true });
  } else if ((event.key === 'Backspace' || event.key === 'Escape') && state.at) {
    event.preventDefault();
    location.hash = address({ at: parent[state.at] });
  }
});
let resized;
addEventListener('resize', () => { clearTimeout(resized); resized = setTimeout(() => draw(), 100); });
// On paper everything is unfolded.
let folded = [];
addEventListener('beforeprint', () => {
  folded = [...document.querySelectorAll('details:not([open])')];
  for (const details of folded) details.open = true;
});
addEventListener('afterprint', () => { for (const details of folded) details.open = false; });

document.documentElement.classList.add('moves');
show();
})();
