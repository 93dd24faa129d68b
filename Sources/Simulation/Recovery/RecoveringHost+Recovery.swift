import ISCSIFormats
import Primitives

// How a recovering host loses connections, and what it does about it.
extension RecoveringHost {
    /// A connection is gone, with everything that was on its way.
    func drop(_ link: Link) {
        counts.drops += 1
        wires.drop(link.stream)
        links.removeAll { $0 === link }
        late.removeAll { $0.link == ObjectIdentifier(link) }
        if reset?.cid == link.cid {
            reset = nil
            needsReset = true
        }
        lost.append((link.cid, link.expStatSN))
    }

    /// Replaces lost connections: by one with the same CID, or by one with another after a recovery Logout.
    func recover() {
        while problems.isEmpty, let (cid, expStatSN) = lost.popLast() {
            if let other = links.first, random.chance(1, in: 2), logout(cid, expStatSN, over: other) {
                open(cid: cid &+ 16)
            } else {
                open(cid: cid, expStatSN: expStatSN)
            }
            guard let link = links.last else { return }
            for task in tasks.values.sorted(by: { $0.tag < $1.tag }) where task.cid == cid { moveOver(task, to: link) }
        }
    }

    /// Removes a connection for recovery; false when the answer did not come.
    private func logout(_ cid: UInt16, _ expStatSN: UInt32, over link: Link) -> Bool {
        var pdu = LogoutRequestPDU()
        pdu.immediate = true
        pdu.reason = LogoutReason.removeConnectionForRecovery.rawValue
        pdu.initiatorTaskTag = nextTag
        nextTag += 1
        pdu.cid = cid
        pdu.cmdSN = cmdSN
        pdu.expStatSN = expStatSN
        wires.send(link.stream, bytes(link, data: [], pdu.encode))
        for _ in 0..<Self.patience where problems.isEmpty {
            let isMoving = wires.turn()
            let hasCome = receiveAll()
            if loggedOut.contains(pdu.initiatorTaskTag) { return true }
            if !links.contains(where: { $0 === link }) { return false }
            if !isMoving && !hasCome { prod() }
        }
        problems.append("no logout response")
        return false
    }

    /// A command that the target has is reassigned; another is sent again with its CmdSN (RFC 7143 §7.2.1).
    private func moveOver(_ task: Task, to link: Link) {
        task.early = [:]
        task.response = nil
        if !(SerialNumber(task.cmdSN) < SerialNumber(expCmdSN)) {
            counts.retried += 1
            put(task, on: link)
            return
        }
        task.cid = link.cid
        // What a reset has aborted is not to be reassigned, and its answer will tell.
        if reset == nil && !needsReset { reassign(task, link) }
    }

    func reassign(_ task: Task, _ link: Link) {
        var pdu = TaskManagementRequestPDU()
        pdu.function = TaskManagementCode.taskReassign.rawValue
        pdu.initiatorTaskTag = nextTag
        pdu.referencedTaskTag = task.tag
        pdu.cmdSN = cmdSN
        pdu.expStatSN = link.expStatSN
        if task.isRead && random.chance(1, in: 2) {
            pdu.expDataSN = task.nextDataSN
            task.acknowledged = task.nextDataSN
            task.acknowledgedBytes = task.received
        } else if task.isRead {
            // What it acknowledged before may not have arrived: 0 would leave that open.
            pdu.expDataSN = task.acknowledged
            task.received = task.acknowledgedBytes
            task.nextDataSN = task.acknowledged
        }
        task.reassign = nextTag
        task.wasMoved = true
        nextTag += 1
        send(link, pdu.encode)
    }

    func reassigned(_ link: Link, _ pdu: TaskManagementResponsePDU) {
        guard let task = tasks.values.first(where: { $0.reassign == pdu.initiatorTaskTag }) else { return }
        task.reassign = nil
        counts.reassigned += 1
        if pdu.response != 0 { problems.append("task \(task.tag): reassignment answered \(pdu.response)") }
    }

    /// Nothing moves: connections are pinged, so that gaps in StatSN show, and missing data and R2Ts asked for.
    func prod() {
        for link in links {
            link.asked = nil
            var ping = NOPOutPDU()
            ping.initiatorTaskTag = nextTag
            nextTag += 1
            ping.cmdSN = cmdSN
            ping.expStatSN = link.expStatSN
            send(link, ping.encode)
        }
        for task in tasks.values.sorted(by: { $0.tag < $1.tag }) {
            guard let link = links.first(where: { $0.cid == task.cid }), task.reassign == nil else { continue }
            if !(SerialNumber(task.cmdSN) < SerialNumber(expCmdSN)) { continue }
            if !task.isRead { snack(link, .dataOrR2T, task: task, from: task.nextR2TSN, count: 0) }
            if task.isRead && task.response != nil { complete(task, link) }
        }
    }

    /// Runs commands on four connections until `total` of all are complete, or nothing moves any more.
    package func run(_ total: Int) {
        while links.count < 4 && problems.isEmpty { open(cid: UInt16(links.count + 1)) }
        var still = 0
        while counts.completed < total && problems.isEmpty && still < Self.patience {
            submitted += submit(limit: min(3, total - submitted))
            let isMoving = wires.turn()
            let moved = receiveAll()
            if let link = links.last, faultRate > 0, random.chance(1, in: faultRate * 2) { drop(link) }
            if !lost.isEmpty { recover() }
            if wantsReset() { sendReset() }
            still = moved || isMoving ? 0 : still + 1
            if !moved && !isMoving { prod() }
        }
        for _ in 0..<50 where !late.isEmpty { pass() }
        for one in late { problems.append("task \(one.tag) was answered after the reset that ended it") }
        if counts.completed < total && problems.isEmpty {
            problems.append("\(counts.completed) of \(total) after \(submitted); left \(tasks.keys.sorted())")
        }
    }

    /// Lets time pass without new commands.
    func pass() {
        _ = wires.turn()
        receiveAll()
        if !lost.isEmpty { recover() }
    }

    /// Closes all connections; the session ends when nobody comes back.
    package func end() {
        for link in links { wires.drop(link.stream) }
        links = []
    }
}
