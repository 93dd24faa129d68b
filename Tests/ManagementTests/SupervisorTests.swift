import Controller
import Foundation
import Management
import Synchronization
import Testing

/// The supervisor with real processes that do nothing, and control sockets that the test answers for them.
@Suite(.serialized) struct SupervisorTests {
    /// Both controllers' sockets, and a supervisor on a thread of its own.
    final class Stage: Sendable {
        let supervisor: Supervisor
        let service: PairService
        let fakes: [String: FakePair]
        private let servers: [Task<Void, any Error>]
        private let done = DispatchSemaphore(value: 0)
        let exitCode = Mutex<Int32?>(nil)

        init(
            command: [String] = ["/bin/sleep", "1000"], sockets: Bool = true,
            change: (inout Supervisor.Options) -> Void = { _ in }
        ) async throws {
            var options = Supervisor.Options(startAnewCode: 79, refusalCodes: [66, 78])
            options.stopSignals = []
            options.restartDelay = 200...400
            options.stopPatience = 2000
            change(&options)
            var fakes: [String: FakePair] = [:]
            var servers: [Task<Void, any Error>] = []
            var controllers: [SupervisedController] = []
            for name in ["a", "b"] {
                let path = SocketTests.socketPath()
                controllers.append(
                    SupervisedController(name: name, command: command, socketPath: path, portals: ["127.0.0.1:1"]))
                guard sockets else { continue }
                let fake = FakePair()
                fakes[name] = fake
                let server = try ManagementServer(.unix(path: path), service: fake)
                servers.append(Task { try await server.run() })
                try await server.untilListening()
            }
            self.fakes = fakes
            self.servers = servers
            let lines = Lines()
            supervisor = try Supervisor(FakePair.plan, controllers, options: options) { event in
                switch event {
                case .ready: lines.add("ready")
                case .changed: lines.add("changed")
                case .ended(let controller, let reason, let next): lines.add("\(controller) \(reason); \(next)")
                case .stopping: lines.add("stopping")
                }
            }
            service = PairService(supervisor, movePatience: 2000)
            self.lines = lines
            let stage = self
            Thread.detachNewThread {
                let code = stage.supervisor.run()
                stage.exitCode.withLock { $0 = code }
                stage.done.signal()
            }
        }

        let lines: Lines
        final class Lines: Sendable {
            private let all = Mutex<[String]>([])
            func add(_ line: String) { all.withLock { $0.append(line) } }
            var now: [String] { all.withLock { $0 } }
        }

        func report(_ name: String) -> PairStatus.ControllerReport? {
            supervisor.status.controllers.first { $0.name == name }
        }

        /// Waits until something is so; false after ten seconds.
        func until(_ condition: (PairStatus) -> Bool) async -> Bool {
            for _ in 0..<1000 {
                if condition(supervisor.status) { return true }
                try? await Task.sleep(nanoseconds: 10_000_000)
            }
            return false
        }

        /// Until the supervisor has said so.
        func untilReady() async -> Bool { await until { _ in lines.now.contains("ready") } }

        func end() async {
            supervisor.stop()
            _ = await until { _ in exitCode.withLock { $0 } != nil }
            for server in servers { server.cancel() }
        }
    }

    func exists(_ pid: Int32) -> Bool { kill(pid, 0) == 0 }

    @Test func bothAreStartedAndThePairIsReadyAndAStopEndsBoth() async throws {
        let stage = try await Stage()
        #expect(await stage.untilReady())
        #expect(stage.supervisor.status.redundant)
        let pids = stage.supervisor.status.controllers.compactMap(\.pid)
        #expect(pids.count == 2)
        await stage.end()
        #expect(stage.exitCode.withLock { $0 } == 0)
        #expect(pids.allSatisfy { !exists($0) })
        #expect(stage.lines.now.first == "ready")
    }

    @Test func aKillIsInEffectWhenItReturnsAndLastsUntilItIsRemoved() async throws {
        let stage = try await Stage()
        #expect(await stage.untilReady())
        let pid = try #require(stage.report("a")?.pid)
        let fault = try Fault(name: nil, type: "controller-kill", controller: "a", direction: nil)
        #expect(try await stage.service.add(fault))
        #expect(!exists(pid))
        #expect(stage.report("a")?.process == .killed)
        #expect(try await !stage.service.add(fault))
        try await Task.sleep(nanoseconds: 700_000_000)
        #expect(stage.report("a")?.process == .killed, "longer than the wait before a restart")
        #expect(stage.supervisor.status.ready, "b goes on")
        try await stage.service.remove(fault: "controller-kill-a")
        #expect(await stage.until { _ in stage.report("a")?.isServing == true })
        #expect(stage.report("a")?.restarts == 1)
        await stage.end()
    }

    @Test func aHangStopsTheProcessAndARemovalLetsItGoOn() async throws {
        let stage = try await Stage()
        #expect(await stage.untilReady())
        let pid = try #require(stage.report("b")?.pid)
        let fault = try Fault(name: "h", type: "controller-hang", controller: "b", direction: nil)
        #expect(try await stage.service.add(fault))
        let stat = try String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8)
        #expect(stat.contains(") T "))
        #expect(stage.report("b")?.process == .hung)
        try await stage.service.reset()
        #expect(await stage.until { _ in stage.report("b")?.isServing == true })
        #expect(stage.report("b")?.pid == pid)
        await stage.end()
    }

    @Test func aHungOneIsEndedByAStopToo() async throws {
        let stage = try await Stage()
        #expect(await stage.untilReady())
        let pid = try #require(stage.report("b")?.pid)
        let fault = try Fault(name: nil, type: "controller-hang", controller: "b", direction: nil)
        _ = try await stage.service.add(fault)
        await stage.end()
        #expect(!exists(pid))
        #expect(stage.exitCode.withLock { $0 } == 0)
    }

    @Test func oneThatIgnoresTheStopIsEndedAfterAWhile() async throws {
        let deaf = ["/bin/sh", "-c", "trap '' TERM; while :; do sleep 1; done"]
        let stage = try await Stage(command: deaf) { $0.stopPatience = 300 }
        #expect(await stage.untilReady())
        // The shell has had time to set its trap.
        try await Task.sleep(nanoseconds: 200_000_000)
        let pids = stage.supervisor.status.controllers.compactMap(\.pid)
        await stage.end()
        #expect(pids.count == 2 && pids.allSatisfy { !exists($0) })
    }

    @Test func oneThatDiedIsStartedAgain() async throws {
        let stage = try await Stage()
        #expect(await stage.untilReady())
        let pid = try #require(stage.report("a")?.pid)
        kill(pid, SIGKILL)
        #expect(await stage.until { _ in stage.report("a")?.restarts == 1 && stage.report("a")?.isServing == true })
        #expect(stage.report("a")?.pid != pid)
        #expect(stage.lines.now.contains { $0.hasPrefix("a ended by signal 9") })
        await stage.end()
    }

    @Test func withoutRestartsOneThatDiedStaysDown() async throws {
        let stage = try await Stage { $0.restart = false }
        #expect(await stage.untilReady())
        kill(try #require(stage.report("a")?.pid), SIGKILL)
        #expect(await stage.until { _ in stage.report("a")?.process == .down })
        try await Task.sleep(nanoseconds: 600_000_000)
        #expect(stage.report("a")?.process == .down && stage.report("a")?.restarts == 0)
        await stage.end()
    }

    @Test func oneThatServedProperlyNeverWaitsLongerThanTheFirstTime() async throws {
        let stage = try await Stage { $0.restartDelay = 1000...60_000 }
        #expect(await stage.untilReady())
        for life in 1...3 {
            try await Task.sleep(nanoseconds: 300_000_000)
            kill(try #require(stage.report("a")?.pid), SIGKILL)
            #expect(
                await stage.until { _ in
                    stage.report("a")?.restarts == life && stage.report("a")?.isServing == true
                })
        }
        let ends = stage.lines.now.filter { $0.hasPrefix("a ended by signal 9") }
        #expect(ends.count == 3 && ends.allSatisfy { $0.hasSuffix("starts again in 1 s") }, "\(ends)")
        await stage.end()
    }

    @Test func oneThatAsksIsStartedAnewAtOnce() async throws {
        // The first life ends with the code that asks for a new one; the marker makes the second one stay.
        let marker = "/tmp/gemel-test-\(UUID().uuidString)"
        defer { unlink(marker) }
        let command = ["/bin/sh", "-c", "if mkdir \(marker) 2>/dev/null; then sleep 1.2; exit 79; fi; exec sleep 1000"]
        let stage = try await Stage(command: command) { $0.restartDelay = 8000...9000 }
        #expect(await stage.until { $0.controllers.map(\.restarts).reduce(0, +) == 1 && $0.ready })
        rmdir(marker)
        await stage.end()
    }

    @Test func aRefusalAtTheFirstStartEndsAllWithItsCode() async throws {
        let stage = try await Stage(command: ["/bin/sh", "-c", "exit 78"], sockets: false)
        #expect(await stage.until { _ in stage.exitCode.withLock { $0 } != nil })
        #expect(stage.exitCode.withLock { $0 } == 78)
    }

    @Test func aProgramThatIsNotThereEndsAll() async throws {
        let stage = try await Stage(command: ["/nowhere/gemel"], sockets: false) { $0.startPatience = 500 }
        #expect(await stage.until { _ in stage.exitCode.withLock { $0 } != nil })
        #expect(stage.exitCode.withLock { $0 } == 70)
    }

    @Test func aCutIsToldToBothAndToOneThatComesBack() async throws {
        let stage = try await Stage()
        #expect(await stage.untilReady())
        let cut = try Fault(name: "cut", type: "channel-cut", controller: nil, direction: "a-to-b")
        #expect(try await stage.service.add(cut))
        for fake in stage.fakes.values { #expect(fake.state.withLock { $0.table.faults } == [cut]) }
        // A new life of b knows of nothing until it is told.
        let b = try #require(stage.fakes["b"])
        b.state.withLock { $0.table = FaultTable() }
        kill(try #require(stage.report("b")?.pid), SIGKILL)
        #expect(await stage.until { _ in stage.report("b")?.restarts == 1 && stage.report("b")?.isServing == true })
        #expect(b.state.withLock { $0.table.faults } == [cut])
        try await stage.service.remove(fault: "cut")
        for fake in stage.fakes.values { #expect(fake.state.withLock { $0.table.faults }.isEmpty) }
        await stage.end()
    }

    @Test func aMoveWaitsForItsResultAndSaysWhenThereIsNone() async throws {
        let stage = try await Stage()
        #expect(await stage.untilReady())
        let error = await #expect(throws: ManagementRefusal.self) {
            try await stage.service.moveHome(lun: 9, to: "b")
        }
        #expect(error?.status == 404)
        let fault = try Fault(name: nil, type: "controller-kill", controller: "a", direction: nil)
        _ = try await stage.service.add(fault)
        let refused = await #expect(throws: ManagementRefusal.self) {
            try await stage.service.moveHome(lun: 0, to: "a")
        }
        #expect(refused?.status == 409)
        try await stage.service.moveHome(lun: 0, to: "b")
        #expect(stage.supervisor.status.units.first?.home == "b")
        await stage.end()
    }
}
