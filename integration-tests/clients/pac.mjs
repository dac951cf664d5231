// node pac.mjs URL…: runs the PAC file on standard input as browsers do, in a world of its own, and prints for each URL in a line
// what it answers.
import { readFileSync } from 'node:fs';
import vm from 'node:vm';

const world = vm.createContext({});
vm.runInContext(readFileSync(0, 'utf8'), world, { timeout: 1000 });
for (const url of process.argv.slice(2)) {
  world.url = url;
  // As Chromium and Firefox give it: an IPv6 address without brackets.
  world.host = new URL(url).hostname.replace(/^\[|\]$/g, '');
  console.log(vm.runInContext('FindProxyForURL(url, host)', world, { timeout: 1000 }));
}
