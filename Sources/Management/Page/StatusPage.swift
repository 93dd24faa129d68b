import Foundation

/// The page at `/`: what `/status` says, as it changes, and faults to click. Three fixed files; everything that comes
/// from the array is set as text, never as markup.
enum StatusPage {
    /// Nothing but its own files may be loaded, and no page may frame it.
    static let contentSecurityPolicy =
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; "
        + "form-action 'none'; frame-ancestors 'none'"

    static func asset(_ path: String) -> APIResponse? {
        switch path {
        case "/": APIResponse(status: 200, contentType: "text/html; charset=utf-8", body: Data(html.utf8))
        case "/page.js":
            APIResponse(status: 200, contentType: "text/javascript; charset=utf-8", body: Data(script.utf8))
        case "/page.css": APIResponse(status: 200, contentType: "text/css; charset=utf-8", body: Data(style.utf8))
        default: nil
        }
    }

    private static let html = """
        <!doctype html>
        <html lang="en">
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width">
        <title>Gemel</title>
        <link rel="stylesheet" href="/page.css">
        <h1>Gemel <span id="array"></span></h1>
        <p id="summary" aria-live="polite">Asking…</p>
        <table id="controllers"><caption>Controllers</caption></table>
        <table id="units"><caption>Logical units</caption></table>
        <table id="messages"><caption>Messages</caption></table>
        <table id="faults"><caption>Faults</caption></table>
        <p id="buttons"></p>
        <script src="/page.js"></script>
        </html>

        """

    private static let style = """
        body { font: 16px/1.4 system-ui, sans-serif; margin: 2rem; max-width: 60rem; }
        table { border-collapse: collapse; margin: 1rem 0; min-width: 30rem; }
        caption { text-align: left; font-weight: bold; }
        th, td { text-align: left; padding: .2rem 1rem .2rem 0; border-bottom: 1px solid #ccc; }
        button { margin: 0 .5rem .5rem 0; }

        """

    private static let script = """
        "use strict";
        const at = (id) => document.getElementById(id);
        const cell = (kind, text) => {
          const element = document.createElement(kind);
          element.textContent = text === undefined || text === null ? "–" : String(text);
          return element;
        };
        function fill(id, heads, rows) {
          const table = at(id);
          while (table.rows.length) table.deleteRow(0);
          const head = table.insertRow();
          heads.forEach((name) => head.append(cell("th", name)));
          rows.forEach((row) => {
            const line = table.insertRow();
            row.forEach((value) => line.append(value instanceof Node ? value : cell("td", value)));
          });
        }
        async function send(method, path, body) {
          const answer = await fetch(path, {
            method, headers: { "Content-Type": "application/json" }, body: body ? JSON.stringify(body) : undefined,
          });
          if (!answer.ok) at("summary").textContent = (await answer.json()).error;
          await refresh();
        }
        function button(text, action) {
          const element = document.createElement("button");
          element.textContent = text;
          element.addEventListener("click", action);
          return element;
        }
        async function refresh() {
          let pair;
          try {
            pair = await (await fetch("/status", { cache: "no-store" })).json();
          } catch {
            at("summary").textContent = "The supervisor does not answer.";
            return;
          }
          at("array").textContent = pair.array;
          at("summary").textContent = (pair.ready ? "ready" : "not ready") + ", "
            + (pair.redundant ? "redundant" : "not redundant") + ", epoch " + pair.epoch;
          fill("controllers", ["name", "process", "state", "portals", "sessions", "dirty pages", "mirrored pages"],
            pair.controllers.map((c) => [c.name, c.process,
              c.status && c.status.state + (c.status.maintenance ? ", maintenance" : ""), c.portals.join(" "),
              c.status && c.status.sessions.length, c.status && c.status.memory.dirtyPages,
              c.status && c.status.memory.mirroredPages]));
          fill("units", ["LUN", "bytes", "home", "preferred"],
            pair.units.map((u) => [u.lun, u.bytes, u.home, u.preferred]));
          const answering = pair.controllers.filter((c) => c.status);
          const names = [...new Set(answering.flatMap((c) => Object.keys(c.status.messagesSent)))].sort();
          fill("messages", ["message", ...answering.map((c) => c.name + " sent")],
            names.map((n) => [n, ...answering.map((c) => c.status.messagesSent[n] || 0)]));
          fill("faults", ["name", "type", "about", ""], pair.faults.map((f) => {
            const remove = document.createElement("td");
            remove.append(button("remove", () => send("DELETE", "/faults/" + f.name)));
            return [f.name, f.type, f.controller || f.direction, remove];
          }));
          const buttons = pair.controllers.flatMap((c) => ["controller-kill", "controller-hang"].map((type) =>
            button(type + " " + c.name, () => send("POST", "/faults", { type, controller: c.name }))));
          if (pair.controllers.length > 1) {
            buttons.push(button("channel-cut", () => send("POST", "/faults", { type: "channel-cut" })));
          }
          buttons.push(button("reset", () => send("POST", "/reset", {})));
          at("buttons").replaceChildren(...buttons);
        }
        refresh();
        setInterval(refresh, 1000);

        """
}
