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

    private enum Stage { case idle, security, operational, full, over }

    let settings: InitiatorSettings
    /// Bytes to be sent.
    let output = ByteFIFO()
    /// What happened; the owner empties it.
    var events: [SessionEvent] = []
    private(set) var tasks: [Task] = []
    private(set) var managing: [UInt32] = []

    private var stage = Stage.idle
    private var input: [UInt8] = []
    private var consumed = 0
    private var cmdSN: UInt32 = 1
    private var maxCmdSN: UInt32 = 0
    private var expStatSN: UInt32 = 0
    private var hasStatSN = false
    private var nextTag: UInt32 = 1
    /// Tags answered lately, to name a second response.
    private var answered: [UInt32] = []
    private var immediateData = false
    private var initialR2T = true
    private var maxBurst = 64 << 10
    private var firstBurst = 16 << 10
    private var targetReceive = 8192
    private var loginRounds = 0

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

    private var operationalKeys: [String] {
        [
            "HeaderDigest=None", "DataDigest=None", "MaxConnections=1", "ErrorRecoveryLevel=0",
            "InitialR2T=\(settings.initialR2T ? "Yes" : "No")", "ImmediateData=\(settings.immediateData ? "Yes" : "No")",
            "MaxRecvDataSegmentLength=\(settings.maxReceive)", "MaxBurstLength=\(settings.maxBurst)",
            "FirstBurstLength=\(settings.firstBurst)", "MaxOutstandingR2T=1", "DefaultTime2Wait=0",
            "DefaultTime2Retain=0", "DataPDUInOrder=Yes", "DataSequenceInOrder=Yes",
        ]
    }

    private func sendLogin(keys: [String]) {
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

    private func sendData(_ tag: UInt32, _ transferTag: UInt32, _ data: [UInt8], _ range: Range<Int>) {
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

    private func remember(_ tag: UInt32) {
        answered.append(tag)
        if answered.count > 64 { answered.removeFirst() }
    }

    private func send(_ pdu: inout InitiatorPDU, _ data: [UInt8]) {
        pdu.putDataLength(data.count)
        for index in 0..<48 { withUnsafeBytes(of: pdu.header[index]) { $0.baseAddress.map { output.write($0, 1) } } }
        data.withUnsafeBytes { $0.baseAddress.map { output.write($0, data.count) } }
        let padding: [UInt8] = [0, 0, 0]
        padding.withUnsafeBytes { $0.baseAddress.map { output.write($0, (4 - data.count % 4) % 4) } }
    }

    // MARK: Answers

    /// Takes bytes from the target; complete PDUs are handled at once.
    func receive(_ base: UnsafeRawPointer, _ count: Int) {
        input.append(contentsOf: UnsafeRawBufferPointer(start: base, count: count))
        while stage != .over, input.count - consumed >= InitiatorPDU.headerBytes {
            let pdu = input.withUnsafeBytes { buffer in
                buffer.baseAddress.map { InitiatorPDU($0 + consumed) }
            }
            guard let pdu else { return }
            let begin = consumed + 48 + pdu.additionalBytes
            let end = begin + (pdu.dataLength + 3) / 4 * 4
            if pdu.dataLength > settings.maxReceive { return violate("data segment of \(pdu.dataLength) bytes") }
            if input.count < end { break }
            let data = Array(input[begin..<begin + pdu.dataLength])
            consumed = end
            handle(pdu, data)
        }
        if consumed > 0 {
            input.removeFirst(consumed)
            consumed = 0
        }
    }

    private func violate(_ text: String) {
        stage = .over
        events.append(.violation(text))
    }

    private func handle(_ pdu: InitiatorPDU, _ data: [UInt8]) {
        if stage == .security || stage == .operational {
            guard pdu.opcode == InitiatorOpcode.loginResponse else {
                return violate("opcode \(pdu.opcode) during login")
            }
            return handleLogin(pdu, data)
        }
        guard checkSerials(pdu) else { return }
        switch pdu.opcode {
        case InitiatorOpcode.response: handleResponse(pdu, data)
        case InitiatorOpcode.dataIn: handleDataIn(pdu, data)
        case InitiatorOpcode.readyToTransfer: handleR2T(pdu)
        case InitiatorOpcode.taskManagementResponse:
            guard let index = managing.firstIndex(of: pdu.tag) else {
                return violate("task management response for unknown tag \(pdu.tag)")
            }
            managing.remove(at: index)
            events.append(.managed(tag: pdu.tag, response: pdu.header[2]))
        case InitiatorOpcode.nopIn: answerNop(pdu, data)
        case InitiatorOpcode.asynchronous: events.append(.targetLeaves(event: pdu.header[36]))
        case InitiatorOpcode.logoutResponse:
            stage = .over
            events.append(.loggedOut)
        case InitiatorOpcode.reject: violate("reject, reason \(pdu.header[2])")
        default: violate("opcode \(pdu.opcode)")
        }
    }

    /// StatSN comes in order, without gaps (RFC 7143 §4.2.2.2); the command window never shrinks.
    private func checkSerials(_ pdu: InitiatorPDU) -> Bool {
        let statSN = pdu.get32(24)
        let bearsStatus: Bool
        switch pdu.opcode {
        case InitiatorOpcode.dataIn: bearsStatus = pdu.flags & 1 != 0
        case InitiatorOpcode.readyToTransfer: bearsStatus = false
        case InitiatorOpcode.nopIn: bearsStatus = pdu.tag != 0xFFFF_FFFF
        default: bearsStatus = true
        }
        let carriesStatSN = bearsStatus || pdu.opcode != InitiatorOpcode.dataIn
        if carriesStatSN && statSN != expStatSN {
            violate("StatSN \(statSN) where \(expStatSN) is due, opcode \(pdu.opcode)")
            return false
        }
        if bearsStatus { expStatSN &+= 1 }
        let limit = pdu.get32(32)
        if Int32(bitPattern: limit &- maxCmdSN) > 0 { maxCmdSN = limit }
        let expected = pdu.get32(28)
        if Int32(bitPattern: expected &- cmdSN) > 0 {
            violate("ExpCmdSN \(expected) is past the next CmdSN \(cmdSN)")
            return false
        }
        return true
    }

    private func handleLogin(_ pdu: InitiatorPDU, _ data: [UInt8]) {
        if hasStatSN && pdu.header[36] == 0 && pdu.get32(24) != expStatSN {
            return violate("StatSN \(pdu.get32(24)) in login where \(expStatSN) is due")
        }
        hasStatSN = true
        expStatSN = pdu.get32(24) &+ 1
        maxCmdSN = pdu.get32(32)
        if pdu.header[36] != 0 {
            stage = .over
            events.append(.loginFailed(statusClass: pdu.header[36], detail: pdu.header[37]))
            return
        }
        adopt(keys: data)
        loginRounds += 1
        if loginRounds > 8 { return violate("login does not end") }
        let next = pdu.flags & 3
        if pdu.isFinal && next == 3 {
            stage = .full
            events.append(.loggedIn(tsih: pdu.get16(14)))
        } else if pdu.isFinal && next == 1 && stage == .security {
            stage = .operational
            sendLogin(keys: operationalKeys)
        } else {
            sendLogin(keys: [])
        }
    }

    private func adopt(keys data: [UInt8]) {
        for pair in data.split(separator: 0) {
            let text = String(decoding: pair, as: UTF8.self)
            guard let mark = text.firstIndex(of: "=") else { continue }
            let value = String(text[text.index(after: mark)...])
            switch text[..<mark] {
            case "ImmediateData": immediateData = settings.immediateData && value == "Yes"
            case "InitialR2T": initialR2T = settings.initialR2T || value == "Yes"
            case "MaxBurstLength": maxBurst = Swift.min(settings.maxBurst, Int(value) ?? 512)
            case "FirstBurstLength": firstBurst = Swift.min(settings.firstBurst, Int(value) ?? 512)
            case "MaxRecvDataSegmentLength": targetReceive = Swift.max(512, Int(value) ?? 8192)
            default: break
            }
        }
    }

    private func handleResponse(_ pdu: InitiatorPDU, _ data: [UInt8]) {
        guard let index = tasks.firstIndex(where: { $0.tag == pdu.tag }) else { return unknown(pdu) }
        let task = tasks.remove(at: index)
        remember(task.tag)
        if pdu.header[2] != 0 { return violate("response code \(pdu.header[2])") }
        if case .read(let count) = task.command.transfer, pdu.header[3] == 0 {
            let residual = pdu.flags & 0x02 != 0 ? Int(pdu.get32(44)) : 0
            if task.received.count + residual != count {
                return violate("GOOD after \(task.received.count) of \(count) bytes, residual \(residual)")
            }
        }
        let sense = pdu.header[3] == 2 ? InitiatorSense(segment: data) : nil
        if pdu.header[3] == 2, sense == nil { return violate("CHECK CONDITION without sense data") }
        events.append(.completed(tag: task.tag, status: pdu.header[3], sense: sense, data: task.received))
    }

    private func unknown(_ pdu: InitiatorPDU) {
        violate(
            answered.contains(pdu.tag)
                ? "second answer for tag \(pdu.tag), opcode \(pdu.opcode)"
                : "answer for unknown tag \(pdu.tag), opcode \(pdu.opcode)")
    }

    private func handleDataIn(_ pdu: InitiatorPDU, _ data: [UInt8]) {
        guard let index = tasks.firstIndex(where: { $0.tag == pdu.tag }) else { return unknown(pdu) }
        guard case .read(let count) = tasks[index].command.transfer else {
            return violate("Data-In for a command that reads nothing")
        }
        if pdu.get32(36) != tasks[index].nextDataSN {
            return violate("DataSN \(pdu.get32(36)) where \(tasks[index].nextDataSN) is due")
        }
        if Int(pdu.get32(40)) != tasks[index].received.count || tasks[index].received.count + data.count > count {
            return violate("Data-In at \(pdu.get32(40)) after \(tasks[index].received.count) of \(count) bytes")
        }
        tasks[index].nextDataSN &+= 1
        tasks[index].received += data
        guard pdu.flags & 1 != 0 else { return }
        let residual = pdu.flags & 0x02 != 0 ? Int(pdu.get32(44)) : 0
        let task = tasks.remove(at: index)
        remember(task.tag)
        if task.received.count + residual != count {
            return violate("status after \(task.received.count) of \(count) bytes, residual \(residual)")
        }
        events.append(.completed(tag: task.tag, status: pdu.header[3], sense: nil, data: task.received))
    }

    private func handleR2T(_ pdu: InitiatorPDU) {
        guard let index = tasks.firstIndex(where: { $0.tag == pdu.tag }) else { return unknown(pdu) }
        guard case .write(let data) = tasks[index].command.transfer else {
            return violate("R2T for a command that writes nothing")
        }
        let offset = Int(pdu.get32(40))
        let length = Int(pdu.get32(44))
        if pdu.get32(36) != tasks[index].nextR2TSN || length == 0 || length > maxBurst || offset + length > data.count {
            return violate("R2T \(pdu.get32(36)) for \(length) bytes at \(offset) of \(data.count)")
        }
        tasks[index].nextR2TSN &+= 1
        sendData(pdu.tag, pdu.get32(20), data, offset..<offset + length)
    }

    /// A target's ping is answered with its own transfer tag (RFC 7143 §11.18).
    private func answerNop(_ pdu: InitiatorPDU, _ data: [UInt8]) {
        guard pdu.get32(20) != 0xFFFF_FFFF else { return }
        var answer = InitiatorPDU(
            opcode: InitiatorOpcode.nopOut | InitiatorOpcode.immediate, flags: 0x80, tag: 0xFFFF_FFFF)
        for index in 8..<16 { answer.header[index] = pdu.header[index] }
        answer.put32(20, pdu.get32(20))
        answer.put32(24, cmdSN)
        answer.put32(28, expStatSN)
        send(&answer, data)
    }
}
