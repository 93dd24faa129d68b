import Foundation
import Simulation
import Testing

extension Acceptance {
    /// Sessions of several connections over real sockets: command order, and commands that outlive their connection.
    @Suite(.timeLimit(.minutes(3))) struct SessionRecovery {
        /// A PDU that came: 48 bytes of header, and its data.
        struct PDU {
            var header: ArraySlice<UInt8>
            var data: ArraySlice<UInt8>
            var opcode: UInt8 { (header.first ?? 0) & 0x3F }
            func byte(_ place: Int) -> UInt8 { header[header.startIndex + place] }
        }

        /// One connection, logged in without digests.
        final class Link {
            let wire: RawConnection
            private(set) var tsih: [UInt8] = [0, 0]

            init(port: Int, cid: UInt8, tsih: [UInt8] = [0, 0], keys: [String] = []) throws {
                wire = try RawConnection(port: port)
                let names = ["InitiatorName=iqn.2026-11.example:several", "TargetName=\(RunningArray.target)"]
                let text = (names + keys).map { Array($0.utf8) + [0] }.reduce([], +)
                var header = Self.header(0x43, flags: 0x87, tag: 1, cmdSN: 100)
                header[7] = UInt8(text.count)
                header.replaceSubrange(8..<14, with: [0x80, 0, 0, 0, 0, 9])
                header.replaceSubrange(14..<16, with: tsih)
                header[21] = cid
                wire.send(header + text + [UInt8](repeating: 0, count: (4 - text.count % 4) % 4))
                let answer = try #require(take().first)
                #expect(answer.opcode == 0x23 && answer.byte(36) == 0 && answer.byte(37) == 0)
                self.tsih = [answer.byte(14), answer.byte(15)]
            }

            static func header(_ opcode: UInt8, flags: UInt8, tag: UInt8, cmdSN: UInt8) -> [UInt8] {
                var header = [UInt8](repeating: 0, count: 48)
                header[0] = opcode
                header[1] = flags
                header[19] = tag
                header[27] = cmdSN
                return header
            }

            func command(_ tag: UInt8, cmdSN: UInt8, _ cdb: [UInt8], read: Int = 0) {
                var header = Self.header(0x01, flags: read > 0 ? 0xC1 : 0x81, tag: tag, cmdSN: cmdSN)
                header[22] = UInt8(read >> 8)
                header.replaceSubrange(32..<(32 + cdb.count), with: cdb)
                wire.send(header)
            }

            /// What comes until nothing does.
            func take() -> [PDU] {
                let bytes = wire.receive(milliseconds: 500).bytes
                var result: [PDU] = []
                var at = 0
                while bytes.count - at >= 48 {
                    let length = Int(bytes[at + 5]) << 16 | Int(bytes[at + 6]) << 8 | Int(bytes[at + 7])
                    let end = at + 48 + (length + 3) & ~3
                    if end > bytes.count { break }
                    result.append(PDU(header: bytes[at..<(at + 48)], data: bytes[(at + 48)..<(at + 48 + length)]))
                    at = end
                }
                return result
            }
        }

        static let testUnitReady = [UInt8](repeating: 0, count: 6)
        static let readTen: [UInt8] = [0x28, 0, 0, 0, 0, 0, 0, 0, 64, 0]

        @Test func aReadGoesOnWhenItsConnectionIsGone() throws {
            let array = try RunningArray(controllers: ["a"])
            try array.start()
            let port = try #require(array.ports["a"])
            let first = try Link(port: port, cid: 1, keys: ["MaxConnections=4", "ErrorRecoveryLevel=2"])
            let third = try Link(port: port, cid: 3, tsih: first.tsih)
            // The second command waits for the first, on another connection.
            third.command(11, cmdSN: 101, Self.testUnitReady)
            #expect(third.take().isEmpty)
            first.command(10, cmdSN: 100, Self.testUnitReady)
            #expect(first.take().map(\.opcode) == [0x21])
            #expect(third.take().map(\.opcode) == [0x21])
            first.command(12, cmdSN: 102, Self.readTen, read: 32_768)
            let whole = first.take().filter { $0.opcode == 0x25 }.flatMap(\.data)
            #expect(whole.count == 32_768)
            try dropDuringRead(port, first.tsih)
            var logout = Link.header(0x46, flags: 0x82, tag: 20, cmdSN: 104)
            logout[21] = 2
            first.wire.send(logout)
            let answer = try #require(first.take().first)
            #expect(answer.opcode == 0x26 && answer.byte(2) == 0)
            var reassign = Link.header(0x42, flags: 0x88, tag: 21, cmdSN: 104)
            reassign[23] = 13
            third.wire.send(reassign)
            let seen = third.take()
            #expect(seen.first?.opcode == 0x22 && seen.first?.byte(2) == 0)
            #expect(seen.filter { $0.opcode == 0x25 }.flatMap(\.data) == whole)
            #expect(seen.last?.opcode == 0x21 && seen.last?.byte(3) == 0)
        }

        /// A session of four connections with digests, whose connections end and whose PDUs are damaged on both sides,
        /// against a pair: each command is answered once with its data, and both controllers have what was written.
        @Test(arguments: [("a", 40), ("b", 25)]) func everyCommandIsAnsweredOnceByAPair(
            _ controller: String, _ faultRate: UInt64
        ) throws {
            let array = try RunningArray()
            try array.start()
            let wires = SocketWires(port: try #require(array.ports[controller]))
            let names = ["InitiatorName=iqn.2026-11.example:several", "TargetName=\(RunningArray.target)"]
            let empty = [UInt8](repeating: 0, count: 4 << 20)
            let host = RecoveringHost(wires, names: names, model: empty, seed: faultRate)
            host.faultRate = faultRate
            host.keys = ["TaskReporting=ResponseFence"]
            host.resetRate = 200
            host.run(1200)
            #expect(host.problems == [], "\(host.counts); \(array.log.suffix(3000))")
            #expect(host.counts.completed == 1200)
            #expect(host.counts.drops > 3 && host.counts.snacks > 50 && host.counts.reassigned > 0, "\(host.counts)")
            host.end()
            for other in ["a", "b"] {
                let reader = try SCSIHost(array, other, name: "reader")
                for place in 0..<512 {
                    let block = place * 16
                    let cdb: [UInt8] = [0x28, 0, 0, 0, UInt8(block >> 8), UInt8(block & 0xFF), 0, 0, 16, 0]
                    let data = try reader.command(cdb, read: 8192).data
                    let isSame = data[...] == host.model[(place * 8192)..<((place + 1) * 8192)]
                    #expect(isSame, "block \(block) through \(other)")
                }
            }
            #expect(try array.status().redundant)
        }

        /// Sends a read on a connection of its own, which ends before anything of it was taken.
        private func dropDuringRead(_ port: Int, _ tsih: [UInt8]) throws {
            let link = try Link(port: port, cid: 2, tsih: tsih)
            link.command(13, cmdSN: 103, Self.readTen, read: 32_768)
            _ = link.wire.receive(milliseconds: 1)
        }
    }
}
