import Primitives

extension ISCSITarget {
    /// The sessions, for the controller's status; allocates.
    package func sessionSnapshots() -> [SessionSnapshot] {
        var result: [SessionSnapshot] = []
        for index in 0..<sessions.capacity {
            let session = sessions.pointer(index)
            if !session.pointee.inUse { continue }
            result.append(SessionSnapshot(
                initiator: String(decoding: portName(index), as: UTF8.self),
                target: session.pointee.discovery ? nil : session.pointee.target,
                connections: session.pointee.connectionCount, commands: session.pointee.commands))
        }
        return result
    }

    /// Streams that are open.
    package var connectionCount: Int { connectionPlaces.count }
    /// Sessions that are open, discovery sessions among them.
    package var sessionCount: Int { sessions.count }
    /// Blocks of what can be sent again or waits for its turn, of all sessions.
    package var retainedBlocks: Int { pool.inUse }
    /// PDUs that wait for their turn.
    package var heldCount: Int { held.count }
    /// Command slots in use.
    package var commandCount: Int { commands.count }
}
