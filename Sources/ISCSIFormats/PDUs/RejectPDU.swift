import Primitives

/// Reasons of a Reject (RFC 7143 §11.17.1).
package enum RejectReason: UInt8, Sendable, CaseIterable {
    case dataDigestError = 0x02
    case snackReject = 0x03
    case protocolError = 0x04
    case commandNotSupported = 0x05
    case immediateCommandReject = 0x06
    case taskInProgress = 0x07
    case invalidDataACK = 0x08
    case invalidPDUField = 0x09
    case longOperationReject = 0x0A
    case waitingForLogout = 0x0C
}

/// Reject (RFC 7143 §11.17); its data segment is the header that was refused.
package struct RejectPDU: Equatable, Sendable {
    /// As it came; see `RejectReason`.
    package var reason: UInt8 = 0
    package var serials = TargetSerialNumbers()
    package var dataSegmentLength: UInt32 = 0

    package init() {}

    package init(decoding base: UnsafeRawPointer) {
        reason = base.byte(Field.response)
        serials = TargetSerialNumbers(decoding: base)
        dataSegmentLength = base.big24(Field.dataSegmentLength)
    }

    /// Writes the basic header segment, 48 bytes at `base`, whole.
    package func encode(into base: UnsafeMutableRawPointer) {
        base.beginHeader(
            .reject, flags: 0x80, initiatorTaskTag: Tag.none, dataSegmentLength: dataSegmentLength)
        base.put(byte: reason, Field.response)
        serials.encode(into: base)
    }
}

/// Events of an Asynchronous Message (RFC 7143 §11.9.1).
package enum AsyncEvent: UInt8, Sendable, CaseIterable {
    case scsiEvent = 0
    case logoutRequested = 1
    case connectionWillBeDropped = 2
    case sessionWillBeDropped = 3
    case negotiationRequested = 4
    case allTasksTerminated = 5
}

/// Asynchronous Message (RFC 7143 §11.9).
package struct AsyncMessagePDU: Equatable, Sendable {
    package var lun: UInt64 = 0
    package var serials = TargetSerialNumbers()
    /// As it came; see `AsyncEvent`.
    package var event: UInt8 = 0
    package var vendorCode: UInt8 = 0
    package var parameter1: UInt16 = 0
    package var parameter2: UInt16 = 0
    package var parameter3: UInt16 = 0
    package var dataSegmentLength: UInt32 = 0

    package init() {}

    package init(decoding base: UnsafeRawPointer) {
        lun = base.big64(Field.lun)
        serials = TargetSerialNumbers(decoding: base)
        event = base.byte(Field.asyncEvent)
        vendorCode = base.byte(Field.asyncVCode)
        parameter1 = base.big16(Field.parameter1)
        parameter2 = base.big16(Field.parameter2)
        parameter3 = base.big16(Field.parameter3)
        dataSegmentLength = base.big24(Field.dataSegmentLength)
    }

    /// Writes the basic header segment, 48 bytes at `base`, whole.
    package func encode(into base: UnsafeMutableRawPointer) {
        base.beginHeader(
            .asyncMessage, flags: 0x80, initiatorTaskTag: Tag.none, dataSegmentLength: dataSegmentLength)
        base.put(big64: lun, Field.lun)
        serials.encode(into: base)
        base.put(byte: event, Field.asyncEvent)
        base.put(byte: vendorCode, Field.asyncVCode)
        base.put(big16: parameter1, Field.parameter1)
        base.put(big16: parameter2, Field.parameter2)
        base.put(big16: parameter3, Field.parameter3)
    }
}
