import BlockModel
import PagingFormats
import Primitives

// Groups: writes of several pages that are all-or-nothing through any failure that the memory outlives. Members are
// sealed first, the leader last, here and at the partner; then all are settled, and live on as pages of their own.
extension MemoryEngine {
    /// Seals the pages of a group here, and sends the members to the partner.
    mutating func sealGroup(_ id: Int) {
        let op = operations + id
        op.pointee.wasGroup = true
        op.pointee.hasLeaderSent = false
        // The first page is sealed last, with the newest counter: it is the leader.
        let group = lamport + UInt64(op.pointee.pageCount)
        let role = Planted.isOn(.tearGroups) ? FrameHeader.Role.standing : .member
        for index in (1..<op.pointee.pageCount).reversed() { sealPage(id, index, role, group: group) }
        sealPage(id, 0, Planted.isOn(.tearGroups) ? .standing : .leader, group: group)
        for index in 1..<op.pointee.pageCount { copyPage(id, index) }
        if op.pointee.outstanding == 0 { copiesEnded(id) }
    }

    /// Every copy that was asked for is complete: a group's leader goes after its members.
    mutating func copiesEnded(_ id: Int) {
        let op = operations + id
        if op.pointee.isGroup && !op.pointee.hasLeaderSent && op.pointee.reserved > 0 {
            op.pointee.hasLeaderSent = true
            copyPage(id, 0)
            if op.pointee.outstanding > 0 { return }
        }
        mirrored(id)
    }

    /// Both sides (or the one that there is) have the whole group: its pages count by themselves from now on.
    mutating func settleGroup(_ id: Int) {
        let op = operations + id
        op.pointee.isGroup = false
        let usesWindow = isMirroring && membership.isWindowOpen
        for index in 0..<op.pointee.pageCount {
            let frame = frame(id, index)
            FrameHeader.settle(at: region + layout.header(Int(frame.raw)))
            let slot = pool[frame].pointee.slot
            if usesWindow && slot != .max {
                effects.append(.settle(slot: slot))
                membership.lastTouch = membership.batch
            }
        }
        if isMirroring && !usesWindow { sendSettle() }
    }

    /// Tells the partner that every group in its mirror area that has its leader is settled.
    mutating func sendSettle() { sendRelease(slot: UInt32(layout.mirrorStart), count: 0, version: .none) }

    /// Settles, or opens, the members in an area: those whose leader is there count.
    mutating func settleMembers(from first: Int, to end: Int) {
        for index in first..<end {
            let base = region + layout.header(index)
            guard FrameHeader.role(SharedWord.load(base)) == .member, let header = FrameHeader(placed: base) else {
                continue
            }
            if FrameHeader.hasLeader(header, in: region, layout, from: first, to: end) {
                FrameHeader.settle(at: base)
            } else {
                FrameHeader.open(at: base)
                statistics.abandonedMembers += 1
            }
        }
    }

    /// A leader came by message: its members, which came before, are settled. Those that the window brought are found
    /// by looking through the mirror area.
    mutating func settleMembers(of leader: FrameHeader) {
        var missing = Int(leader.groupSize) - 1
        for _ in 0..<recentMembers.count {
            guard let slot = recentMembers.popFirst() else { break }
            let base = region + layout.header(Int(slot))
            guard let header = FrameHeader(placed: base), header.role == .member else { continue }
            if header.groupCounter == leader.version.counter && header.version.controller == leader.version.controller {
                FrameHeader.settle(at: base)
                missing -= 1
            } else {
                recentMembers.append(slot)
            }
        }
        if missing > 0 { settleMirroredGroups() }
    }

    /// The partner's word that its groups are complete: members whose leader is here are settled.
    mutating func settleMirroredGroups() {
        for index in layout.mirrorStart..<layout.frames where pool.records[index].state == .free {
            let base = region + layout.header(index)
            guard FrameHeader.role(SharedWord.load(base)) == .member, let header = FrameHeader(placed: base),
                FrameHeader.hasLeader(header, in: region, layout, from: layout.mirrorStart, to: layout.frames)
            else { continue }
            FrameHeader.settle(at: base)
        }
    }
}
