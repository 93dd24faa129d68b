import ISCSIFormats
import Primitives

// Resets of a recovering host: each ends the commands before it, and its answer comes behind all of their answers, on
// whatever connection they are (RFC 7143 §4.2.2.3.3).
extension RecoveringHost {
    func wantsReset() -> Bool {
        if resetRate == 0 || reset != nil || !lost.isEmpty || links.isEmpty { return false }
        if tasks.values.contains(where: { $0.reassign != nil }) { return false }
        return needsReset || random.chance(1, in: resetRate)
    }

    func sendReset() {
        let link = links[Int(random.below(UInt64(links.count)))]
        var pdu = TaskManagementRequestPDU()
        pdu.function = TaskManagementCode.logicalUnitReset.rawValue
        pdu.initiatorTaskTag = nextTag
        pdu.cmdSN = cmdSN
        pdu.expStatSN = link.expStatSN
        reset = (nextTag, link.cid, cmdSN)
        needsReset = false
        nextTag += 1
        counts.resets += 1
        send(link, pdu.encode)
    }

    func isAnswerOfReset(_ seen: Seen) -> Bool {
        reset?.tag == seen.decoded { TaskManagementResponsePDU(decoding: $0) }.initiatorTaskTag
    }

    /// The commands before the reset that were not answered never will be: they are sent as new ones.
    func wasReset(_ pdu: TaskManagementResponsePDU) {
        guard let reset else { return }
        self.reset = nil
        if pdu.response != 0 { problems.append("a reset was answered \(pdu.response)") }
        for task in tasks.values.sorted(by: { $0.tag < $1.tag })
        where SerialNumber(task.cmdSN) < SerialNumber(reset.cmdSN) {
            counts.aborted += 1
            ended.insert(task.tag)
            tasks[task.tag] = nil
            sendAnew(task)
        }
    }

    /// The same command under another tag.
    func sendAnew(_ task: Task) {
        let again = Task(nextTag, cmdSN, task.block, task.data, isRead: task.isRead, immediate: task.immediate)
        nextTag += 1
        cmdSN &+= 1
        tasks[again.tag] = again
        if let link = links.first {
            put(again, on: link)
        } else {
            again.cid = lost.first?.cid
        }
    }
}
