import ISCSIFormats
import Primitives
import SAM

/// Where a command is in its life between its SCSI Command PDU and the device server's last word.
enum CommandState: UInt8 {
    case free
    /// The device server has it.
    case active
    /// Everything about it is in the output; its Data-In pages are not yet sent.
    case responded
    /// Its response is in the output, and all about it is kept until the initiator acknowledges the response.
    case answered
    /// The initiator broke the protocol about it: the device server was told `commandLost`, and after its
    /// `commandEnded` a CHECK CONDITION is sent.
    case failing
    /// Lost with its connection; waits for `commandEnded`.
    case lost
}

/// One command.
struct CommandSlot {
    var state = CommandState.free
    var generation: UInt16 = 0
    var connection: Int32 = -1
    var initiatorTaskTag: UInt32 = 0
    var lun: UInt64 = 0
    var dataInLength: UInt32 = 0
    var dataOutLength: UInt32 = 0

    // The list of commands that have something to send.
    var next: Int32 = -1
    var queued = false
    /// It came through the command order, and has a `RecoverySlot`.
    var ordered = false
    /// What is sent for it is kept until it is acknowledged.
    var retains = false

    // Data-Out.
    var outRun = PageRun(parameter: .none, count: 0)
    /// `receiveDataOut` is outstanding.
    var outActive = false
    /// Buffer offset of the run's first byte, and of the byte after its last that the initiator offers.
    var outStart: UInt32 = 0
    var outEnd: UInt32 = 0
    /// Buffer offset of the next byte to come.
    var outPosition: UInt32 = 0
    /// Unsolicited Data-Out PDUs are still to come, up to `unsolicitedEnd`.
    var unsolicitedOpen = false
    var unsolicitedEnd: UInt32 = 0
    /// An R2T is to be sent; it has been sent and is not yet satisfied.
    var r2tWanted = false
    var r2tOutstanding = false
    var r2tEnd: UInt32 = 0
    var r2tSN: UInt32 = 0
    var targetTransferTag: UInt32 = 0
    /// DataSN that the next Data-Out of the sequence has.
    var outDataSN: UInt32 = 0

    // Data-In.
    var inRun = PageRun(parameter: .none, count: 0)
    /// `sendDataIn` is outstanding.
    var inActive = false
    var inOffset: UInt32 = 0
    /// Bytes of the run that are sent, and how many of them are in the output.
    var inLength: UInt32 = 0
    var inQueued: UInt32 = 0
    var inFinal = false
    var inDataSN: UInt32 = 0

    // Response.
    var hasStatus = false
    var status = Status.good
    var sense = PageRun(parameter: .none, count: 0)
    /// ASC and ASCQ of a failure that the transport found; 0: none.
    var failure: UInt16 = 0
    /// The response stands for a `sendDataIn` that had no bytes to send: its delivery is reported with it.
    var deliversWithResponse = false
    var total: UInt32 = 0

    /// Bytes expected in the command's one direction.
    var expected: UInt32 { dataInLength &+ dataOutLength }
    /// Data of the initiator may be placed: the device server goes on with the command.
    var accepting: Bool { state == .active && !hasStatus }
}

/// Additional sense codes of what only the transport can find (RFC 7143 §11.4.7.2).
enum TransportSense {
    static let unexpectedUnsolicitedData: UInt16 = 0x0C0C
    static let incorrectAmountOfData: UInt16 = 0x0C0D
    static let protocolServiceCRCError: UInt16 = 0x4705
    static let snackRejected: UInt16 = 0x1113
    /// Sense key ABORTED COMMAND.
    static let key: UInt8 = 0x0B
}

/// A task management request that the device server has.
struct TaskManagementSlot {
    /// -1: the connection is gone, and nobody waits for a response.
    var connection: Int32 = -1
    var initiatorTaskTag: UInt32 = 0
    var function = TaskManagementFunction.abortTask
    var target: UInt16 = 0
    var inUse = false
}
