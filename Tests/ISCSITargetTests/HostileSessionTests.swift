import ISCSIFormats
import Primitives
import Testing

@testable import ISCSITarget

/// Initiators of the full-feature phase that break the rules: the standard's answer, and nothing is lost.
@Suite struct HostileSessionTests {
    func session(_ keys: [String] = []) throws -> (Bench, Initiator) {
        let bench = Bench()
        let host = Initiator(bench)
        #expect(try #require(host.login(keys)).0.status == 0)
        return (bench, host)
    }

    func reason(_ host: Initiator) -> UInt8? { host.take().first { $0.opcode == .reject }?.rejectReason }

    static let additional: [(String, [UInt8])] = [
        ("an unknown type", [0, 17, 7, 0] + [UInt8](repeating: 0, count: 16)),
        ("longer than all of them", [0, 200, 1, 0] + [UInt8](repeating: 0, count: 16)),
        ("a CDB of 260 bytes", [0, 245, 1, 0] + [UInt8](repeating: 0, count: 244)),
        ("a bidirectional length", [0, 5, 2, 0, 0, 0, 2, 0]),
        ("an empty one", [0, 0, 0, 0]),
    ]

    @Test(arguments: additional, [[], ["ErrorRecoveryLevel=1"]]) func additionalHeadersAreJudged(
        _ test: (String, [UInt8]), _ keys: [String]
    ) throws {
        let (bench, host) = try session(keys)
        _ = host.command([0x7F], additional: test.1)
        #expect(reason(host) == RejectReason.invalidPDUField.rawValue)
        _ = host.command([0x00])
        #expect(host.take().first?.opcode == .scsiResponse)
        #expect(bench.target.sessionCount == 1)
    }

    @Test func headersThatOnlyCommandsHaveAreRejectedElsewhere() throws {
        let (_, host) = try session()
        var ping = NOPOutPDU()
        ping.initiatorTaskTag = 5
        host.put(ping.encode, additional: [0, 1, 1, 0])
        #expect(reason(host) == RejectReason.invalidPDUField.rawValue)
        var data = DataOutPDU()
        data.initiatorTaskTag = 5
        host.put(data.encode, additional: [0, 1, 1, 0])
        #expect(reason(host) == RejectReason.invalidPDUField.rawValue)
    }

    @Test func aFloodOfImmediateRequestsIsRefused() throws {
        let (bench, host) = try session()
        bench.device.holdTaskManagement = true
        for _ in 0..<200 {
            var pdu = TaskManagementRequestPDU()
            pdu.function = TaskManagementCode.abortTaskSet.rawValue
            pdu.initiatorTaskTag = host.tag()
            host.put(pdu.encode)
        }
        let seen = host.take()
        #expect(seen.count == 200 - 32)
        #expect(seen.allSatisfy { $0.rejectReason == RejectReason.immediateCommandReject.rawValue })
    }

    @Test func aFloodOfImmediateCommandsGetsTaskSetFull() throws {
        let (bench, host) = try session()
        for _ in 0..<100 { _ = host.command([0xE0], read: 512) { $0.immediate = true } }
        let seen = host.take()
        #expect(seen.count == 100 - Bench.commandSlots)
        #expect(seen.allSatisfy { $0.response.status == 0x28 })
        bench.close(1)
        #expect(bench.target.commandCount == 0)
    }

    @Test(arguments: [[], ["ErrorRecoveryLevel=2"]]) func aTagIsUsedOnceAtATime(_ keys: [String]) throws {
        let (bench, host) = try session(keys)
        let task = host.command([0xE0], read: 512)
        _ = host.command([0xE0], read: 512) { $0.initiatorTaskTag = task }
        #expect(reason(host) == RejectReason.taskInProgress.rawValue)
        _ = host.command([0x00]) { $0.initiatorTaskTag = Tag.none }
        #expect(reason(host) == RejectReason.protocolError.rawValue)
        #expect(bench.target.commandCount == 1)
    }

    @Test func aTagCanComeAgainBeforeItsResponseIsAcknowledged() throws {
        let (bench, host) = try session(["ErrorRecoveryLevel=1"])
        let task = host.command([0x00])
        _ = host.take()
        _ = host.command([0x00]) { $0.initiatorTaskTag = task }
        let seen = try #require(host.take().first)
        #expect(seen.opcode == .scsiResponse)
        var ping = NOPOutPDU()
        ping.initiatorTaskTag = host.tag()
        ping.expStatSN = seen.statSN &+ 1
        host.put(ping.encode)
        _ = host.take()
        #expect(bench.target.commandCount == 0)
    }

    @Test(arguments: [
        ["ErrorRecoveryLevel=1"], ["ErrorRecoveryLevel=2", "DataDigest=CRC32C"],
        ["ErrorRecoveryLevel=1", "InitialR2T=No"],
    ]) func dataThatNobodyAskedForFailTheTaskAtEveryLevel(_ keys: [String]) throws {
        let (bench, host) = try session(keys)
        let task = host.command(Initiator.write10(0, 8), write: 4096)
        let r2t = try #require(host.take().first).r2t
        host.putData(
            task, transferTag: r2t.targetTransferTag, number: 0, offset: 8, pattern(4088), final: true)
        let seen = try #require(host.take().first)
        #expect([seen.data[4], seen.data[14], seen.data[15]] == [0x0B, 0x0C, 0x0D])
        let other = host.command(Initiator.write10(0, 8), write: 4096)
        _ = host.take()
        host.putData(other, number: 0, offset: 0, pattern(4096), final: true)
        let refused = try #require(host.take().first)
        #expect([refused.data[4], refused.data[14], refused.data[15]] == [0x0B, 0x0C, 0x0C])
        #expect(bench.device.disk[0..<4096].allSatisfy { $0 == 0 })
    }

    @Test func snacksThatMakeNoSenseAreRejected() throws {
        let (_, plain) = try session()
        var pdu = SNACKRequestPDU()
        for type in 0..<16 {
            pdu.type = UInt8(type)
            plain.put(pdu.encode)
            #expect(reason(plain) == RejectReason.snackReject.rawValue)
        }
        let session = try SeveralConnections(1, ["ErrorRecoveryLevel=2"])
        let task = session.command(0, Initiator.read10(0, 1), read: 512)
        _ = session.take(0)
        let protocolError = RejectReason.protocolError.rawValue
        #expect(session.snack(0, .dataOrR2T, task: task, from: 1, count: .max).first?.rejectReason == protocolError)
        #expect(session.snack(0, .dataOrR2T, task: task, from: .max, count: 1).first?.rejectReason == protocolError)
        #expect(session.snack(0, .status, from: 77, count: .max).first?.rejectReason == protocolError)
        #expect(session.snack(0, .rData, task: task, tag: 0).first?.rejectReason == protocolError)
        #expect(session.snack(0, .rData, task: task, tag: 7, from: 3).first?.rejectReason == protocolError)
        #expect(session.snack(0, .dataACK, tag: 0x7FFF_0000 | UInt32(UInt16.max)).first?.rejectReason
            == RejectReason.invalidDataACK.rawValue)
        session.hosts[0].put { base in
            base.beginHeader(.snackRequest, flags: 0x8F, initiatorTaskTag: 1)
        }
        #expect(session.take(0).first?.rejectReason == RejectReason.invalidPDUField.rawValue)
    }

    @Test func responsesThatAreNeverAcknowledgedEndTheConnection() throws {
        let (bench, host) = try session(["ErrorRecoveryLevel=1", "MaxRecvDataSegmentLength=16384"])
        for _ in 0..<40 {
            var ping = NOPOutPDU()
            ping.initiatorTaskTag = host.tag()
            host.put(ping.encode, data: pattern(16_000))
            _ = host.take()
        }
        #expect(bench.effects.contains(.protocolError(StreamID(1), .unacknowledged)))
        bench.close(1)
        #expect(bench.target.retainedBlocks == 0)
    }

    @Test func pingsAreEchoedAsFarAsWasAgreedAndOthersIgnored() throws {
        let (_, host) = try session(["MaxRecvDataSegmentLength=512"])
        var ping = NOPOutPDU()
        ping.initiatorTaskTag = 7
        host.put(ping.encode, data: pattern(32_768))
        #expect(host.take().first?.data == pattern(512))
        ping.initiatorTaskTag = Tag.none
        host.put(ping.encode, data: pattern(100))
        #expect(host.take().isEmpty)
        ping.initiatorTaskTag = 8
        ping.targetTransferTag = 99
        host.put(ping.encode)
        #expect(reason(host) == RejectReason.invalidPDUField.rawValue)
    }

    @Test(arguments: [UInt8(0), 13, 50, 127]) func unknownFunctionsAreNotSupported(_ function: UInt8) throws {
        let (_, host) = try session(["iSCSIProtocolLevel=2"])
        var pdu = TaskManagementRequestPDU()
        pdu.function = function
        pdu.initiatorTaskTag = host.tag()
        host.put(pdu.encode)
        #expect(host.take().first?.decoded { TaskManagementResponsePDU(decoding: $0) }.response
            == TaskManagementResponseCode.notSupported.rawValue)
    }

    @Test func queriesNeedProtocolLevelTwo() throws {
        let functions: [TaskManagementCode] = [.queryTask, .queryTaskSet, .iTNexusReset, .queryAsynchronousEvent]
        for keys in [[], ["iSCSIProtocolLevel=2"]] {
            let answer: UInt8 = keys.isEmpty ? 5 : 0
            let (bench, host) = try session(keys)
            for function in functions {
                var pdu = TaskManagementRequestPDU()
                pdu.function = function.rawValue
                pdu.initiatorTaskTag = host.tag()
                host.put(pdu.encode)
                #expect(host.take().first?.decoded { TaskManagementResponsePDU(decoding: $0) }.response == answer)
            }
            #expect(bench.device.log.filter { $0.hasPrefix("tmf") }.count == (keys.isEmpty ? 0 : 3))
        }
    }

    @Test(arguments: [[], ["ErrorRecoveryLevel=1", "DataDigest=CRC32C"]]) func aStreamThatEndsAnywhereLeavesNothing(
        _ keys: [String]
    ) throws {
        for length in stride(from: 1, to: 9000, by: 331) {
            let (bench, host) = try session(keys)
            _ = host.command(Initiator.write10(0, 8), write: 4096, immediate: pattern(4096))
            _ = host.command(Initiator.write10(8, 8), write: 4096)
            _ = host.command(Initiator.read10(0, 64), read: 32_768)
            _ = host.command([0xE0], read: 512)
            bench.toTarget[1] = Array(bench.toTarget[1]?.prefix(length) ?? [])
            bench.stalled = length % 2 == 0
            bench.settle()
            bench.close(1)
            #expect(bench.target.commandCount == 0)
            #expect(bench.target.sessionCount == 0)
            #expect(bench.target.retainedBlocks == 0)
            #expect(bench.device.works.isEmpty)
        }
    }

    @Test func moreConnectionsAndSessionsThanThereIsRoomForAreRefused() throws {
        let bench = Bench()
        for stream in 1...8 { #expect(bench.connect(UInt32(stream)) == true) }
        #expect(bench.connect(9) == false)
        for stream in 1...8 { bench.close(UInt32(stream)) }
        var hosts: [Initiator] = []
        for number in 1...5 {
            let host = Initiator(bench, stream: UInt32(number))
            host.isid = ISID(UInt64(number))
            let status = try #require(host.login()).0.status
            #expect(status == (number <= 4 ? 0 : LoginStatus.outOfResources.rawValue))
            hosts.append(host)
        }
        _ = hosts[0].command([0x00])
        #expect(hosts[0].take().first?.opcode == .scsiResponse)
    }

    @Test func sessionsThatOnlyWaitGiveWayToNewOnes() throws {
        let bench = Bench()
        for number in 1...9 {
            let host = Initiator(bench, stream: UInt32(number))
            host.isid = ISID(UInt64(number))
            let keys = ["ErrorRecoveryLevel=2", "DefaultTime2Wait=3600", "DefaultTime2Retain=3600"]
            #expect(try #require(host.login(keys)).0.status == 0)
            _ = host.command([0xE0], read: 512)
            _ = host.take()
            bench.close(UInt32(number))
        }
        #expect(bench.target.sessionCount == 4)
        #expect(bench.target.commandCount == 4)
        #expect(bench.device.log.filter { $0.hasPrefix("lost nexus") }.count == 5)
    }

    @Test func anyLUNFieldReachesTheDeviceServerAsItCame() throws {
        let (bench, host) = try session()
        for lun: UInt64 in [0x4000_0000_0000_0000, 0xC101_0000_0000_0000, .max, 0x0001_0002_0003_0004] {
            _ = host.command([0x00]) { $0.lun = lun }
            #expect(host.take().first?.opcode == .scsiResponse)
            #expect(bench.device.lastLUN == lun)
        }
    }
}
