import ISCSIFormats
import Primitives
import SAM

// What must hold of each answer by itself, and of the answers to one task together.
extension AnswerCheck {
    mutating func login(_ pdu: LoginResponsePDU, _ data: [UInt8]) {
        oracle.expect(!isLoggedIn, "a Login Response after the login")
        oracle.expect(!isRefused, "a Login Response after the login was refused")
        oracle.expect(pdu.status >> 8 <= 3, "Status-Class \(pdu.status >> 8)")
        oracle.expect(!(pdu.transit && pdu.continues), "a Login Response with T and C")
        logins.append((pdu, data))
        if pdu.status != 0 {
            isRefused = true
            return
        }
        oracle.expect(data.isEmpty || pdu.continues || data.last == 0, "a login text without its NUL")
        for pair in data.split(separator: 0) {
            let text = String(decoding: pair, as: UTF8.self)
            oracle.expect(text.contains("="), "'\(text)' is no key=value pair")
            let value = text.drop { $0 != "=" }.dropFirst()
            switch text.prefix(while: { $0 != "=" }) {
            case "MaxBurstLength": agreement.maxBurst = UInt32(value) ?? agreement.maxBurst
            case "ErrorRecoveryLevel": agreement.errorRecovery = Int(value) ?? 0
            case "HeaderDigest": pendingDigests.header = value == "CRC32C"
            case "DataDigest": pendingDigests.data = value == "CRC32C"
            default: break
            }
        }
        guard pdu.transit, pdu.nextStage == LoginStage.fullFeaturePhase.rawValue else { return }
        oracle.expect(pdu.tsih != 0, "TSIH 0 in the last Login Response")
        tsih = pdu.tsih
        isLoggedIn = true
        agreement.headerDigest = pendingDigests.header
        agreement.dataDigest = pendingDigests.data
    }

    mutating func response(_ pdu: SCSIResponsePDU, _ data: [UInt8]) {
        let tag = pdu.initiatorTaskTag
        oracle.expect(pdu.response <= 1, "response \(pdu.response)")
        var sense: [UInt8] = []
        if !data.isEmpty {
            let length = data.count >= 2 ? Int(data[0]) << 8 | Int(data[1]) : -1
            oracle.expect(length >= 0 && length + 2 <= data.count, "SenseLength \(length) in \(data.count) bytes")
            sense = Array(data.dropFirst(2).prefix(max(0, length)))
        }
        if let status = Status(rawValue: pdu.status) {
            if pdu.response == 0, let fault = SenseCheck.fault(status, sense) { oracle.expect(false, fault) }
        } else {
            oracle.expect(false, "status \(pdu.status)")
        }
        answered(tag)
        guard knowsTasks, let task = tasks[tag], task.commands == 1, agreement.errorRecovery == 0 else { return }
        if pdu.status == 0, pdu.residual.underflow, task.expectedIn > 0 {
            oracle.expect(
                task.dataIn + UInt64(pdu.residual.count) == task.expectedIn,
                "command \(String(task.opcode, radix: 16)): \(task.dataIn) bytes and a residual of "
                    + "\(pdu.residual.count) make not \(task.expectedIn)")
        }
    }

    mutating func dataIn(_ pdu: DataInPDU) {
        let tag = pdu.initiatorTaskTag
        guard let task = tasks[tag] else {
            return oracle.expect(!knowsTasks, "Data-In for a task that is not there")
        }
        if !knowsTasks { return }
        let end = UInt64(pdu.bufferOffset) + UInt64(pdu.dataSegmentLength)
        oracle.expect(end <= UInt64(task.longest), "Data-In up to \(end) of \(task.longest) bytes")
        tasks[tag]?.dataIn += UInt64(pdu.dataSegmentLength)
        oracle.expect(
            agreement.errorRecovery > 0 || task.dataIn + UInt64(pdu.dataSegmentLength) <= task.expectedIn,
            "more Data-In than the \(task.expectedIn) bytes that were expected")
        if task.commands == 1, agreement.errorRecovery == 0 {
            oracle.expect(
                UInt64(pdu.bufferOffset) == task.dataIn, "Data-In at \(pdu.bufferOffset) after \(task.dataIn)")
        }
        if pdu.hasStatus {
            oracle.expect(pdu.final, "Data-In with status that is not final")
            answered(tag)
        }
    }

    private mutating func answered(_ tag: UInt32) {
        guard let task = tasks[tag] else {
            return oracle.expect(!knowsTasks, "a response to a task that is not there")
        }
        tasks[tag]?.responses += 1
        oracle.expect(
            agreement.errorRecovery > 0 || !knowsTasks || task.responses < task.commands,
            "task \(tag) is answered \(task.responses + 1) times")
        wants.removeAll { $0.task == tag }
    }

    mutating func readyToTransfer(_ pdu: ReadyToTransferPDU) {
        let (tag, length) = (pdu.initiatorTaskTag, pdu.desiredDataTransferLength)
        guard let task = tasks[tag] else {
            return oracle.expect(!knowsTasks, "an R2T for a task that is not there")
        }
        oracle.expect(pdu.targetTransferTag != Tag.none, "an R2T without a tag")
        oracle.expect(length > 0 && length <= agreement.maxBurst, "an R2T of \(length), MaxBurstLength is less")
        oracle.expect(
            !knowsTasks || UInt64(pdu.bufferOffset) + UInt64(length) <= UInt64(task.longest),
            "an R2T up to \(UInt64(pdu.bufferOffset) + UInt64(length)) of \(task.longest) bytes")
        wants.append(
            Want(task: tag, tag: pdu.targetTransferTag, offset: pdu.bufferOffset, length: length, lun: pdu.lun))
        if wants.count > 64 { wants.removeFirst() }
    }

    mutating func ping(_ pdu: NOPInPDU) {
        if pdu.targetTransferTag != Tag.none { pings.append(pdu.targetTransferTag) }
        if pings.count > 8 { pings.removeFirst() }
    }

    /// The initiator sent a command.
    mutating func asked(_ tag: UInt32, expecting length: UInt32, read: Bool, opcode: UInt8 = 0) {
        var task = tasks[tag] ?? Task()
        task.opcode = opcode
        task.commands += 1
        task.longest = max(task.longest, length)
        if read { task.expectedIn += UInt64(length) }
        tasks[tag] = task
    }
}
