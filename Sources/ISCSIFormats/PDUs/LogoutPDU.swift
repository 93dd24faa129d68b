import Primitives

/// Reasons of a Logout Request (RFC 7143 §11.14.1).
package enum LogoutReason: UInt8, Sendable {
    case closeSession = 0
    case closeConnection = 1
    case removeConnectionForRecovery = 2
}

/// Responses of a Logout Response (RFC 7143 §11.15.1).
package enum LogoutResponseCode: UInt8, Sendable {
    case closed = 0
    case cidNotFound = 1
    case recoveryNotSupported = 2
    case cleanupFailed = 3
}

/// Logout Request (RFC 7143 §11.14).
package struct LogoutRequestPDU: Equatable, Sendable {
    package var immediate = false
    /// As it came; see `LogoutReason`.
    package var reason: UInt8 = 0
    package var initiatorTaskTag: UInt32 = 0
    package var cid: UInt16 = 0
    package var cmdSN: UInt32 = 0
    package var expStatSN: UInt32 = 0

    package init() {}

    package init(decoding base: UnsafeRawPointer) {
        immediate = base.byte(Field.opcode) & 0x40 != 0
        reason = base.byte(Field.flags) & 0x7F
        initiatorTaskTag = base.big32(Field.initiatorTaskTag)
        cid = base.big16(Field.cid)
        cmdSN = base.big32(Field.cmdSN)
        expStatSN = base.big32(Field.expStatSN)
    }

    /// Writes the basic header segment, 48 bytes at `base`, whole.
    package func encode(into base: UnsafeMutableRawPointer) {
        base.beginHeader(
            .logoutRequest, immediate: immediate, flags: 0x80 | reason, initiatorTaskTag: initiatorTaskTag)
        base.put(big16: cid, Field.cid)
        base.put(big32: cmdSN, Field.cmdSN)
        base.put(big32: expStatSN, Field.expStatSN)
    }
}

/// Logout Response (RFC 7143 §11.15).
package struct LogoutResponsePDU: Equatable, Sendable {
    /// As it came; see `LogoutResponseCode`.
    package var response: UInt8 = 0
    package var initiatorTaskTag: UInt32 = 0
    package var serials = TargetSerialNumbers()
    /// Seconds.
    package var time2Wait: UInt16 = 0
    /// Seconds.
    package var time2Retain: UInt16 = 0

    package init() {}

    package init(decoding base: UnsafeRawPointer) {
        response = base.byte(Field.response)
        initiatorTaskTag = base.big32(Field.initiatorTaskTag)
        serials = TargetSerialNumbers(decoding: base)
        time2Wait = base.big16(Field.time2Wait)
        time2Retain = base.big16(Field.time2Retain)
    }

    /// Writes the basic header segment, 48 bytes at `base`, whole.
    package func encode(into base: UnsafeMutableRawPointer) {
        base.beginHeader(.logoutResponse, flags: 0x80, initiatorTaskTag: initiatorTaskTag)
        base.put(byte: response, Field.response)
        serials.encode(into: base)
        base.put(big16: time2Wait, Field.time2Wait)
        base.put(big16: time2Retain, Field.time2Retain)
    }
}
