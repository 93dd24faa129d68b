import SCSIFormats
import Simulation

@testable import SCSITarget

/// CDBs and lists of PERSISTENT RESERVE, made by hand.
enum ReservationCommands {
    static func big(_ value: UInt64) -> [UInt8] {
        (0..<8).map { UInt8(truncatingIfNeeded: value >> UInt64(56 - $0 * 8)) }
    }

    static func reserveIn(_ action: UInt8, length: UInt16 = 0x2000) -> [UInt8] {
        [0x5E, action, 0, 0, 0, 0, 0, UInt8(length >> 8), UInt8(length & 0xFF), 0]
    }

    static func reserveOut(_ action: UInt8, type: UInt8 = 0, length: Int = 24) -> [UInt8] {
        [0x5F, action, type, 0, 0, 0, 0, UInt8(length >> 8), UInt8(length & 0xFF), 0]
    }

    static func list(_ key: UInt64, _ new: UInt64 = 0, flags: UInt8 = 0) -> [UInt8] {
        big(key) + big(new) + [0, 0, 0, 0, flags, 0, 0, 0]
    }

    /// A TransportID of format 01b.
    static func transportID(_ port: String) -> [UInt8] {
        var text = Array(port.utf8) + [0]
        while text.count % 4 != 0 || text.count < 20 { text.append(0) }
        return [0x45, 0, UInt8(text.count >> 8), UInt8(text.count & 0xFF)] + text
    }

    static func moveList(
        _ key: UInt64, _ new: UInt64, to port: String, relativePort: UInt16, flags: UInt8
    ) -> [UInt8] {
        let id = transportID(port)
        return big(key) + big(new) + [0, flags, UInt8(relativePort >> 8), UInt8(relativePort & 0xFF)]
            + [0, 0, UInt8(id.count >> 8), UInt8(id.count & 0xFF)] + id
    }

    /// A model's request as a CDB and a list.
    static func bytes(_ request: ReservationModel.Request) -> (cdb: [UInt8], list: [UInt8]) {
        switch request {
        case .register(let key, let new, let outlives): (reserveOut(0), list(key, new, flags: outlives ? 1 : 0))
        case .registerIgnoring(let new, let outlives): (reserveOut(6), list(0xBAD, new, flags: outlives ? 1 : 0))
        case .reserve(let key, let type): (reserveOut(1, type: type), list(key))
        case .release(let key, let type): (reserveOut(2, type: type), list(key))
        case .clear(let key): (reserveOut(3), list(key))
        case .preempt(let key, let victim, let type, let aborting):
            (reserveOut(aborting ? 5 : 4, type: type), list(key, victim))
        case .move(let key, let new, let to, let unregistering):
            {
                let list = moveList(
                    key, new, to: World.portName(to), relativePort: UInt16(to % 2 + 1), flags: unregistering ? 2 : 0)
                return (reserveOut(7, length: list.count), list)
            }()
        }
    }
}
