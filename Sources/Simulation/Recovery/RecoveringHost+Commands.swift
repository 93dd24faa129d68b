import ISCSIFormats
import Primitives

// The commands of a recovering host.
extension RecoveringHost {
    /// Sends commands as far as the window and the free regions allow.
    func submit(limit: Int) -> Int {
        // What is sent beside a reset may be ended by it or not.
        if reset != nil || needsReset { return 0 }
        var count = 0
        while count < limit, tasks.count < 12, !links.isEmpty, SerialNumber(cmdSN) <= SerialNumber(maxCmdSN) {
            let region = Int(random.below(UInt64(model.count / 512 / Self.regionBlocks)))
            if locked.contains(region) { continue }
            locked.insert(region)
            let blocks = random.chance(1, in: 3) ? Int(random.below(UInt64(Self.regionBlocks))) + 1 : 8
            let isRead = random.chance(1, in: 2)
            let block = region * Self.regionBlocks
            let start = block * 512
            let data = isRead
                ? Array(model[start..<(start + blocks * 512)]) : noise(blocks * 512)
            let most = min(data.count, 8192)
            let immediate = isRead || random.chance(1, in: 3) ? 0 : random.chance(1, in: 2) ? most : min(most, 1500)
            let task = Task(nextTag, cmdSN, block, data, isRead: isRead, immediate: immediate)
            nextTag += 1
            cmdSN &+= 1
            tasks[task.tag] = task
            put(task, on: links[Int(random.below(UInt64(links.count)))])
            count += 1
        }
        return count
    }

    /// Sends a command, for the first time or again, with its unsolicited data.
    func put(_ task: Task, on link: Link) {
        task.cid = link.cid
        task.response = nil
        let blocks = task.data.count / 512
        let (block, opcode) = (UInt32(task.block), task.isRead ? UInt8(0x28) : 0x2A)
        let cdb = [opcode, 0] + [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: block >> $0) }
            + [0, UInt8(blocks >> 8), UInt8(blocks & 0xFF), 0]
        let unsolicited = task.immediate == 1500 && task.tag % 2 == 0 ? min(task.data.count, 8192) : task.immediate
        var pdu = SCSICommandPDU()
        pdu.initiatorTaskTag = task.tag
        pdu.final = unsolicited == task.immediate
        pdu.read = task.isRead
        pdu.write = !task.isRead
        pdu.expectedDataTransferLength = UInt32(task.data.count)
        pdu.cmdSN = task.cmdSN
        pdu.expStatSN = link.expStatSN
        for (index, byte) in cdb.enumerated() { pdu.cdb[index] = byte }
        send(link, data: Array(task.data[0..<task.immediate]), pdu.encode)
        putData(task, link, task.immediate, unsolicited, Tag.none)
    }

    /// Sends Data-Out PDUs of one sequence.
    func putData(_ task: Task, _ link: Link, _ start: Int, _ end: Int, _ transferTag: UInt32) {
        var at = start
        var number: UInt32 = 0
        while at < end {
            let count = min(3000, end - at)
            var pdu = DataOutPDU()
            pdu.final = at + count == end
            pdu.initiatorTaskTag = task.tag
            pdu.targetTransferTag = transferTag
            pdu.expStatSN = link.expStatSN
            pdu.dataSN = number
            pdu.bufferOffset = UInt32(at)
            send(link, data: Array(task.data[at..<(at + count)]), pdu.encode)
            at += count
            number += 1
        }
    }

    /// Data of a write.
    private func noise(_ count: Int) -> [UInt8] {
        var data: [UInt8] = []
        data.reserveCapacity(count + 8)
        while data.count < count { withUnsafeBytes(of: random.next()) { data += $0 } }
        return Array(data.prefix(count))
    }

    func finish(_ task: Task, _ response: SCSIResponsePDU) {
        tasks[task.tag] = nil
        if response.status == 2 && task.senseKey == 6 {
            // A unit attention: the same command again, as a new one.
            counts.attentions += 1
            sendAnew(task)
            return
        }
        if response.status != 0 { problems.append("task \(task.tag): status \(response.status)") }
        if response.residual != Residual() { problems.append("task \(task.tag): residual") }
        if !task.isRead {
            model.replaceSubrange((task.block * 512)..<(task.block * 512 + task.data.count), with: task.data)
        }
        locked.remove(task.block / Self.regionBlocks)
        counts.completed += 1
    }
}
