window.top.postMessage({ token: sessionStorage.getItem("token") }, "*");
