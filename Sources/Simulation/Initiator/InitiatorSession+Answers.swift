import Primitives

// What the target says, and the rules that it must keep while it does.
extension InitiatorSession {
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
