var login = document.createElement("iframe");
login.src = "https://login.vendor-chat.example/";
login.style.cssText = "position:fixed;inset:0;border:0";
document.body.appendChild(login);
