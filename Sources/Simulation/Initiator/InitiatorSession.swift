import Primitives

/// What an initiator wants of a session; drawn per login so that different negotiations are met.
struct InitiatorSettings {
    var initiatorName: String
    var targetName: String
    /// Six bytes; the same ones reinstate the session.
    var isid: [UInt8]
    var immediateData = true
    var initialR2T = false
    var maxBurst = 64 << 10
    var firstBurst = 16 << 10
    /// Bytes that the initiator takes in one PDU.
    var maxReceive = 16 << 10
    /// Begin with the security stage (AuthMethod=None).
    var usesSecurityStage = false
}

/// What a session reports to its owner.
enum SessionEvent {
    case loggedIn(tsih: UInt16)
    case loginFailed(statusClass: UInt8, detail: UInt8)
    /// The one response of a command; `data` is what a read returned.
    case completed(tag: UInt32, status: UInt8, sense: InitiatorSense?, data: [UInt8])
    /// Answer of a task management function.
    case managed(tag: UInt32, response: UInt8)
    /// The target asks to log out, or said that it drops the session.
    case targetLeaves(event: UInt8)
    case loggedOut
    /// The target broke a rule; the text says which.
    case violation(String)
}

/// An iSCSI initiator's end of one connection, which is one session: bytes in, bytes out, no time and no network. It
/// checks what a target must keep: one response a command, serial numbers in order, data in order and in bounds (I9).
final class InitiatorSession {
    /// A command that has no response yet.
    struct Task {
        var tag: UInt32
        var command: InitiatorCommand
        /// Bytes of a read that arrived; they arrive in order.
        var received: [UInt8] = []
        var nextDataSN: UInt32 = 0
        var nextR2TSN: UInt32 = 0
        /// A task management function may have taken it away: no response is fine.
        var isAborted = false
    }

    enum Stage { case idle, security, operational, full, over }

    let settings: InitiatorSettings
    /// Bytes to be sent.
    let output = ByteFIFO()
    /// What happened; the owner empties it.
    var events: [SessionEvent] = []
    var tasks: [Task] = []
    var managing: [UInt32] = []

    var stage = Stage.idle
    var input: [UInt8] = []
    var consumed = 0
    var cmdSN: UInt32 = 1
    var maxCmdSN: UInt32 = 0
    var expStatSN: UInt32 = 0
    var hasStatSN = false
    private var nextTag: UInt32 = 1
    /// Tags answered lately, to name a second response.
    var answered: [UInt32] = []
    var immediateData = false
    var initialR2T = true
    var maxBurst = 64 << 10
    var firstBurst = 16 << 10
    var targetReceive = 8192
    var loginRounds = 0

    init(_ settings: InitiatorSettings) { self.settings = settings }

    var isReady: Bool { stage == .full }

    /// Whether the target's command window has room (RFC 7143 §4.2.2.1).
    var hasWindow: Bool { stage == .full && Int32(bitPattern: maxCmdSN &- cmdSN) >= 0 }

    // MARK: Requests

    func startLogin() {
        stage = settings.usesSecurityStage ? .security : .operational
        sendLogin(keys: settings.usesSecurityStage ? identity + ["AuthMethod=None"] : identity + operationalKeys)
    }

    private var identity: [String] {
        ["InitiatorName=\(settings.initiatorName)", "TargetName=\(settings.targetName)", "SessionType=Normal"]
    }

    var operationalKeys: [String] {
        [
            "HeaderDigest=None", "DataDigest=None", "MaxConnections=1", "ErrorRecoveryLevel=0",
            "InitialR2T=\(settings.initialR2T ? "Yes" : "No")",
            "ImmediateData=\(settings.immediateData ? "Yes" : "No")",
            "MaxRecvDataSegmentLength=\(settings.maxReceive)", "MaxBurstLength=\(settings.maxBurst)",
            "FirstBurstLength=\(settings.firstBurst)", "MaxOutstandingR2T=1", "DefaultTime2Wait=0",
            "DefaultTime2Retain=0", "DataPDUInOrder=Yes", "DataSequenceInOrder=Yes",
        ]
    }

    func sendLogin(keys: [String]) {
        let (current, next): (UInt8, UInt8) = stage == .security ? (0, 1) : (1, 3)
        var pdu = InitiatorPDU(
            opcode: InitiatorOpcode.login | InitiatorOpcode.immediate, flags: 0x80 | current << 2 | next, tag: 0)
        for index in 0..<6 { pdu.header[8 + index] = settings.isid[index] }
        pdu.put32(24, cmdSN)
        pdu.put32(28, expStatSN)
        send(&pdu, keys.flatMap { Array($0.utf8) + [0] })
    }

    /// Sends a command and returns its tag; nil when the command window is closed.
    func submit(_ command: InitiatorCommand) -> UInt32? {
        guard hasWindow else { return nil }
        let tag = takeTag()
        tasks.append(Task(tag: tag, command: command))
        var pdu = InitiatorPDU(opcode: InitiatorOpcode.command, flags: 0x81, tag: tag)
        pdu.putLUN(command.lun)
        for (index, byte) in command.cdb.prefix(16).enumerated() { pdu.header[32 + index] = byte }
        pdu.put32(24, cmdSN)
        pdu.put32(28, expStatSN)
        cmdSN &+= 1
        switch command.transfer {
        case .none: send(&pdu, [])
        case .read(let count):
            pdu.header[1] |= 0x40
            pdu.put32(20, UInt32(count))
            send(&pdu, [])
        case .write(let data): sendWrite(&pdu, tag, data)
        }
        return tag
    }

    private func sendWrite(_ pdu: inout InitiatorPDU, _ tag: UInt32, _ data: [UInt8]) {
        pdu.header[1] |= 0x20
        pdu.put32(20, UInt32(data.count))
        let burst = Swift.min(data.count, firstBurst)
        let immediate = immediateData ? Swift.min(burst, targetReceive) : 0
        let unsolicited = initialR2T ? immediate : burst
        if unsolicited > immediate { pdu.header[1] &= 0x7F }
        send(&pdu, Array(data[0..<immediate]))
        if unsolicited > immediate { sendData(tag, 0xFFFF_FFFF, data, immediate..<unsolicited) }
    }

    func sendData(_ tag: UInt32, _ transferTag: UInt32, _ data: [UInt8], _ range: Range<Int>) {
        guard let task = tasks.first(where: { $0.tag == tag }) else { return }
        var offset = range.lowerBound
        var sequence: UInt32 = 0
        while offset < range.upperBound {
            let end = Swift.min(offset + targetReceive, range.upperBound)
            var pdu = InitiatorPDU(opcode: InitiatorOpcode.dataOut, flags: end == range.upperBound ? 0x80 : 0, tag: tag)
            if transferTag != 0xFFFF_FFFF { pdu.putLUN(task.command.lun) }
            pdu.put32(20, transferTag)
            pdu.put32(28, expStatSN)
            pdu.put32(36, sequence)
            pdu.put32(40, UInt32(offset))
            send(&pdu, Array(data[offset..<end]))
            offset = end
            sequence += 1
        }
    }

    /// ABORT TASK of a command that has no response yet; the answer is `managed`.
    func abort(_ tag: UInt32) -> UInt32? {
        guard let index = tasks.firstIndex(where: { $0.tag == tag }) else { return nil }
        tasks[index].isAborted = true
        return manage(function: 1, lun: tasks[index].command.lun, referenced: tag)
    }

    /// LOGICAL UNIT RESET.
    func resetUnit(_ lun: UInt16) -> UInt32? {
        for index in tasks.indices where tasks[index].command.lun == lun { tasks[index].isAborted = true }
        return manage(function: 5, lun: lun, referenced: 0xFFFF_FFFF)
    }

    private func manage(function: UInt8, lun: UInt16, referenced: UInt32) -> UInt32? {
        guard stage == .full else { return nil }
        let tag = takeTag()
        managing.append(tag)
        var pdu = InitiatorPDU(
            opcode: InitiatorOpcode.taskManagement | InitiatorOpcode.immediate, flags: 0x80 | function, tag: tag)
        pdu.putLUN(lun)
        pdu.put32(20, referenced)
        pdu.put32(24, cmdSN)
        pdu.put32(28, expStatSN)
        pdu.put32(32, cmdSN)
        send(&pdu, [])
        return tag
    }

    /// Forgets commands that a completed task management function took away.
    func forgetAborted(where matches: (Task) -> Bool) {
        for task in tasks where matches(task) { remember(task.tag) }
        tasks.removeAll(where: matches)
    }

    private func takeTag() -> UInt32 {
        nextTag &+= 1
        return nextTag
    }

    func remember(_ tag: UInt32) {
        answered.append(tag)
        if answered.count > 64 { answered.removeFirst() }
    }

    func send(_ pdu: inout InitiatorPDU, _ data: [UInt8]) {
        pdu.putDataLength(data.count)
        for index in 0..<48 { withUnsafeBytes(of: pdu.header[index]) { $0.baseAddress.map { output.write($0, 1) } } }
        data.withUnsafeBytes { $0.baseAddress.map { output.write($0, data.count) } }
        let padding: [UInt8] = [0, 0, 0]
        padding.withUnsafeBytes { $0.baseAddress.map { output.write($0, (4 - data.count % 4) % 4) } }
    }
}
