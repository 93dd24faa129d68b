import ISCSIFormats
import Primitives

// What a recovering host makes of the target's PDUs.
extension RecoveringHost {
    /// Takes the next whole PDU of a connection.
    func next(_ link: Link) -> Seen? {
        let all = link.bytes
        let digest = link.hasDigests ? 4 : 0
        if all.count < 48 + digest { return nil }
        let length = Int(all[5]) << 16 | Int(all[6]) << 8 | Int(all[7])
        let padded = (length + 3) & ~3
        let end = 48 + digest + padded + (length > 0 ? digest : 0)
        if all.count < end { return nil }
        let header = Array(all[0..<48])
        let data = Array(all[(48 + digest)..<(48 + digest + padded)])
        if digest > 0 && Array(all[48..<52]) != Self.digest(header) {
            problems.append("a header digest of the target is wrong")
        }
        if digest > 0 && length > 0 && Array(all[(end - 4)..<end]) != Self.digest(data) {
            problems.append("a data digest of the target is wrong")
        }
        link.bytes.removeFirst(end)
        return Seen(header: header, data: Array(data.prefix(length)))
    }

    /// Looks at what has come on all connections; false: nothing whole.
    @discardableResult func receiveAll() -> Bool {
        var moved = false
        for link in links {
            let (bytes, isClosed) = wires.receive(link.stream)
            link.bytes += bytes
            while let seen = next(link) {
                moved = true
                let isDamaged = chance()
                if isDamaged { counts.damaged += 1 }
                handle(link, seen, isDamaged: isDamaged)
                if !links.contains(where: { $0 === link }) { break }
            }
            if isClosed, links.contains(where: { $0 === link }) {
                moved = true
                drop(link)
            }
        }
        return moved
    }

    private func handle(_ link: Link, _ seen: Seen, isDamaged: Bool) {
        let serials = seen.decoded { TargetSerialNumbers(decoding: $0) }
        switch seen.opcode {
        case .dataIn:
            if isDamaged { return }
            note(serials)
            dataIn(link, seen.decoded { DataInPDU(decoding: $0) }, seen.data)
        case .readyToTransfer:
            if isDamaged { return }
            note(serials)
            readyToTransfer(link, seen.decoded { ReadyToTransferPDU(decoding: $0) })
        case .nopIn where seen.decoded({ NOPInPDU(decoding: $0) }).initiatorTaskTag == Tag.none:
            note(serials)
            answerPing(link, seen.decoded { NOPInPDU(decoding: $0) })
        case .scsiResponse, .nopIn, .taskManagementResponse, .reject, .logoutResponse:
            if isDamaged { return }
            note(serials)
            numbered(link, seen, serials.statSN)
        default: problems.append("an unexpected \(String(describing: seen.opcode))")
        }
    }

    private func numbered(_ link: Link, _ seen: Seen, _ statSN: UInt32) {
        if SerialNumber(statSN) < SerialNumber(link.expStatSN) || link.early.contains(statSN) { return }
        if link.expStatSN != statSN && link.asked != link.expStatSN {
            link.asked = link.expStatSN
            snack(link, .status, from: link.expStatSN, count: statSN &- link.expStatSN)
        }
        switch seen.opcode {
        case .scsiResponse:
            // A status counts as received when all data have (RFC 7143 §11.16.1).
            let response = seen.decoded { SCSIResponsePDU(decoding: $0) }
            if ended.contains(response.initiatorTaskTag) {
                late.append((response.initiatorTaskTag, ObjectIdentifier(link)))
                break
            }
            guard let task = tasks[response.initiatorTaskTag], task.cid == link.cid else {
                problems.append("a response for \(response.initiatorTaskTag), which is not outstanding")
                return
            }
            task.response = (response, statSN)
            task.senseKey = seen.data.count > 4 ? seen.data[4] & 0x0F : 0
            complete(task, link)
            return
        case .reject: rejected(link, seen)
        case .taskManagementResponse where isAnswerOfReset(seen):
            // It means what it says only behind all that was sent before it.
            if statSN != link.expStatSN { return }
            wasReset(seen.decoded { TaskManagementResponsePDU(decoding: $0) })
        case .taskManagementResponse: reassigned(link, seen.decoded { TaskManagementResponsePDU(decoding: $0) })
        case .logoutResponse:
            let answer = seen.decoded { LogoutResponsePDU(decoding: $0) }
            if answer.response != 0 { problems.append("logout response \(answer.response)") }
            loggedOut.insert(answer.initiatorTaskTag)
        default: break
        }
        took(link, statSN)
    }

    func took(_ link: Link, _ statSN: UInt32) {
        link.early.insert(statSN)
        while link.early.remove(link.expStatSN) != nil { link.expStatSN &+= 1 }
    }

    /// Ends a command whose response and data are here, or asks for what is missing.
    func complete(_ task: Task, _ link: Link) {
        guard let (response, statSN) = task.response else { return }
        if task.isRead && response.status == 0 && task.nextDataSN != response.expDataSN {
            snack(link, .dataOrR2T, task: task, from: task.nextDataSN, count: 0)
            return
        }
        if task.isRead && response.status == 0 && task.received != task.data.count {
            problems.append("task \(task.tag): \(task.received) of \(task.data.count) bytes")
        }
        finish(task, response)
        took(link, statSN)
    }

    private func dataIn(_ link: Link, _ pdu: DataInPDU, _ data: [UInt8]) {
        guard let task = tasks[pdu.initiatorTaskTag], task.cid == link.cid else { return }
        if SerialNumber(pdu.dataSN) < SerialNumber(task.nextDataSN) { return }
        task.early[pdu.dataSN] = (pdu, data)
        if pdu.dataSN != task.nextDataSN {
            snack(link, .dataOrR2T, task: task, from: task.nextDataSN, count: pdu.dataSN &- task.nextDataSN)
            return
        }
        while let (next, bytes) = task.early.removeValue(forKey: task.nextDataSN) {
            let at = Int(next.bufferOffset)
            if at != task.received || bytes.count + at > task.data.count
                || Array(task.data[at..<(at + bytes.count)]) != bytes {
                problems.append("task \(task.tag): other data at \(at)")
            }
            task.received = at + bytes.count
            task.nextDataSN &+= 1
            if next.acknowledge {
                task.acknowledged = task.nextDataSN
                task.acknowledgedBytes = task.received
                var answer = SNACKRequestPDU()
                answer.type = SNACKType.dataACK.rawValue
                answer.lun = next.lun
                answer.snackTag = next.targetTransferTag
                answer.expStatSN = link.expStatSN
                answer.begRun = task.nextDataSN
                send(link, answer.encode)
            }
        }
        complete(task, link)
    }

    private func readyToTransfer(_ link: Link, _ pdu: ReadyToTransferPDU) {
        guard let task = tasks[pdu.initiatorTaskTag], task.cid == link.cid else { return }
        if !task.answered.insert(pdu.r2tSN).inserted { return }
        if pdu.r2tSN != task.nextR2TSN && !task.wasMoved { problems.append("task \(task.tag): R2TSN \(pdu.r2tSN)") }
        task.nextR2TSN = pdu.r2tSN &+ 1
        let start = Int(pdu.bufferOffset)
        putData(task, link, start, start + Int(pdu.desiredDataTransferLength), pdu.targetTransferTag)
    }

    private func answerPing(_ link: Link, _ pdu: NOPInPDU) {
        if pdu.targetTransferTag == Tag.none { return }
        var answer = NOPOutPDU()
        answer.initiatorTaskTag = Tag.none
        answer.targetTransferTag = pdu.targetTransferTag
        answer.cmdSN = cmdSN
        answer.expStatSN = link.expStatSN
        send(link, answer.encode)
    }

    private func rejected(_ link: Link, _ seen: Seen) {
        let reason = seen.decoded { RejectPDU(decoding: $0) }.reason
        let refused = Seen(header: Array(seen.data.prefix(48)), data: [])
        // What it asks for again may have gone with a reset.
        let isOld = refused.opcode == .snackRequest && counts.resets > 0
        if reason != RejectReason.dataDigestError.rawValue && !isOld {
            problems.append("rejected for \(reason): \(String(describing: refused.opcode)) \(refused.header)")
        }
        let tag = refused.decoded { BasicHeaderSegment($0).initiatorTaskTag }
        if refused.opcode == .scsiCommand, let task = tasks[tag], task.cid == link.cid {
            counts.retried += 1
            put(task, on: link)
        }
    }

    func snack(_ link: Link, _ type: SNACKType, task: Task? = nil, from: UInt32, count: UInt32) {
        counts.snacks += 1
        var pdu = SNACKRequestPDU()
        pdu.type = type.rawValue
        if let task { pdu.initiatorTaskTag = task.tag }
        pdu.expStatSN = link.expStatSN
        pdu.begRun = from
        pdu.runLength = count
        send(link, pdu.encode)
    }
}
