import Foundation
import Testing

extension Acceptance {
    /// What a host with a path to each controller sees of what they share.
    @Suite(.timeLimit(.minutes(4))) struct PairedHost {
        static let key: [UInt8] = [0, 0, 0, 0, 0, 0, 0x4B, 1]

        /// PERSISTENT RESERVE OUT; the list has a key and a new key.
        static func reserveOut(_ action: UInt8, type: UInt8 = 0) -> [UInt8] {
            [0x5F, action, type, 0, 0, 0, 0, 0, 24, 0]
        }

        static func reserveList(_ key: [UInt8], _ new: [UInt8], persist: Bool) -> [UInt8] {
            key + new + [0, 0, 0, 0, persist ? 1 : 0, 0, 0, 0]
        }

        static func reserveIn(_ action: UInt8) -> [UInt8] { [0x5E, action, 0, 0, 0, 0, 0, 0, 64, 0] }

        static let write: [UInt8] = [0x2A, 0, 0, 0, 0, 0, 0, 0, 1, 0]
        static let zero = [UInt8](repeating: 0, count: 8)

        @Test func reservationsThatPersistOutliveBothControllers() throws {
            let array = try RunningArray()
            try array.start()
            var host = try SCSIHost(array, "a")
            let register = Self.reserveList(Self.zero, Self.key, persist: true)
            #expect(try host.command(Self.reserveOut(0), write: register).status == 0)
            let reserve = Self.reserveList(Self.key, Self.zero, persist: false)
            #expect(try host.command(Self.reserveOut(1, type: 3), write: reserve).status == 0)
            let generation = try host.command(Self.reserveIn(0), read: 64).data
            #expect(Array(generation.dropFirst(8)) == Self.key)
            // Both end without a chance to write anything back, and start again.
            try array.kill()
            try array.start()
            for controller in ["a", "b"] {
                let other = try SCSIHost(array, controller, name: "other")
                let keys = try other.command(Self.reserveIn(0), read: 64).data
                #expect(Array(keys.dropFirst(8)) == Self.key, "\(controller): \(keys)")
                let reservation = try other.command(Self.reserveIn(1), read: 64).data
                #expect(reservation.count == 24 && Array(reservation[8..<16]) == Self.key)
                #expect(reservation.last == 0 && reservation[21] == 3, "\(controller): \(reservation)")
                let block = [UInt8](repeating: 7, count: 512)
                #expect(try other.command(Self.write, write: block).status == 0x18, "\(controller) does not enforce it")
            }
            // The holder is who it was: name and ISID through the same target port.
            host = try SCSIHost(array, "a")
            #expect(try host.command(Self.write, write: [UInt8](repeating: 9, count: 512)).status == 0)
            let clear = Self.reserveList(Self.key, Self.zero, persist: false)
            #expect(try host.command(Self.reserveOut(3), write: clear).status == 0)
            let other = try SCSIHost(array, "b", name: "other")
            #expect(try other.command(Self.write, write: [UInt8](repeating: 5, count: 512)).status == 0)
        }

        /// States of the two groups, a's first, and which is preferred.
        private static func groups(_ host: SCSIHost) throws -> (states: [UInt8], preferred: UInt8) {
            var data = try host.command([0xA3, 0x0A, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0], read: 256)
            if data.status == 2 && data.key == 6 {
                data = try host.command([0xA3, 0x0A, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0], read: 256)
            }
            guard data.data.count == 28 else { throw Failure("REPORT TARGET PORT GROUPS: \(data)") }
            let bytes = data.data
            #expect(bytes[0..<4] == [0, 0, 0, 24])
            #expect([bytes[7], bytes[19]] == [1, 2], "groups")
            #expect([bytes[11], bytes[23]] == [1, 1], "ports in each")
            return ([bytes[4] & 0x0F, bytes[16] & 0x0F], bytes[4] & 0x80 != 0 ? 1 : bytes[16] & 0x80 != 0 ? 2 : 0)
        }

        @Test func setTargetPortGroupsMovesTheUnitThroughEitherController() throws {
            let array = try RunningArray()
            try array.start()
            let hosts = try ["a", "b"].map { try SCSIHost(array, $0) }
            for host in hosts {
                let first = try Self.groups(host)
                #expect(first.states == [0, 1] && first.preferred == 1)
            }
            let load = try array.startLoad(through: ["a", "b"], seconds: 6)
            // b is made active/optimized through b, then a through b again.
            for (group, states) in [(UInt8(2), [UInt8(1), 0]), (1, [0, 1])] {
                let list: [UInt8] = [0, 0, 0, 0, 0, 0, 0, group]
                let set = try hosts[1].command([0xA4, 0x0A, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0], write: list)
                #expect(set.status == 0, "\(set)")
                for (index, host) in hosts.enumerated() {
                    #expect(try Self.groups(host).states == states, "through \(index)")
                }
                sleep(1)
            }
            let other = try SCSIHost(array, "a", name: "third")
            #expect(try Self.groups(other).states == [0, 1])
            let result = try array.finish(load, seconds: 60)
            #expect(result.errors == 0 && result.operations > 0)
            #expect(try array.check(through: "b").mismatches == 0)
        }

        /// A report that is cut is the same report, and the device identification page names the same ports.
        @Test func groupsAndPortsAreNamedAlikeEverywhere() throws {
            let array = try RunningArray()
            try array.start()
            for (index, controller) in ["a", "b"].enumerated() {
                let host = try SCSIHost(array, controller)
                let whole = try host.command([0xA3, 0x0A, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0], read: 256).data
                for length in [0, 1, 4, 13, 27] {
                    let cut = try host.command([0xA3, 0x0A, 0, 0, 0, 0, 0, 0, 0, UInt8(length), 0, 0], read: 256)
                    #expect(cut.status == 0 && cut.data == Array(whole.prefix(length)))
                }
                let long = try host.command([0xA3, 0x2A, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0], read: 256)
                #expect(long.status == 0 && long.data.count == whole.count + 4, "extended header")
                #expect(Array(long.data.dropFirst(8)) == Array(whole.dropFirst(4)))
                let page = try host.command([0x12, 1, 0x83, 4, 0, 0], read: 1024).data
                var at = 4
                var named: [UInt8: Int] = [:]
                while at + 4 <= page.count {
                    let kind = page[at + 1] & 0x0F
                    if kind == 4 || kind == 5 { named[kind] = Int(page[at + 6]) << 8 | Int(page[at + 7]) }
                    at += 4 + Int(page[at + 3])
                }
                #expect(named[5] == index + 1, "the group of the port that asks")
                let group = 4 + index * 12
                #expect(named[4] == Int(whole[group + 10]) << 8 | Int(whole[group + 11]), "its relative port")
            }
        }

        @Test func sendTargetsAnswersAsTheSessionMayAsk() throws {
            let array = try RunningArray()
            try array.start()
            let addresses = ["a", "b"].enumerated().map { "TargetAddress=\(array.portal($1)),\($0 + 1)" }
            for controller in ["a", "b"] {
                let discovery = try SCSIHost(array, controller, discovery: true)
                #expect(try discovery.ask("SendTargets=All") == ["TargetName=\(array.target)"] + addresses)
                #expect(try discovery.ask("SendTargets=\(array.target)") == ["TargetName=\(array.target)"] + addresses)
                #expect(try discovery.ask("SendTargets=iqn.2026-11.io.gemel:nobody") == [])
                discovery.sendCommand([0, 0, 0, 0, 0, 0])
                #expect(try discovery.receive().opcode == 0x3F, "a discovery session has no commands")
                let normal = try SCSIHost(array, controller)
                #expect(try normal.ask("SendTargets=") == ["TargetName=\(array.target)"] + addresses)
                #expect(try normal.ask("SendTargets=All") == ["SendTargets=Reject"])
            }
        }

        /// Commands are on their way when the logout comes: each write is there whole or not at all, and a new session
        /// finds nothing left of the old one.
        @Test func aLogoutAmongCommandsLeavesEachWriteWholeOrNotAtAll() throws {
            let array = try RunningArray()
            try array.start()
            for round in 0..<6 {
                let host = try SCSIHost(array, round % 2 == 0 ? "a" : "b")
                let fill = UInt8(0x40 + round)
                for place in 0..<32 {
                    let block = [UInt8(place * 16 >> 8), UInt8(place * 16 & 0xFF)]
                    if place % 2 == 0 {
                        let data = [UInt8](repeating: fill, count: 8192)
                        host.sendCommand([0x2A, 0, 0, 0] + block + [0, 0, 16, 0], write: data)
                    } else {
                        host.sendCommand([0x28, 0, 0, 0] + block + [0, 0, 16, 0], read: 8192)
                    }
                }
                host.send(0x06, immediate: round < 3)
                var last: UInt8 = 0
                while let pdu = try? host.receive() { last = pdu.opcode == 0x26 ? pdu.header[2] : last }
                #expect(last == 0)
                let again = try SCSIHost(array, round % 2 == 0 ? "b" : "a")
                for place in stride(from: 0, to: 32, by: 2) {
                    let block = [UInt8(place * 16 >> 8), UInt8(place * 16 & 0xFF)]
                    let data = try again.command([0x28, 0, 0, 0] + block + [0, 0, 16, 0], read: 8192).data
                    #expect(data.count == 8192 && Set(data).count == 1, "round \(round), block \(place * 16)")
                }
            }
            #expect(try array.status().redundant)
        }
    }
}
