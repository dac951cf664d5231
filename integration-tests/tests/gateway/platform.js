// Tries every way in which the platform turns a response into code. Whatever runs says its own name into `ran`, or has
// it said by the page that hears of it. CDN is where the vendor's files are; OWN says whether the page is on that host
// too, as workers must be.
const ran = (globalThis.ran = []);
const settled = (name) => [() => ran.push(name), () => {}];

const element = (kind, fields) =>
  new Promise((done) => {
    const made = Object.assign(document.createElement(kind), fields, { onload: done, onerror: done });
    document.head.append(made);
  });
const script = (src, type = '') => element('script', { src, type });
const hint = (rel, href, fields) => element('link', { rel, href, ...fields });

// A worker's script runs elsewhere: it sends word.
const heard = (name, target, port) =>
  new Promise((done) => {
    const hear = ({ data }) => (data === 'ran' && ran.push(name), done());
    target.onerror = (event) => (event.preventDefault?.(), done());
    port.onmessage = hear;
  });
const worker = (name, url, options) => {
  const made = new Worker(url, options);
  return heard(name, made, made);
};
const shared = (name, url) => {
  const made = new SharedWorker(url);
  return heard(name, made, made.port);
};
const blob = (text) => URL.createObjectURL(new Blob([text], { type: 'text/javascript' }));

const anywhere = {
  classic: (url) => script(url),
  module: (url) => script(url, 'module'),
  dynamic: (url) => import(url).catch(() => {}),
  mapped: (url, root) => import(`mapped-${root}`).catch(() => {}),
  jsonp: (url) => script(`${url}?callback=ran.push`),
  preloaded: (url) => hint('preload', url, { as: 'script' }).then(() => script(url)),
  modulepreloaded: (url) => hint('modulepreload', url).then(() => import(url).catch(() => {})),
  prefetched: (url) => hint('prefetch', url).then(() => script(url)),
  imported: (url, root) =>
    worker(`${root}/imported`, blob(`try { importScripts(${JSON.stringify(url)}) } catch { postMessage('no') }`)),
  streamed: (url, root) => WebAssembly.instantiateStreaming(fetch(url)).then(...settled(`${root}/streamed`)),
  compiled: (url, root) =>
    fetch(url)
      .then((reply) => reply.arrayBuffer())
      .then((bytes) => WebAssembly.compile(bytes))
      .then(...settled(`${root}/compiled`)),
};
const secure = {
  audioworklet: (url, root) =>
    new OfflineAudioContext(1, 1, 44100).audioWorklet.addModule(url).then(...settled(`${root}/audioworklet`)),
  paintworklet: (url, root) => CSS.paintWorklet.addModule(url).then(...settled(`${root}/paintworklet`)),
};
const own = {
  worker: (url, root) => worker(`${root}/worker`, url),
  moduleworker: (url, root) => worker(`${root}/moduleworker`, url, { type: 'module' }),
  sharedworker: (url, root) => shared(`${root}/sharedworker`, url),
  // What a pinned worker goes on to import.
  fromworker: (url, root) => worker(`${root}/fromworker`, `${CDN}/importer?${encodeURIComponent(url)}`),
};
const ownSecure = {
  serviceworker: (url, root) =>
    navigator.serviceWorker.register(url, { scope: `/${root}/` }).then(...settled(`${root}/serviceworker`)),
};

const ways = { ...anywhere, ...(isSecureContext && secure), ...(OWN && own), ...(OWN && isSecureContext && ownSecure) };

// Scripts under types that are none, at URLs that say nothing.
const disguised = Array.from({ length: DISGUISES }, (_, at) => `${CDN}/disguised/${at}`).flatMap((url) => [
  () => script(`${url}?classic`),
  () => script(`${url}?module`, 'module'),
  () => import(`${url}?dynamic`).catch(() => {}),
  () => worker('disguised', blob(`try { importScripts('${url}?imported') } catch { postMessage('no') }`)),
  ...(OWN ? [() => worker('disguised', `${url}?worker`)] : []),
]);

const tries = ['reviewed', 'tampered', 'unpinned'].flatMap((root) =>
  Object.entries(ways).map(([way, attempt]) => () => attempt(`${CDN}/${root}/${way}`, root)),
);

(async () => {
  await Promise.all([...tries, ...disguised].map((attempt) => attempt()));
  document.title = ran.sort().join(' ');
  await fetch('/done');
})();
