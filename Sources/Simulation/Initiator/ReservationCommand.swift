/// PERSISTENT RESERVE commands, made from SPC-5 §6.15 and §6.16.
extension InitiatorCommand {
    /// READ FULL STATUS.
    static func readFullStatus(lun: UInt16) -> InitiatorCommand {
        InitiatorCommand(lun: lun, cdb: [0x5E, 3, 0, 0, 0, 0, 0, 0x10, 0, 0], transfer: .read(4096))
    }

    /// - Parameter ports: initiator port names by nexus; an even nexus has relative target port 1.
    static func reserve(
        _ request: ReservationModel.Request, ports: [String], lun: UInt16
    ) -> InitiatorCommand {
        switch request {
        case .register(let key, let new, let outlives): out(lun, 0, list(key, new, flags: outlives ? 1 : 0))
        case .registerIgnoring(let new, let outlives): out(lun, 6, list(0, new, flags: outlives ? 1 : 0))
        case .reserve(let key, let type): out(lun, 1, list(key, 0), type: type)
        case .release(let key, let type): out(lun, 2, list(key, 0), type: type)
        case .clear(let key): out(lun, 3, list(key, 0))
        case .preempt(let key, let victim, let type, let aborting): 
            out(lun, aborting ? 5 : 4, list(key, victim), type: type)
        case .move(let key, let new, let to, let unregistering):
            out(lun, 7, moveList(key, new, ports[to], port: to % 2 + 1, unregistering))
        }
    }

    private static func out(_ lun: UInt16, _ action: UInt8, _ list: [UInt8], type: UInt8 = 0) -> InitiatorCommand {
        InitiatorCommand(
            lun: lun, cdb: [0x5F, action, type, 0, 0, 0, 0, UInt8(list.count >> 8), UInt8(list.count & 0xFF), 0],
            transfer: .write(list))
    }

    private static func list(_ key: UInt64, _ new: UInt64, flags: UInt8 = 0) -> [UInt8] {
        bytes(key) + bytes(new) + [0, 0, 0, 0, flags, 0, 0, 0]
    }

    private static func moveList(
        _ key: UInt64, _ new: UInt64, _ name: String, port: Int, _ unregistering: Bool
    ) -> [UInt8] {
        var text = Array(name.utf8) + [0]
        while text.count % 4 != 0 || text.count < 20 { text.append(0) }
        return bytes(key) + bytes(new) + [0, unregistering ? 2 : 0, 0, UInt8(port)]
            + [0, 0, 0, UInt8(text.count + 4), 0x45, 0, 0, UInt8(text.count)] + text
    }

    private static func bytes(_ value: UInt64) -> [UInt8] {
        (0..<8).map { UInt8(truncatingIfNeeded: value >> UInt64(56 - $0 * 8)) }
    }
}
