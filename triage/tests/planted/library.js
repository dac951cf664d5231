/*! chatbox 2.3.1 | MIT License */
(function (root, factory) {
  if (typeof define === "function" && define.amd) {
    define([], factory);
  } else if (typeof module === "object" && module.exports) {
    module.exports = factory();
  } else {
    root.Chatbox = factory();
  }
})(typeof self !== "undefined" ? self : this, function () {
  "use strict";

  var DEFAULTS = { position: "right", title: "Talk to us", limit: 50, endpoint: "https://chat.vendor.example/v2/messages" };

  function extend(target) {
    for (var at = 1; at < arguments.length; at++) {
      var source = arguments[at] || {};
      for (var key in source) {
        if (Object.prototype.hasOwnProperty.call(source, key)) target[key] = source[key];
      }
    }
    return target;
  }

  function Emitter() {
    this.listeners = {};
  }

  Emitter.prototype.on = function (type, listener) {
    (this.listeners[type] = this.listeners[type] || []).push(listener);
    return this;
  };

  Emitter.prototype.emit = function (type) {
    var rest = Array.prototype.slice.call(arguments, 1);
    (this.listeners[type] || []).forEach(function (listener) {
      listener.apply(null, rest);
    });
    return this;
  };

  function throttle(run, wait) {
    var last = 0;
    var timer = null;
    return function () {
      var left = wait - (Date.now() - last);
      if (left <= 0) {
        last = Date.now();
        run.apply(this, arguments);
      } else if (!timer) {
        timer = setTimeout(function () {
          timer = null;
          run();
        }, left);
      }
    };
  }

  function Chatbox(options) {
    Emitter.call(this);
    this.options = extend({}, DEFAULTS, options);
    this.messages = [];
    this.flush = throttle(this.send.bind(this), 250);
  }

  Chatbox.prototype = extend(Object.create(Emitter.prototype), {
    constructor: Chatbox,

    open: function () {
      var box = document.createElement("div");
      box.className = "chatbox chatbox-" + this.options.position;
      box.setAttribute("aria-label", this.options.title);
      box.addEventListener("click", this.emit.bind(this, "click"));
      document.body.appendChild(box);
      return this.emit("open", box);
    },

    say: function (text) {
      if (this.messages.length >= this.options.limit) this.messages.shift();
      this.messages.push({ text: String(text), at: Date.now() });
      this.flush();
    },

    send: function () {
      var self = this;
      return fetch(this.options.endpoint, { method: "POST", body: JSON.stringify(this.messages) }).then(function (answer) {
        self.messages = [];
        self.emit("sent", answer.status);
      });
    }
  });

  /* planted */

  return Chatbox;
});
