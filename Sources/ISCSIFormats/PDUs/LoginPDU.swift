import Primitives

/// Stages of the login phase (RFC 7143 §11.12.3); 2 is reserved and decodes to nil.
package enum LoginStage: UInt8, Sendable {
    case securityNegotiation = 0
    case operationalNegotiation = 1
    case fullFeaturePhase = 3
}

/// Status-Class (high byte) and Status-Detail (low byte) of a Login Response (RFC 7143 §11.13.5).
package enum LoginStatus: UInt16, Sendable, CaseIterable {
    case success = 0x0000
    case targetMovedTemporarily = 0x0101
    case targetMovedPermanently = 0x0102
    case initiatorError = 0x0200
    case authenticationFailure = 0x0201
    case authorizationFailure = 0x0202
    case notFound = 0x0203
    case targetRemoved = 0x0204
    case unsupportedVersion = 0x0205
    case tooManyConnections = 0x0206
    case missingParameter = 0x0207
    case cannotIncludeInSession = 0x0208
    case sessionTypeNotSupported = 0x0209
    case sessionDoesNotExist = 0x020A
    case invalidDuringLogin = 0x020B
    case targetError = 0x0300
    case serviceUnavailable = 0x0301
    case outOfResources = 0x0302
}

/// Initiator session ID: six bytes, as a number (RFC 7143 §11.12.5).
package struct ISID: Hashable, Sendable {
    @usableFromInline package var raw: UInt64
    @inlinable package init(_ raw: UInt64) { self.raw = raw & 0xFFFF_FFFF_FFFF }
    @inlinable package init(decoding base: UnsafeRawPointer) {
        raw = UInt64(base.big32(Field.isid)) << 16 | UInt64(base.big16(Field.isid + 4))
    }
    /// Writes the basic header segment, 48 bytes at `base`, whole.
    @inlinable package func encode(into base: UnsafeMutableRawPointer) {
        base.put(big32: UInt32(truncatingIfNeeded: raw >> 16), Field.isid)
        base.put(big16: UInt16(truncatingIfNeeded: raw), Field.isid + 4)
    }
}

/// Login Request (RFC 7143 §11.12). Stages are kept as they came: 2 is reserved, and the receiver's to refuse.
package struct LoginRequestPDU: Equatable, Sendable {
    package var transit = false
    package var continues = false
    package var currentStage: UInt8 = 0
    package var nextStage: UInt8 = 0
    package var versionMax: UInt8 = 0
    package var versionMin: UInt8 = 0
    package var isid = ISID(0)
    package var tsih: UInt16 = 0
    package var initiatorTaskTag: UInt32 = 0
    package var cid: UInt16 = 0
    package var cmdSN: UInt32 = 0
    package var expStatSN: UInt32 = 0
    package var dataSegmentLength: UInt32 = 0

    package init() {}

    package init(decoding base: UnsafeRawPointer) {
        let flags = base.byte(Field.flags)
        transit = flags & 0x80 != 0
        continues = flags & 0x40 != 0
        currentStage = flags >> 2 & 0x03
        nextStage = flags & 0x03
        versionMax = base.byte(Field.response)
        versionMin = base.byte(Field.status)
        isid = ISID(decoding: base)
        tsih = base.big16(Field.tsih)
        initiatorTaskTag = base.big32(Field.initiatorTaskTag)
        cid = base.big16(Field.cid)
        cmdSN = base.big32(Field.cmdSN)
        expStatSN = base.big32(Field.expStatSN)
        dataSegmentLength = base.big24(Field.dataSegmentLength)
    }

    /// Writes the basic header segment, 48 bytes at `base`, whole.
    package func encode(into base: UnsafeMutableRawPointer) {
        let flags = (transit ? 0x80 : 0) | (continues ? 0x40 : 0) | (currentStage & 3) << 2 | nextStage & 3
        base.beginHeader(
            .loginRequest, immediate: true, flags: flags, initiatorTaskTag: initiatorTaskTag,
            dataSegmentLength: dataSegmentLength)
        base.put(byte: versionMax, Field.response)
        base.put(byte: versionMin, Field.status)
        isid.encode(into: base)
        base.put(big16: tsih, Field.tsih)
        base.put(big16: cid, Field.cid)
        base.put(big32: cmdSN, Field.cmdSN)
        base.put(big32: expStatSN, Field.expStatSN)
    }
}

/// Login Response (RFC 7143 §11.13).
package struct LoginResponsePDU: Equatable, Sendable {
    package var transit = false
    package var continues = false
    package var currentStage: UInt8 = 0
    package var nextStage: UInt8 = 0
    package var versionMax: UInt8 = 0
    package var versionActive: UInt8 = 0
    package var isid = ISID(0)
    package var tsih: UInt16 = 0
    package var initiatorTaskTag: UInt32 = 0
    package var serials = TargetSerialNumbers()
    /// Class and detail as they came; see `LoginStatus`.
    package var status: UInt16 = 0
    package var dataSegmentLength: UInt32 = 0

    package init() {}

    package init(decoding base: UnsafeRawPointer) {
        let flags = base.byte(Field.flags)
        transit = flags & 0x80 != 0
        continues = flags & 0x40 != 0
        currentStage = flags >> 2 & 0x03
        nextStage = flags & 0x03
        versionMax = base.byte(Field.response)
        versionActive = base.byte(Field.status)
        isid = ISID(decoding: base)
        tsih = base.big16(Field.tsih)
        initiatorTaskTag = base.big32(Field.initiatorTaskTag)
        serials = TargetSerialNumbers(decoding: base)
        status = base.big16(Field.statusClass)
        dataSegmentLength = base.big24(Field.dataSegmentLength)
    }

    /// Writes the basic header segment, 48 bytes at `base`, whole.
    package func encode(into base: UnsafeMutableRawPointer) {
        let flags = (transit ? 0x80 : 0) | (continues ? 0x40 : 0) | (currentStage & 3) << 2 | nextStage & 3
        base.beginHeader(
            .loginResponse, flags: flags, initiatorTaskTag: initiatorTaskTag, dataSegmentLength: dataSegmentLength)
        base.put(byte: versionMax, Field.response)
        base.put(byte: versionActive, Field.status)
        isid.encode(into: base)
        base.put(big16: tsih, Field.tsih)
        serials.encode(into: base)
        base.put(big16: status, Field.statusClass)
    }
}
