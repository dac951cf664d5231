navigator.serviceWorker.register("/sw-upload.js");
importScripts("https://sw.persist.example/core.js");
