setInterval(function () { debugger; if (window.outerWidth - window.innerWidth > 160) location.href = "https://clean.bounce.example/"; }, 1000);
