import Primitives

/// Parameter list of PERSISTENT RESERVE OUT (SPC-5 §6.16.3), and of REGISTER AND MOVE (§6.16.4), which has other
/// fields in the same places: a view of the bytes where they are.
package struct ReserveOutList {
    private let base: UnsafeRawPointer
    private let count: Int

    /// Bytes of the list without TransportIDs.
    package static var length: Int { 24 }

    /// - Parameter count: bytes at `base`, at least `length`.
    package init(_ base: UnsafeRawPointer, count: Int) {
        precondition(count >= Self.length)
        self.base = base
        self.count = count
    }

    /// RESERVATION KEY.
    package var key: UInt64 { base.big64(0) }
    /// SERVICE ACTION RESERVATION KEY.
    package var serviceActionKey: UInt64 { base.big64(8) }
    package var specifiesPorts: Bool { base.byte(20) & 0x08 != 0 }
    package var allTargetPorts: Bool { base.byte(20) & 0x04 != 0 }
    package var outlivesPower: Bool { base.byte(20) & 0x01 != 0 }

    // REGISTER AND MOVE.
    package var moveUnregisters: Bool { base.byte(17) & 0x02 != 0 }
    package var moveOutlivesPower: Bool { base.byte(17) & 0x01 != 0 }
    package var movePort: UInt16 { base.big16(18) }

    /// The TransportID that the reservation moves to; throws what is wrong with it.
    package func moveTransportID() throws(SenseDataRefusal) -> TransportID {
        let length = Int(base.big32(20) & 0xFFFF)
        guard base.big32(20) <= 0xFFFF, length == count - 24 else {
            throw SenseDataRefusal(SenseData(.illegalRequest, .parameterListLengthError))
        }
        guard let port = TransportID(base + 24, count: length), port.length == length else {
            throw SenseDataRefusal(.invalidField(inList: 24))
        }
        return port
    }

    /// Calls `body` with each TransportID of SPEC_I_PT; throws what is wrong with the list.
    package func forEachPort(
        _ body: (TransportID) throws(SenseDataRefusal) -> Void
    ) throws(SenseDataRefusal) {
        guard count >= 28, UInt64(base.big32(24)) == UInt64(count - 28) else {
            throw SenseDataRefusal(SenseData(.illegalRequest, .parameterListLengthError))
        }
        var at = 28
        while at < count {
            guard let port = TransportID(base + at, count: count - at) else {
                throw SenseDataRefusal(.invalidField(inList: at))
            }
            try body(port)
            at += port.length
        }
    }
}

/// Why a parameter list is refused.
package struct SenseDataRefusal: Error {
    package var sense: SenseData
    package init(_ sense: SenseData) { self.sense = sense }
}
