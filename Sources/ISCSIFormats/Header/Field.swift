/// Byte numbers in the basic header segment (RFC 7143 §11.2.1 and the figure of each PDU): every offset of iSCSI
/// stands here and nowhere else. Names are the RFC's; one place has several names where PDUs differ.
@usableFromInline
package enum Field {
    /// Bytes in a basic header segment.
    @inlinable package static var headerLength: Int { 48 }
    @inlinable package static var opcode: Int { 0 }
    @inlinable package static var flags: Int { 1 }
    /// Version-max (Login), response or reason (SCSI Response, Task Management, Logout, Reject).
    @inlinable package static var response: Int { 2 }
    /// Version-active or Version-min (Login), status (SCSI Response, SCSI Data-In).
    @inlinable package static var status: Int { 3 }
    @inlinable package static var totalAHSLength: Int { 4 }
    @inlinable package static var dataSegmentLength: Int { 5 }
    @inlinable package static var lun: Int { 8 }
    @inlinable package static var isid: Int { 8 }
    @inlinable package static var tsih: Int { 14 }
    @inlinable package static var initiatorTaskTag: Int { 16 }
    @inlinable package static var targetTransferTag: Int { 20 }
    @inlinable package static var expectedDataTransferLength: Int { 20 }
    @inlinable package static var referencedTaskTag: Int { 20 }
    @inlinable package static var snackTag: Int { 20 }
    @inlinable package static var cid: Int { 20 }
    @inlinable package static var cmdSN: Int { 24 }
    @inlinable package static var statSN: Int { 24 }
    @inlinable package static var expStatSN: Int { 28 }
    @inlinable package static var expCmdSN: Int { 28 }
    @inlinable package static var maxCmdSN: Int { 32 }
    @inlinable package static var refCmdSN: Int { 32 }
    @inlinable package static var cdb: Int { 32 }
    @inlinable package static var dataSN: Int { 36 }
    @inlinable package static var r2tSN: Int { 36 }
    @inlinable package static var expDataSN: Int { 36 }
    @inlinable package static var statusClass: Int { 36 }
    @inlinable package static var statusDetail: Int { 37 }
    @inlinable package static var asyncEvent: Int { 36 }
    @inlinable package static var asyncVCode: Int { 37 }
    @inlinable package static var parameter1: Int { 38 }
    @inlinable package static var parameter2: Int { 40 }
    @inlinable package static var parameter3: Int { 42 }
    @inlinable package static var bufferOffset: Int { 40 }
    @inlinable package static var begRun: Int { 40 }
    @inlinable package static var time2Wait: Int { 40 }
    @inlinable package static var time2Retain: Int { 42 }
    @inlinable package static var bidirectionalReadResidualCount: Int { 40 }
    @inlinable package static var residualCount: Int { 44 }
    @inlinable package static var desiredDataTransferLength: Int { 44 }
    @inlinable package static var runLength: Int { 44 }
}

/// The opcodes of RFC 7143 §11.2.1.2, without the immediate bit.
@usableFromInline
package enum Opcode: UInt8, Sendable, CaseIterable {
    case nopOut = 0x00
    case scsiCommand = 0x01
    case taskManagementRequest = 0x02
    case loginRequest = 0x03
    case textRequest = 0x04
    case dataOut = 0x05
    case logoutRequest = 0x06
    case snackRequest = 0x10
    case nopIn = 0x20
    case scsiResponse = 0x21
    case taskManagementResponse = 0x22
    case loginResponse = 0x23
    case textResponse = 0x24
    case dataIn = 0x25
    case logoutResponse = 0x26
    case readyToTransfer = 0x31
    case asyncMessage = 0x32
    case reject = 0x3F

    /// Requests that take a CmdSN, unless they are immediate (RFC 7143 §4.2.2.1).
    package var hasCmdSN: Bool {
        switch self {
        case .nopOut, .scsiCommand, .taskManagementRequest, .textRequest, .logoutRequest: true
        case .loginRequest, .dataOut, .snackRequest, .nopIn, .scsiResponse, .taskManagementResponse, .loginResponse,
            .textResponse, .dataIn, .logoutResponse, .readyToTransfer, .asyncMessage, .reject:
            false
        }
    }
}

/// The tag that names no task and no transfer (RFC 7143 §11.2.1.8, §11.7.4).
@usableFromInline
package enum Tag {
    @inlinable package static var none: UInt32 { 0xFFFF_FFFF }
}
