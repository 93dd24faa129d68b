import Primitives


/// Version of a page: epoch, then the Lamport counter of the writer, then the writer. Never goes back (invariant 5).
package struct PageVersion: Comparable, Hashable, Sendable {
    // The longest first: 13 bytes, and who holds a version may use the three behind them.
    @usableFromInline package var counter: UInt64
    @usableFromInline package var epoch: UInt32
    @usableFromInline package var controller: UInt8

    @inlinable package init(epoch: UInt32, counter: UInt64, controller: UInt8) {
        self.epoch = epoch
        self.counter = counter
        self.controller = controller
    }

    /// Older than every version that a controller takes.
    @inlinable package static var none: PageVersion { PageVersion(epoch: 0, counter: 0, controller: 0) }

    @inlinable package static func < (a: PageVersion, b: PageVersion) -> Bool {
        (a.epoch, a.counter, a.controller) < (b.epoch, b.counter, b.controller)
    }
}

/// Globally unique identifier of a memory block (claim 6): array, controller, epoch of creation, counter.
/// `high`: array id (32 bits), epoch (32 bits); `low`: controller (8 bits), counter (56 bits).
package struct GUID: Hashable, Sendable {
    @usableFromInline package var high: UInt64
    @usableFromInline package var low: UInt64
    @inlinable package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }
    @inlinable package init(array: UInt32, controller: ControllerID, epoch: UInt32, counter: UInt64) {
        high = UInt64(array) << 32 | UInt64(epoch)
        low = UInt64(controller.rawValue) << 56 | (counter & 0x00FF_FFFF_FFFF_FFFF)
    }
    @inlinable package static var none: GUID { GUID(high: 0, low: 0) }
}
