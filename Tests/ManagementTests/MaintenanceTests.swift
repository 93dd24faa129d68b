import Controller
import Foundation
import Management
import Synchronization
import Testing

/// A controller's hosts are sent to the other one: the request, and the pair behind it.
@Suite(.serialized) struct MaintenanceTests {
    @Test func theRequestNamesAControllerAndAMode() async {
        let pair = FakePair()
        let router = ManagementRouter(service: pair, port: 8080)
        func ask(_ body: String) async -> Int {
            await router.respond(to: APIRequest(method: "POST", path: "/maintenance", body: Data(body.utf8))).status
        }
        #expect(await ask(#"{"controller":"a","mode":"on"}"#) == 200)
        #expect(pair.state.withLock { $0.maintenance } == ["a"])
        #expect(await ask(#"{"controller":"a","mode":"off"}"#) == 200)
        #expect(pair.state.withLock { $0.maintenance } == [])
        for body in [
            "", "[]", #"{"controller":"a"}"#, #"{"mode":"on"}"#, #"{"controller":"c","mode":"on"}"#,
            #"{"controller":"a","mode":"maybe"}"#, #"{"controller":"a","mode":1}"#,
            #"{"controller":"a","mode":"on","lun":0}"#,
        ] {
            #expect(await ask(body) == 400, "\(body)")
        }
        let answer = await router.respond(to: APIRequest(method: "GET", path: "/maintenance", body: Data()))
        #expect(answer.status == 405)
    }

    @Test func oneControllerAtATimeAndOnlyWhileTheOtherServes() async throws {
        let stage = try await SupervisorTests.Stage()
        #expect(await stage.untilReady())
        let fake = try #require(stage.fakes["a"])
        try await stage.service.maintenance("a", true)
        #expect(fake.state.withLock { $0.maintenance } == ["a"])
        #expect(stage.report("a")?.status?.maintenance == true)
        await #expect(throws: ManagementRefusal.self, "a is in maintenance") {
            try await stage.service.maintenance("b", true)
        }
        try await stage.service.maintenance("a", false)
        #expect(fake.state.withLock { $0.maintenance } == [])
        await #expect(throws: ManagementRefusal.self, "there is no c") {
            try await stage.service.maintenance("c", true)
        }
        stage.fakes["b"]?.state.withLock { $0.serving = false }
        #expect(await stage.until { _ in stage.report("b")?.isServing == false })
        await #expect(throws: ManagementRefusal.self, "b does not serve") {
            try await stage.service.maintenance("a", true)
        }
        #expect(fake.state.withLock { $0.maintenance } == [])
        await stage.end()
    }

    @Test func aControllerThatWasStartedAgainIsToldAnew() async throws {
        let stage = try await SupervisorTests.Stage()
        #expect(await stage.untilReady())
        let fake = try #require(stage.fakes["a"])
        try await stage.service.maintenance("a", true)
        fake.state.withLock { $0.maintenance = [] }
        kill(try #require(stage.report("a")?.pid), SIGKILL)
        #expect(await stage.until { _ in stage.report("a")?.restarts == 1 })
        #expect(await stage.until { _ in fake.state.withLock { $0.maintenance } == ["a"] })
        await stage.end()
    }
}
