/// The changeable mode parameters that every command looks at.
@frozen
@usableFromInline
package struct ModeFlags: OptionSet, Sendable {
    @usableFromInline package var rawValue: UInt8
    @inlinable package init(rawValue: UInt8) { self.rawValue = rawValue }
    /// WCE of the Caching page: writes may be answered from memory.
    @inlinable package static var writeCacheEnabled: Self { Self(rawValue: 1) }
    /// DRA of the Caching page: no read-ahead.
    @inlinable package static var disableReadAhead: Self { Self(rawValue: 2) }
    /// SWP of the Control page: writes are refused.
    @inlinable package static var softwareWriteProtect: Self { Self(rawValue: 4) }
    /// D_SENSE of the Control page: descriptor format sense data.
    @inlinable package static var descriptorSense: Self { Self(rawValue: 8) }
    /// What a unit starts with.
    @inlinable package static var standard: Self { .writeCacheEnabled }

    /// What `image` sets.
    package init(_ image: ModeImage) {
        self = []
        if image[1] & 0x04 == 0 { insert(.writeCacheEnabled) }
        if image[2] & 0x20 != 0 { insert(.disableReadAhead) }
        if image[5] & 0x08 != 0 { insert(.softwareWriteProtect) }
        if image[3] & 0x04 != 0 { insert(.descriptorSense) }
    }
}

/// What the Control mode page says about tasks and unit attentions (SPC-4 §7.5.8).
package struct ControlParameters: Equatable, Sendable {
    /// QERR: which commands are aborted with one that ends with CHECK CONDITION.
    package enum QueueErrorManagement: UInt8, Sendable {
        /// None.
        case none = 0
        /// All in the task set.
        case all = 1
        /// Those of the same nexus.
        case nexus = 3
    }
    /// UA_INTLCK_CTRL: what becomes of a unit attention that was reported, and whether BUSY and the like establish one.
    package enum Interlock: UInt8, Sendable {
        /// Reporting clears it.
        case clears = 0
        /// Reporting does not clear it; REQUEST SENSE does.
        case keeps = 2
        /// As `keeps`, and BUSY, TASK SET FULL and RESERVATION CONFLICT establish one.
        case establishes = 3
    }
    /// TAS: a command that another nexus aborts ends with TASK ABORTED.
    package var taskAbortedStatus = true
    package var queueErrorManagement = QueueErrorManagement.none
    package var unitAttentionInterlock = Interlock.clears

    /// What a unit starts with.
    package init() {}

    /// What `image` sets.
    package init(_ image: ModeImage) {
        taskAbortedStatus = image[6] & 0x40 == 0
        queueErrorManagement = QueueErrorManagement(rawValue: image[4] >> 1 & 3) ?? .none
        unitAttentionInterlock = Interlock(rawValue: image[5] >> 4 & 3) ?? .clears
    }
}

/// What the Informational Exceptions Control mode page says (SBC-3 §6.5.6).
package struct ExceptionControl: Equatable, Sendable {
    /// MRIE: how a failure prediction is reported.
    package enum Method: UInt8, Sendable {
        case none = 0
        case unitAttention = 2
        case onRequest = 6
    }
    /// TEST: a false failure prediction is there.
    package var test = false
    package var method = Method.onRequest
    /// The false failure prediction is reported: TEST, which MRIE 0h makes mean nothing.
    package var isFailing: Bool { test && method != .none }

    /// What a unit starts with.
    package init() {}

    /// What `image` sets.
    package init(_ image: ModeImage) {
        test = image[7] & 0x04 != 0
        method = Method(rawValue: image[8] & 0x0F ^ 0x06) ?? .onRequest
    }
}

/// The thresholds of the Logical Block Provisioning mode page (SBC-3 §6.5.7), and LBPERE, which lets them be reported.
/// Counts are in threshold sets.
package struct ProvisioningThresholds: Equatable, Sendable {
    /// LBPERE of the Read-Write Error Recovery page.
    package var isReported = false
    /// SITUA: one nexus is told, rather than all.
    package var onlyOneNexus = false
    /// Reached when no more than this is available; nil: not enabled.
    package var available: UInt32?
    /// Reached when as much as this is used; nil: not enabled.
    package var used: UInt32?

    /// What a unit starts with.
    package init() {}

    /// What `image` sets.
    package init(_ image: ModeImage) {
        isReported = image[0] & 0x80 != 0
        onlyOneNexus = image[9] & 0x01 != 0
        available = image[10] & 0x80 == 0 ? nil : Self.count(image, 11)
        used = image[15] & 0x80 == 0 ? nil : Self.count(image, 16)
    }

    private static func count(_ image: ModeImage, _ place: Int) -> UInt32 {
        (0..<4).reduce(0) { $0 << 8 | UInt32(image[place + $1]) }
    }
}
