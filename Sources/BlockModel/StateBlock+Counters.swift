import Primitives

// What log pages count, where both controllers see it. Error counters are the unit's; of its activity each controller
// publishes its own part, when it is asked to by the other (`poll`).

extension StateBlock {
    /// Events that log pages count, on both controllers.
    package enum EventCounter: Int, CaseIterable, Sendable { case readErrors, writeErrors, verifyErrors, otherErrors }

    private func place(_ counter: EventCounter) -> Int { 1424 + counter.rawValue * 4 }

    /// One of the counters.
    package func count(_ counter: EventCounter) -> UInt32 { UnsafeRawPointer(base).little32(place(counter)) }

    /// Sets one of the counters under the write pointer.
    package func setCount(_ counter: EventCounter, _ value: UInt32) { base.put(little32: value, place(counter)) }

    /// Start-stop cycles since the unit was made.
    package var startStopCycles: UInt32 {
        get { UnsafeRawPointer(base).little32(1356) }
        nonmutating set { base.put(little32: newValue, 1356) }
    }

    /// What a controller did for the unit since the statistics were reset.
    package struct Activity: Equatable, Sendable {
        /// READ commands and WRITE commands.
        package var reads: UInt64 = 0
        package var writes: UInt64 = 0
        /// Logical blocks sent and received.
        package var blocksRead: UInt64 = 0
        package var blocksWritten: UInt64 = 0
        /// Nanoseconds from start to end of those commands, summed up.
        package var readTime: UInt64 = 0
        package var writeTime: UInt64 = 0
        package init() {}
    }

    /// The part of `controller`, as it published it last: times in whole seconds.
    package func activity(of controller: ControllerID) -> Activity {
        let at = Self.activityPlace(controller)
        var activity = Activity()
        activity.reads = number(at, 5)
        activity.writes = number(at + 5, 5)
        activity.blocksRead = number(at + 10, 6)
        activity.blocksWritten = number(at + 16, 6)
        activity.readTime = number(at + 22, 4) * 1_000_000_000
        activity.writeTime = number(at + 26, 4) * 1_000_000_000
        return activity
    }

    /// Publishes the part of `controller` under the write pointer; numbers stop at what fits.
    package func publish(_ activity: Activity, of controller: ControllerID) {
        let at = Self.activityPlace(controller)
        put(activity.reads, at, 5)
        put(activity.writes, at + 5, 5)
        put(activity.blocksRead, at + 10, 6)
        put(activity.blocksWritten, at + 16, 6)
        put(activity.readTime / 1_000_000_000, at + 22, 4)
        put(activity.writeTime / 1_000_000_000, at + 26, 4)
    }

    private static func activityPlace(_ controller: ControllerID) -> Int { controller == .a ? 32 : 1442 }

    private func number(_ at: Int, _ width: Int) -> UInt64 {
        (0..<width).reversed().reduce(0) { $0 << 8 | UInt64(UnsafeRawPointer(base).byte(at + $1)) }
    }

    private func put(_ value: UInt64, _ at: Int, _ width: Int) {
        let clamped = min(value, 1 << UInt64(width * 8) - 1)
        for index in 0..<width { base.put(byte: UInt8(truncatingIfNeeded: clamped >> UInt64(index * 8)), at + index) }
    }

    /// Changes when a controller wants to see what the other has done.
    package var poll: UInt8 {
        get { UnsafeRawPointer(base).byte(62) }
        nonmutating set { base.put(byte: newValue, 62) }
    }

    /// Changes when the statistics are reset.
    package var activityReset: UInt8 {
        get { UnsafeRawPointer(base).byte(63) }
        nonmutating set { base.put(byte: newValue, 63) }
    }
}
