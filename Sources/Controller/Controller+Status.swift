import BlockModel
import CopyModule
import ISCSITarget
import Memory
import Pair
import PagingFormats
import Primitives
import SCSIFormats
import SCSITarget

extension Controller {
    /// The state of everything, as a value to keep; allocates.
    package func status(at now: Instant) -> ControllerStatus {
        let snapshot = pair.snapshot()
        let condition = pair.condition
        var status = ControllerStatus()
        status.controller = id.name
        status.state = snapshot.stateName
        status.epoch = snapshot.epoch
        status.serving = condition.serving && now < condition.leaseEnd
        status.maintenance = isInMaintenance
        status.redundant = condition.paired && status.serving
        status.incarnation = snapshot.incarnation
        status.leaseMilliseconds =
            condition.paired ? (condition.leaseEnd - now).nanoseconds / 1_000_000 : nil
        status.channelConnected = snapshot.channelConnected
        status.windowOpen = snapshot.windowOpen
        status.witnessReachable = snapshot.witnessReachable
        status.units = description.units.indices.map { unitStatus($0) }
        status.sessions = iscsi.sessionSnapshots().map { sessionStatus($0) }
        status.memory = memoryStatus()
        for kind in MessageKind.allCases {
            status.messagesSent[kind.name] = snapshot.sent(kind)
            status.messagesReceived[kind.name] = snapshot.received(kind)
        }
        status.copiedBytes[CopyMethod.dma.name] = copy.dma.bytes
        status.copiedBytes[CopyMethod.messaging.name] = copy.messaging.bytes
        for index in description.units.indices { addGroups(of: index, to: &status) }
        return status
    }

    /// The grouping function's counts, where there are any.
    private func addGroups(of index: Int, to status: inout ControllerStatus) {
        for group in UInt8(1)...31 {
            let activity = server.activity(of: UnitIndex(UInt16(index)), group: group)
            if activity.reads == 0, activity.writes == 0 { continue }
            let name = "\(description.units[index].lun)/\(group)"
            status.groupCommands[name] = activity.reads &+ activity.writes
            status.groupBlocks[name] = activity.blocksRead &+ activity.blocksWritten
        }
    }

    private func unitStatus(_ index: Int) -> ControllerStatus.UnitStatus {
        var unit = ControllerStatus.UnitStatus()
        unit.lun = description.units[index].lun
        unit.home = memory.home(of: UnitIndex(UInt16(index))).name
        unit.stateEvents = memory.eventNumber(of: UnitIndex(UInt16(index)))
        unit.accessState = server.accessState(of: UnitIndex(UInt16(index))).name
        unit.bytes = description.units[index].map.sectors * 512
        return unit
    }

    private func sessionStatus(_ session: SessionSnapshot) -> ControllerStatus.SessionStatus {
        var status = ControllerStatus.SessionStatus()
        status.initiator = session.initiator
        status.target = session.target.map { description.targets[Int($0)].name } ?? "discovery"
        status.connections = session.connections
        status.commands = session.commands
        return status
    }

    private func memoryStatus() -> ControllerStatus.MemoryStatus {
        var status = ControllerStatus.MemoryStatus()
        status.frames = memory.ownFrames
        status.freeFrames = memory.freeFrames
        status.dirtyPages = memory.dirtyPages
        status.mirroredPages = memory.mirroredPages
        status.blocks = memory.blockCount
        status.partnerBlocks = memory.partnerBlockCount
        status.readHits = memory.statistics.readHits
        status.readMisses = memory.statistics.readMisses
        status.stagedBytes = memory.statistics.stagedBytes
        status.destagedBytes = memory.statistics.destagedBytes
        status.tornFrames = memory.statistics.tornFrames
        return status
    }
}
