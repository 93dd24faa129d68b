import ISCSIFormats
import Primitives
import Testing

@testable import ISCSITarget

@Suite struct SessionTests {
    func session(_ keys: [String] = []) throws -> (Bench, Initiator) {
        let bench = Bench()
        bench.device.disk = RAMDevice.noise
        let host = Initiator(bench)
        #expect(try #require(host.login(keys)).0.status == 0)
        return (bench, host)
    }

    func manage(_ host: Initiator, _ code: TaskManagementCode, task: UInt32 = Tag.none, ref: UInt32 = 0) -> UInt8? {
        var pdu = TaskManagementRequestPDU()
        pdu.function = code.rawValue
        pdu.initiatorTaskTag = host.tag()
        pdu.referencedTaskTag = task
        pdu.cmdSN = host.cmdSN
        pdu.refCmdSN = ref
        host.put(pdu.encode)
        return host.take().first { $0.opcode == .taskManagementResponse }?
            .decoded { TaskManagementResponsePDU(decoding: $0) }.response
    }

    @Test func anAbortedTaskIsNeverAnswered() throws {
        let (bench, host) = try session()
        let task = host.command([0xE0], read: 512)
        #expect(host.take().isEmpty)
        #expect(manage(host, .abortTask, task: task, ref: host.cmdSN &- 1) == 0)
        #expect(bench.target.commandCount == 0)
        #expect(manage(host, .abortTask, task: task, ref: host.cmdSN &- 1) == 1)
        #expect(host.read(0, 1).data.count == 512)
    }

    @Test func functionsAreHandedOnOrRefused() throws {
        let (bench, host) = try session()
        _ = host.command([0xE0])
        #expect(manage(host, .logicalUnitReset) == 0)
        #expect(manage(host, .abortTaskSet) == 0)
        #expect(manage(host, .clearTaskSet) == 0)
        #expect(manage(host, .targetWarmReset) == 0)
        #expect(manage(host, .taskReassign) == 4)
        #expect(manage(host, .queryTask) == 5)
        #expect(bench.device.log.filter { $0.hasPrefix("tmf") }
            == ["tmf logicalUnitReset", "tmf abortTaskSet", "tmf clearTaskSet", "tmf targetWarmReset"])
        #expect(bench.target.commandCount == 0)
    }

    @Test func aColdResetEndsTheSession() throws {
        let (bench, host) = try session()
        #expect(manage(host, .targetColdReset) == 0)
        #expect(bench.effects.contains(.close(StreamID(1))))
        #expect(bench.target.sessionCount == 0)
    }

    @Test func tooManyTaskManagementRequestsAreRejected() throws {
        let (bench, host) = try session()
        bench.device.holdTaskManagement = true
        for _ in 0..<33 { _ = manage(host, .logicalUnitReset) }
        #expect(bench.target.statistics.rejects == 1)
    }

    @Test func abortInTheMiddleOfAReadKeepsTheStreamWhole() throws {
        let (bench, host) = try session(["DataDigest=CRC32C"])
        bench.stalled = true
        let task = host.command(Initiator.read10(0, 1024), read: 1024 * 512)
        bench.settle()
        var pdu = TaskManagementRequestPDU()
        pdu.function = TaskManagementCode.abortTask.rawValue
        pdu.initiatorTaskTag = host.tag()
        pdu.referencedTaskTag = task
        pdu.cmdSN = host.cmdSN
        host.put(pdu.encode)
        bench.settle()
        #expect(bench.target.commandCount == 0)
        bench.stalled = false
        let seen = host.take()
        // What was in the output before is sent as it was, with right digests, and no status follows.
        let data = seen.filter { $0.opcode == .dataIn }.flatMap(\.data)
        #expect(data == Array(bench.device.disk[0..<262_144]))
        #expect(seen.last?.opcode == .taskManagementResponse)
        #expect(seen.allSatisfy { $0.header[0] != 0x3E })
    }

    @Test func logoutEndsEverything() throws {
        let (bench, host) = try session()
        bench.stalled = true
        _ = host.command(Initiator.read10(0, 16), read: 8192)
        _ = host.command([0xE0])
        bench.settle()
        var pdu = LogoutRequestPDU()
        pdu.initiatorTaskTag = host.tag()
        pdu.cmdSN = host.cmdSN
        host.put(pdu.encode)
        bench.settle()
        #expect(bench.target.commandCount == 0)
        bench.stalled = false
        let seen = host.take()
        // The read was answered before, so its bytes still come.
        #expect(seen.map(\.opcode) == [.dataIn, .logoutResponse])
        #expect(seen.first?.data == Array(bench.device.disk[0..<8192]))
        #expect(bench.device.log.suffix(2) == ["lost command", "lost nexus 0"])
        #expect(bench.effects.contains(.close(StreamID(1))))
        bench.close(1)
        #expect(bench.target.connectionCount == 0)
    }

    @Test func logoutReasonsAreJudged() throws {
        let (bench, host) = try session()
        func logout(_ reason: UInt8, cid: UInt16 = 0) -> SeenPDU? {
            var pdu = LogoutRequestPDU()
            pdu.immediate = true
            pdu.reason = reason
            pdu.cid = cid
            pdu.initiatorTaskTag = host.tag()
            pdu.cmdSN = host.cmdSN
            host.put(pdu.encode)
            return host.take().first
        }
        #expect(logout(1, cid: 5)?.header[2] == LogoutResponseCode.cidNotFound.rawValue)
        #expect(logout(2)?.header[2] == LogoutResponseCode.recoveryNotSupported.rawValue)
        #expect(logout(9)?.opcode == .reject)
        #expect(bench.target.sessionCount == 1)
        #expect(logout(1)?.header[2] == 0)
        #expect(bench.target.sessionCount == 0)
    }

    @Test func aBrokenConnectionLosesItsCommandsAndThenItsNexus() throws {
        let (bench, host) = try session()
        _ = host.command([0xE0])
        _ = host.command(Initiator.write10(0, 8), write: 4096)
        _ = host.take()
        bench.close(1)
        #expect(bench.device.log.suffix(3) == ["lost command", "lost command", "lost nexus 0"])
        #expect(bench.target.commandCount == 0)
    }

    @Test func theEndOfTheTargetIsSaid() throws {
        let (bench, host) = try session()
        bench.target.closeAllSessions()
        let seen = try #require(host.take().first)
        #expect(seen.opcode == .asyncMessage)
        #expect(seen.decoded { AsyncMessagePDU(decoding: $0) }.event == 3)
        #expect(bench.effects.contains(.close(StreamID(1))))
    }

    @Test func pingsAreEchoed() throws {
        let (_, host) = try session()
        for length in [0, 1, 4096, 30_000] {
            var pdu = NOPOutPDU()
            pdu.initiatorTaskTag = host.tag()
            host.put(pdu.encode, data: pattern(length))
            let seen = try #require(host.take().first)
            #expect(seen.opcode == .nopIn)
            #expect(seen.data == Array(pattern(length).prefix(8192)))
        }
    }

    func discovered(_ bench: Bench, _ keys: [String], _ question: String) throws -> (text: [String], pdus: Int) {
        let host = Initiator(bench, stream: 3)
        #expect(try #require(host.login(keys, names: Initiator.discovery)).0.status == 0)
        var pdu = TextRequestPDU()
        pdu.initiatorTaskTag = host.tag()
        pdu.cmdSN = host.cmdSN
        var data = Initiator.text([question])
        var answer: [UInt8] = []
        for round in 1...5000 {
            host.put(pdu.encode, data: data)
            let seen = try #require(host.take().first)
            guard seen.opcode == .textResponse else { return ([], -1) }
            let response = seen.decoded { TextResponsePDU(decoding: $0) }
            answer += seen.data
            #expect(seen.data.count <= 8192)
            if response.final {
                #expect(!response.continues && response.targetTransferTag == Tag.none)
                return (SeenPDU(header: [], data: answer).text, round)
            }
            #expect(response.continues && response.targetTransferTag != Tag.none)
            pdu.targetTransferTag = response.targetTransferTag
            pdu.cmdSN &+= 1
            data = []
        }
        return ([], 0)
    }

    @Test func sendTargetsNamesThePortalsOfBothGroups() throws {
        let bench = Bench(targets: ["iqn.2026-11.io.gemel:one", "iqn.2026-11.io.gemel:two"])
        let addresses = ["TargetAddress=127.0.0.1:3260,1", "TargetAddress=127.0.0.1:3261,2"]
        let all = try discovered(bench, [], "SendTargets=All")
        #expect(all.text == ["TargetName=iqn.2026-11.io.gemel:one"] + addresses
            + ["TargetName=iqn.2026-11.io.gemel:two"] + addresses)
        bench.close(3)
        #expect(try discovered(bench, [], "SendTargets=IQN.2026-11.io.gemel:two").text
            == ["TargetName=iqn.2026-11.io.gemel:two"] + addresses)
        bench.close(3)
        #expect(try discovered(bench, [], "SendTargets=iqn.none").text == [])
    }

    @Test func aLongAnswerComesInChunks() throws {
        let targets = (0..<5000).map { "iqn.2026-11.io.gemel:\($0)" }
        let (text, pdus) = try discovered(
            Bench(targets: targets), ["MaxRecvDataSegmentLength=512"], "SendTargets=All")
        #expect(text.filter { $0.hasPrefix("TargetName=") } == targets.map { "TargetName=" + $0 })
        #expect(pdus > 800)
    }

    @Test func aNormalSessionSeesItsOwnTargetOnly() throws {
        let bench = Bench(targets: ["iqn.2026-11.io.gemel:one", "iqn.2026-11.io.gemel:two"])
        let host = Initiator(bench)
        _ = try #require(host.login())
        func ask(_ question: String) throws -> [String] {
            var pdu = TextRequestPDU()
            pdu.immediate = true
            pdu.initiatorTaskTag = host.tag()
            pdu.cmdSN = host.cmdSN
            host.put(pdu.encode, data: Initiator.text([question]))
            return try #require(host.take().first).text
        }
        #expect(try ask("SendTargets=").first == "TargetName=iqn.2026-11.io.gemel:one")
        #expect(try ask("SendTargets=All") == ["SendTargets=Reject"])
        #expect(try ask("SendTargets=iqn.2026-11.io.gemel:two") == [])
        #expect(try ask("X-unknown=1") == ["X-unknown=NotUnderstood"])
    }

    @Test func aDiscoverySessionTakesNoCommands() throws {
        let bench = Bench()
        let host = Initiator(bench)
        let (_, text) = try #require(host.login(["MaxBurstLength=65536"], names: Initiator.discovery))
        #expect(text.contains("MaxBurstLength=Irrelevant"))
        _ = host.command([0x00])
        #expect(host.take().first?.opcode == .reject)
        #expect(bench.device.log.isEmpty)
    }
}
