import ISCSIFormats
import Primitives
import Testing

@testable import ISCSITarget

/// Lines of `fixtures/hostile.txt` that need a whole connection and are not about one field.
@Suite struct HostileListTests {
    func session(_ keys: [String] = []) throws -> (Bench, Initiator) {
        let bench = Bench()
        let host = Initiator(bench)
        #expect(try #require(host.login(keys)).0.status == 0)
        return (bench, host)
    }

    private func ping(_ host: Initiator, _ count: Int) {
        for _ in 0..<count {
            var pdu = NOPOutPDU()
            pdu.initiatorTaskTag = host.tag()
            host.put(pdu.encode, data: pattern(512))
        }
    }

    /// L11: neither burst is longer than the other allows, whatever was said; what is beyond it is refused.
    @Test func aFirstBurstIsNeverLongerThanABurst() throws {
        let (bench, host) = try session(["InitialR2T=No", "MaxBurstLength=1024", "FirstBurstLength=65536"])
        _ = host.command(Initiator.write10(0, 4), write: 2048, immediate: pattern(1028))
        let refused = try #require(host.take().first)
        #expect([refused.data[4], refused.data[14], refused.data[15]] == [0x0B, 0x0C, 0x0D])
        let task = host.command(Initiator.write10(0, 4), write: 2048, immediate: pattern(1024))
        #expect(host.finishWrite(task, pattern(2048)).0?.status == 0)
        #expect(Array(bench.device.disk[0..<2048]) == pattern(2048))
    }

    /// F11, F14: an initiator that asks and never reads holds commands and memory of others; it is given up.
    @Test(arguments: [0, 1]) func aPeerThatTakesNothingIsGivenUp(_ way: Int) throws {
        let (bench, host) = try session()
        bench.stalled = true
        _ = host.command([0xE0], read: 512)
        ping(host, way == 0 ? 3000 : 1)
        bench.settle()
        for _ in 0..<4 { bench.advance(.seconds(15)) }
        let fault = way == 0 ? TransportFault.outputStalled : .pingUnanswered
        #expect(bench.effects.contains(.protocolError(StreamID(1), fault)))
        #expect(bench.effects.contains(.close(StreamID(1))))
        #expect(bench.target.commandCount == 0 && bench.target.sessionCount == 0)
    }

    /// F14: slow is not dead.
    @Test func aPeerThatTakesLittleIsKept() throws {
        let (bench, host) = try session()
        bench.stalled = true
        ping(host, 3000)
        bench.settle()
        for _ in 0..<20 {
            bench.advance(.seconds(14))
            bench.writeLimit = 64
            #expect(bench.fetch(1) == true)
        }
        bench.stalled = false
        bench.writeLimit = .max
        #expect(host.take().count == 3000)
        #expect(bench.target.sessionCount == 1)
    }

    /// F13: functions in a storm, between and after commands; each is answered once, and nothing is left.
    @Test func taskManagementInAStormIsAnsweredOnceEach() throws {
        let (bench, host) = try session(["iSCSIProtocolLevel=2"])
        var random = SeededRandom(seed: 13)
        var tasks: [UInt32] = []
        var requests: Set<UInt32> = []
        for _ in 0..<1000 {
            if random.chance(1, in: 2) { tasks.append(host.command([0xE0], read: 512)) }
            var pdu = TaskManagementRequestPDU()
            pdu.function = UInt8(random.below(15))
            // A cold reset ends the session: not here.
            if pdu.function == TaskManagementCode.targetColdReset.rawValue { continue }
            pdu.initiatorTaskTag = host.tag()
            pdu.referencedTaskTag = tasks.isEmpty ? 7 : tasks[Int(random.below(UInt64(tasks.count)))]
            pdu.lun = random.chance(1, in: 4) ? .max : 0
            pdu.cmdSN = host.cmdSN
            pdu.refCmdSN = UInt32(truncatingIfNeeded: random.next())
            host.put(pdu.encode)
            requests.insert(pdu.initiatorTaskTag)
            for seen in host.take() where seen.opcode == .taskManagementResponse {
                let answer = seen.decoded { TaskManagementResponsePDU(decoding: $0) }
                #expect(requests.remove(answer.initiatorTaskTag) != nil, "nobody asked, or twice")
            }
        }
        #expect(requests.isEmpty)
        bench.close(1)
        #expect(bench.target.commandCount == 0 && bench.target.sessionCount == 0)
    }

    /// F9: a command without a direction has no data, and one with both is none of ours.
    @Test func aCommandHasOneDirectionOrNone() throws {
        let (bench, host) = try session()
        _ = host.command(Initiator.read10(0, 1)) { $0.expectedDataTransferLength = 512 }
        let seen = host.take()
        #expect(seen.map(\.opcode) == [.scsiResponse])
        #expect(seen.first?.response.residual == Residual(overflow: true, count: 512))
        _ = host.command(Initiator.write10(0, 1)) { $0.expectedDataTransferLength = 512 }
        #expect(host.take().map(\.opcode) == [.scsiResponse])
        #expect(bench.device.disk[0..<512].allSatisfy { $0 == 0 })
        _ = host.command(Initiator.read10(0, 1), read: 512) { $0.write = true }
        #expect(host.take().first?.rejectReason == RejectReason.invalidPDUField.rawValue)
    }
}
