import BlockModel
import PagingFormats
import Primitives

// Versions of pages, and the Lamport clock that they are counted by (pair-rules 6).

extension MemoryEngine {
    /// The next version, with the next value of this controller's Lamport clock.
    mutating func nextVersion() -> PageVersion {
        PageVersion(epoch: condition.epoch, counter: nextCounter(), controller: configuration.controller.rawValue)
    }

    /// The next value of the Lamport clock, which is kept in the region.
    mutating func nextCounter() -> UInt64 {
        lamport += 1
        region.put(little64: lamport, RegionLayout.lamportOffset)
        return lamport
    }

    /// A counter that came with a message, or stood in a memory: ours is never behind it. One beyond the limit is no
    /// counter of ours; going on from there would end in an overflow.
    package mutating func raiseLamport(to counter: UInt64) {
        guard counter > lamport, counter <= ChannelLimits.counter else { return }
        lamport = counter
        if membership.hasBegun { region.put(little64: lamport, RegionLayout.lamportOffset) }
    }
}
