import BlockModel
import Primitives

/// Counters of the memory engine; only ever grow, except those that say otherwise.
package struct MemoryStatistics: Sendable {
    package var readHits: UInt64 = 0
    package var readMisses: UInt64 = 0
    package var stagedBytes: UInt64 = 0
    package var destagedBytes: UInt64 = 0
    package var discardedBytes: UInt64 = 0
    package var flushes: UInt64 = 0
    package var tornFrames: UInt64 = 0
    /// Members of groups that never got their leader: found and not used.
    package var abandonedMembers: UInt64 = 0
    package var evictions: UInt64 = 0
    package var pointersGranted: UInt64 = 0
    package var pointersRecalled: UInt64 = 0
    /// Pages that went to the partner with its read-only pointers, and that came with ours.
    package var pagesSent: UInt64 = 0
    package var pagesFetched: UInt64 = 0
    /// Blocks that the partner had no space to name.
    package var blocksRefused: UInt64 = 0
    package init() {}
}

extension MemoryEngine {
    /// Frames of the own area that nobody holds.
    package var freeFrames: Int { pool.freeCount }
    /// Frames of the own area.
    package var ownFrames: Int { pool.ownCount }
    /// Pages with data that no device has durably.
    package var dirtyPages: Int { dirty.count + writtenCount }
    /// Slots of the partner's mirror area that hold pages of ours.
    package var mirroredPages: Int { slots.used }
    package var blockCount: Int { blocks.count }
    /// Blocks of the partner that this memory was asked to allocate.
    package var partnerBlockCount: Int { partnerBlocks.count }
    /// Block operations under way.
    package var operationsInUse: Int {
        (0..<operationCount).reduce(0) { $0 + (operations[$1].kind == .none ? 0 : 1) }
    }
    /// The controller that is home of a unit, to this controller's knowledge.
    package func home(of unit: UnitIndex) -> ControllerID {
        condition.paired ? units[Int(unit.raw)].home : configuration.controller
    }
    /// The number of the last event in a unit's state block, nil where the block does not name this controller home.
    package func eventNumber(of unit: UnitIndex) -> UInt64? {
        let state = units[Int(unit.raw)]
        guard state.isLoaded, state.home == configuration.controller else { return nil }
        let block = StateBlock(frames.pointer(state.content))
        return block.home == configuration.controller ? block.eventNumber : nil
    }
    /// All state blocks have been read (or adopted): the unit's home is known.
    package var isLoaded: Bool { configuration.units.indices.allSatisfy { units[$0].isLoaded } }

    var writtenCount: Int {
        (0..<configuration.deviceCount).reduce(0) { $0 + devices[$1].written.count }
    }
}
