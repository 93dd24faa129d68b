import Controller
import Foundation
import Management
import Synchronization
import Testing

@Suite struct RouterTests {
    let pair = FakePair()
    var router: ManagementRouter { ManagementRouter(service: pair, port: 8080) }

    func ask(_ method: String, _ path: String, _ body: String = "") async -> APIResponse {
        await router.respond(to: APIRequest(method: method, path: path, body: Data(body.utf8)))
    }

    func text(_ response: APIResponse) -> String { String(decoding: response.body, as: UTF8.self) }

    @Test func healthSaysThatTheProcessLives() async {
        let answer = await ask("GET", "/health")
        #expect(answer.status == 200)
        #expect(text(answer) == #"{"health":"ok"}"#)
    }

    @Test func readyIs503UntilThePairServes() async {
        pair.state.withLock { $0.serving = false }
        #expect(await ask("GET", "/ready").status == 503)
        pair.state.withLock { $0.serving = true }
        #expect(await ask("GET", "/ready").status == 200)
    }

    @Test func statusIsThePairAsJSON() async throws {
        let answer = await ask("GET", "/status")
        #expect(answer.contentType == "application/json")
        let status = try JSONDecoder().decode(PairStatus.self, from: answer.body)
        #expect(status.array == "demo" && status.ready && status.redundant && status.epoch == 7)
        #expect(status.controllers.map(\.name) == ["a", "b"])
        #expect(status.units.map(\.home) == ["a", "b"])
        #expect(status.controllers[0].status?.messagesSent["write page"] == 3)
    }

    @Test func failoverMovesOneUnitOrAll() async {
        #expect(await ask("POST", "/failover", #"{"to":"b","lun":0}"#).status == 200)
        #expect(pair.state.withLock { $0.homes } == [0: "b", 1: "b"])
        #expect(await ask("POST", "/failover", #"{"to":"a"}"#).status == 200)
        #expect(pair.state.withLock { $0.homes } == [0: "a", 1: "a"])
        #expect(await ask("POST", "/failback", "{}").status == 200)
        #expect(pair.state.withLock { $0.homes } == [0: "a", 1: "b"])
    }

    @Test(arguments: [
        "", "[]", "null", "7", "{", #"{"to":"c"}"#, #"{"to":7}"#, #"{"to":"b","lun":"0"}"#, #"{"to":"b","lun":-1}"#,
        #"{"to":"b","lun":70000}"#, #"{"to":"b","lun":true}"#, #"{"to":"b","lun":0.5}"#, #"{"to":"b","now":1}"#,
    ])
    func aFailoverThatMeansNothingIsABadRequest(body: String) async {
        let answer = await ask("POST", "/failover", body)
        #expect(answer.status == 400, "\(body)")
        #expect(text(answer).hasPrefix(#"{"error":"#))
        #expect(pair.state.withLock { $0.homes } == [0: "a", 1: "b"])
    }

    @Test func anUnknownUnitIsNotFound() async {
        #expect(await ask("POST", "/failover", #"{"to":"b","lun":9}"#).status == 404)
    }

    @Test func faultsAreNamedIdempotentListedAndRemovable() async throws {
        let kill = #"{"type":"controller-kill","controller":"a"}"#
        #expect(await ask("POST", "/faults", kill).status == 201)
        #expect(await ask("POST", "/faults", kill).status == 200)
        #expect(await ask("POST", "/faults", #"{"type":"channel-cut","name":"cut"}"#).status == 201)
        #expect(
            await ask("POST", "/faults", #"{"type":"channel-cut","name":"cut","direction":"a-to-b"}"#).status == 409)
        let faults = try JSONDecoder().decode([Fault].self, from: await ask("GET", "/faults").body)
        #expect(faults.map(\.name) == ["controller-kill-a", "cut"])
        #expect(faults[1].direction == .both)
        #expect(await ask("GET", "/faults/cut").status == 200)
        #expect(await ask("DELETE", "/faults/cut").status == 200)
        #expect(await ask("DELETE", "/faults/cut").status == 404)
        #expect(await ask("GET", "/faults/cut").status == 404)
        #expect(await ask("POST", "/reset", "{}").status == 200)
        #expect(text(await ask("GET", "/faults")) == "[]")
    }

    @Test(arguments: [
        #"{"type":"controller-kill"}"#, #"{"type":"controller-kill","controller":"c"}"#,
        #"{"type":"controller-kill","controller":"a","direction":"both"}"#,
        #"{"type":"channel-cut","controller":"a"}"#, #"{"type":"channel-cut","direction":"sideways"}"#,
        #"{"type":"rain"}"#, "{}", #"{"type":"channel-cut","name":"../x"}"#, #"{"type":"channel-cut","name":""}"#,
    ])
    func aFaultThatMeansNothingIsABadRequest(body: String) async {
        #expect(await ask("POST", "/faults", body).status == 400, "\(body)")
        #expect(pair.state.withLock { $0.table.faults }.isEmpty)
    }

    @Test func theTableOfFaultsIsBounded() async {
        for index in 0..<FaultTable.limit {
            #expect(await ask("POST", "/faults", #"{"type":"channel-cut","name":"c\#(index)"}"#).status == 201)
        }
        #expect(await ask("POST", "/faults", #"{"type":"channel-cut","name":"more"}"#).status == 409)
    }

    @Test(arguments: [
        ("POST", "/status"), ("GET", "/failover"), ("PUT", "/faults"), ("DELETE", "/"), ("PUT", "/faults/x"),
    ])
    func aWrongMethodIsToldTheRightOnes(method: String, path: String) async {
        let answer = await ask(method, path)
        #expect(answer.status == 405)
        #expect(answer.allow != nil)
    }

    @Test func whatIsNotThereIsNotFound() async {
        #expect(await ask("GET", "/etc/passwd").status == 404)
        #expect(await ask("GET", "/faults/..%2f").status == 404)
    }

    // MARK: Safety

    @Test(arguments: ["evil.example", "evil.example:8080", "127.0.0.1.evil.example", "127.0.0.1:81", "", "[::2]"])
    func anotherHostIsNotAnswered(host: String) async {
        let answer = await router.respond(to: APIRequest(method: "GET", path: "/status", host: host))
        #expect(answer.status == 421)
    }

    @Test(arguments: ["localhost", "LOCALHOST:8080", "127.0.0.1:8080", "[::1]:8080"])
    func thisMachinesNamesAreAnswered(host: String) async {
        let answer = await router.respond(to: APIRequest(method: "GET", path: "/status", host: host))
        #expect(answer.status == 200)
    }

    @Test func aRequestWithoutHostIsNotAnswered() async {
        #expect(await router.respond(to: APIRequest(method: "GET", path: "/status", host: nil)).status == 421)
    }

    @Test func aPageFromElsewhereIsNotAnsweredAndOurOwnIs() async {
        func status(_ origin: String) async -> Int {
            await router.respond(
                to: APIRequest(method: "GET", path: "/status", host: "127.0.0.1:8080", origin: origin)
            ).status
        }
        #expect(await status("http://evil.example") == 403)
        #expect(await status("null") == 403)
        #expect(await status("http://127.0.0.1:8080") == 200)
    }

    @Test(arguments: [nil, "text/plain", "application/x-www-form-urlencoded", "application/jsonp"])
    func aPostThatAFormCouldSendIsRefused(type: String?) async {
        let answer = await router.respond(
            to: APIRequest(method: "POST", path: "/reset", contentType: type, body: Data("{}".utf8)))
        #expect(answer.status == 415)
    }

    @Test func bodiesAreBoundedInLengthAndDepth() async {
        let long = String(repeating: " ", count: ManagementRouter.bodyLimit)
        #expect(await ask("POST", "/reset", long + " ").status == 413)
        let deep = String(repeating: "[", count: 30_000) + String(repeating: "]", count: 30_000)
        let answer = await ask("POST", "/faults", #"{"type":\#(deep)}"#)
        #expect(answer.status == 400)
        #expect(text(answer).contains("nested"))
    }

    @Test func thePageLoadsNothingButItself() async {
        for path in ["/", "/page.js", "/page.css"] { #expect(await ask("GET", path).status == 200) }
        let page = text(await ask("GET", "/"))
        #expect(!page.contains("http://") && !page.contains("https://"))
        // Inline script or style would be blocked by the policy.
        #expect(!page.contains("<style") && page.contains(#"<script src="/page.js">"#))
        #expect(!text(await ask("GET", "/page.js")).contains("innerHTML"))
    }
}
